/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/plan.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"

/* How much smaller than it could be a filesystem may be without being grown. */
#define GROWTH_WORTHWHILE (1024 * 1024ULL)

bool volume_should_grow(const struct volume_config *config, const struct ext4_state *state,
			uint64_t room)
{
	return config->grow && state->size + GROWTH_WORTHWHILE <= ext4_size_in(state, room);
}

uint64_t volume_plan_size(const struct volume_plan *plan)
{
	return plan->grow_to ? plan->grow_to : plan->size;
}

bool volume_plan_writes(const struct volume_plan *plan)
{
	return plan->action != VOLUME_NONE &&
	       (plan->action != VOLUME_USE || plan->grow_to || plan->repair);
}

const char *volume_action_name(enum volume_action action)
{
	static const char *const names[] = { "none", "use", "finish", "add", "create" };

	return names[action];
}

void volume_plan_done(struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->n_verdicts; i++) {
		free(plan->verdicts[i].disk);
		free(plan->verdicts[i].reason);
	}
	free(plan->verdicts);
	strv_free(plan->steps);
	*plan = (struct volume_plan){ 0 };
}

/* Gives disk i its verdict; the last word counts. */
static int verdict(struct volume_plan *plan, size_t i, bool taken, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int verdict(struct volume_plan *plan, size_t i, bool taken, const char *format, ...)
{
	char *reason = NULL;
	va_list ap;

	va_start(ap, format);
	reason = text_vformat(format, ap);
	va_end(ap);
	if (!reason)
		return -ENOMEM;
	free(plan->verdicts[i].reason);
	plan->verdicts[i].reason = reason;
	plan->verdicts[i].taken = taken;
	return 0;
}

static int first_verdict(struct volume_plan *plan, size_t i, const struct volume_candidate *c)
{
	plan->verdicts[i].disk = strdup(c->path);
	plan->verdicts[i].matched = c->matched;
	if (!plan->verdicts[i].disk)
		return -ENOMEM;
	if (!c->matched)
		return verdict(plan, i, false, "%s",
			       c->no_match ? c->no_match : "the selector does not match");
	if (c->read_only)
		return verdict(plan, i, false, "is read-only and has no " NAME_VOLUME);
	if (c->inspection.content == DISK_FOREIGN)
		return verdict(plan, i, false, "%s: %s",
			       c->inspection.size < DISK_SIZE_LEAST ? "too small" : "in use",
			       c->inspection.words);
	return verdict(plan, i, false, "not needed: another disk is taken");
}

/* Refuses a config that can be right on no disk. */
static int check_sizes(const struct volume_config *config, struct diag *diag)
{
	const struct size_spec *max = &config->max_size;
	_cleanup_free_ char *words = NULL;
	uint64_t size;

	if (max->kind == SIZE_PERCENT && (max->value == 0 || max->value > 10000))
		return diag_set(diag, -EINVAL,
				"VolumeConfig " NAME_VOLUME
				": maxSize is %llu.%02llu%%: it must be over 0%% and at most 100%%",
				(unsigned long long)max->value / 100,
				(unsigned long long)max->value % 100);
	if (max->kind != SIZE_BYTES)
		return 0;
	int r = layout_size(&config->min_size, max, max->value, 1, 1, &size, &words);
	return r < 0 ? diag_set(diag, -EINVAL, "VolumeConfig " NAME_VOLUME ": %s",
				words ? words : "impossible sizes")
		     : 0;
}

struct found {
	size_t disk, n; /* how many were found */
	const struct gpt_entry *entry;
	size_t disks[2]; /* of the first two */
	unsigned numbers[2];
};

/* writable: on disks that can be written to. */
static struct found find_partition(const struct volume_candidate *candidates, size_t n,
				   const char *name, bool writable)
{
	struct found f = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct volume_candidate *c = &candidates[i];
		const struct gpt_copy *table = c->matched && !(writable && c->read_only)
						       ? inspection_table(&c->inspection)
						       : NULL;
		for (size_t k = 0; table && k < table->n_entries; k++) {
			if (strcmp(table->entries[k].name, name) != 0)
				continue;
			if (f.n == 0) {
				f.disk = i;
				f.entry = &table->entries[k];
			}
			if (f.n < 2) {
				f.disks[f.n] = i;
				f.numbers[f.n] = table->entries[k].number;
			}
			f.n++;
		}
	}
	return f;
}

