/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/docker_flags.h"

#include <string.h>

#include "base/text.h"
#include "runtime/rootfs.h"

#define UNIT "docker.service"

/* The unit of the first directory counts; drop-ins of all of them do. */
static const char *const unit_directories[] = {
	"/etc/systemd/system",	   "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system",
};
static const char *const environment_files[] = {
	"/etc/default/docker",
	"/etc/sysconfig/docker",
	"/etc/conf.d/docker",
};

/* Owned by the caller; NULL: out of memory. */
static char *path_in(const char *directory, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* Is it in a line that is no comment, as a word or the beginning of "--flag=value"? */
static bool gives(const char *text, const char *flag)
{
	size_t length = strlen(flag);

	for (const char *line = text; *line; line += *line == '\n') {
		const char *end = line + strcspn(line, "\n");
		const char *at = line + strspn(line, " \t");
		bool comment = *at == '#' || *at == ';';
		for (at = strstr(at, flag); !comment && at && at < end; at = strstr(at + 1, flag))
			if (strchr("= \t\n\\\"'", at[length]))
				return true;
		line = end;
	}
	return false;
}

/* Takes path. What cannot be read gives no flag. */
static int look(int root, char *path, const char *flag, bool *ret_there, char **ret)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };

	if (!path)
		return -ENOMEM;
	int r = rootfs_read_linked(root, path, &file);
	if (ret_there)
		*ret_there = r < 0 || file.text;
	if (r == 0 && file.text && gives(file.text, flag))
		*ret = path;
	else
		free(path);
	return r == -ENOMEM ? r : 0;
}

static int look_in_drop_ins(int root, const char *directory, const char *flag, char **ret)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *path = path_in(directory, UNIT ".d");
	int r = path ? rootfs_list(root, path, &names) : -ENOMEM;

	if (r < 0 && r != -ENOMEM)
		return 0;
	STRV_FOREACH (name, names)
		if (r == 0 && !*ret && text_ends_with(*name, ".conf"))
			r = look(root, path_in(path, *name), flag, NULL, ret);
	return r;
}

int docker_flag_find(int root, const char *flag, char **ret)
{
	bool there = false;
	int r = 0;

	*ret = NULL;
	for (size_t i = 0; r == 0 && !*ret && i < ARRAY_SIZE(unit_directories); i++) {
		if (!there)
			r = look(root, path_in(unit_directories[i], UNIT), flag, &there, ret);
		if (r == 0 && !*ret)
			r = look_in_drop_ins(root, unit_directories[i], flag, ret);
	}
	for (size_t i = 0; r == 0 && !*ret && i < ARRAY_SIZE(environment_files); i++)
		r = look(root, strdup(environment_files[i]), flag, NULL, ret);
	return r;
}
