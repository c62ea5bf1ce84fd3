/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_open.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "layers/layer_check.h"
#include "layers/mount_api.h"
#include "layers/superblock.h"
#include "layers/tree_describe.h"

#define FSTYPE	   "squashfs"
#define PROBE_NAME ".probe"

void mounted_layers_done(struct mounted_layers *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].point);
	free(m->list);
	*m = (struct mounted_layers){ 0 };
}

int mounted_layers_read(const char *run_dir, struct mounted_layers *ret)
{
	_cleanup_mounts_ struct mounts mounts = { 0 };
	_cleanup_free_ char *prefix = NULL;
	struct mounted_layers m = { 0 };
	int r = mounts_now(&mounts);

	if (r < 0 || asprintf(&prefix, "%s/" NAME_RUN_LAYERS "/", run_dir) < 0)
		return -ENOMEM;
	m.list = calloc(mounts.n_entries + 1, sizeof(*m.list));
	if (!m.list)
		return -ENOMEM;
	for (size_t i = 0; i < mounts.n_entries; i++) {
		const struct mount_entry *e = &mounts.entries[i];
		struct mounted_layer *one = &m.list[m.n];
		if (!text_starts_with(e->point, prefix) || strcmp(e->fstype, FSTYPE) != 0 ||
		    text_ends_with(e->point, "/" PROBE_NAME) ||
		    loop_backing(makedev(e->major, e->minor), &one->dev, &one->ino) < 0)
			continue;
		one->point = strdup(e->point);
		if (!one->point) {
			mounted_layers_done(&m);
			return -ENOMEM;
		}
		m.n++;
	}
	*ret = m;
	return 0;
}

static struct layer_handle *handle_new(void)
{
	struct layer_handle *h = calloc(1, sizeof(*h));

	if (h)
		h->dir = h->loop = -1;
	return h;
}

void layer_close(struct layer *layer)
{
	struct layer_handle *h = layer->private_;

	if (!h)
		return;
	close_fd(h->dir);
	if (h->probe)
		(void)unmount(h->probe);
	close_fd(h->loop);
	free(h->probe);
	free(h->text);
	free(h);
	layer->private_ = NULL;
}

/* Files on the volume and on media are not reached through symlinks; the administrator's own directories may hold some. */
static int open_file(struct layer *layer, struct layer_handle *h, int *ret, struct diag *diag)
{
	uint8_t superblock[SQUASHFS_SUPERBLOCK_SIZE];
	struct stat st;
	int follow = layer->origin == LAYER_BUILT_IN ? 0 : O_NOFOLLOW;
	_cleanup_close_ int fd =
		open(layer->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow);

	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "cannot open it: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, -EINVAL, "it is no regular file");
	layer->size = (uint64_t)st.st_size;
	h->dev = st.st_dev;
	h->changed = st.st_ctim;
	h->ino = st.st_ino;
	if (pread_exact(fd, superblock, sizeof(superblock), 0) < 0)
		return diag_set(diag, -EINVAL, "it is no squashfs image: it has only %lld bytes",
				(long long)st.st_size);
	int r = superblock_check(superblock, layer->size, diag);
	if (r == 0)
		*ret = TAKE_FD(fd);
	return r;
}

