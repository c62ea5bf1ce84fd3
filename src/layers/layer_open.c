/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_open.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/disk_sequence.h"
#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "layers/layer_check.h"
#include "layers/layer_map.h"
#include "layers/layer_verity.h"
#include "layers/mount_api.h"
#include "layers/superblock.h"
#include "layers/tree_describe.h"
#include "store/place.h"
#include "store/tree.h"

#define FSTYPE	   "squashfs"
#define PROBE_NAME ".probe"

/* Layers are opened by several threads; one at a time uses the place for classic mounts. */
static pthread_mutex_t probe_lock = PTHREAD_MUTEX_INITIALIZER;

static void mounted_layer_done(struct mounted_layer *m)
{
	free(m->point);
	free(m->verity);
}

void mounted_layers_done(struct mounted_layers *m)
{
	for (size_t i = 0; i < m->n; i++)
		mounted_layer_done(&m->list[i]);
	free(m->list);
	mounts_done(&m->mounts);
	*m = (struct mounted_layers){ 0 };
}

/* By the link beside the mount, where no loop device tells. */
static void find_file(const char *point, struct mounted_layer *m)
{
	_cleanup_free_ char *link = text_format("%s" NAME_LAYER_SUFFIX, point);
	struct stat st;

	if (link && stat(link, &st) == 0) {
		m->dev = st.st_dev;
		m->ino = st.st_ino;
	}
}