static void place(struct volume_plan *plan, const struct volume_candidate *c, size_t disk,
		  const struct gpt_entry *e)
{
	plan->disk = disk;
	plan->number = e->number;
	plan->start = e->first * c->inspection.sector_size;
	plan->size = (e->last - e->first + 1) * c->inspection.sector_size;
	plan->read_only = c->read_only;
	plan->repair = c->inspection.repair && !c->read_only;
}

/* Does another partition begin in [start, end)? */
static bool taken_between(const struct inspection *in, uint64_t start, uint64_t end)
{
	const struct gpt_copy *table = inspection_table(in);
	bool taken = false;

	for (size_t i = 0; i < table->n_entries; i++)
		taken |= table->entries[i].first * in->sector_size >= start &&
			 table->entries[i].first * in->sector_size < end;
	for (size_t i = 0; i < in->n_kernel; i++)
		taken |= in->kernel[i].start >= start && in->kernel[i].start < end;
	return taken;
}

/* How far the partition can and should grow: into the free range right behind it. */
static void plan_growth(const struct volume_config *config, const struct volume_candidate *c,
			struct volume_plan *plan)
{
	const struct inspection *in = &c->inspection;
	uint64_t end = plan->start + plan->size, limit = end, size;
	_cleanup_free_ char *words = NULL;

	for (size_t i = 0; i < in->n_ranges; i++)
		if (in->ranges[i].range.start >= end &&
		    in->ranges[i].range.start - end < in->grain && !in->ranges[i].found &&
		    !taken_between(in, end, in->ranges[i].range.start))
			limit = in->ranges[i].range.end;
	if (!config->grow || !in->can_add || c->read_only || limit == end ||
	    layout_size(&config->min_size, &config->max_size, limit - plan->start, in->grain,
			in->sector_size, &size, &words) < 0)
		return;
	if (size > plan->size)
		plan->grow_to = size;
}

/* What is in an encrypted partition is not known before it is open: it grows with that. */
static void plan_filesystem(const struct volume_config *config, const struct ext4_state *state,
			    struct volume_plan *plan)
{
	if (plan->read_only)
		return;
	plan->check = state->errors;
	plan->grow_filesystem = state->found
					? volume_should_grow(config, state, volume_plan_size(plan))
					: plan->grow_to != 0;
}

static int plan_use(const struct volume_config *config, const struct volume_candidate *candidates,
		    const struct found *f, struct volume_plan *plan, struct diag *diag)
{
	char size[TEXT_SIZE_MAX];

	if (f->n > 1)
		return diag_set(
			diag, -EINVAL,
			"two partitions are called " NAME_VOLUME
			": number %u on %s and number %u on %s; rename or delete one of them",
			f->numbers[0], candidates[f->disks[0]].path, f->numbers[1],
			candidates[f->disks[1]].path);
	plan->action = VOLUME_USE;
	place(plan, &candidates[f->disk], f->disk, f->entry);
	plan_growth(config, &candidates[f->disk], plan);
	plan_filesystem(config, &candidates[f->disk].inspection.volume.ext4, plan);
	return verdict(plan, f->disk, true, "has " NAME_VOLUME ", partition %u (%s)%s",
		       plan->number, text_size_iec(plan->size, size),
		       plan->read_only ? ", and is read-only" : "");
}

