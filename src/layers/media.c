/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/media.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "block/probe.h"
#include "block/system_disk.h"
#include "layers/mount_api.h"

#define LABEL_PREFIX "LARDER"
#define MEDIA_MAX    64

/* Where live systems mount what they were booted from: dracut, Debian live-boot, casper, archiso, Anaconda. */
static const char *const live_points[] = {
	"/run/initramfs/live",	"/run/live/medium",  "/lib/live/mount/medium", "/cdrom",
	"/run/archiso/bootmnt", "/run/install/repo",
};

/* Filesystems that a medium may have; a volume of any other kind is no medium. */
static const char *const filesystems[] = {
	"ext4",	 "ext3",    "ext2", "xfs",   "btrfs", "vfat",
	"exfat", "iso9660", "udf",  "erofs", "f2fs",  "squashfs"
};

static bool is_mountable(const struct volume *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		if (strcmp(v->fields.name, filesystems[i]) == 0)
			return v->in_kernel && !v->error;
	return false;
}

/* The volume itself, finished or being made, is never a medium. */
static bool is_cache_volume(const struct volume *v)
{
	return strcmp(v->fields.partition_label, NAME_VOLUME) == 0 ||
	       strcmp(v->fields.partition_label, NAME_VOLUME_NEW) == 0 ||
	       (*v->fields.partition_label == '\0' && strcmp(v->fields.label, NAME_VOLUME) == 0);
}

static dev_t device_number(const struct volume *v)
{
	struct stat st;

	return stat(v->fields.dev_path, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0;
}

static bool is_boot_medium(const struct mounts *mounts, dev_t device)
{
	for (size_t i = 0; device && i < ARRAY_SIZE(live_points); i++) {
		const struct mount_entry *e = mounts_at(mounts, live_points[i]);
		if (e && mount_device(e) == device)
			return true;
	}
	return false;
}

static int is_selected(const struct layers_request *request, const struct volume *v, bool *ret,
		       struct diag *diag)
{
	*ret = false;
	if (!request->config->media)
		return 0;
	return selector_match(request->config->media, &v->disk->fields, &v->fields,
			      v->disk->system_disk, ret, diag);
}

/* Would a person take this for a medium? */
static bool looks_like_medium(const struct volume *v)
{
	const struct disk_fields *d = &v->disk->fields;

	return d->cdrom || strcmp(d->transport, "usb") == 0 || strcmp(d->transport, "mmc") == 0 ||
	       strncasecmp(v->fields.label, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0 ||
	       (text_starts_with(d->dev_path, "/dev/loop") &&
		strcmp(v->fields.name, "squashfs") != 0);
}

static bool is_mounted_elsewhere(const struct mounts *mounts, dev_t device)
{
	for (size_t i = 0; i < mounts->n_entries; i++)
		if (mount_device(&mounts->entries[i]) == device)
			return true;
	return false;
}

/* Our own mount of the device below RUN/media, or NULL. */
static const char *own_mount(const struct mounts *mounts, const char *media_dir, dev_t device)
{
	for (size_t i = 0; i < mounts->n_entries; i++) {
		const struct mount_entry *e = &mounts->entries[i];
		if (text_starts_with(e->point, media_dir) && e->point[strlen(media_dir)] == '/' &&
		    mount_device(e) == device)
			return e->point;
	}
	return NULL;
}

static int mount_medium(struct medium *m, const char *media_dir, struct diag *diag)
{
	for (unsigned n = 0; n < MEDIA_MAX; n++) {
		_cleanup_free_ char *target = text_format("%s/%u", media_dir, n);
		_cleanup_close_ int fd = -1;
		if (!target)
			return -ENOMEM;
		if (mkdir(target, 0755) < 0) {
			if (errno == EEXIST && rmdir(target) == 0 && mkdir(target, 0755) == 0)
				; /* a crash left it empty */
			else if (errno == EEXIST || errno == EBUSY || errno == ENOTEMPTY)
				continue;
			else
				return diag_set(diag, -errno, "%s: %s", target, strerror(errno));
		}
		int r = mount_detached(m->fstype, m->device, &fd, diag);
		if (r == 0)
			r = mount_attach(fd, target, diag);
		else if (r == -ENOSYS)
			r = mount_classic(m->fstype, m->device, target, NULL, diag);
		if (r < 0) {
			(void)rmdir(target);
			return r;
		}
		m->mount = TAKE_PTR(target);
		return 0;
	}
	return diag_set(diag, -E2BIG, "more than %d media are mounted", MEDIA_MAX);
}

static struct medium *add_medium(struct layers_result *result, const struct volume *v)
{
	struct medium *larger = reallocarray(result->media, result->n_media + 1, sizeof(*larger));

	if (!larger)
		return NULL;
	result->media = larger;
	struct medium *m = &result->media[result->n_media];
	*m = (struct medium){
		.device = strdup(v->fields.dev_path),
		.label = strdup(v->fields.label),
		.fstype = strdup(v->fields.name),
	};
	result->n_media++;
	return m->device && m->label && m->fstype ? m : NULL;
}

struct search {
	const struct layers_request *request;
	struct layers_result *result;
	struct mounts mounts;
	char *media_dir;
	bool mount;
};

static int set_reason(struct medium *m, const char *text)
{
	m->reason = strdup(text);
	return m->reason ? 0 : -ENOMEM;
}

static int take_trusted(struct search *s, const struct volume *v, dev_t device)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct medium *m = add_medium(s->result, v);

	if (!m)
		return -ENOMEM;
	m->trusted = true;
	const char *point = own_mount(&s->mounts, s->media_dir, device);
	if (point) {
		m->mount = strdup(point);
		return m->mount ? 0 : -ENOMEM;
	}
	if (!s->mount)
		return set_reason(m, "it is not mounted; \"larder layers sync\" looks at it");
	int r = mount_medium(m, s->media_dir, &diag);
	if (r == -ENOMEM)
		return r;
	m->failed = r < 0;
	return r < 0 ? set_reason(m, diag_text(&diag)) : 0;
}

static int look_at(struct search *s, const struct volume *v)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	bool selected = false;

	if (!is_mountable(v) || is_cache_volume(v))
		return 0;
	dev_t device = device_number(v);
	int r = is_selected(s->request, v, &selected, &diag);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_debug("%s: CacheMediaConfig: %s", v->fields.dev_path, diag_text(&diag));
	if (selected || is_boot_medium(&s->mounts, device))
		return take_trusted(s, v, device);
	if (!looks_like_medium(v) || is_mounted_elsewhere(&s->mounts, device))
		return 0;
	struct medium *m = add_medium(s->result, v);
	return m ? set_reason(m, "untrusted: the system was not booted from it, and "
				 "CacheMediaConfig does not match it")
		 : -ENOMEM;
}

