/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cache trees: every tag of them, and manifests that no tag leads to by their digest. */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/source.h"
#include "store/reference.h"
#include "store/tree.h"

struct tree_source {
	struct contents *contents;
	const char *dir;
	int fd;
	const char *only; /* reference; NULL: all */
	const struct platform_choice *choice;
	const char *registry, *repository; /* where manifests are looked up now */
	size_t n_found;
	struct diag *diag;
};

static int locate(const struct locator *self, const struct digest *digest, bool manifest,
		  char **ret_path)
{
	const struct tree_source *s = self->data;
	char path[PATH_MAX];
	int r = manifest ? tree_manifest_path(s->registry, s->repository, digest, path)
			 : tree_blob_path(digest, path);

	return r < 0 ? r : source_find_file(s->dir, path, ret_path);
}

static int read_tag(struct tree_source *s, const char *tag, struct digest *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int r = tree_tag_path(s->registry, s->repository, tag, path);

	if (r < 0)
		return r;
	_cleanup_close_ int fd = open_beneath(s->fd, path, O_RDONLY);
	r = fd < 0 ? fd : read_fd(fd, MANIFEST_BYTES_MAX, &text, &size);
	return r < 0 ? r : digest_of(DIGEST_SHA256, text, size, ret);
}

static int visit(const char *registry, const char *repository, const char *tag,
		 const struct digest *digest, void *user)
{
	struct tree_source *s = user;
	const struct locator locator = { .locate = locate, .data = s };
	_cleanup_free_ char *reference = NULL;
	struct digest found;

	(void)digest;
	if (!tag) /* children of an index are manifests as well; only tags say what is an image */
		return 0;
	s->registry = registry;
	s->repository = repository;
	if (asprintf(&reference, "%s/%s:%s", registry, repository, tag) < 0) {
		reference = NULL;
		return -ENOMEM;
	}
	if (s->only && strcmp(s->only, reference) != 0)
		return 0;
	int r = read_tag(s, tag, &found);
	if (r < 0)
		return diag_set(s->diag, r, "%s: %s", reference, strerror(-r));
	s->n_found++;
	return contents_add_image(s->contents, &locator, reference, &found, s->choice, s->diag);
}

int source_add_tree(struct contents *c, const char *dir, const struct image_spec *spec,
		    struct source_options *options, struct diag *diag)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_source s = {
		.contents = c,
		.dir = dir,
		.fd = fd,
		.only = spec->reference,
		.choice = &options->choice,
		.diag = diag,
	};

	if (fd < 0)
		return diag_set(diag, -errno, "%s: %s", spec->path, strerror(errno));
	if (!tree_is_there(fd))
		return diag_set(diag, -EINVAL, "%s: there is no cache tree (blob, manifests)",
				spec->path);
	int r = tree_walk_manifests(fd, visit, &s, NULL);
	if (r < 0)
		return diag && diag->message ? r : diag_set(diag, r, "%s: %s", dir, strerror(-r));
	if (s.n_found == 0)
		return diag_set(diag, -EINVAL, "%s: it has no %s", spec->path,
				spec->reference ? spec->reference : "tags");
	return 0;
}