/* mount(2) has no detached mounts: the content is looked at in a place of its own. */
static int open_by_classic_mount(struct layer_handle *h, const char *run_dir, struct diag *diag)
{
	if (asprintf(&h->probe, "%s/" NAME_RUN_LAYERS "/" PROBE_NAME, run_dir) < 0) {
		h->probe = NULL;
		return -ENOMEM;
	}
	int r = mkdir_all_at(AT_FDCWD, h->probe, 0755);
	if (r == 0)
		r = mount_classic(FSTYPE, h->device, h->probe, NULL, diag);
	if (r < 0)
		return r;
	h->dir = open(h->probe, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = h->dir < 0 ? -errno : 0;
	/* The descriptor keeps it; the place is free for the next. */
	(void)umount2(h->probe, MNT_DETACH | UMOUNT_NOFOLLOW);
	return r;
}

/*
 * id8: eight digits that stand for what is in this file. A file that is written to becomes another one, so that nothing which was
 * verified in the old one counts for the new one.
 */
#define FILE_ID_SIZE 9

static int file_id(const struct layer_handle *h, char ret[static FILE_ID_SIZE])
{
	char key[128], hex[DIGEST_STRING_MAX];
	struct digest digest;

	snprintf(key, sizeof(key), "%llu %llu %lld.%ld", (unsigned long long)h->dev,
		 (unsigned long long)h->ino, (long long)h->changed.tv_sec, h->changed.tv_nsec);
	int r = digest_of(DIGEST_SHA256, key, strlen(key), &digest);
	if (r < 0)
		return r;
	digest_format(&digest, hex);
	snprintf(ret, FILE_ID_SIZE, "%.8s", strchr(hex, ':') + 1);
	return 0;
}

static int open_content(struct layer *layer, struct layer_handle *h, const char *run_dir,
			struct mounted_layers *mounted, struct diag *diag)
{
	_cleanup_close_ int file = -1;
	char id[FILE_ID_SIZE];
	int r = open_file(layer, h, &file, diag);

	if (r == 0)
		r = file_id(h, id);
	if (r < 0)
		return r;
	for (size_t i = 0; i < mounted->n; i++) {
		struct mounted_layer *m = &mounted->list[i];
		if (m->dev != h->dev || m->ino != h->ino || m->used ||
		    !text_ends_with(m->point, id))
			continue;
		h->dir = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		layer->mount = strdup(m->point);
		m->used = true;
		return h->dir < 0 ? -errno : layer->mount ? 0 : -ENOMEM;
	}
	r = loop_attach(file, &h->loop, h->device);
	if (r < 0)
		return diag_set(diag, r, "no loop device for it: %s", strerror(-r));
	r = mount_detached(FSTYPE, h->device, &h->dir, diag);
	return r == -ENOSYS ? open_by_classic_mount(h, run_dir, diag) : r;
}

static int open_cache_tree(struct layer *layer, struct layer_handle *h, struct diag *diag)
{
	struct stat st;

	h->dir = open(layer->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->dir < 0 || fstat(h->dir, &st) < 0)
		return diag_set(diag, -errno, "cannot open it: %s", strerror(errno));
	h->dev = st.st_dev;
	h->changed = st.st_ctim;
	h->ino = st.st_ino;
	layer->mount = strdup(layer->path);
	return layer->mount ? tree_describe(h->dir, &layer->manifest, diag) : -ENOMEM;
}

int layer_open(struct layer *layer, const char *run_dir, struct mounted_layers *mounted,
	       struct diag *diag)
{
	_cleanup_layer_manifest_ struct layer_manifest manifest = { 0 };
	struct layer_handle *h = handle_new();

	if (!h)
		return -ENOMEM;
	layer->private_ = h;
	if (layer->tree)
		return open_cache_tree(layer, h, diag);
	int r = open_content(layer, h, run_dir, mounted, diag);
	if (r == 0)
		r = layer_check(h->dir, layer->size, &manifest, &layer->id, &h->text, diag);
	if (r < 0)
		return r;
	layer_manifest_done(&layer->manifest);
	layer->manifest = manifest;
	manifest = (struct layer_manifest){ 0 };
	return 0;
}

/* <name>[-<version>]-<id8> */
static int mount_point(const struct layer *layer, const struct layer_handle *h, const char *run_dir,
		       char **ret)
{
	const struct layer_manifest *m = &layer->manifest;
	char id[FILE_ID_SIZE];
	int r = file_id(h, id);

	if (r < 0)
		return r;
	if (asprintf(ret, "%s/" NAME_RUN_LAYERS "/%s%s%s-%s", run_dir, m->name,
		     m->version ? "-" : "", m->version ? m->version : "", id) < 0)
		return -ENOMEM;
	return 0;
}

int layer_mount(struct layer *layer, const char *run_dir, struct diag *diag)
{
	struct layer_handle *h = layer->private_;
	_cleanup_free_ char *target = NULL;

	if (layer->mount)
		return 0;
	int r = mount_point(layer, h, run_dir, &target);
	if (r == 0)
		r = mkdir_all_at(AT_FDCWD, target, 0755);
	if (r < 0)
		return diag_set(diag, r, "cannot make a directory to mount it on: %s",
				strerror(-r));
	r = h->probe ? mount_classic(FSTYPE, h->device, target, NULL, diag)
		     : mount_attach(h->dir, target, diag);
	if (r < 0) {
		(void)rmdir(target);
		return r;
	}
	layer->mount = TAKE_PTR(target);
	return 0;
}
