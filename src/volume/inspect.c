/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/inspect.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/blank.h"
#include "block/luks.h"

#define EXCLUSIVE_POLL_MS  10
#define EXCLUSIVE_ATTEMPTS 30

void inspection_done(struct inspection *i)
{
	free(i->words);
	free(i->kernel);
	for (size_t n = 0; n < i->n_ranges; n++)
		free(i->ranges[n].found);
	free(i->ranges);
	gpt_done(&i->gpt);
	*i = (struct inspection){ 0 };
}

const struct gpt_copy *inspection_table(const struct inspection *i)
{
	if (i->content != DISK_GPT)
		return NULL;
	return i->from_backup ? &i->gpt.backup : &i->gpt.primary;
}

unsigned inspection_free_number(const struct inspection *i)
{
	const struct gpt_copy *table = inspection_table(i);
	unsigned slots = table ? table->n_slots : 1;

	for (unsigned number = 1; number <= slots; number++) {
		bool used = false;
		for (size_t n = 0; table && n < table->n_entries; n++)
			used |= table->entries[n].number == number;
		for (size_t n = 0; n < i->n_kernel; n++)
			used |= i->kernel[n].number == number;
		if (!used)
			return number;
	}
	return 0;
}

static bool in_table(const struct gpt_copy *table, const struct kernel_partition *p,
		     unsigned sector_size)
{
	for (size_t n = 0; n < table->n_entries; n++) {
		const struct gpt_entry *e = &table->entries[n];
		if (e->number == p->number)
			return e->first * sector_size == p->start &&
			       (e->last - e->first + 1) * sector_size == p->size;
	}
	return false;
}

int inspection_stale(const struct inspection *i, char **ret)
{
	const struct gpt_copy *table = inspection_table(i);
	_cleanup_free_ char *joined = NULL;

	for (size_t n = 0; table && n < i->n_kernel; n++) {
		char *more;
		if (in_table(table, &i->kernel[n], i->sector_size))
			continue;
		more = text_format("%s%s%s", joined ? joined : "", joined ? ", " : "",
				   i->kernel[n].name);
		if (!more)
			return -ENOMEM;
		free(joined);
		joined = more;
	}
	*ret = TAKE_PTR(joined);
	return 0;
}

/* Sets content and words; takes words. */
static int conclude(struct inspection *i, enum disk_content content, char *words)
{
	free(i->words);
	i->content = content;
	i->words = words;
	return words || content != DISK_FOREIGN ? 0 : -ENOMEM;
}

static int measure(const struct inspection_target *target, struct inspection *i, struct stat *st,
		   struct diag *diag)
{
	int sector = (int)target->sector_size;

	if (fstat(target->fd, st) < 0)
		return diag_set(diag, -errno, "cannot be examined: %s", strerror(errno));
	if (target->image) {
		if (!S_ISREG(st->st_mode))
			return diag_set(diag, -EINVAL, "is not a regular file");
		i->size = (uint64_t)st->st_size;
	} else {
		if (!S_ISBLK(st->st_mode))
			return diag_set(diag, -ENOTBLK, "is not a block device");
		if (ioctl(target->fd, BLKGETSIZE64, &i->size) < 0 ||
		    ioctl(target->fd, BLKSSZGET, &sector) < 0)
			return diag_set(diag, -errno, "does not tell its size: %s",
					strerror(errno));
	}
	i->sector_size = (unsigned)sector;
	i->grain = target->io_size > LAYOUT_GRAIN ? target->io_size : LAYOUT_GRAIN;
	return 0;
}

/*
 * The kernel made another device of the whole disk: it is one path of a multipath device, or a member of LVM, md or bcache, whatever
 * lies on it. found: what does. Concludes with DISK_FOREIGN then; else content stays as it is.
 */
static int check_holders(const struct inspection_target *target, const struct stat *st,
			 const char *found, struct inspection *i)
{
	_cleanup_free_ char *holders = NULL;
	char *words = NULL;

	if (target->image)
		return 0;
	if (holders_read(NULL, major(st->st_rdev), minor(st->st_rdev), &holders) < 0)
		holders = strdup("a holder that cannot be read");
	if (!holders)
		return 0;
	words = text_format("%s, but %s uses the whole disk", found, holders);
	return conclude(i, DISK_FOREIGN, words);
}

