/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/format.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"

#define MKFS_TIMEOUT_MS (10 * 60 * 1000)

static int sync_path(const char *path, struct diag *diag)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fsync(fd) < 0)
		return diag_set(diag, -errno, "%s: cannot write it out: %s", path, strerror(errno));
	return 0;
}

/* -E: one list. Discarding is left out in images, where an offset counts and the file is sparse already. */
static int extended_options(const struct format_target *target, const struct format_options *o,
			    char **ret)
{
	*ret = target->offset ? text_format("hash_seed=%s,root_owner=0:0,offset=%llu,nodiscard",
					    o->uuid, (unsigned long long)target->offset)
			      : text_format("hash_seed=%s,root_owner=0:0", o->uuid);
	return *ret ? 0 : -ENOMEM;
}

static int mkfs_arguments(const struct format_target *target, const struct format_options *o,
			  const char *extended, char ***ret)
{
	_cleanup_strv_ char **argv = NULL;
	const char *const fixed[] = { "mkfs.ext4", "-q", "-F",	  "-m", "0",	 "-L",
				      o->label,	   "-U", o->uuid, "-E", extended };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && r == 0; i++)
		r = strv_add(&argv, fixed[i]);
	if (r == 0 && o->directory)
		r = strv_add(&argv, "-d");
	if (r == 0 && o->directory)
		r = strv_add(&argv, o->directory);
	if (r == 0)
		r = strv_add(&argv, target->path);
	if (r == 0 && target->offset)
		r = strv_addf(&argv, "%lluk", (unsigned long long)target->size / 1024);
	if (r == 0)
		*ret = TAKE_PTR(argv);
	return r;
}

/* Commands for debugfs(8): when each file was changed last. The caller's memfd. */
static int write_commands(const char *directory, const char *epoch)
{
	_cleanup_closedir_ DIR *d = opendir(directory);
	_cleanup_close_ int fd = memfd_create("debugfs", MFD_CLOEXEC);

	if (!d || fd < 0)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    dprintf(fd, "set_inode_field \"/%s\" ctime @%s\n", e->d_name, epoch) < 0)
			return -errno;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

/* mkfs.ext4 -d takes over when each file was changed last, which no call can set in the directory: it is set in the filesystem. */
static int set_change_times(const struct format_target *target, const struct format_options *o,
			    const char *const environment[], struct diag *diag)
{
	/* By a descriptor that debugfs inherits: what follows a "?" in a path would be an option. */
	_cleanup_close_ int disk = open(target->path, O_RDWR | O_NOCTTY);
	_cleanup_close_ int commands = disk < 0 ? -errno : write_commands(o->directory, o->epoch);
	_cleanup_free_ char *path = text_format("/proc/self/fd/%d?offset=%llu", disk,
						(unsigned long long)target->offset);

	if (commands < 0)
		return diag_set(diag, commands, "cannot set times: %s", strerror(-commands));
	if (!path)
		return -ENOMEM;
	const char *const argv[] = { "debugfs", "-w", "-f", "-", path, NULL };
	const struct run_options run = { .environ = environment, .stdin_fd = commands };
	return run_program(argv, &run, NULL, diag);
}

int format_ext4(const struct format_target *target, const struct format_options *options,
		struct diag *diag)
{
	_cleanup_free_ char *extended = NULL, *time = NULL;
	_cleanup_strv_ char **argv = NULL;
	int r = extended_options(target, options, &extended);

