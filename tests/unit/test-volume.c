/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout and plans, which need no disk; and the corpus of the table fuzzer. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "fuzz/table-input.h"
#include "volume/plan.h"
#include "volume/uuid.h"

#define MIB (1024 * 1024ULL)
#define GIB (1024 * MIB)

static void test_free_ranges(void **state)
{
	struct range used[] = {
		{ 300 * MIB, 400 * MIB },
		{ 10 * MIB + 512, 20 * MIB },
		{ 15 * MIB, 30 * MIB + 1 },
		{ 900 * MIB, 5000 * MIB },
	};
	_cleanup_free_ struct range *ranges = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(layout_free((struct range){ 17408, 1000 * MIB }, used, ARRAY_SIZE(used),
				     MIB, &ranges, &n),
			 0);
	assert_int_equal(n, 3);
	assert_int_equal(ranges[0].start, MIB);
	assert_int_equal(ranges[0].end, 10 * MIB);
	assert_int_equal(ranges[1].start, 31 * MIB);
	assert_int_equal(ranges[1].end, 300 * MIB);
	assert_int_equal(ranges[2].start, 400 * MIB);
	assert_int_equal(ranges[2].end, 900 * MIB);
}

static void test_sizes(void **state)
{
	static const struct {
		struct size_spec min, max;
		uint64_t available;
		int r;
		uint64_t size;
		const char *words; /* must be in the reason */
	} cases[] = {
		{ { SIZE_BYTES, 500 * MIB }, { SIZE_BYTES, GIB }, 10 * GIB, 0, GIB, NULL },
		{ { SIZE_BYTES, 500 * MIB }, { SIZE_BYTES, GIB }, 600 * MIB, 0, 600 * MIB, NULL },
		{ { SIZE_BYTES, 500 * MIB },
		  { SIZE_BYTES, GIB },
		  499 * MIB,
		  -ENOSPC,
		  0,
		  "499 MiB" },
		{ { SIZE_BYTES, 500 * MIB }, { SIZE_PERCENT, 5000 }, 2 * GIB, 0, GIB, NULL },
		{ { SIZE_BYTES, 500 * MIB }, { SIZE_PERCENT, 1 }, 2 * GIB, -ENOSPC, 0, "500 MiB" },
		{ { SIZE_BYTES, 500 * MIB }, { SIZE_NEGATIVE, GIB }, 2 * GIB, 0, GIB, NULL },
		{ { SIZE_BYTES, 500 * MIB },
		  { SIZE_NEGATIVE, 3 * GIB },
		  2 * GIB,
		  -ENOSPC,
		  0,
		  "0 B" },
		{ { SIZE_UNSET, 0 }, { SIZE_NEGATIVE, 2 * GIB }, 2 * GIB, -ENOSPC, 0, "16 MiB" },
		{ { SIZE_BYTES, 2 * GIB },
		  { SIZE_BYTES, GIB },
		  10 * GIB,
		  -EINVAL,
		  0,
		  "larger than" },
		{ { SIZE_BYTES, 20 * MIB + 512 },
		  { SIZE_BYTES, 20 * MIB + 512 },
		  GIB,
		  0,
		  20 * MIB + 512,
		  NULL },
		{ { SIZE_BYTES, 20 * MIB },
		  { SIZE_BYTES, 20 * MIB + 700 },
		  GIB,
		  0,
		  20 * MIB,
		  NULL },
		{ { SIZE_UNSET, 0 }, { SIZE_UNSET, 0 }, 100 * MIB, 0, 100 * MIB, NULL },
		{ { SIZE_BYTES, UINT64_MAX },
		  { SIZE_PERCENT, 10000 },
		  UINT64_MAX / 2,
		  -ENOSPC,
		  0,
		  "needed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *words = NULL;
		uint64_t size = 0;
		int r = layout_size(&cases[i].min, &cases[i].max, cases[i].available, MIB, 512,
				    &size, &words);
		assert_int_equal(r, cases[i].r);
		assert_int_equal(size, cases[i].size);
		assert_true(!cases[i].words || strstr(words, cases[i].words));
	}
}

static void test_choice(void **state)
{
	const struct range ranges[] = {
		{ MIB, 101 * MIB },
		{ 200 * MIB, 900 * MIB },
		{ GIB, 5 * GIB },
		{ 6 * GIB, 8 * GIB },
	};
	const bool skip[] = { false, false, false, true };
	const struct size_spec min = { SIZE_BYTES, 50 * MIB }, fixed = { SIZE_BYTES, 600 * MIB },
			       half = { SIZE_PERCENT, 5000 }, small = { SIZE_BYTES, 60 * MIB };
	_cleanup_free_ char *words = NULL;
	uint64_t size;
	size_t index;

	(void)state;
	/* The smallest that gives the full size; the largest for a share; the skipped one never. */
	assert_int_equal(
		layout_choose(ranges, 4, skip, &min, &fixed, MIB, 512, &index, &size, &words), 0);
	assert_int_equal(index, 1);
	assert_int_equal(
		layout_choose(ranges, 4, skip, &min, &half, MIB, 512, &index, &size, &words), 0);
	assert_int_equal(index, 2);
	assert_int_equal(
		layout_choose(ranges, 4, skip, &min, &small, MIB, 512, &index, &size, &words), 0);
	assert_int_equal(index, 0);
	assert_int_equal(layout_choose(ranges + 3, 1, skip + 3, &min, &fixed, MIB, 512, &index,
				       &size, &words),
			 -ENOSPC);
	assert_non_null(strstr(words, "only 0 B"));
}

static void test_mbr(void **state)
{
	static const struct {
		uint8_t types[4];
		uint8_t start;
		enum mbr_kind kind;
	} cases[] = {
		{ { 0 }, 1, MBR_NONE },
		{ { 0xee }, 1, MBR_PROTECTIVE },
		{ { 0, 0, 0xee }, 1, MBR_PROTECTIVE },
		{ { 0xee }, 2, MBR_ODD },
		{ { 0xee, 0x83 }, 1, MBR_HYBRID },
		{ { 0xee, 0xee }, 1, MBR_HYBRID },
		{ { 0x83 }, 1, MBR_DOS },
		{ { 0x83, 0x07, 0x05, 0x82 }, 1, MBR_DOS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t sector[512] = { [510] = 0x55, [511] = 0xaa };
		for (size_t k = 0; k < 4; k++) {
			sector[446 + 16 * k + 4] = cases[i].types[k];
			sector[446 + 16 * k + 8] = cases[i].start;
		}
		assert_int_equal(mbr_parse(sector), cases[i].kind);
		sector[511] = 0;
		assert_int_equal(mbr_parse(sector), MBR_NONE);
	}
}

static void test_uuid(void **state)
{
	char a[UUID_TEXT_BYTES], b[UUID_TEXT_BYTES], c[UUID_TEXT_BYTES];

	(void)state;
	assert_int_equal(uuid_make("seed", "disk", a), 0);
	assert_int_equal(uuid_make("seed", "disk", b), 0);
	assert_int_equal(uuid_make("seed", "partition", c), 0);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_int_equal(uuid_make(NULL, "disk", b), 0);
	assert_int_equal(uuid_make(NULL, "disk", c), 0);
	assert_string_not_equal(b, c);
	assert_int_equal(b[14], '4');
}

static struct free_range big = { .range = { MIB, 9 * GIB } };

/* Four disks: not matched, foreign, and two blank ones. */
static void four_disks(struct volume_candidate c[static 4])
{
	static char words[] = "ntfs filesystem";

	for (size_t i = 0; i < 4; i++)
		c[i] = (struct volume_candidate){
			.matched = true,
			.inspection = { .content = DISK_BLANK,
					.size = 10 * GIB,
					.sector_size = 512,
					.grain = MIB,
					.ranges = &big,
					.n_ranges = 1 },
		};
	c[0].path = "/dev/sda";
	c[1].path = "/dev/sdb";
	c[2].path = "/dev/nvme1n1";
	c[3].path = "/dev/nvme10n1";
	c[0].matched = false;
	c[0].no_match = "is read-only";
	c[1].inspection.content = DISK_FOREIGN;
	c[1].inspection.words = words;
}

static const struct volume_config defaults = {
	.min_size = { SIZE_BYTES, 500 * MIB },
	.max_size = { SIZE_BYTES, GIB },
};

static void test_verdicts(void **state)
{
	_cleanup_plan_ struct volume_plan plan = { 0 };
	struct volume_candidate c[4];

	(void)state;
	four_disks(c);
	assert_int_equal(volume_plan_make(&defaults, c, 4, NULL, &plan, NULL), 0);
	assert_int_equal(plan.action, VOLUME_CREATE);
	assert_int_equal(plan.disk, 2);
	assert_int_equal(plan.size, GIB);
	assert_string_equal(plan.verdicts[0].reason, "is read-only");
	assert_string_equal(plan.verdicts[1].reason, "in use: ntfs filesystem");
	assert_true(plan.verdicts[2].taken);
	assert_string_equal(plan.verdicts[3].reason, "not needed: another disk is taken");
	assert_int_equal(strv_length(plan.steps), 4);
}

static void test_located(void **state)
{
	struct gpt_entry one = {
		.number = 3, .first = 2048, .last = 2 * GIB / 512, .name = "IMAGECACHE.new"
	};
	struct gpt_entry other = one;
	_cleanup_plan_ struct volume_plan plan = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct volume_candidate c[4];

	(void)state;
	four_disks(c);
	for (size_t i = 2; i < 4; i++) {
		c[i].inspection.content = DISK_GPT;
		c[i].inspection.can_add = true;
		c[i].inspection.gpt.primary = (struct gpt_copy){ .valid = true,
								 .n_slots = 128,
								 .entries = i == 2 ? &one : &other,
								 .n_entries = 1 };
	}
	/* Unfinished ones: the first is completed. A finished one comes before them. Two finished ones are an error. */
	assert_int_equal(volume_plan_make(&defaults, c, 4, NULL, &plan, &d), 0);
	assert_int_equal(plan.action, VOLUME_FINISH);
	assert_int_equal(plan.disk, 2);
	volume_plan_done(&plan);
	strcpy(other.name, "IMAGECACHE");
	assert_int_equal(volume_plan_make(&defaults, c, 4, NULL, &plan, &d), 0);
	assert_int_equal(plan.action, VOLUME_USE);
	assert_int_equal(plan.disk, 3);
	assert_int_equal(plan.number, 3);
	volume_plan_done(&plan);
	strcpy(one.name, "IMAGECACHE");
	assert_int_equal(volume_plan_make(&defaults, c, 4, NULL, &plan, &d), -EINVAL);
	assert_non_null(strstr(d.message, "number 3 on /dev/nvme1n1"));
	assert_non_null(strstr(d.message, "number 3 on /dev/nvme10n1"));
	/* Not on a disk that the selector does not match. */
	c[2].matched = false;
	c[3].matched = false;
	assert_int_equal(volume_plan_make(&defaults, c, 4, NULL, &plan, &d), 0);
	assert_int_equal(plan.action, VOLUME_NONE);
}

/* What is finished is used from a disk that cannot be written; nothing else is done with one. */
static void test_read_only(void **state)
{
	struct gpt_entry entry = {
		.number = 3, .first = 2048, .last = 2 * GIB / 512, .name = "IMAGECACHE"
	};
	struct volume_config config = defaults;
	_cleanup_plan_ struct volume_plan plan = { 0 };
	struct volume_candidate c[4];

	(void)state;
	config.max_size.value = 5 * GIB;
	config.grow = true;
	four_disks(c);
	c[2].read_only = true;
	c[2].inspection.content = DISK_GPT;
	c[2].inspection.can_add = true;
	c[2].inspection.repair = true;
	c[2].inspection.gpt.primary = (struct gpt_copy){
		.valid = true, .n_slots = 128, .entries = &entry, .n_entries = 1
	};
	assert_int_equal(volume_plan_make(&config, c, 4, NULL, &plan, NULL), 0);
	assert_int_equal(plan.action, VOLUME_USE);
	assert_int_equal(plan.disk, 2);
	assert_true(plan.read_only);
	assert_false(plan.repair);
	assert_int_equal(plan.grow_to, 0);
	assert_null(plan.steps);
	volume_plan_done(&plan);
	strcpy(entry.name, "IMAGECACHE.new");
	assert_int_equal(volume_plan_make(&config, c, 4, NULL, &plan, NULL), 0);
	assert_int_equal(plan.action, VOLUME_CREATE);
	assert_int_equal(plan.disk, 3);
	assert_string_equal(plan.verdicts[2].reason, "is read-only and has no IMAGECACHE");
}

static void test_corpus(void **state)
{
	_cleanup_free_ char *path = path_join(unit_source_dir(), "tests/fuzz/corpus/table");
	_cleanup_closedir_ DIR *d = opendir(path);
	size_t n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		_cleanup_free_ char *data = NULL;
		size_t size;
		if (*e->d_name == '.')
			continue;
		assert_int_equal(read_file_at(dirfd(d), e->d_name, 1 << 20, &data, &size), 0);
		table_input((const uint8_t *)data, size);
		n++;
	}
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_ranges), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_choice),	    cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_uuid),	    cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_located),	    cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_corpus),
	};

	return unit_main(tests);
}