/* Another provisioner that looks at this disk asks the same, for a moment. */
static int open_exclusive(const char *path)
{
	const struct timespec pause = { .tv_nsec = EXCLUSIVE_POLL_MS * 1000000L };
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);

	for (int i = 0; fd < 0 && errno == EBUSY && i < EXCLUSIVE_ATTEMPTS; i++) {
		nanosleep(&pause, NULL);
		fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	}
	return fd;
}

/* Nothing on it, but does the kernel or a program have it in use? */
static int check_unused(const struct inspection_target *target, const struct stat *st,
			struct inspection *i)
{
	char path[64];

	if (target->image)
		return conclude(i, DISK_BLANK, NULL);
	i->content = DISK_BLANK;
	int r = check_holders(target, st, "no data", i);
	if (r < 0 || i->content != DISK_BLANK)
		return r;
	if (i->n_kernel > 0)
		return conclude(i, DISK_FOREIGN,
				strdup("no table, but the kernel has partitions on it"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target->fd);
	_cleanup_close_ int exclusive = open_exclusive(path);
	if (exclusive < 0)
		return conclude(
			i, DISK_FOREIGN,
			errno == EBUSY
				? strdup("no data, but it is in use (mounted, or held by a program)")
				: text_format(
					  "no data, but whether it is in use cannot be told: %s: %s",
					  path, strerror(errno)));
	return conclude(i, DISK_BLANK, NULL);
}

static bool all_zero(const uint8_t *data, size_t size)
{
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* One slot of a backup that a power cut may have left half written: empty, as in the primary, or ours. */
static bool slot_is_expected(const uint8_t *slot, const uint8_t *primary)
{
	_cleanup_free_ struct gpt_entry *entry = NULL;
	size_t n = 0;

	if (all_zero(slot, GPT_ENTRY_BYTES) || memcmp(slot, primary, GPT_ENTRY_BYTES) == 0)
		return true;
	return gpt_parse_entries(slot, 1, GPT_ENTRY_BYTES, &entry, &n) == 0 && n == 1 &&
	       gpt_is_our_name(entry[0].name);
}

/* A backup that is missing at the end, or is no header any more, is written there by the next change: what is there now? */
static int check_backup_place(const struct inspection_target *target, struct inspection *i,
			      bool *ret_free)
{
	const struct gpt_copy *p = &i->gpt.primary;
	uint64_t last = i->gpt.n_sectors - 1;
	size_t entries = (size_t)p->n_slots * p->slot_bytes;
	bool there = i->gpt.backup.lba == last && i->gpt.backup.signature;

	*ret_free = true;
	if (!p->valid || there || p->slot_bytes != GPT_ENTRY_BYTES)
		return 0;
	_cleanup_free_ uint8_t *slots = malloc(2 * entries);
	uint8_t header[4096];
	if (!slots)
		return -ENOMEM;
	int r = pread_exact(target->fd, slots, entries, last * i->sector_size - entries);
	if (r == 0)
		r = pread_exact(target->fd, slots + entries, entries,
				p->entries_lba * i->sector_size);
	if (r == 0)
		r = pread_exact(target->fd, header, i->sector_size, last * i->sector_size);
	if (r < 0)
		return r;
	*ret_free = all_zero(header, i->sector_size);
	for (size_t at = 0; at < entries; at += GPT_ENTRY_BYTES)
		*ret_free &= slot_is_expected(slots + at, slots + entries + at);
	return 0;
}

/* Where the usable sectors end once libfdisk has written the table. */
static uint64_t usable_end(const struct inspection *i, const struct gpt_copy *table)
{
	uint64_t entries = (uint64_t)table->n_slots * table->slot_bytes;
	uint64_t sectors = (entries + i->sector_size - 1) / i->sector_size;

	/* It moves a backup to the end, and the last usable sector with it, when the primary copy says that it is elsewhere. */
	if (!i->from_backup && i->gpt.primary.other_lba != i->gpt.n_sectors - 1)
		return i->gpt.n_sectors - 1 - sectors;
	return table->last_usable + 1;
}

static int used_ranges(const struct inspection *i, const struct gpt_copy *table, struct range **ret,
		       size_t *ret_n)
{
	size_t n = 0;
	struct range *used = calloc(table->n_entries + i->n_kernel + 1, sizeof(*used));

	if (!used)
		return -ENOMEM;
	for (size_t k = 0; k < table->n_entries; k++)
		used[n++] = (struct range){ table->entries[k].first * i->sector_size,
					    (table->entries[k].last + 1) * i->sector_size };
	for (size_t k = 0; k < i->n_kernel; k++)
		used[n++] = (struct range){ i->kernel[k].start,
					    i->kernel[k].start + i->kernel[k].size };
	*ret = used;
	*ret_n = n;
	return 0;
}

/* The free ranges, and what libblkid knows at the ends of each. */
static int find_free(const struct inspection_target *target, struct inspection *i,
		     struct diag *diag)
{
	const struct gpt_copy *table = inspection_table(i);
	_cleanup_free_ struct range *used = NULL, *ranges = NULL;
	struct range usable = { table->first_usable * i->sector_size,
				usable_end(i, table) * i->sector_size };
	size_t n_used, n = 0;
	int r = used_ranges(i, table, &used, &n_used);

	if (r == 0)
		r = layout_free(usable, used, n_used, i->grain, &ranges, &n);
	if (r < 0)
		return r;
	i->ranges = calloc(n + 1, sizeof(*i->ranges));
	if (!i->ranges)
		return -ENOMEM;
	for (; r == 0 && i->n_ranges < n; i->n_ranges++) {
		struct free_range *f = &i->ranges[i->n_ranges];
		f->range = ranges[i->n_ranges];
		r = signature_find(target->fd, f->range.start, f->range.end - f->range.start,
				   i->sector_size, SIGNATURE_ALL, &f->found, diag);
	}
	return r;
}

/* The one big range of a disk that is to get a new table: as libfdisk will lay it out. */
static int range_of_blank(struct inspection *i)
{
	uint64_t entries = 128 * GPT_ENTRY_BYTES;
	uint64_t head = 2 * i->sector_size + entries, tail = i->sector_size + entries;
	struct range *ranges = NULL;
	size_t n = 0;
	uint64_t size = i->size - i->size % i->sector_size;
	int r = layout_free((struct range){ head, size - tail }, NULL, 0, i->grain, &ranges, &n);

	if (r < 0)
		return r;
	i->ranges = calloc(1, sizeof(*i->ranges));
	if (i->ranges && n > 0) {
		i->ranges[0].range = ranges[0];
		i->n_ranges = 1;
	}
	free(ranges);
	return i->ranges ? 0 : -ENOMEM;
}

static struct volume_content inspect_volume(int fd, uint64_t start)
{
	struct volume_content content = { 0 };

	content.error = luks_find(fd, start, &content.encrypted);
	if (content.error == 0 && !content.encrypted)
		content.error = ext4_read_state(fd, start, &content.ext4, NULL);
	return content;
}

static int inspect_table(const struct inspection_target *target, const struct stat *st,
			 enum gpt_state state, struct inspection *i, struct diag *diag)
{
	_cleanup_free_ char *found = NULL;
	bool place_free;
	int r = signature_find(target->fd, 0, i->size, i->sector_size, SIGNATURE_CONTENT, &found,
			       diag);

	if (r < 0)
		return r;
	if (found) {
		char *words = text_format("a GPT, but also %s over the whole disk", found);
		return conclude(i, DISK_FOREIGN, words);
	}
	i->content = DISK_GPT;
	r = check_holders(target, st, "a GPT", i);
	if (r < 0 || i->content != DISK_GPT)
		return r;
	i->can_add = state == GPT_GOOD;
	i->repair = gpt_needs_repair(&i->gpt);
	r = check_backup_place(target, i, &place_free);
	if (r < 0)
		return diag_set(diag, r, "cannot be read: %s", strerror(-r));
	if (!place_free) {
		i->can_add = false;
		r = conclude(i, DISK_GPT, strdup("data at the end, where the backup GPT belongs"));
	}
	const struct gpt_entry *volume = gpt_find(inspection_table(i), NAME_VOLUME);
	if (volume)
		i->volume = inspect_volume(target->fd, volume->first * i->sector_size);
	bool needed = i->can_add && (target->grow || !volume);
	return r < 0 || !needed ? r : find_free(target, i, diag);
}

static int inspect_blank(const struct inspection_target *target, const struct stat *st,
			 struct inspection *i, enum blankness *ret, struct diag *diag)
{
	_cleanup_free_ char *found = NULL;
	int r = blank_prove(target->fd, i->sector_size, i->size, ret, &found, diag);

	if (r < 0)
		return r;
	if (*ret == BLANK_NOT)
		return conclude(i, DISK_FOREIGN, TAKE_PTR(found));
	r = check_unused(target, st, i);
	return r < 0 || i->content != DISK_BLANK ? r : range_of_blank(i);
}

/* What is wrong with a table says more than "gpt partition table", and that it is for other sectors more than that it is damaged. */
static int describe_table(const struct inspection_target *target, struct inspection *i, char *words)
{
	_cleanup_free_ char *judged = words;
	unsigned other = 0;
	char *text = NULL;

	if (!i->gpt.primary.header_valid && !i->gpt.backup.header_valid)
		other = gpt_other_sector_size(target->fd, i->sector_size);
	if (!other)
		return judged ? conclude(i, DISK_FOREIGN, TAKE_PTR(judged)) : 0;
	text = text_format(
		"a GPT for sectors of %u bytes, and %s sectors of %u bytes%s", other,
		target->image ? "the image is taken to have" : "this disk has", i->sector_size,
		target->image ? " (--sector-size)"
			      : ": it was written through an adapter that shows other sectors, or "
				"copied from another disk");
	return conclude(i, DISK_FOREIGN, text);
}

static int inspect_content(const struct inspection_target *target, const struct stat *st,
			   struct inspection *i, struct diag *diag)
{
	const struct gpt_copy *copy;
	_cleanup_free_ char *words = NULL;
	enum blankness blankness;
	int r = gpt_read(target->fd, i->sector_size, i->size / i->sector_size, &i->gpt, diag);

	if (r < 0)
		return r;
	enum gpt_state state = gpt_judge(&i->gpt, &copy, &words);
	i->from_backup = copy && copy == &i->gpt.backup;
	if (state == GPT_GOOD || state == GPT_READABLE) {
		i->words = TAKE_PTR(words);
		return inspect_table(target, st, state, i, diag);
	}
	r = inspect_blank(target, st, i, &blankness, diag);
	return r == 0 && blankness == BLANK_NOT ? describe_table(target, i, TAKE_PTR(words)) : r;
}

static int compare_kernel_partitions(const void *a, const void *b)
{
	const struct kernel_partition *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

int inspect_disk(const struct inspection_target *target, struct inspection *ret, struct diag *diag)
{
	_cleanup_inspection_ struct inspection i = { 0 };
	struct stat st;
	int r = measure(target, &i, &st, diag);

	if (r < 0)
		return r;
	if (!target->image)
		r = kernel_partitions_read(NULL, major(st.st_rdev), minor(st.st_rdev), &i.kernel,
					   &i.n_kernel, diag);
	if (r < 0)
		return r;
	if (i.n_kernel > 0)
		qsort(i.kernel, i.n_kernel, sizeof(*i.kernel), compare_kernel_partitions);
	if (i.size < DISK_SIZE_LEAST) {
		char size[TEXT_SIZE_MAX], *words = NULL;
		words = text_format("only %s in all", text_size_iec(i.size, size));
		r = conclude(&i, DISK_FOREIGN, words);
	} else {
		r = inspect_content(target, &st, &i, diag);
	}
	if (r < 0)
		return r;
	*ret = i;
	i = (struct inspection){ 0 };
	return 0;
}
