/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/tar_stream.h"

#include <string.h>

#include "base/io.h"

#define BLOCK	       512
#define OCTAL_SIZE_MAX 077777777777ULL /* what eleven octal digits hold */

/* POSIX.1-2001, pax, "ustar Interchange Format". */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char padding[12];
};

enum {
	TYPE_FILE = '0',
	TYPE_HARD_LINK = '1',
	TYPE_DIRECTORY = '5',
	TYPE_PAX = 'x',
};

static int write_header(const struct tar_stream *t, char type, const char *path, const char *link,
			uint64_t size)
{
	struct header h = { .type = type, .magic = "ustar", .version = { '0', '0' } };
	const unsigned char *bytes = (const unsigned char *)&h;
	unsigned sum = 0;

	_Static_assert(sizeof(h) == BLOCK, "a tar header is one block");
	strncpy(h.name, path, sizeof(h.name) - 1);
	strncpy(h.link, link, sizeof(h.link) - 1);
	snprintf(h.mode, sizeof(h.mode), "%07o", type == TYPE_DIRECTORY ? 0755U : 0444U);
	snprintf(h.uid, sizeof(h.uid), "%07o", 0U);
	snprintf(h.gid, sizeof(h.gid), "%07o", 0U);
	snprintf(h.size, sizeof(h.size), "%011llo",
		 size > OCTAL_SIZE_MAX ? 0ULL : (unsigned long long)size);
	snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long)t->time);
	memset(h.checksum, ' ', sizeof(h.checksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += bytes[i];
	snprintf(h.checksum, sizeof(h.checksum), "%06o", sum);
	return write_exact(t->fd, &h, sizeof(h));
}

int tar_pad(const struct tar_stream *t, uint64_t size)
{
	static const char zeros[BLOCK];

	return write_exact(t->fd, zeros, (size_t)(-size % BLOCK));
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void write_record(FILE *f, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, length = rest, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", length);
		length = rest + digits;
	} while ((size_t)snprintf(NULL, 0, "%zu", length) != digits);
	fprintf(f, "%zu %s=%s\n", length, key, value);
}

/* What does not fit into the old header goes before it as an extended one. */
static int write_extended(const struct tar_stream *t, const char *path, const char *link,
			  uint64_t size)
{
	_cleanup_free_ char *records = NULL;
	char number[24];
	size_t length;
	FILE *f = open_memstream(&records, &length);

	if (!f)
		return -ENOMEM;
	if (strlen(path) >= sizeof(((struct header *)0)->name))
		write_record(f, "path", path);
	if (strlen(link) >= sizeof(((struct header *)0)->link))
		write_record(f, "linkpath", link);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)size);
	if (size > OCTAL_SIZE_MAX)
		write_record(f, "size", number);
	if (fclose(f) != 0)
		return -ENOMEM;
	if (length == 0)
		return 0;
	int r = write_header(t, TYPE_PAX, "pax", "", length);
	if (r == 0)
		r = write_exact(t->fd, records, length);
	return r < 0 ? r : tar_pad(t, length);
}

static int write_entry(const struct tar_stream *t, char type, const char *path, const char *link,
		       uint64_t size)
{
	int r = write_extended(t, path, link, size);

	return r < 0 ? r : write_header(t, type, path, link, size);
}

int tar_directory(const struct tar_stream *t, const char *path)
{
	return write_entry(t, TYPE_DIRECTORY, path, "", 0);
}

int tar_file(const struct tar_stream *t, const char *path, uint64_t size)
{
	return write_entry(t, TYPE_FILE, path, "", size);
}

int tar_hard_link(const struct tar_stream *t, const char *path, const char *target)
{
	return write_entry(t, TYPE_HARD_LINK, path, target, 0);
}

int tar_end(const struct tar_stream *t)
{
	static const char zeros[2 * BLOCK];

	return write_exact(t->fd, zeros, sizeof(zeros));
}
