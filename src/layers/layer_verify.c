/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole content of a layer, hashed. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/layer_check.h"
#include "store/tree.h"

struct verify {
	int dir;
	const char *where;
	uint64_t done, total;
	bool failed;
	void (*progress)(uint64_t done, uint64_t total, const char *what, void *user);
	void *user;
	char ***broken;
};

/* Says what is wrong and goes on: a person wants to know all of it. */
static int report_broken(struct verify *v, const char *name, const char *what)
{
	v->failed = true;
	return strv_addf(v->broken, "%s: %s: %s", v->where, name, what);
}

static int verify_file(struct verify *v, const char *path, const struct digest *digest)
{
	char name[DIGEST_STRING_MAX];
	struct digest got;
	struct stat st;
	_cleanup_close_ int fd = open_beneath(v->dir, path, O_RDONLY);
	int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;

	digest_format(digest, name);
	/* The disk is asked, not the page cache. */
	if (r == 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (r == 0)
		r = digest_of_fd(fd, 0, (uint64_t)st.st_size, digest->algorithm, &got);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return report_broken(v, name, r == -ENOENT ? "it is not there" : strerror(-r));
	if (!digest_equal(&got, digest))
		return report_broken(v, name, "its bytes are not right");
	v->done += (uint64_t)st.st_size;
	if (v->progress)
		v->progress(v->done, v->total, name, v->user);
	return 0;
}

static int verify_manifest(const char *registry, const char *repository, const char *tag,
			   const struct digest *digest, void *user)
{
	char path[PATH_MAX];

	if (tag) /* compared with the layer manifest by layer_check() */
		return 0;
	int r = tree_manifest_path(registry, repository, digest, path);
	return r < 0 ? r : verify_file(user, path, digest);
}

int layer_verify(int dir, const struct layer_manifest *manifest, const char *where,
		 void (*progress)(uint64_t done, uint64_t total, const char *what, void *user),
		 void *user, char ***broken)
{
	struct verify v = {
		.dir = dir, .where = where, .progress = progress, .user = user, .broken = broken
	};
	int r = tree_walk_manifests(dir, verify_manifest, &v, NULL);

	for (size_t i = 0; i < manifest->n_images; i++)
		v.total += manifest->images[i].size;
	for (size_t i = 0; r == 0 && i < manifest->n_blobs; i++) {
		char path[PATH_MAX];
		r = tree_blob_path(&manifest->blobs[i], path);
		if (r == 0)
			r = verify_file(&v, path, &manifest->blobs[i]);
	}
	if (r < 0 && r != -ENOMEM)
		r = report_broken(&v, "manifests", strerror(-r));
	return r < 0 ? r : v.failed ? -EBADMSG : 0;
}
