/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/pki.h"

#include <string.h>

#include "runtime/hosts_toml.h"

char *pki_path(const char *host, const char *file)
{
	_cleanup_free_ char *directory = hosts_toml_directory(host);
	char *path = NULL;

	if (!directory || asprintf(&path, PKI_DIR "/%s/%s", directory, file) < 0)
		return NULL;
	return path;
}

/* Nothing of the user's is ever in these files: larder made the directory. */
static int keep_nothing(const char *text, const struct plan_base *base, char **ret,
			struct diag *diag)
{
	(void)text;
	(void)base;
	(void)diag;
	*ret = NULL;
	return 0;
}

static int plan_file(struct runtime_plan *plan, size_t report, const char *host, const char *file,
		     const char *text, mode_t mode, struct diag *diag)
{
	_cleanup_free_ char *path = pki_path(host, file);
	_cleanup_free_ char *user = NULL;

	if (!text)
		return 0;
	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = plan_user_text(plan, path, keep_nothing, &user, diag);
	return r < 0 ? r : plan_put(plan, report, path, user, text, mode, diag);
}

static int plan_files(struct runtime_plan *plan, size_t report,
		      const struct registry_access_config *a, struct diag *diag)
{
	int r = plan_file(plan, report, a->host, PKI_CA, a->ca, 0644, diag);

	if (r == 0)
		r = plan_file(plan, report, a->host, PKI_CLIENT_CERT, a->client_cert, 0644, diag);
	if (r == 0)
		r = plan_file(plan, report, a->host, PKI_CLIENT_KEY, a->client_key, 0600, diag);
	return r;
}

int pki_plan(struct runtime_plan *plan, struct diag *diag)
{
	const struct machine_config *c = plan->config;
	_cleanup_diag_ struct diag why = DIAG_INIT;
	size_t report = SIZE_MAX;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_access; i++) {
		if (!c->access[i].ca && !c->access[i].client_cert)
			continue;
		if (report == SIZE_MAX)
			r = plan_add_report(plan, "certificates", RUNTIME_UNCHANGED, &report);
		if (r == 0)
			r = plan_files(plan, report, &c->access[i], &why);
	}
	/* What is in the way of a certificate is not in the way of the runtimes. */
	if (r < 0 && r != -ENOMEM)
		r = plan_fail(plan, report, diag_text(&why));
	return r < 0 ? diag_set(diag, r, "out of memory") : 0;
}
