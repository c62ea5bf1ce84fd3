/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"

/* Is path relative, and without ".."? */
static int stays_below(const char *path)
{
	if (*path == '/' || *path == '\0')
		return 0;
	for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/')
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return 0;
	return 1;
}

/* A relative link may go up as often as its own path goes down. */
static int link_stays_below(const char *path, const char *target)
{
	int depth = 0;

	if (*target == '/' || *target == '\0')
		return 0;
	for (const char *at = path; *at; at++)
		depth += *at == '/';
	for (const char *at = target; *at; at += strcspn(at, "/"), at += *at == '/') {
		int up = at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0');
		depth += up ? -1 : 1;
		if (depth < 0)
			return 0;
	}
	return 1;
}

static size_t unescape(const char *from, char *to)
{
	size_t n = 0;

	for (; *from; from++) {
		if (from[0] == '\\' && from[1]) {
			from++;
			to[n++] = *from == 'n' ? '\n' : *from == '0' ? '\0' : *from;
		} else {
			to[n++] = *from;
		}
	}
	if (n > 0)
		to[n++] = '\n';
	return n;
}

/* The directory that path lies in, made as needed, never through a symlink. The last component goes to *ret_name. */
static int open_parent(int dir, char *path, const char **ret_name)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (char *slash; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		*slash = '\0';
		if (*path == '\0')
			continue;
		(void)mkdirat(fd, path, 0755);
		int next = openat(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_fd(fd);
		fd = next;
	}
	*ret_name = path;
	return fd < 0 ? -EINVAL : fd;
}

static int make_file(int parent, const char *name, const char *value)
{
	_cleanup_free_ char *data = malloc(strlen(value) + 2);

	if (!data)
		return -ENOMEM;
	size_t size = unescape(value, data);
	_cleanup_close_ int fd =
		openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -EINVAL : write_exact(fd, data, size);
}

/* Cuts text at the separator; NULL: it is not there. */
static char *cut(char *text, const char *separator)
{
	char *at = strstr(text, separator);

	if (!at)
		return NULL;
	*at = '\0';
	return at + strlen(separator);
}

static int unpack_entry(int dir, const char *section, char *line)
{
	char path[PATH_MAX];
	size_t length = strlen(line);
	char *target = cut(line, " -> ");
	char *value = target ? NULL : cut(line, ": ");

	if (!target && !value && length > 0 && line[length - 1] == ':') {
		line[length - 1] = '\0';
		value = line + length;
	}
	if (snprintf(path, sizeof(path), "%s%s%s", section, *section ? "/" : "", line) >=
		    (int)sizeof(path) ||
	    !stays_below(path))
		return -EINVAL;
	if (target && !link_stays_below(path, target))
		return -EINVAL;
	const char *name;
	_cleanup_close_ int parent = open_parent(dir, path, &name);
	if (parent < 0)
		return parent;
	if (target)
		return symlinkat(target, parent, name) < 0 ? -EINVAL : 0;
	if (value)
		return make_file(parent, name, value);
	return *name ? -EINVAL : 0; /* a directory ends with a slash: it was made as a parent */
}

static int unpack_line(int dir, char *section, char *line)
{
	size_t length = strlen(line);

	if (length == 0 || *line == '#')
		return 0;
	if (*line != '[')
		return unpack_entry(dir, section, line);
	if (line[length - 1] != ']' || length - 2 >= PATH_MAX)
		return -EINVAL;
	line[length - 1] = '\0';
	strcpy(section, line + 1);
	return 0;
}

int tree_unpack(int dir, const char *text, size_t size, int strict, unsigned *ret_line)
{
	char section[PATH_MAX] = "";
	unsigned number = 0;

	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;
		_cleanup_free_ char *line = strndup(text, length);
		if (!line)
			return -ENOMEM;
		number++;
		int r = unpack_line(dir, section, line);
		if (r < 0 && (strict || r != -EINVAL)) {
			if (ret_line)
				*ret_line = number;
			return r;
		}
		length += end != NULL;
		text += length;
		size -= length;
	}
	return 0;
}
