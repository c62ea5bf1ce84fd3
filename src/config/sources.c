/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/sources.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"

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

/* Takes path, also when it fails; NULL is "out of memory". */
static int add_path(struct config_source_list *list, char *path, bool required, struct diag *diag)
{
	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (list->n_sources == CONFIG_FILES_MAX) {
		free(path);
		return diag_set(diag, -E2BIG, "the config has more than %d files",
				CONFIG_FILES_MAX);
	}
	struct config_source *larger =
		reallocarray(list->sources, list->n_sources + 1, sizeof(*larger));
	if (!larger) {
		free(path);
		return diag_set(diag, -ENOMEM, "out of memory");
	}
	list->sources = larger;
	larger[list->n_sources++] = (struct config_source){ path, required };
	return 0;
}

static int list_drop_ins(const char *directory, char ***ret, struct diag *diag)
{
	_cleanup_closedir_ DIR *d = opendir(directory);
	_cleanup_strv_ char **names = NULL;

	if (!d && errno != ENOENT)
		return diag_set_at(diag, -errno, directory, 0, 0, "cannot read the directory: %s",
				   strerror(errno));
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (*e->d_name == '.' || !text_ends_with(e->d_name, CONFIG_EXTENSION))
			continue;
		if (strv_length(names) > CONFIG_FILES_MAX)
			break;
		if (strv_add(&names, e->d_name) < 0)
			return diag_set(diag, -ENOMEM, "out of memory");
	}
	strv_sort_natural(names);
	*ret = TAKE_PTR(names);
	return 0;
}

static int add_drop_ins(const char *root, struct config_source_list *list, struct diag *diag)
{
	_cleanup_free_ char *directory = path_join(root, CONFIG_DROP_INS);
	_cleanup_strv_ char **names = NULL;

	if (!directory)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = list_drop_ins(directory, &names, diag);
	STRV_FOREACH (name, names)
		if (r == 0)
			r = add_path(list, path_join(directory, *name), false, diag);
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
			r = add_path(list, path_join(root, word + strlen(CONFIG_ARGUMENT)), true,
				     diag);
	}
	return r;
}

static int add_standard(const struct config_sources *sources, struct config_source_list *list,
			struct diag *diag)
{
	_cleanup_free_ char *run =
		sources->run_dir ? strdup(sources->run_dir) : path_join(sources->root, DIR_RUN);
	int r = add_path(list, path_join(sources->root, CONFIG_VENDOR), false, diag);

	if (r == 0)
		r = add_path(list, path_join(sources->root, CONFIG_LOCAL), false, diag);
	if (r == 0)
		r = add_drop_ins(sources->root, list, diag);
	if (r == 0)
		r = add_path(list, run ? path_join(run, CONFIG_NAME) : NULL, false, diag);
	if (r == 0 && sources->cmdline)
		r = add_from_cmdline(sources->root, sources->cmdline, list, diag);
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
		r = add_path(&list, strdup(*f), true, diag);
	if (r < 0) {
		config_source_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}
