/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One selector, many disks: each has its own answer. */
#include "unit.h"

#include <string.h>

#include "block/match.h"

static const char *const no_links[] = { NULL };
static const char *const one_link[] = { "/dev/disk/by-id/x", NULL };

/* Three disks: the system disk, one that cannot be opened, one without any link. */
static void make_list(struct disk disks[static 3], struct disk_list *ret)
{
	for (size_t i = 0; i < 3; i++) {
		disks[i] = (struct disk){
			.fields = { DISK_FIELDS_UNKNOWN },
			.read = DISK_FIELDS_ALL,
		};
		disks[i].fields.size = (i + 1) * 1000;
		disks[i].fields.symlinks = one_link;
	}
	disks[0].system_disk = true;
	disks[1].error = (char *)"cannot be opened: No such device";
	disks[2].fields.symlinks = no_links;
	*ret = (struct disk_list){ disks, 3 };
}

static void match(const char *text, const struct disk_list *list, struct match_list *ret)
{
	_cleanup_(selector_freep) struct selector *selector = NULL;
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (selector_compile(SELECTOR_DISK, text, &selector, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(match_disks(selector, list, ret), 0);
	assert_int_equal(ret->n_matches, list->n_disks);
}

static void test_answers(void **state)
{
	struct disk disks[3];
	struct disk_list list;
	_cleanup_match_list_ struct match_list m = { 0 };

	(void)state;
	make_list(disks, &list);
	match("system_disk || disk.size == 3000u", &list, &m);
	assert_int_equal(m.n_yes, 2);
	assert_string_equal(match_text(&m.matches[0]), "yes");
	assert_string_equal(match_text(&m.matches[1]), "cannot be opened: No such device");
	assert_string_equal(match_text(&m.matches[2]), "yes");
	assert_ptr_equal(m.matches[2].disk, &disks[2]);
}

static void test_error_of_one_disk(void **state)
{
	struct disk disks[3];
	struct disk_list list;
	_cleanup_match_list_ struct match_list m = { 0 };

	(void)state;
	make_list(disks, &list);
	match("disk.symlinks[0] == '/dev/disk/by-id/x'", &list, &m);
	assert_int_equal(m.n_yes, 1);
	assert_int_equal(m.matches[0].answer, MATCH_YES);
	assert_int_equal(m.matches[2].answer, MATCH_ERROR);
	assert_non_null(m.matches[2].reason);
	assert_int_equal(strchr(m.matches[2].reason, '\n') != NULL, 0);
}

/* Who read too little gets no disk, and not one by mistake. */
static void test_too_little_read(void **state)
{
	struct disk disks[3];
	struct disk_list list;
	_cleanup_match_list_ struct match_list m = { 0 };

	(void)state;
	make_list(disks, &list);
	disks[0].read = DISK_FIELDS(DISK_FIELD_SIZE);
	match("disk.size > 0u && !disk.rotational", &list, &m);
	assert_int_equal(m.matches[0].answer, MATCH_ERROR);
	assert_non_null(strstr(match_text(&m.matches[0]), "was read"));
	assert_int_equal(m.matches[2].answer, MATCH_YES);
}

static void test_no_disks(void **state)
{
	const struct disk_list list = { 0 };
	_cleanup_match_list_ struct match_list m = { 0 };

	(void)state;
	match("true", &list, &m);
	assert_int_equal(m.n_yes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_error_of_one_disk),
		cmocka_unit_test(test_too_little_read),
		cmocka_unit_test(test_no_disks),
	};

	return unit_main(tests);
}
