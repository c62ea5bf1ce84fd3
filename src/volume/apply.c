/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/apply.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/format.h"
#include "block/gpt.h"
#include "block/luks.h"
#include "volume/skeleton.h"
#include "volume/uuid.h"

/* What one run needs in every step. */
struct run {
	const struct volume_request *request;
	const struct inspection *inspection;
	const struct volume_plan *plan;
	struct volume_result *result;
	struct gpt_device device;
	struct diag *diag;
	size_t step; /* of the plan, the next */
};

void volume_say(const struct volume_request *request, const char *format, ...)
{
	char *line = NULL;
	va_list ap;

	if (!request->say)
		return;
	va_start(ap, format);
	line = text_vformat(format, ap);
	va_end(ap);
	if (line)
		request->say(request->userdata, line);
	free(line);
}

/* Each step is said as the plan says it. */
static void say_step(struct run *run)
{
	volume_say(run->request, "%s", run->plan->steps[run->step++]);
}

/* Does the table still look as it did when the plan was made? */
static int check_unchanged(const struct run *run)
{
	_cleanup_gpt_ struct gpt now = { 0 };
	int r = gpt_read(run->device.fd, run->inspection->sector_size,
			 run->inspection->gpt.n_sectors, &now, run->diag);

	if (r < 0)
		return diag_prefix(run->diag, r, "%s", run->device.path);
	if (now.fingerprint != run->inspection->gpt.fingerprint)
		return diag_set(
			run->diag, -ESTALE,
			"%s: the partition table has changed since the plan was made; nothing was written: end what changes it, and try again",
			run->device.path);
	return 0;
}

static int make_partition(struct run *run)
{
	const struct volume_plan *plan = run->plan;
	char uuid[UUID_TEXT_BYTES], disk_uuid[UUID_TEXT_BYTES];
	int r = uuid_make(run->request->seed, "partition", uuid);

	if (r == 0)
		r = uuid_make(run->request->seed, "disk", disk_uuid);
	if (r < 0)
		return r;
	const struct gpt_new_entry entry = {
		.number = plan->number,
		.first = plan->start / run->inspection->sector_size,
		.n_sectors = plan->size / run->inspection->sector_size,
		.name = NAME_VOLUME_NEW,
		.uuid = uuid,
	};
	run->result->table_written = true;
	if (plan->action == VOLUME_CREATE)
		return gpt_create(&run->device, disk_uuid, &entry, run->diag);
	return gpt_add(&run->device, &entry, run->diag);
}

/* Has the kernel know the partition, and keeps its name in the result. */
static int announce(struct run *run, uint64_t size)
{
	struct kernel_partition p;
	struct stat st;

	if (run->request->image)
		return 0;
	if (fstat(run->device.fd, &st) < 0)
		return -errno;
	int r = partition_announce(run->device.fd, major(st.st_rdev), minor(st.st_rdev),
				   run->plan->number, run->plan->start, size, &p, run->diag);
	if (r < 0)
		return diag_prefix(run->diag, r, "%s", run->device.path);
	free(run->result->device);
	run->result->device = NULL;
	_cleanup_close_ int fd = partition_open(&p, O_RDONLY, &run->result->device, run->diag);
	return fd < 0 ? fd : 0;
}

/* Encrypts the partition first if the config says so; *ret is what the filesystem goes into. */
static int encrypt(struct run *run, char **ret)
{
	const struct encryption_config *config = &run->request->config->encryption;
	const char *partition = run->result->device;

	if (!config->enabled) {
		*ret = strdup(run->request->image ? run->request->image : partition);
		return *ret ? 0 : -ENOMEM;
	}
	int r = luks_format(NULL, partition, NAME_VOLUME, config, run->diag);
	return r < 0 ? r : luks_open(NULL, partition, NAME_VOLUME, config, false, ret, run->diag);
}

/* Formats the partition that is named IMAGECACHE.new, and nothing else. */
static int format(struct run *run)
{
	const bool image = run->request->image;
	_cleanup_(skeleton_donep) struct skeleton *skeleton = NULL;
	_cleanup_free_ char *path = NULL;
	char uuid[UUID_TEXT_BYTES];
	int r = uuid_make(run->request->seed, "filesystem", uuid);

	if (r == 0 && image)
		r = skeleton_make(run->request->epoch, &skeleton, run->diag);
	if (r == 0)
		r = encrypt(run, &path);
	if (r < 0)
		return r;
	const struct format_target target = {
		.path = path,
		.offset = image ? run->plan->start : 0,
		.size = run->plan->size,
	};
	const struct format_options options = {
		.label = NAME_VOLUME,
		.uuid = uuid,
		.directory = skeleton ? skeleton_path(skeleton) : NULL,
		.epoch = run->request->epoch,
	};
	run->result->formatted = true;
	return format_ext4(&target, &options, run->diag);
}

