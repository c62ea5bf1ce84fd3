/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/certs_d.h"

#include <string.h>

#include "base/text.h"
#include "runtime/marked.h"

/* A file that is wanted, and what the user has in its place. */
struct wanted {
	const char *name, *text; /* text NULL: not wanted */
	mode_t mode;
	char *path;
	bool users, same;
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

/* What cannot be taken (a link, a directory) is the user's, too. *ret_text NULL: it cannot be told, or it is not there. */
static int look(struct runtime_plan *plan, const char *path, bool *ret_users, char **ret_text,
		struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = plan_user_text(plan, path, marked_strip, ret_text, &why);

	if (r == -ENOMEM)
		return out_of_memory(diag);
	*ret_users = r < 0 || *ret_text;
	return 0;
}

int certs_d_is_users(struct runtime_plan *plan, const char *path, bool *ret, struct diag *diag)
{
	_cleanup_free_ char *text = NULL;

	return look(plan, path, ret, &text, diag);
}

static int look_at(struct runtime_plan *plan, const char *directory, const char *host,
		   struct wanted *w, struct diag *diag)
{
	_cleanup_free_ char *text = NULL;

	if (!w->text)
		return 0;
	if (asprintf(&w->path, "%s/%s/%s", directory, host, w->name) < 0) {
		w->path = NULL;
		return out_of_memory(diag);
	}
	int r = look(plan, w->path, &w->users, &text, diag);
	w->same = text && strcmp(text, w->text) == 0;
	return r;
}

/* All of the files, which are useless without each other, or none. */
static int put(struct runtime_plan *plan, size_t report, const char *directory, const char *host,
	       struct wanted *files, size_t n, struct diag *diag)
{
	const struct wanted *theirs = NULL;
	bool same = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = look_at(plan, directory, host, &files[i], diag);
		if (files[i].users)
			theirs = &files[i];
		same = same && files[i].same;
	}
	for (size_t i = 0; r == 0 && !theirs && i < n; i++)
		if (files[i].text)
			r = plan_put(plan, report, files[i].path, NULL, files[i].text,
				     files[i].mode, diag);
	if (r == 0 && theirs && !same &&
	    plan_hint(plan, report,
		      "%s was there before, so it is used in place of what the machine config says "
		      "for %s",
		      theirs->path, host) < 0)
		r = out_of_memory(diag);
	for (size_t i = 0; i < n; i++)
		free(files[i].path);
	return r;
}

static int put_access(struct runtime_plan *plan, size_t report, const char *directory,
		      const struct registry_access_config *a, struct diag *diag)
{
	bool pair = a->client_cert && a->client_key;
	struct wanted ca = { .name = "ca.crt", .text = a->ca, .mode = 0644 };
	struct wanted client[] = {
		{ .name = "client.cert", .text = pair ? a->client_cert : NULL, .mode = 0644 },
		{ .name = "client.key", .text = pair ? a->client_key : NULL, .mode = 0600 },
	};
	int r = a->ca ? put(plan, report, directory, a->host, &ca, 1, diag) : 0;

	return r < 0 || !pair
		       ? r
		       : put(plan, report, directory, a->host, client, ARRAY_SIZE(client), diag);
}

int certs_d_plan(struct runtime_plan *plan, size_t report, const char *directory, struct diag *diag)
{
	const struct machine_config *c = plan->config;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_access; i++)
		r = put_access(plan, report, directory, &c->access[i], diag);
	return r;
}
