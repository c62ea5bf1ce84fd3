/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of /sys and the rules of single fields. Whole machines: tests/image/disks.sh. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "block/disk.h"
#include "block/links.h"
#include "block/sysfs.h"
#include "lib/tree.h"

struct machine {
	char path[64];
	int dir;
};

static void machine_make(struct machine *m, const char *text)
{
	unsigned line = 0;

	strcpy(m->path, "/tmp/larder-test-disk.XXXXXX");
	assert_non_null(mkdtemp(m->path));
	m->dir = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(m->dir >= 0);
	if (tree_unpack(m->dir, text, strlen(text), 1, &line) < 0)
		fail_msg("line %u of the tree is wrong", line);
}

static void machine_remove(struct machine *m)
{
	close_fd(m->dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, m->path), 0);
}

static void test_clean(void **state)
{
	static const struct {
		const char *in;
		size_t size;
		const char *out;
	} cases[] = {
		{ "  QEMU DVD-ROM \n", 16, "QEMU DVD-ROM" },
		{ "\n", 1, "" },
		{ "", 0, "" },
		{ "a\0b", 3, "a" },
		{ "caf\xc3\xa9", 5, "caf\xc3\xa9" },
		{ "caf\xe9!", 5, "caf?!" },
		{ "\xff\xfe", 2, "??" },
		{ "\xe2\x82", 2, "??" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32] = { 0 };
		memcpy(text, cases[i].in, cases[i].size);
		assert_int_equal(sysfs_clean(text, cases[i].size), strlen(cases[i].out));
		assert_string_equal(text, cases[i].out);
	}
}

static void test_resolve(void **state)
{
	static const struct {
		const char *directory, *target, *result;
	} cases[] = {
		{ "/sys/block/", "../devices/virtual/block/loop0",
		  "/sys/devices/virtual/block/loop0" },
		{ "/dev/disk/by-id", "../../sda1", "/dev/sda1" },
		{ "/dev/disk/by-id", "/dev/mapper/../dm-0", "/dev/dm-0" },
		{ "/a", "../../../..", "/" },
		{ "/", ".", "/" },
		{ "/a//b/", "./c//d/", "/a/b/c/d" },
	};
	char path[64], small[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
			sysfs_resolve(cases[i].directory, cases[i].target, path, sizeof(path)), 0);
		assert_string_equal(path, cases[i].result);
	}
	assert_int_equal(sysfs_resolve("/", "abc", small, sizeof(small)), -ENAMETOOLONG);
}

static void test_line_value(void **state)
{
	const char *text = "DEVNAMEX=no\nDEVNAME=vda\nEMPTY=\nDEVTYPE=disk";
	size_t size = 99;

	(void)state;
	assert_memory_equal(sysfs_line_value(text, "DEVNAME", &size), "vda", 3);
	assert_int_equal(size, 3);
	assert_memory_equal(sysfs_line_value(text, "DEVTYPE", &size), "disk", 4);
	assert_non_null(sysfs_line_value(text, "EMPTY", &size));
	assert_int_equal(size, 0);
	assert_null(sysfs_line_value(text, "DEV", &size));
	assert_null(sysfs_line_value("", "DEV", &size));
}

