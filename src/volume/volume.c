/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/volume.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/blank.h"
#include "block/luks.h"
#include "volume/apply.h"
#include "volume/candidates.h"
#include "volume/mount.h"

#define ATTEMPTS_MAX 8 /* another disk may be planned once the lock is held; that happens rarely */

const char *volume_phase_name(enum volume_phase phase)
{
	static const char *const names[] = { "waiting",	 "missing", "located", "provisioned",
					     "prepared", "ready",   "failed" };

	return names[phase];
}

void volume_result_done(struct volume_result *result)
{
	free(result->error);
	free(result->warning);
	free(result->disk);
	free(result->device);
	free(result->mount_point);
	volume_plan_done(&result->plan);
	*result = (struct volume_result){ 0 };
}

static struct free_range *range_at(struct inspection *i, uint64_t start)
{
	for (size_t n = 0; n < i->n_ranges; n++)
		if (i->ranges[n].range.start == start)
			return &i->ranges[n];
	return NULL;
}

/* Looks for signatures at the very ends of the planned partition; found ones go into the inspection. 1: found. */
static int prove_place(const struct volume_request *request, struct volume_candidate *c,
		       const struct volume_plan *plan, struct diag *diag)
{
	struct free_range *range = range_at(&c->inspection, plan->start);
	_cleanup_close_ int fd = candidate_open(request, c, O_RDONLY, diag);

	if (fd < 0)
		return fd;
	if (!range)
		return -EINVAL;
	int r = signature_find(fd, plan->start, plan->size, c->inspection.sector_size,
			       SIGNATURE_ALL, &range->found, diag);
	return r < 0 ? r : range->found != NULL;
}

/* Where the volume will be mounted; *ret NULL: nowhere, or it is already. */
static int mount_to_make(const struct volume_request *request, char **ret)
{
	_cleanup_free_ char *path = NULL;
	bool mounted = true;
	dev_t device;
	int r = 0;

	if (!request->image) {
		path = path_join(request->run_dir, NAME_RUN_VOLUME);
		r = path ? mount_find(path, &mounted, &device, NULL, NULL) : -ENOMEM;
	}
	*ret = r == 0 && !mounted ? TAKE_PTR(path) : NULL;
	return r == -ENOMEM ? r : 0;
}

/* Can the volume that is there be used? */
static int check_content(const struct volume_request *request, const struct volume_candidate *c,
			 const struct volume_plan *plan, struct diag *diag)
{
	const struct volume_content *content = &c->inspection.volume;
	_cleanup_free_ char *place = text_format("partition %u of %s", plan->number, c->path);
	int r = content->error;

	if (!place)
		return -ENOMEM;
	if (r < 0)
		return diag_set(diag, r, "cannot read %s: %s", place, strerror(-r));
	if (!request->image)
		r = volume_check_encrypted(&request->config->encryption, content->encrypted, place,
					   diag);
	if (r < 0 || (content->encrypted && !request->image))
		return r;
	r = volume_check_ext4(&content->ext4, place, diag);
	if (r == 0 && content->ext4.size > plan->size)
		r = diag_set(
			diag, -EUCLEAN,
			"%s has %llu bytes, and its ext4 has %llu: something made the partition smaller; make it as large as it was, or run \"larder volume wipe\"",
			place, (unsigned long long)plan->size,
			(unsigned long long)content->ext4.size);
	return r;
}

/* Plans, and plans again without the ranges that prove not to be free. */
static int make_plan(const struct volume_request *request, struct candidates *c,
		     struct volume_plan *ret, struct diag *diag)
{
	_cleanup_free_ char *mount_at = NULL;
	int r = mount_to_make(request, &mount_at);

	if (r < 0)
		return r;
	for (;;) {
		_cleanup_plan_ struct volume_plan plan = { 0 };
		r = volume_plan_make(request->config, c->list, c->n, mount_at, &plan, diag);
		if (r == 0 && plan.action == VOLUME_ADD)
			r = prove_place(request, &c->list[plan.disk], &plan, diag);
		else if (r == 0 && plan.action == VOLUME_USE)
			r = check_content(request, &c->list[plan.disk], &plan, diag);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret = plan;
			plan = (struct volume_plan){ 0 };
			return 0;
		}
	}
}

int volume_plan(const struct volume_request *request, struct volume_plan *ret, struct diag *diag)
{
	_cleanup_candidates_ struct candidates c = { 0 };
	int r = candidates_read(request, &c, diag);

	return r < 0 ? r : make_plan(request, &c, ret, diag);
}

/* A disk that is locked, and a plan for it that was made under this lock. */
struct locked_plan {
	struct candidates candidates;
	struct volume_plan plan;
	char *disk; /* that fd is open on */
	int fd;
	bool writable; /* fd is */
};

static void locked_plan_done(struct locked_plan *l)
{
	candidates_done(&l->candidates);
	volume_plan_done(&l->plan);
	free(l->disk);
	l->fd = close_fd(l->fd);
}

static int plan_anew(const struct volume_request *request, struct locked_plan *l, struct diag *diag)
{
	candidates_done(&l->candidates);
	volume_plan_done(&l->plan);
	int r = candidates_read(request, &l->candidates, diag);
	return r < 0 ? r : make_plan(request, &l->candidates, &l->plan, diag);
}

static bool is_locked_for(const struct locked_plan *l, const char *disk, bool writes)
{
	return l->disk && strcmp(l->disk, disk) == 0 && (l->writable || !writes);
}

/* Plans, locks the disk that it is about, and plans again, until the plan is about the locked disk. */
static int plan_locked(const struct volume_request *request, struct locked_plan *l,
		       struct diag *diag)
{
	int r = plan_anew(request, l, diag);