	if (r == 0)
		r = mkfs_arguments(target, options, extended, &argv);
	if (r == 0 && options->epoch) {
		time = text_format("E2FSPROGS_FAKE_TIME=%s", options->epoch);
		r = time ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	const char *const environment[] = { time, NULL };
	const struct run_options run = { .timeout_ms = MKFS_TIMEOUT_MS, .environ = environment };
	r = run_program((const char *const *)argv, &run, NULL, diag);
	if (r == 0 && options->epoch && options->directory)
		r = set_change_times(target, options, environment, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s: cannot make the filesystem", target->path);
	return sync_path(target->path, diag);
}

/* ext4's superblock (kernel documentation, filesystems/ext4/globals): 1024 bytes at byte 1024; little endian. */
#define SUPERBLOCK_OFFSET 1024
#define EXT4_MAGIC	  0xef53
#define EXT4_STATE_VALID  1
#define EXT4_STATE_ERROR  2
#define EXT4_HAS_JOURNAL  0x4
#define EXT4_RECOVER	  0x4
#define EXT4_64BIT	  0x80
#define EXT4_DESCRIPTOR	  64 /* bytes, of a group */
#define EXT4_LAST_GROUP	  50 /* blocks in it beside its tables, at least, as resize2fs has it */

static uint32_t le32_at(const uint8_t *data, size_t at)
{
	uint32_t value;

	memcpy(&value, data + at, sizeof(value));
	return le32toh(value);
}

static uint16_t le16_at(const uint8_t *data, size_t at)
{
	uint16_t value;

	memcpy(&value, data + at, sizeof(value));
	return le16toh(value);
}

static void parse_superblock(const uint8_t *sb, struct ext4_state *ret)
{
	uint32_t incompatible = le32_at(sb, 0x60), shift = le32_at(sb, 0x18);
	uint64_t blocks = le32_at(sb, 0x4);
	bool journal = le32_at(sb, 0x5c) & EXT4_HAS_JOURNAL;
	uint16_t state = le16_at(sb, 0x3a);

	if (le16_at(sb, 0x38) != EXT4_MAGIC || shift > 6)
		return;
	if (incompatible & EXT4_64BIT)
		blocks |= (uint64_t)le32_at(sb, 0x150) << 32;
	ret->found = true;
	ret->errors = (state & EXT4_STATE_ERROR) || (!(state & EXT4_STATE_VALID) && !journal);
	ret->needs_journal = incompatible & EXT4_RECOVER;
	ret->block_size = 1024U << shift;
	ret->group_blocks = le32_at(sb, 0x20);
	ret->group_inodes = le32_at(sb, 0x28) * (uint64_t)le16_at(sb, 0x58);
	ret->reserved_blocks = le16_at(sb, 0xce);
	ret->size = blocks * ret->block_size;
	memcpy(ret->label, sb + 0x78, 16);
}

int ext4_read_state(int fd, uint64_t offset, struct ext4_state *ret, struct diag *diag)
{
	uint8_t superblock[1024];
	struct ext4_state state = { 0 };
	int r = pread_exact(fd, superblock, sizeof(superblock), offset + SUPERBLOCK_OFFSET);

	if (r < 0 && r != -ENODATA)
		return diag_set(diag, r, "cannot read the filesystem: %s", strerror(-r));
	if (r == 0)
		parse_superblock(superblock, &state);
	*ret = state;
	return 0;
}

/* Blocks of both bitmaps, the inodes, and copies of the superblock and the descriptors, although not every group has those. */
static uint64_t group_tables(const struct ext4_state *state, uint64_t groups)
{
	return 2 + state->group_inodes / state->block_size + 1 + state->reserved_blocks +
	       groups * EXT4_DESCRIPTOR / state->block_size + 1;
}

uint64_t ext4_size_in(const struct ext4_state *state, uint64_t room)
{
	uint64_t first = state->block_size == 1024; /* the block before the first group */
	uint64_t blocks = room / state->block_size;

	if (state->group_blocks > 0 && blocks > first) {
		uint64_t groups = (blocks - first) / state->group_blocks;
		uint64_t rest = (blocks - first) % state->group_blocks;
		if (groups > 0 && rest < group_tables(state, groups) + EXT4_LAST_GROUP)
			blocks -= rest;
	}
	return blocks * state->block_size;
}

int ext4_check(const struct format_target *target, bool force, struct diag *diag)
{
	const char *const argv[] = { "e2fsck", force ? "-fp" : "-p", target->path, NULL };
	/* e2fsck(8): 1 means that errors were corrected. */
	const struct run_options run = { .success = 1 << 0 | 1 << 1, .output_is_words = true };
	int r = run_program(argv, &run, NULL, diag);

	return r < 0 ? diag_prefix(diag, r, "%s: cannot repair the filesystem", target->path) : 0;
}

int ext4_grow(const struct format_target *target, struct diag *diag)
{
	const char *const argv[] = { "resize2fs", target->path, NULL };
	int r = run_program(argv, NULL, NULL, diag);

	if (r < 0)
		return diag_prefix(diag, r, "%s: cannot grow the filesystem", target->path);
	return sync_path(target->path, diag);
}
