/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Selectors: what they see, what they refuse, and how they say it. */
#include "unit.h"

#include <string.h>

#include "cel/selector.h"
#include "lib/selector-sample.h"

static void test_matching(void **state)
{
	static const struct {
		const char *text;
		bool system_disk, matches;
	} cases[] = {
		{ "true", false, true },
		{ "system_disk", true, true },
		{ "!system_disk", true, false },
		{ "disk.size > 1u * TB && !disk.rotational", false, true },
		{ "disk.size == 1920383410176u", false, true },
		{ "disk.transport == 'nvme' && disk.dev_path.startsWith('/dev/nvme')", false,
		  true },
		{ "disk.transport in ['sata', 'sas']", false, false },
		{ "'/dev/disk/by-path/pci-1' in disk.symlinks", false, true },
		{ "disk.symlinks.exists(s, s.endsWith('-A'))", false, true },
		{ "disk.symlinks.all(s, glob('/dev/disk/*', s))", false, true },
		{ "glob('SAMSUNG*21T9*', disk.model)", false, true },
		{ "glob('SAMSUNG', disk.model)", false, false },
		{ "has(disk.serial) && !has(disk.uuid)", false, true },
		{ "disk.secondary_disks.size() == 0", false, true },
		{ "size(disk.symlinks) == 2 ? disk.cdrom : true", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(selector_freep) struct selector *s = NULL;
		_cleanup_diag_ struct diag d = DIAG_INIT;
		bool matches = false;
		if (selector_compile(SELECTOR_DISK, cases[i].text, &s, &d) < 0)
			fail_msg("%s", diag_text(&d));
		assert_string_equal(selector_text(s), cases[i].text);
		assert_int_equal(
			selector_match(s, &sample_disk, NULL, cases[i].system_disk, &matches, &d),
			0);
		if (matches != cases[i].matches)
			fail_msg("%s: %d", cases[i].text, matches);
	}
}

static void test_volume(void **state)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	bool matches = false;

	(void)state;
	assert_int_equal(selector_compile(SELECTOR_DISK, "volume.label == 'x'", &s, NULL), -EINVAL);
	assert_int_equal(
		selector_compile(SELECTOR_VOLUME,
				 "volume.label.startsWith('LARDER_') && "
				 "volume.partition_index == 2u && disk.transport == 'nvme'",
				 &s, NULL),
		0);
	assert_int_equal(selector_match(s, &sample_disk, &sample_volume, false, &matches, NULL), 0);
	assert_true(matches);
	assert_false(selector_uses_system_disk(s));
}

static void test_uses_system_disk(void **state)
{
	_cleanup_(selector_freep) struct selector *s = NULL;

	(void)state;
	assert_int_equal(selector_compile(SELECTOR_DISK, "disk.cdrom || !system_disk", &s, NULL),
			 0);
	assert_true(selector_uses_system_disk(s));
}