static void test_numbers(void **state)
{
	struct machine m;
	uint64_t n = 7;

	(void)state;
	machine_make(&m, "max: 18446744073709551615\nmore: 18446744073709551616\n"
			 "minus: -1\nempty:\nword: 12a\none: 1\n");
	assert_int_equal(sysfs_number(m.dir, "max", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(sysfs_number(m.dir, "more", &n), -EINVAL);
	assert_int_equal(sysfs_number(m.dir, "minus", &n), -EINVAL);
	assert_int_equal(sysfs_number(m.dir, "word", &n), -EINVAL);
	assert_int_equal(sysfs_number(m.dir, "empty", &n), -ENOENT);
	assert_int_equal(sysfs_number(m.dir, "none", &n), -ENOENT);
	assert_true(n == UINT64_MAX);
	assert_true(sysfs_flag(m.dir, "one"));
	assert_false(sysfs_flag(m.dir, "max"));
	machine_remove(&m);
}

static void test_encode(void **state)
{
	_cleanup_free_ char *plain = dev_link_encode("DATA_1.x");
	_cleanup_free_ char *other = dev_link_encode("my disk/\\\xc3\xa9");

	(void)state;
	assert_string_equal(plain, "DATA_1.x");
	assert_string_equal(other, "my\\x20disk\\x2f\\x5c\xc3\xa9");
}

#define DISK(name, size)                                                                           \
	"[sys/block]\n" name " -> ../devices/virtual/block/" name "\n"                             \
	"[sys/devices/virtual/block/" name "]\nsize: " size "\nuevent: DEVNAME=" name              \
	"\\nDEVTYPE=disk\n"

static void test_what_is_listed(void **state)
{
	struct machine m;
	_cleanup_disk_list_ struct disk_list list = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	(void)state;
	machine_make(
		&m, DISK("nvme10n1", "8") "dev: 259:1\n"	//
		DISK("nvme2n1", "8") "dev: 259:0\n"		//
		DISK("ram0", "8") "dev: 1:0\n"			//
		DISK("loop0", "0") "dev: 7:0\n"			//
		DISK("nvme2c0n1", "8") "hidden: 1\n"		//
		DISK("sr0", "0")				//
		DISK("dm-0", "8") "dm/uuid: LVM-abc\n"		//
		DISK("dm-1", "8") "dm/uuid: LVM-abc-tmeta\n"	//
		DISK("dm-2", "8") "dm/uuid: part1-mpath-3600\n" //
		DISK("dm-3",
		     "8") "dm/uuid: partner-x\n" //
			  "[sys/block]\ngone -> ../devices/virtual/block/gone\nfile: not a link\n" //
		DISK("sda", "nonsense"));
	assert_int_equal(disk_list_read(m.path, DISK_FIELDS_ALL, &list, &diag), 0);
	static const char *const names[] = { "dm-0", "dm-3", "nvme2n1", "nvme10n1", "sr0" };
	assert_int_equal(list.n_disks, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(list.disks[i].name, names[i]);
	assert_true(list.disks[4].fields.cdrom);
	assert_int_equal(list.disks[2].major, 259);
	assert_ptr_equal(disk_list_find(&list, "/dev/nvme2n1"), &list.disks[2]);
	assert_null(disk_list_find(&list, "nvme3n1"));
	machine_remove(&m);
}

static void test_io_size(void **state)
{
	struct machine m;
	_cleanup_disk_list_ struct disk_list list = { 0 };

	(void)state;
	machine_make(
		&m,
		DISK("sda",
		     "8") "queue/logical_block_size: 512\nqueue/minimum_io_size: 4096\n"
			  "queue/optimal_io_size: 33553920\n" DISK(
				  "sdb",
				  "8") "queue/optimal_io_size: 65536\nqueue/logical_block_size: 4096\n" DISK("sdc",
													     "8")
				  DISK("sdd", "36893488147419103232"));
	assert_int_equal(disk_list_read(m.path, DISK_FIELDS_ALL, &list, NULL), 0);
	assert_int_equal(list.n_disks, 3);
	assert_int_equal(list.disks[0].fields.io_size, 4096);
	assert_int_equal(list.disks[0].fields.sector_size, 512);
	assert_int_equal(list.disks[1].fields.io_size, 65536);
	assert_int_equal(list.disks[1].fields.sector_size, 4096);
	assert_int_equal(list.disks[2].fields.io_size, 512);
	assert_int_equal(list.disks[2].fields.size, 4096);
	assert_string_equal(list.disks[2].fields.model, "");
	assert_string_equal(list.disks[2].fields.pretty_size, "4.1 kB");
	machine_remove(&m);
}

static void test_slash_in_name(void **state)
{
	struct machine m;
	_cleanup_disk_list_ struct disk_list list = { 0 };

	(void)state;
	machine_make(&m,
		     "[sys/block]\ncciss!c0d0 -> ../devices/pci0000:00/cciss0/block/cciss!c0d0\n"
		     "[sys/devices/pci0000:00/cciss0/block/cciss!c0d0]\nsize: 8\n"
		     "[dev/disk/by-id]\nx -> ../../cciss/c0d0\n");
	assert_int_equal(disk_list_read(m.path, DISK_FIELDS_ALL, &list, NULL), 0);
	assert_int_equal(list.n_disks, 1);
	assert_string_equal(list.disks[0].fields.dev_path, "/dev/cciss/c0d0");
	assert_string_equal(list.disks[0].fields.bus_path, "/pci0000:00/cciss0");
	assert_string_equal(list.disks[0].fields.symlinks[0], "/dev/disk/by-id/x");
	assert_null(list.disks[0].fields.symlinks[1]);
	machine_remove(&m);
}

static void test_no_sys(void **state)
{
	struct machine m;
	struct disk_list list = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	(void)state;
	machine_make(&m, "etc/\n");
	assert_int_equal(disk_list_read(m.path, DISK_FIELDS_ALL, &list, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "/sys/block"));
	assert_int_equal(disk_list_read("/nowhere/at/all", DISK_FIELDS_ALL, &list, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "/nowhere/at/all"));
	machine_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),	   cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_line_value), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_encode),	   cmocka_unit_test(test_what_is_listed),
		cmocka_unit_test(test_io_size),	   cmocka_unit_test(test_slash_in_name),
		cmocka_unit_test(test_no_sys),
	};

	return unit_main(tests);
}
