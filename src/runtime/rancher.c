/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * k3s and rke2: /etc/rancher/<name>/registries.yaml (docs.k3s.io, "Private Registry Configuration"), from which they make
 * the settings of their own containerd when they start. "*" stands for every registry without an entry, so each entry gets
 * the cache by itself. A user's file is added to line by line and keeps its comments.
 */
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "config/node.h"
#include "runtime/endpoints.h"
#include "runtime/marked.h"
#include "runtime/rancher_values.h"
#include "runtime/runtimes.h"
#include "runtime/yaml_edit.h"

#define K3S_CONFIG  "/etc/rancher/k3s/registries.yaml"
#define RKE2_CONFIG "/etc/rancher/rke2/registries.yaml"
#define ANY_HOST    "*"

static const char *const k3s_evidence[] = {
	"/usr/local/bin/k3s", "/usr/bin/k3s", "/opt/bin/k3s", "/etc/rancher/k3s", NULL,
};
static const char *const rke2_evidence[] = {
	"/usr/local/bin/rke2", "/usr/bin/rke2", "/opt/rke2/bin/rke2", "/etc/rancher/rke2", NULL,
};

struct registries {
	struct runtime_plan *plan;
	size_t report;
	const char *path;
	struct pool pool;
	struct config_file file;
	const struct node *root; /* a map; NULL: the user's document says nothing */
	bool sections_inside;	 /* of the document's map, not in lines behind it */
	bool secret;
	struct diag *diag;
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static int cannot_add(struct registries *r, const struct node *at)
{
	return node_error(
		at, r->diag,
		"the cache cannot be added here without rewriting the file; write this part "
		"as a plain map or list, one entry on each line");
}

/* The same of the file as a whole, or of what it would become: the lines of that are not the user's. */
static int cannot_complete(struct registries *r, const char *host)
{
	return diag_set_at(r->diag, -EINVAL, r->path, 0, 0,
			   "the cache cannot be added%s%s without rewriting the file; write it in "
			   "block form: mirrors: and below it one entry on each line",
			   host ? " to the entry " : "", host ? host : "");
}

static int parse(struct registries *r, const char *text)
{
	struct node **documents;
	uint64_t nodes = 0;
	size_t n;

	r->file = (struct config_file){ .path = r->path, .text = text, .size = strlen(text) };
	int e = node_parse(&r->pool, &r->file, &nodes, &documents, &n, r->diag);
	if (e < 0)
		return e;
	if (n > 1)
		return node_error(documents[1], r->diag, "there is more than one document");
	r->root = n == 1 ? documents[0] : NULL;
	if (r->root && r->root->kind != NODE_MAP)
		return node_error(r->root, r->diag, "the document must be a map");
	return 0;
}

/* Entries of the machine config that the user's document does not have. */
typedef int (*add_entry)(struct registries *r, void *userdata, const char *quoted_host,
			 char *value);

static int for_each_mirror(struct registries *r, const struct node *have, add_entry add,
			   void *userdata)
{
	const struct machine_config *c = r->plan->config;
	bool any = false;
	int e = 0;

	for (size_t i = 0; e == 0 && i <= c->n_mirrors; i++) {
		/* "*" comes last if the config has none. */
		const char *host = i < c->n_mirrors ? c->mirrors[i].host : ANY_HOST;
		_cleanup_free_ char *quoted = yaml_quote(host);
		_cleanup_free_ char *value = NULL;
		if (strcmp(host, ANY_HOST) == 0) {
			if (any)
				continue;
			any = true;
		}
		if (have && node_get(have, host))
			continue;
		value = rancher_mirror_value(r->plan->config, host);
		e = quoted && value ? add(r, userdata, quoted, value) : out_of_memory(r->diag);
	}
	return e;
}

static int for_each_access(struct registries *r, const struct node *have, add_entry add,
			   void *userdata)
{
	const struct machine_config *c = r->plan->config;
	int e = 0;

	for (size_t i = 0; e == 0 && i < c->n_access; i++) {
		_cleanup_free_ char *quoted = yaml_quote(c->access[i].host);
		if (have && node_get(have, c->access[i].host))
			continue;
		_cleanup_free_ char *value = rancher_access_value(&c->access[i], &r->secret);
		e = quoted && value ? add(r, userdata, quoted, value) : out_of_memory(r->diag);
	}
	return e;
}

static int write_entry(struct registries *r, void *userdata, const char *host, char *value)
{
	(void)r;
	fprintf(userdata, "  %s: %s\n", host, value);
	return 0;
}

/* The sections that the user's document does not have, as a block of text; "" if it has both. */
static int new_sections(struct registries *r, char **ret)
{
	size_t size;
	FILE *f = open_memstream(ret, &size);
	int e = 0;

	if (!f)
		return out_of_memory(r->diag);
	if (!node_get(r->root, "mirrors")) {
		fputs("mirrors:\n", f);
		e = for_each_mirror(r, NULL, write_entry, f);
	}
	if (e == 0 && !node_get(r->root, "configs") && r->plan->config->n_access > 0) {
		fputs("configs:\n", f);
		e = for_each_access(r, NULL, write_entry, f);
	}
	return fclose(f) != 0 && e == 0 ? out_of_memory(r->diag) : e;
}

struct addition {
	struct yaml_edit *edit;
	const struct node *map;
};

static int insert_entry(struct registries *r, void *userdata, const char *host, char *value)
{
	const struct addition *a = userdata;
	int e = yaml_edit_add(a->edit, a->map, host, value);

	return e == -EINVAL ? cannot_add(r, a->map) : e < 0 ? out_of_memory(r->diag) : 0;
}

/* What goes before the user's endpoints (NULL: there are none) of an entry, quoted: the cache, the machine config's mirrors. */
static int choose_endpoints(struct registries *r, const struct node *mirrors,
			    const struct node_pair *pair, const struct node *user, char ***ret)
{
	_cleanup_strv_ char **all = NULL, **chosen = NULL;
	bool shared = rancher_is_shared(mirrors, pair);

	if (rancher_endpoints(r->plan->config, pair->key->text, &all) < 0)
		return out_of_memory(r->diag);
	if (shared && strv_length(all) > 1 &&
	    plan_hint(
		    r->plan, r->report,
		    "%s: the mirrors of the machine config for %s are not added, because its entry "
		    "is also another registry's",
		    r->path, pair->key->text) < 0)
		return out_of_memory(r->diag);
	STRV_FOREACH (endpoint, all) {
		if (endpoint != all && (shared || (user && rancher_names(user, *endpoint))))
			continue;
		if (strv_take(&chosen, yaml_quote(*endpoint)) < 0)
			return out_of_memory(r->diag);
	}
	*ret = TAKE_PTR(chosen);
	return 0;
}

/* The cache goes before the endpoints of an entry of the user. */
static int edit_mirror(struct registries *r, struct yaml_edit *edit, const struct node *mirrors,
		       const struct node_pair *pair)
{
	const struct node *endpoints = node_get(pair->value, "endpoint");
	const struct node *nothing = node_is_null(pair->value) ? pair->value : endpoints;
	_cleanup_strv_ char **items = NULL;
	bool list = endpoints && endpoints->kind == NODE_LIST;

	if (pair->value->kind != NODE_MAP && !node_is_null(pair->value))
		return node_error(pair->value, r->diag, "must be a map");
	if (node_get(pair->value, "rewrite") &&
	    plan_hint(
		    r->plan, r->report,
		    "%s: the rewrite rules of %s also change the names that the cache is asked for",
		    r->path, pair->key->text) < 0)
		return out_of_memory(r->diag);
	if (endpoints && !list && !node_is_null(endpoints))
		return cannot_add(r, pair->key);
	const struct node *first = list && endpoints->n > 0 ? endpoints->items[0] : NULL;
	if (first && first->kind == NODE_SCALAR && strcmp(first->text, REGISTRY_URL) == 0)
		return 0;
	int e = choose_endpoints(r, mirrors, pair, list ? endpoints : NULL, &items);
	if (e < 0)
		return e;
	e = list ? yaml_edit_prepend(edit, endpoints, items)
		 : rancher_add_endpoints(edit, pair, nothing, items);
	return e == -EINVAL ? cannot_add(r, pair->key) : e < 0 ? out_of_memory(r->diag) : 0;
}

static int write_flow_entry(struct registries *r, void *userdata, const char *host, char *value)
{
	(void)r;
	fprintf(userdata, "%s%s: %s", ftell(userdata) > 1 ? ", " : "", host, value);
	return 0;
}

/* What is below "mirrors" or "configs", in flow style; *ret NULL: nothing. */
static int section_value(struct registries *r, bool mirrors, char **ret)
{
	size_t size;

	if (!mirrors && r->plan->config->n_access == 0)
		return 0;
	FILE *f = open_memstream(ret, &size);
	if (!f)
		return out_of_memory(r->diag);
	fputc('{', f);
	int e = mirrors ? for_each_mirror(r, NULL, write_flow_entry, f)
			: for_each_access(r, NULL, write_flow_entry, f);
	fputc('}', f);
	return fclose(f) != 0 ? out_of_memory(r->diag) : e;
}

/* "mirrors:" with nothing behind it. */
static int fill_section(struct registries *r, struct yaml_edit *edit, const struct node *section,
			bool mirrors)
{
	_cleanup_free_ char *value = NULL;
	int e = section_value(r, mirrors, &value);

	if (e == 0 && value)
		e = yaml_edit_fill(edit, section, value);
	return e == -EINVAL ? cannot_add(r, section) : e == -ENOMEM ? out_of_memory(r->diag) : e;
}

/* Sections that are not there go into the map of the document, where a block of lines cannot stand behind it. */
static int add_section(struct registries *r, struct yaml_edit *edit, const char *name)
{
	_cleanup_free_ char *value = NULL;
	int e = section_value(r, strcmp(name, "mirrors") == 0, &value);

	if (e == 0 && value)
		e = yaml_edit_add(edit, r->root, name, value);
	return e == -EINVAL ? cannot_add(r, r->root) : e == -ENOMEM ? out_of_memory(r->diag) : e;
}

/* A document that says nothing: what stands there for that gives way; behind comments alone, lines are put. */
static int fill_document(struct registries *r, struct yaml_edit *edit)
{
	_cleanup_free_ char *mirrors = NULL, *configs = NULL;
	size_t offset, length;
	char *value;

	if (yaml_edit_nothing(edit->text, &offset, &length) < 0)
		return cannot_complete(r, NULL);
	r->sections_inside = length > 0;
	if (length == 0)
		return 0;
	int e = section_value(r, true, &mirrors);
	if (e == 0)
		e = section_value(r, false, &configs);
	if (e < 0)
		return e;
	if (asprintf(&value, "{mirrors: %s%s%s}", mirrors, configs ? ", configs: " : "",
		     configs ? configs : "") < 0)
		value = NULL;
	return yaml_edit_replace(edit, offset, length, value) < 0 ? out_of_memory(r->diag) : 0;
}

static int hint_not_added(struct registries *r, const char *host, const char *why)
{
	return plan_hint(r->plan, r->report,
			 "%s: the settings of the machine config for %s are not added, because %s",
			 r->path, host, why) < 0
		       ? out_of_memory(r->diag)
		       : 0;
}

/*
 * What the user's entry says of "auth" or "tls": nothing, where it has no such key or a key with nothing behind it (*ret_empty, to be
 * filled; that it stands behind its key is what an alias does not do).
 */
static bool says_nothing(const struct node *entry, const char *name, const struct node **ret_empty)
{
	*ret_empty = NULL;
	for (size_t i = 0; entry->kind == NODE_MAP && i < entry->n; i++) {
		const struct node_pair *pair = &entry->pairs[i];
		if (strcmp(pair->key->text, name) != 0)
			continue;
		if (!node_is_null(pair->value) || pair->value->line != pair->key->line)
			return false;
		*ret_empty = pair->value;
	}
	return true;
}

static int add_part(struct yaml_edit *edit, const struct node *entry, const char *name,
		    const struct node *empty, const char *value)
{
	return empty ? yaml_edit_fill(edit, empty, value) : yaml_edit_add(edit, entry, name, value);
}

/* Settings of the machine config for a registry that the user's file has settings for: what those say nothing of is added. */
static int edit_access(struct registries *r, struct yaml_edit *edit, const struct node *configs,
		       const struct registry_access_config *access)
{
	_cleanup_free_ char *whole = NULL, *auth = NULL, *tls = NULL;
	const struct node *entry = node_get(configs, access->host);
	int e = 0;

	if (!entry)
		return 0;
	if (entry->kind != NODE_MAP && !node_is_null(entry))
		return node_error(entry, r->diag, "must be a map");
	if (rancher_access_part(access, "auth", &auth) < 0 ||
	    rancher_access_part(access, "tls", &tls) < 0)
		return out_of_memory(r->diag);
	const struct node *no_auth, *no_tls;
	bool add_auth = says_nothing(entry, "auth", &no_auth) && auth;
	bool add_tls = says_nothing(entry, "tls", &no_tls) && tls;
	if (!add_auth && !add_tls)
		return 0;
	if (rancher_is_aliased(configs, entry))
		return hint_not_added(r, access->host, "its entry is also another registry's");
	if (node_is_null(entry)) {
		whole = rancher_access_value(access, &r->secret);
		e = whole ? yaml_edit_fill(edit, entry, whole) : -ENOMEM;
	} else {
		if (add_auth)
			e = add_part(edit, entry, "auth", no_auth, auth);
		if (e == 0 && add_tls)
			e = add_part(edit, entry, "tls", no_tls, tls);
		r->secret = r->secret || (e == 0 && add_auth);
	}
	/* Mirrors, and with them the cache, do not depend on it. */
	if (e == -EINVAL)
		return hint_not_added(r, access->host,
				      "its entry cannot be added to; write it as a plain map");
	return e < 0 ? out_of_memory(r->diag) : 0;
}

static int edit_section(struct registries *r, struct yaml_edit *edit, const char *name)
{
	const struct node *section = node_get(r->root, name);
	struct addition addition = { edit, section };
	bool mirrors = strcmp(name, "mirrors") == 0;
	int e = 0;

	if (!section)
		return r->sections_inside ? add_section(r, edit, name) : 0;
	if (node_is_null(section))
		return fill_section(r, edit, section, mirrors);
	if (section->kind != NODE_MAP)
		return node_error(section, r->diag, "%s must be a map", name);
	for (size_t i = 0; e == 0 && mirrors && i < section->n; i++)
		e = edit_mirror(r, edit, section, &section->pairs[i]);
	for (size_t i = 0; e == 0 && !mirrors && i < r->plan->config->n_access; i++)
		e = edit_access(r, edit, section, &r->plan->config->access[i]);
	if (e < 0)
		return e;
	return mirrors ? for_each_mirror(r, section, insert_entry, &addition)
		       : for_each_access(r, section, insert_entry, &addition);
}

/* Whatever was inserted: the result must say what was meant, or the user's file stays. */
static int verify(struct registries *r, const char *text)
{
	int e = parse(r, text);
	const struct node *mirrors = e == 0 ? node_get(r->root, "mirrors") : NULL;

	if (e < 0)
		return e == -ENOMEM ? e : cannot_complete(r, NULL);
	for (size_t i = 0; mirrors && mirrors->kind == NODE_MAP && i < mirrors->n; i++) {
		const struct node *endpoints = node_get(mirrors->pairs[i].value, "endpoint");
		if (!endpoints || endpoints->kind != NODE_LIST || endpoints->n == 0 ||
		    endpoints->items[0]->kind != NODE_SCALAR ||
		    strcmp(endpoints->items[0]->text, REGISTRY_URL) != 0)
			return cannot_complete(r, mirrors->pairs[i].key->text);
	}
	return mirrors && node_get(mirrors, ANY_HOST) ? 0 : cannot_complete(r, NULL);
}

/* All that goes into the user's lines. */
static int edit_document(struct registries *r, struct yaml_edit *edit)
{
	if (!r->root)
		return fill_document(r, edit);
	r->sections_inside = !yaml_edit_is_block(edit, r->root);
	int e = edit_section(r, edit, "mirrors");
	return e < 0 ? e : edit_section(r, edit, "configs");
}

static int merge(struct registries *r, const char *user, char **ret)
{
	_cleanup_yaml_edit_ struct yaml_edit edit = { .text = user };
	_cleanup_free_ char *edited = NULL, *block = NULL;
	int e = parse(r, user);

	if (e == 0)
		e = edit_document(r, &edit);
	if (e == 0 && !r->sections_inside)
		e = new_sections(r, &block);
	if (e < 0)
		return e;
	edited = yaml_edit_apply(&edit);
	if (edited)
		*ret = block && *block
			       ? marked_insert(edited, yaml_edit_end(edited, r->root), block)
			       : TAKE_PTR(edited);
	return *ret ? verify(r, *ret) : out_of_memory(r->diag);
}

/* These programs ask the registry itself after its mirrors, whatever the file says. */
static int hint_at_fallback(struct runtime_plan *plan, size_t report)
{
	const struct machine_config *c = plan->config;

	for (size_t i = 0; i < c->n_mirrors; i++)
		if (c->mirrors[i].skip_fallback)
			return plan_hint(plan, report,
					 "skipFallback of %s holds only if %s is started with "
					 "--disable-default-registry-endpoint",
					 c->mirrors[i].host, plan->result.reports[report].name);
	return 0;
}

static int plan_registries(struct runtime_plan *plan, size_t report, const char *path,
			   struct diag *diag)
{
	_cleanup_free_ char *user = NULL, *text = NULL;
	struct registries r = { .plan = plan, .report = report, .path = path, .diag = diag };
	int e = plan_user_text(plan, path, yaml_edit_strip, &user, diag);