static int plan_finish(const struct volume_candidate *candidates, const struct found *f,
		       struct volume_plan *plan, struct diag *diag)
{
	const struct volume_candidate *c = &candidates[f->disk];
	char size[TEXT_SIZE_MAX];

	if (!c->inspection.can_add)
		return diag_set(diag, -EUCLEAN,
				"%s has an unfinished " NAME_VOLUME_NEW
				", but also %s; mend that, or delete the partition",
				c->path, c->inspection.words);
	plan->action = VOLUME_FINISH;
	place(plan, c, f->disk, f->entry);
	if (plan->size < LAYOUT_SIZE_LEAST)
		return diag_set(diag, -EUCLEAN,
				"%s has " NAME_VOLUME_NEW ", partition %u, of %s, which larder did "
				"not make so small: delete it, or give it another name",
				c->path, plan->number, text_size_iec(plan->size, size));
	return verdict(plan, f->disk, true,
		       "has " NAME_VOLUME_NEW ", partition %u (%s), which was never finished",
		       plan->number, text_size_iec(plan->size, size));
}

static int no_room(struct volume_plan *plan, const struct inspection *in, size_t disk,
		   const char *words, const char *found)
{
	_cleanup_free_ char *stale = NULL, *kernel = NULL;

	if (inspection_stale(in, &stale) < 0)
		return -ENOMEM;
	if (stale &&
	    asprintf(&kernel,
		     "; the kernel has %s, and the table has not, or has it elsewhere: take away "
		     "what the kernel has with delpart(8), or restart the machine",
		     stale) < 0)
		return -ENOMEM;
	return verdict(plan, disk, false, "no room: %s%s%s%s", words ? words : "?",
		       found ? "; a free range is left alone because it holds " : "",
		       found ? found : "", kernel ? kernel : "");
}

/* Is there room on this disk? 1: yes, the plan is filled. 0: no, the verdict says why. */
static int try_disk(const struct volume_config *config, const struct volume_candidate *c,
		    size_t disk, struct volume_plan *plan)
{
	const struct inspection *in = &c->inspection;
	_cleanup_free_ struct range *ranges = calloc(in->n_ranges + 1, sizeof(*ranges));
	_cleanup_free_ bool *skip = calloc(in->n_ranges + 1, sizeof(*skip));
	_cleanup_free_ char *words = NULL;
	const char *found = NULL;
	size_t chosen;

	if (!ranges || !skip)
		return -ENOMEM;
	if (in->content == DISK_FOREIGN)
		return 0; /* it has its verdict */
	if (in->content == DISK_GPT && !in->can_add)
		return verdict(plan, disk, false, "in use: %s", in->words);
	for (size_t i = 0; i < in->n_ranges; i++) {
		ranges[i] = in->ranges[i].range;
		skip[i] = in->ranges[i].found;
		found = found ? found : in->ranges[i].found;
	}
	int r = layout_choose(ranges, in->n_ranges, skip, &config->min_size, &config->max_size,
			      in->grain, in->sector_size, &chosen, &plan->size, &words);
	if (r < 0)
		return no_room(plan, in, disk, words, found);
	plan->number = inspection_free_number(in);
	if (plan->number == 0)
		return verdict(plan, disk, false, "the partition table is full");
	plan->action = in->content == DISK_BLANK ? VOLUME_CREATE : VOLUME_ADD;
	plan->repair = in->repair;
	plan->disk = disk;
	plan->start = ranges[chosen].start;
	return 1;
}

static int plan_new(const struct volume_config *config, const struct volume_candidate *candidates,
		    size_t n, struct volume_plan *plan)
{
	char free_size[TEXT_SIZE_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct inspection *in = &candidates[i].inspection;
		if (!candidates[i].matched || candidates[i].read_only)
			continue;
		int r = try_disk(config, &candidates[i], i, plan);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		text_size_iec(plan->action == VOLUME_CREATE ? in->size : plan->size, free_size);
		return verdict(plan, i, true,
			       plan->action == VOLUME_CREATE
				       ? "blank (%s)"
				       : "has a GPT with room for a partition of %s",
			       free_size);
	}
	return 0;
}

