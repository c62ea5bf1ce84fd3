/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the search for the system disk reads: mounts, the kernel command line. Whole machines: tests/image/disks.sh. */
#include "unit.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "block/cmdline.h"
#include "block/mounts.h"

static void test_mountinfo(void **state)
{
	_cleanup_mounts_ struct mounts m = { 0 };

	(void)state;
	assert_int_equal(
		mounts_parse(
			"1 0 0:2 / / rw - rootfs rootfs rw\n"
			"22 1 254:1 /sub /a\\040b rw,noatime master:1 shared:2 - ext4 /dev/root rw\n"
			"\n"
			"a line that is no mount\n"
			"23 1 x:y / /bad rw - ext4 /dev/sda1 rw\n"
			"24 1 0:9 / /run rw - tmpfs\n"
			"25 1 8:1 / / rw - ext4 /dev/sda1\n"
			"26 25 8:2 / /a rw - xfs /dev/sda2 rw,attr2",
			&m),
		0);
	assert_int_equal(m.n_entries, 4);
	assert_string_equal(mounts_at(&m, "/")->source, "/dev/sda1");
	assert_string_equal(mounts_at(&m, "/")->options, "");
	assert_string_equal(mounts_at(&m, "/a b")->fstype, "ext4");
	assert_int_equal(mounts_at(&m, "/a b")->major, 254);
	assert_null(mounts_at(&m, "/run"));
	assert_string_equal(mounts_holding(&m, "/a/x/y")->source, "/dev/sda2");
	assert_string_equal(mounts_holding(&m, "/ab")->source, "/dev/sda1");
	assert_string_equal(mounts_holding(&m, "/a")->source, "/dev/sda2");
}

static void test_no_mounts(void **state)
{
	_cleanup_mounts_ struct mounts m = { 0 };

	(void)state;
	assert_int_equal(mounts_parse("", &m), 0);
	assert_null(mounts_at(&m, "/"));
	assert_null(mounts_holding(&m, "/x"));
}

/* The path of a block device that this machine has, if it has one. */
static bool find_block_device(char path[static NAME_MAX + 6], dev_t *ret)
{
	_cleanup_closedir_ DIR *dir = opendir("/dev");
	struct stat st;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		snprintf(path, NAME_MAX + 6, "/dev/%s", e->d_name);
		if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
			continue;
		*ret = st.st_rdev;
		return true;
	}
	return false;
}

/* A filesystem without a number of its own is asked for its device, in /dev alone: elsewhere a server may have to answer. */
static void test_mount_device(void **state)
{
	char path[NAME_MAX + 6], elsewhere[sizeof("/proc/self/root") + sizeof(path)];
	struct mount_entry mount = { .major = 8, .minor = 1, .source = (char *)"/dev/null" };
	dev_t device;

	(void)state;
	assert_int_equal(mount_device(&mount), makedev(8, 1));
	mount.major = 0;
	assert_int_equal(mount_device(&mount), 0);
	if (!find_block_device(path, &device))
		return;
	mount.source = path;
	assert_int_equal(mount_device(&mount), device);
	snprintf(elsewhere, sizeof(elsewhere), "/proc/self/root%s", path);
	mount.source = elsewhere;
	assert_int_equal(mount_device(&mount), 0);
}

static void assert_overlay(const char *options, const char *expected)
{
	struct mount_entry overlay = { .options = (char *)options };
	_cleanup_strv_ char **dirs = NULL;
	char joined[256] = "";

	assert_int_equal(mount_overlay_dirs(&overlay, &dirs), 0);
	STRV_FOREACH (dir, dirs) {
		strcat(joined, *dir);
		strcat(joined, "|");
	}
	assert_string_equal(joined, expected);
}

static void test_overlay_dirs(void **state)
{
	(void)state;
	assert_overlay("rw,lowerdir=/a:/b,upperdir=/c,workdir=/d", "/a|/b|/c|");
	assert_overlay("ro,lowerdir+=/a,lowerdir+=/b,datadir+=/c,index=off", "/a|/b|/c|");
	assert_overlay("lowerdir=/a\\:b:/c\\,d::/e", "/a:b|/c,d|/e|");
	assert_overlay("", "");
	assert_overlay("rw", "");
	assert_overlay("lowerdir=", "");
	assert_overlay("lowerdir=/x\\", "/x\\|");
}

static void test_root_option(void **state)
{
	static const struct {
		const char *cmdline;
		enum root_kind kind;
		const char *value;
		unsigned major, minor;
		bool live;
	} cases[] = {
		{ "quiet root=/dev/sda2 ro", ROOT_DEVICE, "/dev/sda2", 0, 0, false },
		{ "root=/dev/sda1 root=UUID=abc", ROOT_UUID, "abc", 0, 0, false },
		{ "root=\"LABEL=my disk\" ro", ROOT_LABEL, "my disk", 0, 0, false },
		{ "\"root=LABEL=my disk\"", ROOT_LABEL, "my disk", 0, 0, false },
		{ "root=PARTUUID=1-02/PARTNROFF=1", ROOT_PARTUUID, "1-02", 0, 0, false },
		{ "root=PARTLABEL=root", ROOT_PARTLABEL, "root", 0, 0, false },
		{ "root=254:3", ROOT_NUMBER, NULL, 254, 3, false },
		{ "root=802", ROOT_NUMBER, NULL, 8, 2, false },
		{ "root=/dev/nfs nfsroot=x", ROOT_NONE, NULL, 0, 0, false },
		{ "root=zfs:AUTO", ROOT_NONE, NULL, 0, 0, false },
		{ "root=", ROOT_NONE, NULL, 0, 0, false },
		{ "noroot=/dev/sda", ROOT_NONE, NULL, 0, 0, false },
		{ "", ROOT_NONE, NULL, 0, 0, false },
		{ "root=live:CDLABEL=F rd.live.image", ROOT_NONE, NULL, 0, 0, true },
		{ "boot=casper", ROOT_NONE, NULL, 0, 0, true },
		{ "boot=casperish", ROOT_NONE, NULL, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_root_option_ struct root_option o = { 0 };
		assert_int_equal(root_option_parse(cases[i].cmdline, &o), 0);
		assert_int_equal(o.kind, cases[i].kind);
		assert_int_equal(o.live, cases[i].live);
		if (cases[i].value)
			assert_string_equal(o.value, cases[i].value);
		if (cases[i].kind == ROOT_NUMBER) {
			assert_int_equal(o.major, cases[i].major);
			assert_int_equal(o.minor, cases[i].minor);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),    cmocka_unit_test(test_no_mounts),
		cmocka_unit_test(test_mount_device), cmocka_unit_test(test_overlay_dirs),
		cmocka_unit_test(test_root_option),
	};

	return unit_main(tests);
}