/* Before anything is written: could the volume be encrypted as the config says? */
static int check_encryption(const struct run *run)
{
	const struct encryption_config *config = &run->request->config->encryption;

	if (!config->enabled || run->plan->action == VOLUME_USE)
		return 0;
	if (run->request->image)
		return diag_set(
			run->diag, -EOPNOTSUPP,
			"%s: the config asks for encryption, and the keys belong to a machine; an image is not encrypted: take \"encryption\" out of the config for it",
			run->device.path);
	int r = luks_can_format(NULL, NAME_VOLUME, config, run->diag);
	if (r == 0)
		r = luks_can_open(run->diag);
	/* Left open by a run that failed; -EBUSY: by one that did not. */
	return r < 0 ? r : luks_close(run->diag);
}

/* The last look before formatting: is this partition ours, by its name on the disk, at the planned place? */
static int check_ours(const struct run *run)
{
	_cleanup_gpt_ struct gpt gpt = { 0 };
	_cleanup_free_ char *words = NULL;
	const struct gpt_copy *copy;
	const struct inspection *in = run->inspection;
	int r = gpt_read(run->device.fd, in->sector_size, in->size / in->sector_size, &gpt,
			 run->diag);

	if (r < 0)
		return diag_prefix(run->diag, r, "%s", run->device.path);
	(void)gpt_judge(&gpt, &copy, &words);
	const struct gpt_entry *e = copy ? gpt_find(copy, NAME_VOLUME_NEW) : NULL;
	if (!e || e->number != run->plan->number ||
	    e->first * in->sector_size != run->plan->start ||
	    (e->last - e->first + 1) * in->sector_size != run->plan->size)
		return diag_set(
			run->diag, -ESTALE,
			"%s: partition %u is not the " NAME_VOLUME_NEW
			" that was planned; it was not formatted: end what changes the table, and try again",
			run->device.path, run->plan->number);
	return 0;
}

static int finish(struct run *run)
{
	int r = check_ours(run);

	if (r == 0)
		r = announce(run, run->plan->size);
	if (r < 0)
		return r;
	say_step(run);
	r = format(run);
	if (r < 0)
		return r;
	say_step(run);
	run->result->table_written = true;
	return gpt_rename(&run->device, run->plan->number, NAME_VOLUME, run->diag);
}

static int make(struct run *run)
{
	if (run->plan->action == VOLUME_CREATE)
		say_step(run);
	say_step(run);
	int r = make_partition(run);
	return r < 0 ? r : finish(run);
}

static int use(struct run *run)
{
	const struct volume_plan *plan = run->plan;

	if (plan->grow_to == 0)
		return announce(run, plan->size);
	say_step(run);
	run->result->table_written = true;
	int r = gpt_resize(&run->device, plan->number, plan->grow_to / run->inspection->sector_size,
			   run->diag);
	return r < 0 ? r : announce(run, plan->grow_to);
}

int volume_apply(const struct volume_request *request, const struct volume_candidate *candidate,
		 const struct volume_plan *plan, int fd, struct volume_result *result,
		 struct diag *diag)
{
	struct run run = {
		.request = request,
		.inspection = &candidate->inspection,
		.plan = plan,
		.result = result,
		.device = { .fd = fd,
			    .path = candidate->path,
			    .sector_size = candidate->inspection.sector_size },
		.diag = diag,
	};
	int r = check_unchanged(&run);

	if (r == 0)
		r = check_encryption(&run);
	if (r == 0 && plan->repair) {
		say_step(&run);
		result->table_written = true;
		r = gpt_repair(&run.device, diag);
	}
	if (r < 0)
		return r;
	switch (plan->action) {
	case VOLUME_CREATE:
	case VOLUME_ADD:
		return make(&run);
	case VOLUME_FINISH:
		return finish(&run);
	case VOLUME_USE:
		return use(&run);
	default:
		return -EINVAL;
	}
}
