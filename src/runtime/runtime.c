/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/runtime.h"

#include <string.h>

#include "base/text.h"
#include "runtime/diff.h"
#include "runtime/json_file.h"
#include "runtime/pki.h"
#include "runtime/plan.h"
#include "runtime/marked.h"
#include "runtime/runtimes.h"
#include "runtime/strays.h"
#include "runtime/yaml_edit.h"

const struct runtime_kind *const runtime_kinds[] = {
	&runtime_containerd, &runtime_containers, &runtime_docker, &runtime_k3s, &runtime_rke2,
};
const size_t n_runtime_kinds = ARRAY_SIZE(runtime_kinds);

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

const char *runtime_state_name(enum runtime_state state)
{
	static const char *const names[] = {
		[RUNTIME_ABSENT] = "not installed",
		[RUNTIME_UNCHANGED] = "unchanged",
		[RUNTIME_CHANGED] = "changed",
		[RUNTIME_FAILED] = "failed",
	};

	return names[state];
}

void runtime_result_done(struct runtime_result *result)
{
	for (size_t i = 0; i < result->n_reports; i++) {
		free(result->reports[i].message);
		strv_free(result->reports[i].files);
		strv_free(result->reports[i].hints);
	}
	free(result->reports);
	*result = (struct runtime_result){ 0 };
}

bool runtime_is_installed(int root, const struct runtime_kind *kind)
{
	for (const char *const *path = kind->evidence; *path; path++)
		if (rootfs_exists(root, *path))
			return true;
	return false;
}

plan_strip runtime_strip(const char *path)
{
	if (text_ends_with(path, ".json"))
		return json_file_strip;
	return text_ends_with(path, ".yaml") ? yaml_edit_strip : marked_strip;
}

bool runtime_owns(const char *path)
{
	return text_starts_with(path, PKI_DIR "/") || text_ends_with(path, ".crt") ||
	       text_ends_with(path, ".cert") || text_ends_with(path, ".key");
}

static int plan_runtime(struct runtime_plan *plan, const struct runtime_kind *kind,
			struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	bool installed = runtime_is_installed(plan->root, kind);
	size_t report;

	if (plan_add_report(plan, kind->name, installed ? RUNTIME_UNCHANGED : RUNTIME_ABSENT,
			    &report) < 0)
		return out_of_memory(diag);
	int r = installed ? kind->plan(plan, report, &why) : 0;
	if (r == -ENOMEM || (r < 0 && plan_fail(plan, report, diag_text(&why)) < 0))
		return out_of_memory(diag);
	return 0;
}

static int wait_for_turn(struct runtime_plan *plan, const char *root, struct diag *diag)
{
	int fd = rootfs_lock(plan->root, RUNTIME_LOCK_MS);

	if (fd == -ETIMEDOUT)
		return diag_set(
			diag, fd,
			"another process has written the settings of runtimes below %s for "
			"%d s and holds its lock; end it (fuser -v names it), then try again",
			root ? root : "/", RUNTIME_LOCK_MS / 1000);
	if (fd < 0)
		return diag_set(diag, fd, "cannot lock %s: %s", root ? root : "/", strerror(-fd));
	plan->lock = fd;
	return 0;
}

/* Everything that is wanted: nothing, if the cache is not. write: nobody else may write until the plan is done. */
static int make_plan(const struct machine_config *config, const char *root, bool write,
		     struct runtime_plan *plan, struct diag *diag)
{
	int r = plan_open(config, root, plan, diag);

	if (r == 0 && write)
		r = wait_for_turn(plan, root, diag);
	if (r == 0)
		r = plan_read_noted(plan, diag);
	if (r < 0)
		return r;
	if (config && config->cache_enabled) {
		r = pki_plan(plan, diag);
		for (size_t i = 0; r == 0 && i < n_runtime_kinds; i++)
			r = plan_runtime(plan, runtime_kinds[i], diag);
	}
	if (r == 0)
		r = plan_finish(plan, diag);
	return r < 0 || (config && config->cache_enabled) ? r : strays_hint(plan, diag);
}

static void take_result(struct runtime_plan *plan, struct runtime_result *ret)
{
	*ret = plan->result;
	plan->result = (struct runtime_result){ 0 };
}

int runtime_configure(const struct machine_config *config, const char *root,
		      struct runtime_result *ret, struct diag *diag)
{
	_cleanup_plan_ struct runtime_plan plan = PLAN_INIT;
	int r = make_plan(config, root, true, &plan, diag);

	if (r == 0)
		r = plan_apply(&plan, diag);
	if (r == 0)
		take_result(&plan, ret);
	return r;
}

int runtime_preview(const struct machine_config *config, const char *root,
		    struct runtime_result *ret, char **ret_diff, struct diag *diag)
{
	_cleanup_plan_ struct runtime_plan plan = PLAN_INIT;
	int r = make_plan(config, root, false, &plan, diag);

	if (r == 0 && ret_diff)
		r = plan_diff(&plan, ret_diff);
	if (r == 0)
		take_result(&plan, ret);
	return r;
}

int runtime_restore(const char *root, struct runtime_result *ret, struct diag *diag)
{
	return runtime_configure(NULL, root, ret, diag);
}

int plan_diff(const struct runtime_plan *plan, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		const struct plan_edit *e = &plan->edits[i];
		if (!e->change)
			continue;
		if (e->secret)
			fprintf(f, "# %s: would change; it holds a secret and is not shown\n",
				e->path);
		else
			r = diff_write(f, e->path, e->before.text, e->after.text);
	}
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r == 0)
		*ret = TAKE_PTR(text);
	return r;
}
