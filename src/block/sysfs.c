/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/sysfs.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

int sysfs_open_root(const char *root)
{
	int fd = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Length of the UTF-8 sequence at text, 0 if there is none. There is no NUL in text. */
static size_t utf8_length(const char *text, size_t size)
{
	if ((unsigned char)*text < 0x80)
		return 1;
	for (size_t length = 2; length <= 4 && length <= size; length++)
		if (text_is_utf8(text, length))
			return length;
	return 0;
}

size_t sysfs_clean(char *text, size_t size)
{
	size_t start = 0;

	size = strnlen(text, size);
	while (size > 0 && isspace((unsigned char)text[size - 1]))
		size--;
	while (start < size && isspace((unsigned char)text[start]))
		start++;
	size -= start;
	memmove(text, text + start, size);
	text[size] = '\0';
	for (size_t i = 0; i < size;) {
		size_t length = utf8_length(text + i, size - i);
		if (length == 0) {
			text[i] = '?';
			length = 1;
		}
		i += length;
	}
	return size;
}

size_t sysfs_text(int dir, const char *path, char buffer[static DISK_ATTRIBUTE_MAX])
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, DISK_ATTRIBUTE_MAX - 1);

	if (n < 0)
		n = 0;
	buffer[n] = '\0';
	return n == 0 ? 0 : sysfs_clean(buffer, (size_t)n);
}

int sysfs_number(int dir, const char *path, uint64_t *ret)
{
	char text[DISK_ATTRIBUTE_MAX];
	uint64_t value = 0;

	if (sysfs_text(dir, path, text) == 0)
		return -ENOENT;
	for (const char *digit = text; *digit; digit++) {
		if (!isdigit((unsigned char)*digit) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

bool sysfs_flag(int dir, const char *path)
{
	uint64_t value;

	return sysfs_number(dir, path, &value) == 0 && value == 1;
}

int sysfs_open_device(int root, const char *link, char path[static DISK_ATTRIBUTE_MAX])
{
	char target[DISK_ATTRIBUTE_MAX], directory[DISK_ATTRIBUTE_MAX];
	ssize_t n = readlinkat(root, link, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	const char *base = sysfs_base_name(link);
	if (snprintf(directory, sizeof(directory), "/%.*s", (int)(base - link), link) >=
	    (int)sizeof(directory))
		return -ENAMETOOLONG;
	int r = sysfs_resolve(directory, target, path, DISK_ATTRIBUTE_MAX);
	if (r < 0)
		return r;
	if (path[1] == '\0')
		return -ENOENT;
	int fd = openat(root, path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const char *sysfs_line_value(const char *text, const char *key, size_t *ret_size)
{
	size_t length = strlen(key);

	while (*text) {
		size_t line = strcspn(text, "\n");
		if (line > length && text[length] == '=' && memcmp(text, key, length) == 0) {
			*ret_size = line - length - 1;
			return text + length + 1;
		}
		text += line + (text[line] == '\n');
	}
	return NULL;
}

const char *sysfs_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Appends the components of path to ret, which holds length bytes and never ends with a slash. */
static int append_components(char *ret, size_t size, size_t *length, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");
		bool up = n == 2 && path[0] == '.' && path[1] == '.';
		if (up) {
			while (*length > 0 && ret[--*length] != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (*length + n + 2 > size)
				return -ENAMETOOLONG;
			ret[(*length)++] = '/';
			memcpy(ret + *length, path, n);
			*length += n;
		}
		path += n;
		path += *path == '/';
	}
	return 0;
}

int sysfs_resolve(const char *directory, const char *target, char *ret, size_t size)
{
	size_t length = 0;
	int r = *target == '/' ? 0 : append_components(ret, size, &length, directory);

	if (r == 0)
		r = append_components(ret, size, &length, target);
	if (r < 0)
		return r;
	if (size < 2)
		return -ENAMETOOLONG;
	if (length == 0)
		ret[length++] = '/';
	ret[length] = '\0';
	return 0;
}
