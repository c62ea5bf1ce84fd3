/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an applied plan to a mounted, prepared volume (volume/apply.h). */
#include "volume/apply.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/format.h"
#include "block/luks.h"
#include "volume/image_grow.h"
#include "volume/mount.h"

int volume_check_encrypted(const struct encryption_config *config, bool encrypted,
			   const char *place, struct diag *diag)
{
	if (encrypted == config->enabled)
		return 0;
	return diag_set(
		diag, -EINVAL,
		encrypted
			? "%s is encrypted, and the machine config has no key for it; give its VolumeConfig the \"encryption\" it was made with"
			: "%s is not encrypted, and the machine config says that it is; \"larder volume wipe\" makes room for a new one",
		place);
}

int volume_check_ext4(const struct ext4_state *state, const char *place, struct diag *diag)
{
	if (state->found)
		return 0;
	return diag_set(
		diag, -EUCLEAN,
		"%s is called " NAME_VOLUME
		" and holds no ext4 filesystem; larder does not format it. Save what is needed from it, then run \"larder volume wipe\"",
		place);
}

static int read_state(const char *path, uint64_t offset, struct ext4_state *ret, struct diag *diag)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", path, strerror(errno));
	int r = ext4_read_state(fd, offset, ret, diag);
	return r < 0 ? diag_prefix(diag, r, "%s", path) : volume_check_ext4(ret, path, diag);
}

static void say_growth(const struct volume_request *request, const struct volume_plan *plan,
		       const struct volume_result *result)
{
	volume_say(request, "%s: grow the filesystem in partition %u", result->disk, plan->number);
}

/* An image: nothing is mounted, and its directories were put in when it was made. */
static int bring_up_image(const struct volume_request *request, const struct volume_plan *plan,
			  struct volume_result *result, struct diag *diag)
{
	const struct format_target target = {
		.path = request->image,
		.offset = plan->start,
		.size = volume_plan_size(plan),
	};
	struct ext4_state state;
	int r = read_state(request->image, plan->start, &state, diag);

	if (r < 0)
		return r;
	result->phase = VOLUME_PREPARED;
	if (volume_should_grow(request->config, &state, target.size)) {
		say_growth(request, plan, result);
		r = image_grow_ext4(&target, diag);
		if (r < 0)
			return r;
		result->grown = true;
	}
	result->phase = VOLUME_READY;
	return 0;
}

/* Mounts; what the kernel refuses is repaired once and tried again. */
static int mount_repaired(const struct volume_request *request, const struct volume_plan *plan,
			  const struct ext4_state *state, const struct volume_result *result,
			  const char *path, struct diag *diag)
{
	const char *device = result->device;
	const struct format_target target = { .path = device };
	int r = 0;

	if (!state->errors) {
		r = mount_volume(device, path, MOUNT_WRITABLE, diag);
		if (r == 0 || r == -ENOENT || r == -EBUSY || r == -EPERM)
			return r;
	}
	volume_say(request, "%s: repair the filesystem in partition %u", result->disk,
		   plan->number);
	r = ext4_check(&target, false, diag);
	return r < 0 ? r : mount_volume(device, path, MOUNT_WRITABLE, diag);
}

/* Unmounted, checked, grown, mounted again: where the kernel does not grow what is mounted. */
static int grow_unmounted(const struct format_target *target, const char *path, struct diag *diag)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int r = unmount_volume(path, &d);

	if (r == 0)
		r = ext4_check(target, true, &d);
	if (r == 0)
		r = ext4_grow(target, &d);
	int mounted = mount_volume(target->path, path, MOUNT_WRITABLE, diag);
	if (mounted < 0 && mounted != -EBUSY)
		return mounted;
	return r < 0 ? diag_set(diag, r, "%s", d.message ? d.message : strerror(-r)) : 0;
}

static int device_size(const char *path, uint64_t *ret, struct diag *diag)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, ret) < 0)
		return diag_set(diag, -errno, "%s does not tell its size: %s", path,
				strerror(errno));
	return 0;
}

/* A volume that cannot be grown is as good as before: the reason becomes a warning. */
static int grow_filesystem(const struct volume_request *request, const struct volume_plan *plan,
			   const struct ext4_state *state, const char *path,
			   struct volume_result *result, struct diag *diag)
{
	const struct format_target target = { .path = result->device };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	uint64_t room;
	int r = device_size(result->device, &room, diag);

	if (r < 0 || !volume_should_grow(request->config, state, room))
		return r;
	say_growth(request, plan, result);
	r = ext4_grow(&target, &d);
	if (r < 0 && !result->adopted)
		r = grow_unmounted(&target, path, &d);
	if (r < 0)
		result->warning = strdup(d.message ? d.message : strerror(-r));
	else
		result->grown = true;
	bool mounted;
	dev_t device;
	if (mount_find(path, &mounted, &device, NULL, NULL) == 0 && mounted)
		return 0;
	return diag_set(
		diag, r, "%s",
		result->warning
			? result->warning
			: "it was unmounted to be grown and could not be mounted again; run \"larder volume provision\"");
}

