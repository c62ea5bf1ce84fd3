/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"

int source_find_file(const char *base, const char *name, char **ret)
{
	_cleanup_free_ char *path = path_join(base, name);
	_cleanup_close_ int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (dir < 0)
		return -errno;
	fd = open_beneath(dir, name, O_PATH);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret = TAKE_PTR(path);
	return 0;
}

int source_work_dir(struct source_options *options, char **ret)
{
	_cleanup_free_ char *path = text_format("%s/%u", options->work, options->serial++);

	if (!path)
		return -ENOMEM;
	if (mkdir(path, 0700) < 0)
		return -errno;
	*ret = TAKE_PTR(path);
	return 0;
}

/* "dir:" puts the first manifest in manifest.json, the others in HEX.manifest.json, blobs in HEX. */
static int locate_in_dir(const struct locator *self, const struct digest *digest, bool manifest,
			 char **ret_path)
{
	const char *const *dirs = self->data;
	char text[DIGEST_STRING_MAX], name[DIGEST_STRING_MAX + sizeof(".manifest.json")];
	const char *hex = strchr(digest_format(digest, text), ':');

	if (!hex)
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s", hex + 1, manifest ? ".manifest.json" : "");
	for (; *dirs; dirs++) {
		struct digest first;
		_cleanup_free_ char *path = NULL, *content = NULL;
		size_t size;
		if (source_find_file(*dirs, name, ret_path) == 0)
			return 0;
		if (!manifest || source_find_file(*dirs, "manifest.json", &path) < 0 ||
		    read_file_at(AT_FDCWD, path, MANIFEST_BYTES_MAX, &content, &size) < 0)
			continue;
		if (digest_of(digest->algorithm, content, size, &first) == 0 &&
		    digest_equal(&first, digest)) {
			*ret_path = TAKE_PTR(path);
			return 0;
		}
	}
	return -ENOENT;
}

int source_add_dirs(struct contents *c, const char *const *dirs, const char *reference,
		    struct source_options *options, struct diag *diag)
{
	const struct locator locator = { .locate = locate_in_dir, .data = dirs };
	_cleanup_free_ char *path = NULL, *content = NULL;
	struct digest digest;
	size_t size;
	int r = source_find_file(dirs[0], "manifest.json", &path);

	if (r == 0)
		r = read_file_at(AT_FDCWD, path, MANIFEST_BYTES_MAX, &content, &size);
	if (r == 0)
		r = digest_of(DIGEST_SHA256, content, size, &digest);
	if (r < 0)
		return diag_set(diag, r == -ENOENT ? -EINVAL : r, "%s: %s/manifest.json: %s",
				reference, dirs[0], strerror(-r));
	return contents_add_image(c, &locator, reference, &digest, &options->choice, diag);
}

/* Before a program opens it: a FIFO would keep it waiting for a writer that never comes. */
static int check_kind(const struct image_spec *spec, struct diag *diag)
{
	bool directory =
		spec->kind == SOURCE_OCI || spec->kind == SOURCE_DIR || spec->kind == SOURCE_TREE;
	struct stat st;

	if (spec->kind == SOURCE_REGISTRY)
		return 0;
	if (stat(spec->path, &st) < 0)
		return diag_set(diag, -EINVAL, "%s%s: %s", source_kind_prefix(spec->kind),
				spec->path, strerror(errno));
	if ((directory ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
		return 0;
	return diag_set(diag, -EINVAL, "%s%s is no %s", source_kind_prefix(spec->kind), spec->path,
			directory ? "directory" : "regular file");
}

int source_add(struct contents *c, const struct image_spec *spec, struct source_options *options,
	       struct diag *diag)
{
	int r = check_kind(spec, diag);

	if (r < 0)
		return r;
	switch (spec->kind) {
	case SOURCE_REGISTRY:
	case SOURCE_OCI_ARCHIVE:
	case SOURCE_DOCKER_ARCHIVE:
		return source_add_skopeo(c, spec, options, diag);
	case SOURCE_OCI:
		return source_add_oci(c, spec, options, diag);
	case SOURCE_DIR:
		return source_add_dirs(c, (const char *const[]){ spec->path, NULL },
				       spec->reference, options, diag);
	case SOURCE_TREE:
		return source_add_tree(c, spec, options, diag);
	case SOURCE_LAYER:
		return source_add_layer(c, spec, options, diag);
	}
	return -EINVAL;
}