	/* Another provisioner may have been at work while this one looked. */
	if (r == 0 && l->plan.action == VOLUME_NONE && candidates_wait(request, &l->candidates))
		r = plan_anew(request, l, diag);
	for (int i = 0; r == 0 && i < ATTEMPTS_MAX; i++) {
		if (l->plan.action == VOLUME_NONE)
			return 0;
		const struct volume_candidate *c = &l->candidates.list[l->plan.disk];
		bool writes = volume_plan_writes(&l->plan);
		if (is_locked_for(l, c->path, writes))
			return 0;
		free(l->disk);
		l->disk = strdup(c->path);
		l->fd = close_fd(l->fd);
		if (!l->disk)
			return -ENOMEM;
		l->writable = writes;
		l->fd = candidate_lock(request, c, writes ? O_RDWR : O_RDONLY, diag);
		if (l->fd < 0)
			return l->fd;
		r = plan_anew(request, l, diag);
	}
	return r < 0 ? r
		     : diag_set(
			       diag, -EAGAIN,
			       "the disks change faster than they can be planned for; nothing was written: end what changes them, and try again");
}

static int carry_out(const struct volume_request *request, struct locked_plan *l,
		     struct volume_result *ret, struct diag *diag)
{
	const struct volume_candidate *c = &l->candidates.list[l->plan.disk];

	ret->phase = VOLUME_LOCATED;
	ret->read_only = l->plan.read_only;
	ret->disk = strdup(c->path);
	if (!ret->disk)
		return -ENOMEM;
	int r = volume_apply(request, c, &l->plan, l->fd, ret, diag);
	if (r < 0)
		return r;
	if (l->plan.action != VOLUME_USE)
		ret->phase = VOLUME_PROVISIONED;
	return volume_bring_up(request, &l->plan, ret, diag);
}

static int ensure(const struct volume_request *request, struct volume_result *ret,
		  struct diag *diag)
{
	_cleanup_(locked_plan_done) struct locked_plan locked = { .fd = -1 };
	int r = plan_locked(request, &locked, diag);

	if (r == 0 && locked.plan.action == VOLUME_NONE) {
		ret->phase = VOLUME_MISSING;
		r = diag_set(diag, -ENOENT,
			     "no disk has the volume " NAME_VOLUME
			     " or has room for it; \"larder volume plan\" says why of each");
	} else if (r == 0) {
		r = carry_out(request, &locked, ret, diag);
		if (r < 0)
			ret->phase = VOLUME_FAILED;
	} else {
		ret->phase = VOLUME_FAILED;
	}
	ret->plan = locked.plan;
	locked.plan = (struct volume_plan){ 0 };
	return r;
}

int volume_ensure(const struct volume_request *request, struct volume_result *ret,
		  struct diag *diag)
{
	_cleanup_diag_ struct diag own = DIAG_INIT;

	if (!diag)
		diag = &own;
	*ret = (struct volume_result){ 0 };
	int r = ensure(request, ret, diag);
	if (r < 0)
		ret->error = strdup(diag->message ? diag->message : strerror(-r));
	return r;
}

/* Is the volume of the plan what is mounted? Where the plan has none, this user may not be able to open its disk. */
static bool is_volume(const struct candidates *c, const struct volume_plan *plan, dev_t mounted)
{
	if (plan->action != VOLUME_USE)
		return major(mounted) != 0;
	const struct inspection *in = &c->list[plan->disk].inspection;
	for (size_t i = 0; i < in->n_kernel; i++)
		if (in->kernel[i].number == plan->number)
			return partition_carries(&in->kernel[i], mounted);
	return false;
}

static int find_mounted(const struct volume_request *request, const struct candidates *c,
			struct volume_result *ret, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(request->run_dir, NAME_RUN_VOLUME);
	_cleanup_free_ char *source = NULL;
	bool mounted;
	dev_t device;

	if (!path)
		return -ENOMEM;
	int r = mount_find(path, &mounted, &device, &source, diag);
	if (r < 0 || !mounted)
		return r;
	if (!is_volume(c, &ret->plan, device)) {
		ret->warning = text_format(
			"something other than the volume is mounted at %s: %s; unmount it first",
			path, source ? source : "?");
		return ret->warning ? 0 : -ENOMEM;
	}
	ret->phase = VOLUME_READY;
	ret->device = TAKE_PTR(source);
	ret->mount_point = TAKE_PTR(path);
	return 0;
}

static int find_out(const struct volume_request *request, struct volume_result *ret,
		    struct diag *diag)
{
	_cleanup_candidates_ struct candidates c = { 0 };
	int r = candidates_read(request, &c, diag);

	if (r == 0)
		r = make_plan(request, &c, &ret->plan, diag);
	if (r < 0)
		return r;
	if (ret->plan.action == VOLUME_USE) {
		ret->phase = VOLUME_LOCATED;
		ret->read_only = ret->plan.read_only;
		ret->disk = strdup(ret->plan.verdicts[ret->plan.disk].disk);
		if (!ret->disk)
			return -ENOMEM;
	}
	return request->image ? 0 : find_mounted(request, &c, ret, diag);
}

int volume_status(const struct volume_request *request, struct volume_result *ret,
		  struct diag *diag)
{
	*ret = (struct volume_result){ .phase = VOLUME_MISSING };
	int r = find_out(request, ret, diag);
	if (r < 0) {
		ret->phase = VOLUME_FAILED;
		ret->error = strdup(diag->message ? diag->message : strerror(-r));
	}
	return r;
}

int volume_stop(const char *run_dir, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_VOLUME);

	if (!path)
		return -ENOMEM;
	int r = unmount_volume(path, diag);
	return r < 0 ? r : luks_close(diag);
}