	if (e == 0)
		e = merge(&r, user ? user : "", &text);
	if (e == 0)
		e = plan_put(plan, report, path, user, text, r.secret ? 0600 : 0644, diag);
	if (e == 0 && plan_changes(plan, path) &&
	    plan_hint(plan, report, "%s reads registries.yaml when it starts",
		      plan->result.reports[report].name) < 0)
		e = out_of_memory(diag);
	if (e == 0 && hint_at_fallback(plan, report) < 0)
		e = out_of_memory(diag);
	pool_done(&r.pool);
	return e;
}

static int plan_k3s(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	return plan_registries(plan, report, K3S_CONFIG, diag);
}

static int plan_rke2(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	return plan_registries(plan, report, RKE2_CONFIG, diag);
}

/* The entry of the host, or of "*", then the registry itself. */
static int route_registries(int root, const char *path, const char *host,
			    struct runtime_route *route, struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	struct registries r = { .path = path, .diag = diag };
	int e = rootfs_read_linked(root, path, &file);

	if (e < 0)
		return diag_set_at(diag, e, path, 0, 0, "cannot read: %s", strerror(-e));
	if (file.text) {
		route->source = strdup(path);
		e = parse(&r, file.text);
	}
	const struct node *mirrors = node_get(r.root, "mirrors");
	const struct node *entry = node_get(mirrors, host);
	const struct node *list = node_get(entry ? entry : node_get(mirrors, ANY_HOST), "endpoint");
	for (size_t i = 0; e == 0 && list && list->kind == NODE_LIST && i < list->n; i++)
		if (list->items[i]->kind == NODE_SCALAR)
			e = strv_add(&route->endpoints, list->items[i]->text);
	pool_done(&r.pool);
	return e < 0 ? e : route_add_registry(route, host);
}

static int route_k3s(int root, const char *host, const char *repository,
		     struct runtime_route *route, struct diag *diag)
{
	(void)repository;
	return route_registries(root, K3S_CONFIG, host, route, diag);
}

static int route_rke2(int root, const char *host, const char *repository,
		      struct runtime_route *route, struct diag *diag)
{
	(void)repository;
	return route_registries(root, RKE2_CONFIG, host, route, diag);
}

static const char *const k3s_files[] = { K3S_CONFIG, NULL };
static const char *const rke2_files[] = { RKE2_CONFIG, NULL };

const struct runtime_kind runtime_k3s = { "k3s", k3s_evidence, plan_k3s, route_k3s, k3s_files };
const struct runtime_kind runtime_rke2 = { "rke2", rke2_evidence, plan_rke2, route_rke2,
					   rke2_files };