static int describe_steps(const struct volume_candidate *candidates, const char *mount_at,
			  struct volume_plan *plan)
{
	char at[TEXT_SIZE_MAX], size[TEXT_SIZE_MAX];
	const char *disk = candidates[plan->disk].path;
	int r = 0;

	text_size_iec(plan->start, at);
	text_size_iec(plan->size, size);
	if (plan->repair)
		r = strv_addf(&plan->steps, "%s: mend the primary GPT from its backup", disk);
	if (r == 0 && plan->action == VOLUME_CREATE)
		r = strv_addf(&plan->steps, "%s: write a new GPT", disk);
	if (r == 0 && (plan->action == VOLUME_CREATE || plan->action == VOLUME_ADD))
		r = strv_addf(&plan->steps,
			      "%s: add partition %u, %s at %s, named " NAME_VOLUME_NEW, disk,
			      plan->number, size, at);
	if (r == 0 && plan->action != VOLUME_USE)
		r = strv_addf(&plan->steps, "%s: make an ext4 filesystem in partition %u", disk,
			      plan->number);
	if (r == 0 && plan->action != VOLUME_USE)
		r = strv_addf(&plan->steps, "%s: rename partition %u to " NAME_VOLUME, disk,
			      plan->number);
	if (r == 0 && plan->grow_to)
		r = strv_addf(&plan->steps, "%s: grow partition %u from %s to %s", disk,
			      plan->number, size, text_size_iec(plan->grow_to, at));
	if (r == 0 && mount_at)
		r = strv_addf(&plan->steps, "%s: mount partition %u at %s%s", disk, plan->number,
			      mount_at, plan->read_only ? ", read-only" : "");
	if (r == 0 && mount_at && plan->check)
		r = strv_addf(&plan->steps, "%s: repair the filesystem in partition %u", disk,
			      plan->number);
	if (r == 0 && plan->grow_filesystem)
		r = strv_addf(&plan->steps, "%s: grow the filesystem in partition %u", disk,
			      plan->number);
	return r;
}

static int decide(const struct volume_config *config, const struct volume_candidate *candidates,
		  size_t n, const char *mount_at, struct volume_plan *plan, struct diag *diag)
{
	struct found volume = find_partition(candidates, n, NAME_VOLUME, false);
	struct found unfinished = find_partition(candidates, n, NAME_VOLUME_NEW, true);
	int r;

	if (volume.n > 0)
		r = plan_use(config, candidates, &volume, plan, diag);
	else if (unfinished.n > 0)
		r = plan_finish(candidates, &unfinished, plan, diag);
	else
		r = plan_new(config, candidates, n, plan);
	if (r < 0 || plan->action == VOLUME_NONE)
		return r;
	return describe_steps(candidates, mount_at, plan);
}

int volume_plan_make(const struct volume_config *config, const struct volume_candidate *candidates,
		     size_t n, const char *mount_at, struct volume_plan *ret, struct diag *diag)
{
	_cleanup_plan_ struct volume_plan plan = { 0 };
	int r = check_sizes(config, diag);

	if (r < 0)
		return r;
	plan.verdicts = calloc(n + 1, sizeof(*plan.verdicts));
	if (!plan.verdicts)
		return -ENOMEM;
	for (; plan.n_verdicts < n; plan.n_verdicts++) {
		r = first_verdict(&plan, plan.n_verdicts, &candidates[plan.n_verdicts]);
		if (r < 0) {
			plan.n_verdicts++;
			return r;
		}
	}
	r = decide(config, candidates, n, mount_at, &plan, diag);
	if (r < 0)
		return r;
	*ret = plan;
	plan = (struct volume_plan){ 0 };
	return 0;
}