static int read_disks(const struct layers_request *request, struct disk_list *ret,
		      struct diag *diag)
{
	const struct machine_config *config = request->config;
	int r = disk_list_read(NULL, DISK_FIELDS_ALL, ret, diag);

	if (r == 0 && config->media && selector_uses_system_disk(config->media))
		r = system_disk_find(NULL, ret, &config->install, NULL, diag);
	return r;
}

static int search_volumes(struct search *s, struct diag *diag)
{
	_cleanup_disk_list_ struct disk_list own = { 0 };
	_cleanup_volume_list_ struct volume_list volumes = { 0 };
	const struct disk_list *disks = s->request->disks ? s->request->disks : &own;
	int r = s->request->disks ? 0 : read_disks(s->request, &own, diag);

	if (r == 0)
		r = volume_list_read(NULL, disks, &volumes, diag);
	for (size_t i = 0; r == 0 && i < volumes.n_volumes; i++)
		r = look_at(s, &volumes.volumes[i]);
	return r;
}

int media_find(const struct layers_request *request, bool mount, struct layers_result *result,
	       struct diag *diag)
{
	_cleanup_free_ char *media_dir = path_join(request->run_dir, NAME_RUN_MEDIA);
	struct search s = {
		.request = request, .result = result, .media_dir = media_dir, .mount = mount
	};

	/* The disks of another root are not opened, and those of this machine are not its media. */
	if (request->root)
		return 0;
	int r = media_dir ? mounts_now(&s.mounts) : -ENOMEM;

	if (r == 0 && mount)
		r = mkdir_all_at(AT_FDCWD, media_dir, 0755);
	if (r == 0)
		r = search_volumes(&s, diag);
	mounts_done(&s.mounts);
	return r;
}

int media_release(struct layers_result *result)
{
	int r = 0;

	for (size_t i = 0; i < result->n_media; i++) {
		struct medium *m = &result->media[i];
		bool needed = false;
		for (size_t k = 0; m->mount && k < result->n_layers; k++) {
			const struct layer *layer = &result->layers[k];
			/* A broken one is not forgotten by taking its medium away. */
			needed |= (layer->state == LAYER_ACTIVE || layer->state == LAYER_BROKEN) &&
				  layer->path && text_starts_with(layer->path, m->mount) &&
				  layer->path[strlen(m->mount)] == '/';
		}
		if (!m->mount || needed)
			continue;
		int e = unmount(m->mount);
		if (e < 0)
			r = e;
		free(m->mount);
		m->mount = NULL;
		m->reason = strdup("released: nothing on it is needed any more");
	}
	return r;
}

int media_stop(const char *run_dir)
{
	_cleanup_free_ char *media_dir = path_join(run_dir, NAME_RUN_MEDIA);
	int result = 0;

	for (unsigned n = 0; media_dir && n < MEDIA_MAX; n++) {
		_cleanup_free_ char *target = text_format("%s/%u", media_dir, n);
		if (!target)
			return -ENOMEM;
		int r = unmount(target);
		if (r < 0)
			result = r;
	}
	return media_dir ? result : -ENOMEM;
}