/* -ENOENT: it is no layer of ours. */
static int describe_mounted(const struct mount_entry *e, struct mounted_layer *ret)
{
	dev_t device = makedev(e->major, e->minor);
	struct mounted_layer m = { 0 };
	char name[VERITY_NAME_MAX];

	if (verity_name_of(device, name) == 0) {
		m.verity = strdup(name);
		find_file(e->point, &m);
	} else if (loop_backing(device, &m.dev, &m.ino) < 0) {
		return -ENOENT;
	} else {
		*name = '\0';
	}
	m.point = strdup(e->point);
	if (!m.point || (*name && !m.verity)) {
		mounted_layer_done(&m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

int mounted_layers_read(const char *run_dir, struct mounted_layers *ret)
{
	_cleanup_free_ char *prefix = text_format("%s/" NAME_RUN_LAYERS "/", run_dir);
	struct mounted_layers m = { 0 };
	int r = mounts_now(&m.mounts);

	if (r < 0)
		return r;
	m.list = calloc(m.mounts.n_entries + 1, sizeof(*m.list));
	if (!m.list || !prefix) {
		mounted_layers_done(&m);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m.mounts.n_entries; i++) {
		const struct mount_entry *e = &m.mounts.entries[i];
		if (!text_starts_with(e->point, prefix) || strcmp(e->fstype, FSTYPE) != 0 ||
		    text_ends_with(e->point, "/" PROBE_NAME))
			continue;
		r = describe_mounted(e, &m.list[m.n]);
		if (r == -ENOMEM) {
			mounted_layers_done(&m);
			return r;
		}
		m.n += r == 0;
	}
	*ret = m;
	return 0;
}

/* dir is borrowed. */
static int place_of(int dir, struct place **ret)
{
	int fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? -errno : place_new_directory(fd, ret);
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
	if (h->place)
		place_unref(h->place);
	close_fd(h->dir);
	if (h->probe) {
		pthread_mutex_lock(&probe_lock);
		(void)unmount(h->probe);
		pthread_mutex_unlock(&probe_lock);
	}
	close_fd(h->loop);
	free(h->probe);
	free(h->text);
	free(h);
	layer->private_ = NULL;
}

/* btrfs gives its files device numbers of its own. */
static uint64_t disk_of(const char *file, dev_t device, const struct mounts *mounts)
{
	const struct mount_entry *mount = major(device) ? NULL : mounts_holding(mounts, file);

	return disk_sequence(mount ? mount_device(mount) : device);
}

/* Files on the volume and on media are not reached through symlinks; the administrator's own directories may hold some. */
static int open_file(struct layer *layer, struct layer_handle *h, const struct mounts *mounts,
		     int *ret, struct diag *diag)
{
	struct stat st;
	int follow = layer->origin == LAYER_BUILT_IN ? 0 : O_NOFOLLOW;
	_cleanup_close_ int fd =
		open(layer->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow);

	if (fd < 0 && errno == ELOOP && follow)
		return diag_set(diag, -ELOOP, "it is a symlink, which is not followed");
	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "cannot open it: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, -EINVAL, "it is no regular file");
	layer->size = (uint64_t)st.st_size;
	h->dev = st.st_dev;
	h->changed = st.st_ctim;
	h->ino = st.st_ino;
	part_file_set(&h->file, &st);
	h->disk = disk_of(layer->path, st.st_dev, mounts);
	int r = superblock_read(fd, layer->size, diag);
	if (r == 0)
		*ret = TAKE_FD(fd);
	return r;
}

/* mount(2) has no detached mounts: the content is looked at in a place of its own. */
static int open_by_classic_mount(struct layer_handle *h, const char *run_dir, struct diag *diag)
{
	h->probe = text_format("%s/" NAME_RUN_LAYERS "/" PROBE_NAME, run_dir);
	if (!h->probe)
		return -ENOMEM;
	pthread_mutex_lock(&probe_lock);
	int r = mkdir_all_at(AT_FDCWD, h->probe, 0755);
	if (r == 0)
		r = mount_classic(FSTYPE, h->device, h->probe, NULL, diag);
	if (r == 0) {
		h->dir = open(h->probe, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = h->dir < 0 ? -errno : 0;
		/* The descriptor keeps it; the place is free for the next. */
		(void)umount2(h->probe, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	pthread_mutex_unlock(&probe_lock);
	return r;
}

/*
 * The id stands for what is in this file, and for the tree and root hash that prove it; its first eight digits end the name of the mount
 * point. A file that is written to becomes another one, so that nothing which was verified in the old one counts for the new one.
 */
#define ID_SHOWN 8

static int set_id(struct layer_handle *h, const struct verity_plan *plan)
{
	char key[192 + VERITY_ROOT_TEXT_MAX], hex[DIGEST_STRING_MAX];
	struct digest digest;

	int n = snprintf(key, sizeof(key), "%llu %llu %lld.%ld %llu", (unsigned long long)h->dev,
			 (unsigned long long)h->ino, (long long)h->changed.tv_sec,
			 h->changed.tv_nsec, (unsigned long long)h->disk);
	if (*plan->root_hash)
		snprintf(key + n, sizeof(key) - (size_t)n, " %s %lld.%ld", plan->root_hash,
			 (long long)plan->changed.tv_sec, plan->changed.tv_nsec);
	int r = digest_of(DIGEST_SHA256, key, strlen(key), &digest);
	if (r < 0)
		return r;
	digest_format(&digest, hex);
	snprintf(h->id, sizeof(h->id), "%.*s", (int)sizeof(h->id) - 1, strchr(hex, ':') + 1);
	return 0;
}

static bool is_mount_of(const struct mounted_layer *m, const struct layer_handle *h,
			const char *verity)
{
	char id[ID_SHOWN + 1] = { 0 };

	memcpy(id, h->id, ID_SHOWN);
	if (!text_ends_with(m->point, id))
		return false;
	return *verity ? m->verity && strcmp(m->verity, verity) == 0
		       : !m->verity && m->dev == h->dev && m->ino == h->ino;
}

/* -ENOENT: it is not mounted yet, or not as it is now. Two names of one file have one mount. */
static int adopt(struct layer *layer, struct layer_handle *h, const struct mounted_layers *mounted,
		 const char *verity)
{
	for (size_t i = 0; i < mounted->n; i++) {
		const struct mounted_layer *m = &mounted->list[i];
		layer->changed |= m->dev == h->dev && m->ino == h->ino;
		if (!is_mount_of(m, h, verity))
			continue;
		layer->changed = false;
		h->dir = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (h->dir < 0)
			return -errno;
		layer->mount = strdup(m->point);
		return layer->mount ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

/* Not the image's fault: this kernel cannot, or we may not. */
static bool is_refusal(int r)
{
	return r == -ENODEV || r == -ENOSYS || r == -EPERM || r == -EACCES;
}

/* What open_as_planned() says, and no system call here does: the layer is to be read in place. */
#define NOT_MOUNTABLE EMEDIUMTYPE

static int open_as_planned(struct layer *layer, struct layer_handle *h, int file,
			   const struct verity_plan *plan, const char *run_dir,
			   const struct mounted_layers *mounted, struct diag *diag)
{
	char verity[VERITY_NAME_MAX] = "";
	int r = set_id(h, plan);

	if (r == 0 && *plan->root_hash)
		layer_map_name(h, verity);
	if (r == 0)
		r = adopt(layer, h, mounted, verity);
	if (r != -ENOENT)
		return r;
	r = loop_attach(file, &h->loop, h->device);
	if (r < 0)
		return diag_set(diag, r == -ENOMEM ? r : -NOT_MOUNTABLE,
				"no loop device for it: %s", strerror(-r));
	if (*verity)
		r = layer_map(layer, plan->root_hash, diag);
	if (r < 0)
		return r;
	r = mount_detached(FSTYPE, h->device, &h->dir, diag);
	if (r == -ENOSYS)
		r = open_by_classic_mount(h, run_dir, diag);
	return is_refusal(r) ? -NOT_MOUNTABLE : r;
}

/* why: the reason why it is not mounted. */
static int set_in_place(struct layer *layer, const char *why)
{
	layer->in_place = true;
	free(layer->reason);
	layer->reason = text_format("read in place, not mounted: %s", why);
	return layer->reason ? 0 : -ENOMEM;
}

/* Takes file. What the machine config wants through dm-verity is mounted so or not at all. */
static int open_in_place(struct layer *layer, struct layer_handle *h, int *file,
			 struct verity_plan *plan, const char *why, struct diag *diag)
{
	if (*plan->root_hash && plan->required)
		return diag_set(diag, -EINVAL, "it cannot be mounted through dm-verity: %s", why);
	h->loop = close_fd(h->loop);
	int r = *plan->root_hash ? verity_plan_drop(plan, why) : 0;
	if (r == 0)
		r = set_id(h, plan);
	if (r == 0)
		r = place_new_image(TAKE_FD(*file), &h->place, diag);
	return r < 0 ? r : set_in_place(layer, why);
}

static int open_content(struct layer *layer, struct layer_handle *h, const char *run_dir,
			const char *configured, const struct mounted_layers *mounted,
			struct diag *diag)
{
	_cleanup_verity_plan_ struct verity_plan plan = { 0 };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_close_ int file = -1;
	int r = open_file(layer, h, &mounted->mounts, &file, diag);

	if (r == 0)
		r = verity_plan_read(layer->path, layer->origin == LAYER_BUILT_IN, configured,
				     &plan, diag);
	if (r == 0)
		r = open_as_planned(layer, h, file, &plan, run_dir, mounted, &why);
	/* The kernel has device-mapper, and not this part of it. */
	if (r == -EOPNOTSUPP && *plan.root_hash && !plan.required) {
		r = verity_plan_drop(&plan, why.message ? diag_text(&why) : strerror(-r));
		diag_done(&why);
		h->loop = close_fd(h->loop);
		if (r == 0)
			r = open_as_planned(layer, h, file, &plan, run_dir, mounted, &why);
	}
	if (r == -NOT_MOUNTABLE)
		r = open_in_place(layer, h, &file, &plan, diag_text(&why), diag);
	else if (why.message)
		diag_set(diag, r, "%s", diag_text(&why));
	if (r == 0 && !h->place)
		r = place_of(h->dir, &h->place);
	if (r < 0 && *plan.root_hash)
		return layer_map_explain(h, run_dir, plan.root_hash, r, diag);
	if (r == 0 && *plan.root_hash && !(layer->root_hash = strdup(plan.root_hash)))
		return -ENOMEM;
	layer->note = TAKE_PTR(plan.note);
	return r;
}

static int open_cache_tree(struct layer *layer, struct layer_handle *h, const struct mounts *mounts,
			   struct diag *diag)
{
	struct stat st;

	h->dir = open(layer->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->dir < 0 || fstat(h->dir, &st) < 0)
		return diag_set(diag, -errno, "cannot open it: %s", strerror(errno));
	if (!tree_is_there(h->dir))
		return diag_set(diag, -EINVAL,
				"it is an OCI image layout, and only a cache tree is used from a "
				"medium; \"larder build\" makes a layer of it (oci:DIR)");
	h->dev = st.st_dev;
	h->changed = st.st_ctim;
	h->ino = st.st_ino;
	h->disk = disk_of(layer->path, st.st_dev, mounts);
	layer->mount = strdup(layer->path);
	int r = layer->mount ? place_of(h->dir, &h->place) : -ENOMEM;
	return r < 0 ? r : tree_describe(h->dir, &layer->manifest, diag);
}

/* The file name said which root hash it must have. What the layer manifest says counts. */
static int check_configured(const struct layer *layer, const struct layer_config *config,
			    const struct layer_manifest *m, struct diag *diag)
{
	const char *wanted = verity_configured(config, m->name, m->version);

	if (!wanted || (layer->root_hash && strcmp(layer->root_hash, wanted) == 0))
		return 0;
	return diag_set(
		diag, -EINVAL,
		"it is %s%s%s, which CacheLayerConfig wants through dm-verity, and its file "
		"name does not say so",
		m->name, m->version ? " " : "", m->version ? m->version : "");
}

/* Reads and checks what is in an opened layer. */
static int read_content(struct layer *layer, const char *run_dir, const struct layer_config *config,
			struct diag *diag)
{
	_cleanup_layer_manifest_ struct layer_manifest manifest = { 0 };
	struct layer_handle *h = layer->private_;
	int r = layer_check(h->place, layer->size, &manifest, &layer->id, &h->text, diag);

	if (layer->root_hash)
		r = layer_map_explain(h, run_dir, layer->root_hash, r, diag);
	if (r == 0)
		r = check_configured(layer, config, &manifest, diag);
	if (r < 0)
		return r;
	layer_manifest_done(&layer->manifest);
	layer->manifest = manifest;
	manifest = (struct layer_manifest){ 0 };
	return 0;
}

int layer_open(struct layer *layer, const char *run_dir, const struct layer_config *config,
	       const struct mounted_layers *mounted, struct diag *diag)
{
	struct layer_handle *h = handle_new();

	if (!h)
		return -ENOMEM;
	layer->private_ = h;
	if (layer->tree)
		return open_cache_tree(layer, h, &mounted->mounts, diag);
	int r = open_content(
		layer, h, run_dir,
		verity_configured(config, layer->manifest.name, layer->manifest.version), mounted,
		diag);
	return r < 0 ? r : read_content(layer, run_dir, config, diag);
}

/* <name>[-<version>]-<id8> */
static int mount_point(const struct layer *layer, const struct layer_handle *h, const char *run_dir,
		       char **ret)
{
	const struct layer_manifest *m = &layer->manifest;

	*ret = text_format("%s/" NAME_RUN_LAYERS "/%s%s%s-%.*s", run_dir, m->name,
			   m->version ? "-" : "", m->version ? m->version : "", ID_SHOWN, h->id);
	return *ret ? 0 : -ENOMEM;
}

static int mount_at(struct layer *layer, const char *target, struct diag *diag)
{
	const struct layer_handle *h = layer->private_;
	int r = mkdir_all_at(AT_FDCWD, target, 0755);

	if (r < 0)
		return diag_set(diag, r, "cannot make a directory to mount it on: %s",
				strerror(-r));
	r = h->probe ? mount_classic(FSTYPE, h->device, target, NULL, diag)
		     : mount_attach(h->dir, target, diag);
	if (r < 0) {
		(void)rmdir(target);
		return r;
	}
	layer->mount = strdup(target);
	return layer->mount ? 0 : -ENOMEM;
}

/* What is there already is left alone, so that a second run changes nothing. */
static int make_link(struct layer *layer, const char *link, struct diag *diag)
{
	_cleanup_free_ char *file = realpath(layer->path, NULL);
	char old[PATH_MAX];

	if (!file)
		return diag_set(diag, -errno, "it is gone: %s", strerror(errno));
	ssize_t n = readlink(link, old, sizeof(old) - 1);
	old[n > 0 ? n : 0] = '\0';
	int r = strcmp(old, file) == 0 ? 0 : symlink_atomic_at(file, AT_FDCWD, link);
	if (r < 0)
		return diag_set(diag, r, "%s: %s", link, strerror(-r));
	layer->link = strdup(link);
	return layer->link ? 0 : -ENOMEM;
}

int layer_mount(struct layer *layer, const char *run_dir, struct diag *diag)
{
	_cleanup_free_ char *target = NULL, *link = NULL;

	if (layer->tree)
		return 0;
	int r = mount_point(layer, layer->private_, run_dir, &target);
	if (r == 0)
		r = layer_link(layer, run_dir, &link);
	if (r == 0)
		r = mkdir_parents_at(AT_FDCWD, link, 0755);
	if (r == 0)
		r = make_link(layer, link, diag);
	if (r < 0 || layer->mount || layer->in_place)
		return r;
	_cleanup_diag_ struct diag why = DIAG_INIT;
	r = mount_at(layer, target, &why);
	if (is_refusal(r) && !layer->root_hash)
		return set_in_place(layer, diag_text(&why));
	return r < 0 && r != -ENOMEM ? diag_set(diag, r, "%s", diag_text(&why)) : r;
}

int layer_link(const struct layer *layer, const char *run_dir, char **ret)
{
	_cleanup_free_ char *target = NULL;
	int r = mount_point(layer, layer->private_, run_dir, &target);

	if (r < 0)
		return r;
	*ret = text_format("%s" NAME_LAYER_SUFFIX, target);
	return *ret ? 0 : -ENOMEM;
}

int layer_make_spare(struct layer *layer, const char *run_dir, struct diag *diag)
{
	_cleanup_free_ char *link = NULL;
	int r = layer_link(layer, run_dir, &link);

	if (r == 0)
		r = mkdir_parents_at(AT_FDCWD, link, 0755);
	return r < 0 ? r : make_link(layer, link, diag);
}

struct part layer_part(const struct layer *layer)
{
	const struct layer_handle *h = layer->private_;
	struct part part = { .disk = h->disk, .spare = layer->state != LAYER_ACTIVE };

	part.path = layer->in_place || part.spare ? layer->link : layer->mount;
	if (layer->tree)
		return part;
	part.name = layer->manifest.name;
	part.id = layer->id;
	part.file = h->file;
	return part;
}