/* Whoever reads disks for a selector reads no more than these; too few would be a wrong answer. */
static void test_disk_fields(void **state)
{
	static const struct {
		const char *text;
		uint64_t fields;
	} cases[] = {
		{ "true", 0 },
		{ "system_disk", 0 },
		{ "disk.size > 1u * TB && disk.size < 2u * TB", DISK_FIELDS(DISK_FIELD_SIZE) },
		{ "has(disk.serial)", DISK_FIELDS(DISK_FIELD_SERIAL) },
		{ "disk.symlinks.exists(s, s == disk.firmware_version)",
		  DISK_FIELDS(DISK_FIELD_SYMLINKS) | DISK_FIELDS(DISK_FIELD_FIRMWARE_VERSION) },
		{ "disk.model == 'serial'", DISK_FIELDS(DISK_FIELD_MODEL) },
		{ "['a'].exists(disk, disk == 'model')", 0 },
		{ "false ? disk.cdrom : !disk.rotational",
		  DISK_FIELDS(DISK_FIELD_CDROM) | DISK_FIELDS(DISK_FIELD_ROTATIONAL) },
		{ "disk == disk", DISK_FIELDS_ALL },
		{ "[disk].exists(d, d.size > 1u)", DISK_FIELDS_ALL },
		{ "dyn(disk).size > 1u || disk.cdrom", DISK_FIELDS_ALL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(selector_freep) struct selector *s = NULL;
		_cleanup_diag_ struct diag d = DIAG_INIT;
		if (selector_compile(SELECTOR_DISK, cases[i].text, &s, &d) < 0)
			fail_msg("%s", diag_text(&d));
		if (selector_disk_fields(s) != cases[i].fields)
			fail_msg("%s: %llx", cases[i].text,
				 (unsigned long long)selector_disk_fields(s));
	}
}

/* An error names the place and what to write instead. */
static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *message;
	} cases[] = {
		{ "cdrom", 1, 1, "did you mean disk.cdrom?" },
		{ "!rotationel", 1, 2, "did you mean disk.rotational?" },
		{ "volume.label == 'x'", 1, 1,
		  "no \"volume\" here; there are: disk, system_disk;" },
		{ "sytem_disk", 1, 1, "did you mean system_disk?" },
		{ "disk.vendor == 'ATA'", 1, 6, "the fields are: size, io_size" },
		{ "disk.seral == 'x'", 1, 6, "did you mean disk.serial?" },
		{ "disk.size > 10GB", 1, 15, "write 10u * GB" },
		{ "disk.size > 10u GiB", 1, 17, "write 10u * GiB" },
		{ "not system_disk", 1, 5, "\"not\" is written !" },
		{ "[true].all(__result__, true)", 1, 12, "the language's own" },
		{ "disk.size > 10", 1, 13, "write 10u: disk.size is uint" },
		{ "disk.size * 2 > 10u", 1, 13, "write 2u: disk.size is uint" },
		{ "disk.size > 1.5", 1, 13, "write 1u: disk.size is uint" },
		{ "true and system_disk", 1, 6, "\"and\" is written &&" },
		{ "true or system_disk", 1, 6, "\"or\" is written ||" },
		{ "disk.model = 'x'", 1, 12, "write == to compare" },
		{ "system_disk & true", 1, 13, "write && for and" },
		{ "disk.size", 1, 6, "the result must be a bool" },
		{ "disk.model", 1, 6, "compare it with something" },
		{ "disk.model.startWith('x')", 1, 12, "did you mean startsWith()?" },
		{ "disk.model.startsWith()", 1, 12, "is written text.startsWith(start)" },
		{ "disk.model.contains(1)", 1, 12, "does not take (int) after a string" },
		{ "glob('x')", 1, 1, "is written glob(pattern, text)" },
		{ "disk.symlinks[0u] == 'x'", 1, 14, "write int(…)" },
		{ "exists(disk.symlinks, s, true)", 1, 1, "list.exists(x, … x …)" },
		{ "disk.symlinks.exists('s', true)", 1, 22, "wants a plain name" },
		{ "disk.symlinks.exists(s, s)", 1, 25, "must be true or false" },
		{ "has(disk)", 1, 5, "has() wants a field" },
		{ "disk.size >\n  10 * GB", 2, 3, "write 10u: GB is uint" },
		{ "disk.transport == nvme", 1, 19, "a text is written in quotes: 'nvme'" },
		{ "'abc", 1, 1, "no closing quote" },
		{ "", 1, 1, "empty" },
		{ "(system_disk", 1, 13, "\")\"" },
		{ "disk.model == 'a' ?", 1, 20, "" },
		{ "system_disk ? 1 : 'a'", 1, 13, "different types" },
		{ "-disk.size > 1u", 1, 1, "a uint is never negative" },
		{ "disk.rotational > 0", 1, 17, "bool and int" },
		{ "system_disk && disk.model.matches('a(b')", 1, 35, "the pattern is not valid: " },
		{ "disk.symlinks.exists(s, matches(s, r'(?=a)'))", 1, 36,
		  "the pattern is not valid: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(selector_freep) struct selector *s = NULL;
		_cleanup_diag_ struct diag d = DIAG_INIT;
		assert_int_equal(selector_compile(SELECTOR_DISK, cases[i].text, &s, &d), -EINVAL);
		if (d.line != cases[i].line || d.column != cases[i].column ||
		    !strstr(d.message, cases[i].message))
			fail_msg("%s: %u:%u: %s", cases[i].text, d.line, d.column, diag_text(&d));
		assert_null(d.source);
	}
}

static void test_error_on_one_disk(void **state)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	bool matches = true;

	(void)state;
	assert_int_equal(selector_compile(SELECTOR_DISK, "disk.symlinks[7] == 'x'", &s, &d), 0);
	assert_int_equal(selector_match(s, &sample_disk, NULL, false, &matches, &d), -EDOM);
	assert_true(matches); /* untouched */
	assert_string_equal(diag_text(&d), "the list has no element 7\n"
					   "  disk.symlinks[7] == 'x'\n"
					   "               ^");
	assert_int_equal(d.column, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching),	 cmocka_unit_test(test_volume),
		cmocka_unit_test(test_uses_system_disk), cmocka_unit_test(test_disk_fields),
		cmocka_unit_test(test_refusals),	 cmocka_unit_test(test_error_on_one_disk),
	};

	return unit_main(tests);
}
