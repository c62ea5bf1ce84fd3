/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/superblock.h"

#include <inttypes.h>
#include <string.h>

#include "base/io.h"

#define BLOCK_SIZE_MIN 4096
#define BLOCK_SIZE_MAX (1024 * 1024)
#define NO_TABLE       UINT64_MAX

/* Offsets of fields; all are little-endian. */
enum {
	AT_MAGIC = 0,
	AT_BLOCK_SIZE = 12,
	AT_BLOCK_LOG = 22,
	AT_NO_IDS = 26,
	AT_MAJOR = 28,
	AT_MINOR = 30,
	AT_BYTES_USED = 40,
	AT_ID_TABLE = 48,
	AT_XATTR_TABLE = 56,
	AT_INODE_TABLE = 64,
	AT_DIRECTORY_TABLE = 72,
};

static uint64_t little_endian(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | bytes[n];
	return value;
}

static int check_tables(const uint8_t *bytes, uint64_t used, struct diag *diag)
{
	uint64_t inodes = little_endian(bytes + AT_INODE_TABLE, 8);
	uint64_t directories = little_endian(bytes + AT_DIRECTORY_TABLE, 8);
	uint64_t ids = little_endian(bytes + AT_ID_TABLE, 8);

	if (inodes < SQUASHFS_SUPERBLOCK_SIZE || inodes >= directories || directories >= ids ||
	    ids >= used)
		return diag_set(diag, -EINVAL,
				"its superblock is damaged: the tables are not in "
				"their order");
	return 0;
}

int superblock_check(const uint8_t bytes[static SQUASHFS_SUPERBLOCK_SIZE], uint64_t file_size,
		     struct diag *diag)
{
	uint64_t block_size = little_endian(bytes + AT_BLOCK_SIZE, 4);
	uint64_t block_log = little_endian(bytes + AT_BLOCK_LOG, 2);
	uint64_t used = little_endian(bytes + AT_BYTES_USED, 8);

	if (memcmp(bytes + AT_MAGIC, "hsqs", 4) != 0)
		return diag_set(diag, -EINVAL, "it is no squashfs image");
	if (little_endian(bytes + AT_MAJOR, 2) != 4 || little_endian(bytes + AT_MINOR, 2) != 0)
		return diag_set(diag, -EINVAL, "it is squashfs %" PRIu64 ".%" PRIu64 ", not 4.0",
				little_endian(bytes + AT_MAJOR, 2),
				little_endian(bytes + AT_MINOR, 2));
	if (block_size < BLOCK_SIZE_MIN || block_size > BLOCK_SIZE_MAX || block_log > 20 ||
	    block_size != 1ULL << block_log)
		return diag_set(diag, -EINVAL,
				"its superblock is damaged: a block size of %" PRIu64, block_size);
	if (little_endian(bytes + AT_NO_IDS, 2) == 0)
		return diag_set(diag, -EINVAL, "its superblock is damaged: it has no user ids");
	if (used > file_size)
		return diag_set(diag, -EINVAL,
				"it is truncated: the file has %" PRIu64 " bytes of %" PRIu64,
				file_size, used);
	if (little_endian(bytes + AT_XATTR_TABLE, 8) != NO_TABLE)
		return diag_set(
			diag, -EINVAL,
			"it holds extended attributes; build it with mksquashfs -no-xattrs");
	return check_tables(bytes, used, diag);
}

int superblock_read(int fd, uint64_t file_size, struct diag *diag)
{
	uint8_t bytes[SQUASHFS_SUPERBLOCK_SIZE];
	int r = pread_exact(fd, bytes, sizeof(bytes), 0);

	if (r == -ENODATA)
		return diag_set(diag, -EINVAL,
				"it is no squashfs image: it is only %" PRIu64 " byte%s long",
				file_size, file_size == 1 ? "" : "s");
	if (r < 0)
		return diag_set(diag, r, "cannot read it: %s", strerror(-r));
	return superblock_check(bytes, file_size, diag);
}
