/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/sources.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "config/node.h"

#define CONFIG_NAME	 "machine.yaml"
#define CONFIG_VENDOR	 "/usr/lib/larder/" CONFIG_NAME
#define CONFIG_LOCAL	 "/etc/larder/" CONFIG_NAME
#define CONFIG_DROP_INS	 CONFIG_LOCAL ".d"
#define CONFIG_ARGUMENT	 "larder.config="
#define CONFIG_EXTENSION ".yaml"

void config_source_list_done(struct config_source_list *list)
{
	for (size_t i = 0; i < list->n_sources; i++)
		free(list->sources[i].path);
	free(list->sources);
	*list = (struct config_source_list){ 0 };
}

/* A source at name below root (NULL: none). */
static int source_make(const char *root, const char *name, bool required, struct config_source *ret)
{
	char *path = path_join(root, name);

	if (!path)
		return -ENOMEM;
	*ret = (struct config_source){ path, root, path, required };
	/* path_join() keeps the name as it is where there is no root, else all but its first slashes. */
	size_t length = strlen(path), own = strlen(name + strspn(name, "/"));
	if (root && length > own + 1)
		ret->name = path + length - own - 1;
	return 0;
}

static int add_source(const char *root, const char *name, bool required,
		      struct config_source_list *list, struct diag *diag)
{
	if (list->n_sources == CONFIG_FILES_MAX)
		return diag_set(diag, -E2BIG, "the config has more than %d files",
				CONFIG_FILES_MAX);
	struct config_source *larger =
		reallocarray(list->sources, list->n_sources + 1, sizeof(*larger));
	if (larger)
		list->sources = larger;
	if (!larger || source_make(root, name, required, &larger[list->n_sources]) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	list->n_sources++;
	return 0;
}

/* 0: there is no link at name, the end of path, or what it leads to is there. -ENOENT: there is nothing. -EINVAL: it leads nowhere. */
static int check_link(const char *root, const char *path, const char *name, struct diag *diag)
{
	_cleanup_close_ int link = open_rooted(root, name, O_PATH | O_NOFOLLOW);
	char target[PATH_MAX];

	if (link < 0)
		return link == -ENOENT ? link : 0;
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	_cleanup_close_ int there = n < 0 ? -1 : open_rooted(root, name, O_PATH);
	if (n < 0 || there != -ENOENT)
		return 0;
	target[n] = '\0';
	node_clean(target);
	return diag_set_at(diag, -EINVAL, path, 0, 0,
			   "this symbolic link leads to %s, and nothing is there%s%s: put there "
			   "what it stands for, or remove the link",
			   target, root ? " below " : "", root ? root : "");
}

/* A link that leads nowhere, at the file or at its directory, is no absence: somebody put it there for a config. */
static int check_links(const struct config_source *source, struct diag *diag)
{
	_cleanup_free_ char *path = strdup(source->path);

	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	const char *name = path + (source->name - source->path);
	int r = check_link(source->root, path, name, diag);
	char *slash = strrchr(name, '/');
	if (r != -ENOENT || !slash || slash == name)
		return r == -ENOENT ? 0 : r;
	*slash = '\0';
	r = check_link(source->root, path, name, diag);
	return r == -ENOENT ? 0 : r;
}

int config_source_open(const struct config_source *source, int flags, struct diag *diag)
{
	const char *what = flags & O_DIRECTORY ? "directory" : "file";
	int fd = open_rooted(source->root, source->name, flags | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		return diag_set_at(diag, fd, source->path, 0, 0, "cannot read the %s: %s%s", what,
				   strerror(-fd), fd == -EACCES ? "; run this as root" : "");
	int r = check_links(source, diag);
	if (r < 0)
		return r;
	return source->required
		       ? diag_set_at(diag, -EINVAL, source->path, 0, 0, "there is no such file")
		       : -ENOENT;
}

static int list_drop_ins(const struct config_source *directory, char ***ret, struct diag *diag)
{
	int fd = config_source_open(directory, O_RDONLY | O_DIRECTORY, diag);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_strv_ char **names = NULL;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!d) {
		close_fd(fd);
		return diag_set(diag, -ENOMEM, "out of memory");
	}
	for (struct dirent *e = next_entry(d); e; e = next_entry(d)) {
		if (*e->d_name == '.' || !text_ends_with(e->d_name, CONFIG_EXTENSION))
			continue;
		if (strv_length(names) > CONFIG_FILES_MAX)
			break;
		if (strv_add(&names, e->d_name) < 0)
			return diag_set(diag, -ENOMEM, "out of memory");
	}
	if (errno)
		return diag_set_at(diag, -errno, directory->path, 0, 0,
				   "cannot read the directory: %s", strerror(errno));
	strv_sort_natural(names);
	*ret = TAKE_PTR(names);
	return 0;
}

static int add_drop_ins(const char *root, struct config_source_list *list, struct diag *diag)
{
	struct config_source directory = { 0 };
	_cleanup_strv_ char **names = NULL;

	if (source_make(root, CONFIG_DROP_INS, false, &directory) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = list_drop_ins(&directory, &names, diag);
	free(directory.path);
	STRV_FOREACH (name, names) {
		char file[sizeof(CONFIG_DROP_INS "/") + NAME_MAX];
		snprintf(file, sizeof(file), CONFIG_DROP_INS "/%s", *name);
		if (r == 0)
			r = add_source(root, file, false, list, diag);
	}
	return r;
}

/*
 * Every larder.config= of a kernel command line. Words are separated by spaces; double quotes keep spaces
 * (Documentation/admin-guide/kernel-parameters.rst).
 */
static int add_from_cmdline(const char *root, const char *cmdline, struct config_source_list *list,
			    struct diag *diag)
{
	int r = 0;

	while (r == 0 && *cmdline) {
		char word[PATH_MAX + sizeof(CONFIG_ARGUMENT)];
		size_t n = 0;
		bool quoted = false;
		cmdline += strspn(cmdline, " \t\n");
		for (; *cmdline && (quoted || !strchr(" \t\n", *cmdline)); cmdline++) {
			if (*cmdline == '"')
				quoted = !quoted;
			else if (n < sizeof(word) - 1)
				word[n++] = *cmdline;
		}
		word[n] = '\0';
		if (text_starts_with(word, CONFIG_ARGUMENT) && word[strlen(CONFIG_ARGUMENT)])
			r = add_source(root, word + strlen(CONFIG_ARGUMENT), true, list, diag);
	}
	return r;
}

/* Where the run directory is the one of a root, links of the file are followed inside of it, too. */
static int add_of_run(const char *root, const char *run_dir, struct config_source_list *list,
		      struct diag *diag)
{
	_cleanup_free_ char *own = path_join(root, DIR_RUN);
	_cleanup_free_ char *path = run_dir ? path_join(run_dir, CONFIG_NAME) : NULL;

	if (!own || (run_dir && !path))
		return diag_set(diag, -ENOMEM, "out of memory");
	if (!path || strcmp(own, run_dir) == 0)
		return add_source(root, DIR_RUN "/" CONFIG_NAME, false, list, diag);
	return add_source(NULL, path, false, list, diag);
}

static int add_standard(const struct config_sources *sources, struct config_source_list *list,
			struct diag *diag)
{
	const char *root = sources->root && strcmp(sources->root, "/") != 0 && *sources->root
				   ? sources->root
				   : NULL;
	int r = add_source(root, CONFIG_VENDOR, false, list, diag);

	if (r == 0)
		r = add_source(root, CONFIG_LOCAL, false, list, diag);
	if (r == 0)
		r = add_drop_ins(root, list, diag);
	if (r == 0)
		r = add_of_run(sources->run_root ? sources->run_root : root, sources->run_dir, list,
			       diag);
	if (r == 0 && sources->cmdline)
		r = add_from_cmdline(root, sources->cmdline, list, diag);
	return r;
}

int config_sources_list(const struct config_sources *sources, struct config_source_list *ret,
			struct diag *diag)
{
	struct config_source_list list = { 0 };
	int r = 0;

	if (!sources->files)
		r = add_standard(sources, &list, diag);
	for (const char *const *f = sources->files; r == 0 && f && *f; f++)
		r = add_source(NULL, *f, true, &list, diag);
	if (r < 0) {
		config_source_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}
