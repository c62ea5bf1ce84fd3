/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/strays.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/hosts_toml.h"
#include "runtime/json_file.h"
#include "runtime/marked.h"
#include "runtime/runtimes.h"
#include "runtime/saved.h"

static bool is_json(const char *path)
{
	return text_ends_with(path, ".json");
}

bool strays_holds(const char *path, const char *text)
{
	return is_json(path) ? json_file_is_ours(text) : strstr(text, MARK) != NULL;
}

/* Between the brackets of YAML there is no mark, either. */
static bool names_cache(const char *path, const char *text)
{
	bool unmarked = is_json(path) || text_ends_with(path, ".yaml");

	return strays_holds(path, text) || (unmarked && strstr(text, "\"" REGISTRY_URL "\""));
}

static int look_at(struct runtime_plan *plan, const char *path)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 }, copy = { 0 };
	size_t report;

	if (plan_has(plan, path) || rootfs_read(plan->root, path, &file) < 0 || !file.text ||
	    !names_cache(path, file.text))
		return 0;
	int r = plan_restore_report(plan, &report);
	if (r < 0)
		return r;
	(void)saved_original(plan->root, path, &copy);
	return plan_hint(plan, report,
			 "%s holds what larder writes, and nothing is noted of it below " SAVED_DIR
			 ", so it is left as it is; to take that out, delete %s%s",
			 path,
			 is_json(path) ? "\"" REGISTRY_URL "\" from its lists"
				       : "all from each line \"" MARK_BEGIN "\" to \"" MARK_END
					 "\", and what ends with \"" MARK "\" or names the cache",
			 copy.text ? "; a copy of what it was is below " SAVED_DIR "/original"
				   : "");
}

/* A directory of hosts.toml files, with a slash at its end. */
static int look_below(struct runtime_plan *plan, const char *directory)
{
	_cleanup_strv_ char **names = NULL;
	int r = rootfs_list(plan->root, directory, &names);

	/* What is no directory holds none of larder's. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r == 0 && asprintf(&path, "%s%s/" HOSTS_TOML, directory, *name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = look_at(plan, path);
	}
	return r;
}

int strays_hint(struct runtime_plan *plan, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < n_runtime_kinds; i++)
		for (const char *const *path = runtime_kinds[i]->files; r == 0 && *path; path++)
			r = text_ends_with(*path, "/") ? look_below(plan, *path)
						       : look_at(plan, *path);
	return r < 0 ? diag_set(diag, r, "out of memory") : 0;
}
