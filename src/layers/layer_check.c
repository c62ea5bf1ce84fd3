/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_check.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "store/manifest.h"
#include "store/reference.h"
#include "store/tree.h"

/* For messages: names come from the image and may hold anything. */
static const char *printable(const char *name, char buffer[static 80])
{
	size_t n = 0;

	for (; name[n] && n < 79; n++)
		buffer[n] =
			(char)((unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n]);
	buffer[n] = '\0';
	return buffer;
}

struct scan {
	unsigned entries;
	struct diag *diag;
};

static int scan_directory(struct scan *s, int parent, const char *name, unsigned depth);

static int scan_entry(struct scan *s, int dir, const struct dirent *e, unsigned depth)
{
	char name[80];
	struct stat st;

	if (++s->entries > LAYER_SCAN_ENTRIES_MAX)
		return diag_set(s->diag, -EINVAL, "it has more than %d files",
				LAYER_SCAN_ENTRIES_MAX);
	if (e->d_type == DT_REG)
		return 0;
	if (e->d_type == DT_DIR)
		return scan_directory(s, dir, e->d_name, depth + 1);
	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return diag_set(s->diag, -EINVAL, "it cannot be read: %s", strerror(errno));
	if (S_ISREG(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return scan_directory(s, dir, e->d_name, depth + 1);
	return diag_set(s->diag, -EINVAL,
			"\"%s\" in it is %s; a cache tree has only files and "
			"directories",
			printable(e->d_name, name),
			S_ISLNK(st.st_mode) ? "a symlink" : "no regular file");
}

static int scan_directory(struct scan *s, int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d) {
		int saved = errno;
		close_fd(fd);
		return diag_set(s->diag, -EINVAL, "it cannot be read: %s", strerror(saved));
	}
	if (depth > LAYER_SCAN_DEPTH_MAX)
		return diag_set(s->diag, -EINVAL, "its directories are nested deeper than %d",
				LAYER_SCAN_DEPTH_MAX);
	errno = 0;
	for (struct dirent *e = readdir(d); r == 0 && e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = scan_entry(s, dirfd(d), e, depth);
		errno = 0;
	}
	if (r == 0 && errno)
		return diag_set(s->diag, -EINVAL, "it cannot be read: %s", strerror(errno));
	return r;
}

/* The parts of a layer that larder uses; what else is in the image is nobody's business. */
static int scan(int dir, struct diag *diag)
{
	static const char *const parts[] = { NAME_BLOB_DIR, NAME_MANIFESTS_DIR, "larder" };
	struct scan s = { .diag = diag };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct stat st;
		if (fstatat(dir, parts[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return diag_set(diag, -EINVAL, "it cannot be read: %s", strerror(errno));
		}
		int r = scan_directory(&s, dir, parts[i], 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The name of the one file in larder/layers. */
static int find_manifest(int dir, char **ret, struct diag *diag)
{
	int fd = open_beneath(dir, NAME_LAYER_MANIFEST_DIR, O_RDONLY | O_DIRECTORY);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ char *found = NULL;

	if (!d)
		return diag_set(diag, -EINVAL,
				"it has no layer manifest (" NAME_LAYER_MANIFEST_DIR "/NAME.yaml)");
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!text_ends_with(e->d_name, ".yaml"))
			continue;
		if (found)
			return diag_set(diag, -EINVAL, "it has more than one layer manifest");
		found = strdup(e->d_name);
		if (!found)
			return -ENOMEM;
	}
	if (!found)
		return diag_set(diag, -EINVAL,
				"it has no layer manifest (" NAME_LAYER_MANIFEST_DIR "/NAME.yaml)");
	*ret = TAKE_PTR(found);
	return 0;
}

static int read_beneath(int dir, const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = open_beneath(dir, path, O_RDONLY);

	return fd < 0 ? fd : read_fd(fd, max, ret, ret_size);
}

static int read_manifest(int dir, struct layer_manifest *ret, struct digest *ret_id,
			 char **ret_text, struct diag *diag)
{
	_cleanup_free_ char *name = NULL, *path = NULL, *text = NULL;
	char shown[80];
	size_t size;
	int r = find_manifest(dir, &name, diag);

	if (r < 0)
		return r;
	printable(name, shown);
	if (asprintf(&path, NAME_LAYER_MANIFEST_DIR "/%s", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = read_beneath(dir, path, LAYER_MANIFEST_BYTES_MAX, &text, &size);
	if (r == -EFBIG)
		return diag_set(diag, -EINVAL, "%s: larger than %d MiB", shown,
				LAYER_MANIFEST_BYTES_MAX >> 20);
	if (r < 0)
		return diag_set(diag, -EINVAL, "%s: it cannot be read: %s", shown, strerror(-r));
	r = digest_of(DIGEST_SHA256, text, size, ret_id);
	if (r == 0)
		r = layer_manifest_parse(text, size, ret, diag);
	if (r < 0) {
		if (diag && !diag->source)
			diag->source = strdup(shown);
		return r;
	}
	name[strlen(name) - strlen(".yaml")] = '\0';
	if (strcmp(name, ret->name) != 0)
		return diag_set(diag, -EINVAL, "%s says that the layer is called \"%s\"", shown,
				ret->name);
	if (ret_text)
		*ret_text = TAKE_PTR(text);
	return 0;
}

/* The manifest file of an image, by tag or by digest, is there and has the digest that is listed. */
static int check_image(int dir, const struct layer_image *image, struct diag *diag)
{
	_cleanup_reference_ struct reference r = { 0 };
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct digest got;
	size_t size;
	int e = reference_parse(image->reference, &r, diag);

	if (e == 0 && r.tag)
		e = tree_tag_path(r.registry, r.repository, r.tag, path);
	else if (e == 0)
		e = tree_manifest_path(r.registry, r.repository, &image->digest, path);
	if (e < 0)
		return e;
	e = read_beneath(dir, path, MANIFEST_BYTES_MAX, &text, &size);
	if (e == 0)
		e = digest_of(image->digest.algorithm, text, size, &got);
	if (e < 0)
		return diag_set(diag, -EINVAL, "%s is listed, but its manifest %s: %s",
				image->reference, e == -ENOENT ? "is not there" : "cannot be read",
				strerror(-e));
	if (!digest_equal(&got, &image->digest))
		return diag_set(diag, -EINVAL,
				"%s: its manifest is not the one that the layer manifest lists",
				image->reference);
	return 0;
}

static int compare_reference(const void *key, const void *image)
{
	return strcmp(key, ((const struct layer_image *)image)->reference);
}

struct tag_check {
	const struct layer_manifest *manifest;
	struct diag *diag;
};

static int visit_tag(const char *registry, const char *repository, const char *tag,
		     const struct digest *digest, void *user)
{
	struct tag_check *c = user;
	_cleanup_free_ char *reference = NULL;

	(void)digest;
	if (!tag)
		return 0;
	if (asprintf(&reference, "%s/%s:%s", registry, repository, tag) < 0) {
		reference = NULL;
		return -ENOMEM;
	}
	if (c->manifest->n_images && bsearch(reference, c->manifest->images, c->manifest->n_images,
					     sizeof(struct layer_image), compare_reference))
		return 0;
	return diag_set(c->diag, -EINVAL, "it has %s, which its layer manifest does not list",
			reference);
}

static int check_tags(int dir, const struct layer_manifest *manifest, struct diag *diag)
{
	struct tag_check c = { .manifest = manifest, .diag = diag };
	unsigned skipped = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < manifest->n_images; i++)
		r = check_image(dir, &manifest->images[i], diag);
	if (r == 0)
		r = tree_walk_manifests(dir, visit_tag, &c, &skipped);
	if (r < 0)
		return diag && diag->message
			       ? r
			       : diag_set(diag, -EINVAL, "it cannot be read: %s", strerror(-r));
	if (skipped)
		return diag_set(diag, -EINVAL, "%u name%s in its manifests directory %s valid",
				skipped, skipped == 1 ? "" : "s",
				skipped == 1 ? "is not" : "are not");
	return 0;
}

static int check_blobs(int dir, uint64_t file_size, const struct layer_manifest *manifest,
		       struct diag *diag)
{
	uint64_t left = file_size > UINT64_MAX / LAYER_EXPANSION_MAX
				? UINT64_MAX
				: file_size * LAYER_EXPANSION_MAX;

	for (size_t i = 0; i < manifest->n_blobs; i++) {
		char path[PATH_MAX], name[DIGEST_STRING_MAX];
		struct stat st;
		int r = tree_blob_path(&manifest->blobs[i], path);
		if (r == 0 && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
		digest_format(&manifest->blobs[i], name);
		if (r < 0)
			return diag_set(diag, -EINVAL, "blob %s is listed, but %s", name,
					r == -ENOENT ? "not there" : strerror(-r));
		if ((uint64_t)st.st_size > left)
			return diag_set(diag, -EINVAL,
					"blob %s makes its blobs larger than %d times the file",
					name, LAYER_EXPANSION_MAX);
		left -= (uint64_t)st.st_size;
	}
	return 0;
}

int layer_check(int dir, uint64_t file_size, struct layer_manifest *ret, struct digest *ret_id,
		char **ret_text, struct diag *diag)
{
	_cleanup_layer_manifest_ struct layer_manifest manifest = { 0 };
	_cleanup_free_ char *text = NULL;
	struct digest id;
	int r = scan(dir, diag);

	if (r == 0)
		r = read_manifest(dir, &manifest, &id, &text, diag);
	if (r == 0)
		r = check_tags(dir, &manifest, diag);
	if (r == 0)
		r = check_blobs(dir, file_size, &manifest, diag);
	if (r < 0)
		return r;
	*ret = manifest;
	manifest = (struct layer_manifest){ 0 };
	*ret_id = id;
	if (ret_text)
		*ret_text = TAKE_PTR(text);
	return 0;
}