/* Is this very partition mounted at path already? -EBUSY: something else is. */
static int adopt(const char *device, const char *path, bool *ret, struct diag *diag)
{
	struct stat st;
	bool mounted;
	dev_t mounted_device;
	int r = mount_find(path, &mounted, &mounted_device, NULL, diag);

	*ret = false;
	if (r < 0 || !mounted)
		return r;
	if (stat(device, &st) < 0)
		return diag_set(diag, -errno, "cannot examine %s: %s", device, strerror(errno));
	if (st.st_rdev != mounted_device)
		return diag_set(diag, -EBUSY,
				"something other than %s is mounted at %s; unmount it first",
				device, path);
	*ret = true;
	return 0;
}

static int prepare(const char *path, const struct volume_result *result, struct diag *diag)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", path, strerror(errno));
	int r = result->read_only ? volume_check_format(dir, diag)
				  : volume_prepare(dir, store_owner_find(), diag);
	return r < 0 ? diag_prefix(diag, r, "%s", result->device) : 0;
}

/* What was mounted here and cannot be used does not stay. */
static int fail_mounted(const char *path, bool adopted, int err)
{
	if (!adopted)
		(void)unmount_volume(path, NULL);
	return err;
}

/* Opens an encrypted volume; the result's device is then the mapped one. What is encrypted must agree with the config. */
static int open_encrypted(const struct volume_request *request, const struct volume_plan *plan,
			  struct volume_result *result, struct diag *diag)
{
	const struct encryption_config *config = &request->config->encryption;
	_cleanup_close_ int fd = open(result->device, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *mapped = NULL;
	bool encrypted = false;

	if (fd < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", result->device,
				strerror(errno));
	int r = luks_find(fd, 0, &encrypted);
	if (r < 0)
		return diag_set(diag, r, "cannot read %s: %s", result->device, strerror(-r));
	r = volume_check_encrypted(config, encrypted, result->device, diag);
	if (r < 0 || !encrypted)
		return r;
	fd = close_fd(fd);
	r = luks_can_open(diag);
	if (r == 0)
		r = luks_open(NULL, result->device, NAME_VOLUME, config, plan->read_only, &mapped,
			      diag);
	if (r == 0 && plan->grow_to)
		r = luks_resize(NULL, result->device, NAME_VOLUME, config, diag);
	if (r < 0)
		return r;
	free(result->device);
	result->device = TAKE_PTR(mapped);
	return 0;
}

static int warn_read_only(const struct ext4_state *state, struct volume_result *result)
{
	result->warning = text_format(
		"%s is read-only: the volume is used as it is%s", result->disk,
		state->needs_journal ? ", without what its journal would have put right" : "");
	return result->warning ? 0 : -ENOMEM;
}

/* What cannot be written is neither repaired, nor grown, nor completed. */
static int mount_device(const struct volume_request *request, const struct volume_plan *plan,
			const struct ext4_state *state, const char *path,
			struct volume_result *result, struct diag *diag)
{
	int r = adopt(result->device, path, &result->adopted, diag);

	if (r == 0 && result->read_only)
		r = warn_read_only(state, result);
	if (r < 0 || result->adopted)
		return r;
	volume_say(request, "%s: mount partition %u at %s%s", result->disk, plan->number, path,
		   result->read_only ? ", read-only" : "");
	r = mkdir_all_at(AT_FDCWD, path, 0755);
	if (r < 0)
		return diag_set(diag, r, "cannot make %s: %s", path, strerror(-r));
	if (result->read_only)
		return mount_volume(result->device, path,
				    state->needs_journal ? MOUNT_UNRECOVERED : MOUNT_READ_ONLY,
				    diag);
	return mount_repaired(request, plan, state, result, path, diag);
}

static int bring_up_device(const struct volume_request *request, const struct volume_plan *plan,
			   struct volume_result *result, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(request->run_dir, NAME_RUN_VOLUME);
	struct ext4_state state;

	if (!path)
		return -ENOMEM;
	int r = open_encrypted(request, plan, result, diag);
	if (r == 0)
		r = read_state(result->device, 0, &state, diag);
	if (r == 0)
		r = mount_device(request, plan, &state, path, result, diag);
	if (r < 0)
		return r;
	result->phase = VOLUME_PREPARED;
	if (!result->read_only)
		r = grow_filesystem(request, plan, &state, path, result, diag);
	if (r == 0)
		r = prepare(path, result, diag);
	if (r < 0)
		return fail_mounted(path, result->adopted, r);
	result->phase = VOLUME_READY;
	result->mount_point = TAKE_PTR(path);
	return 0;
}

int volume_bring_up(const struct volume_request *request, const struct volume_plan *plan,
		    struct volume_result *result, struct diag *diag)
{
	if (request->image)
		return bring_up_image(request, plan, result, diag);
	return bring_up_device(request, plan, result, diag);
}
