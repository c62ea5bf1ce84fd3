/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/tree_describe.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "store/manifest.h"
#include "store/tree.h"

struct describe {
	int dir;
	struct layer_manifest *manifest;
};

static int read_digest(int dir, const char *registry, const char *repository, const char *tag,
		       struct digest *ret, uint64_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r = tree_tag_path(registry, repository, tag, path);

	if (r < 0)
		return r;
	_cleanup_close_ int fd = open_beneath(dir, path, O_RDONLY);
	r = fd < 0 ? fd : read_fd(fd, MANIFEST_BYTES_MAX, &text, &size);
	*ret_size = size;
	return r < 0 ? r : digest_of(DIGEST_SHA256, text, size, ret);
}

static int add_image(struct layer_manifest *m, char *reference, const struct digest *digest,
		     uint64_t size)
{
	size_t n = m->n_images;

	if ((n & (n - 1)) == 0) {
		struct layer_image *larger =
			reallocarray(m->images, n ? 2 * n : 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		m->images = larger;
	}
	m->images[n] =
		(struct layer_image){ .reference = reference, .digest = *digest, .size = size };
	m->n_images++;
	return 0;
}

static int visit(const char *registry, const char *repository, const char *tag,
		 const struct digest *unused, void *user)
{
	struct describe *d = user;
	_cleanup_free_ char *reference = NULL;
	struct digest digest;
	uint64_t size;

	(void)unused;
	if (!tag || read_digest(d->dir, registry, repository, tag, &digest, &size) < 0)
		return 0;
	if (d->manifest->n_images == LAYER_MANIFEST_IMAGES_MAX)
		return -E2BIG;
	reference = text_format("%s/%s:%s", registry, repository, tag);
	if (!reference)
		return -ENOMEM;
	int r = add_image(d->manifest, reference, &digest, size);
	if (r == 0)
		(void)TAKE_PTR(reference);
	return r;
}

int tree_describe(int dir, struct layer_manifest *manifest, struct diag *diag)
{
	struct describe d = { .dir = dir, .manifest = manifest };
	int r = tree_walk_manifests(dir, visit, &d, NULL);

	if (r < 0)
		return diag_set(diag, r == -ENOMEM ? r : -EINVAL,
				"its manifests cannot be read: %s", strerror(-r));
	if (manifest->n_images)
		qsort(manifest->images, manifest->n_images, sizeof(*manifest->images),
		      layer_image_compare);
	return 0;
}
