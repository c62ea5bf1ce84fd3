/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mirrors, auth and TLS of registries: the v1alpha1 document's and the documents of their own. */
#include <string.h>

#include "config/fill.h"
#include "config/values.h"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

/* Documents of one kind plus entries of a map: room for all. */
static size_t count_entries(const struct document_set *set, const struct node *map,
			    const char *kind, const char *other_kind)
{
	size_t n = map ? map->n : 0;

	for (size_t i = 0; i < set->n_documents; i++)
		n += strcmp(set->documents[i].kind->name, kind) == 0 ||
		     strcmp(set->documents[i].kind->name, other_kind) == 0;
	return n;
}

/* What is already set in the v1alpha1 document is not set again. */
static int set_twice(const struct document *d, const struct origin *first, struct diag *diag)
{
	return node_error(d->root, diag, "%s: %s is also set in the v1alpha1 document (%s:%u)",
			  d->label, d->name, first->file, first->line);
}

static int fill_old_mirror(struct pool *pool, const struct node_pair *pair, struct mirror_config *m)
{
	const struct node *endpoints = node_find(pair->value, "endpoints");
	bool override_path = false;

	m->host = pool_strdup(pool, pair->key->text);
	m->origin = fill_origin(pair->key);
	fill_bool(pair->value, "skipFallback", &m->skip_fallback);
	fill_bool(pair->value, "overridePath", &override_path);
	if (endpoints) {
		m->endpoints = pool_alloc(pool, (endpoints->n + 1) * sizeof(*m->endpoints));
		if (!m->endpoints)
			return -ENOMEM;
	}
	for (size_t i = 0; endpoints && i < endpoints->n; i++) {
		struct mirror_endpoint *e = &m->endpoints[m->n_endpoints++];
		e->url = pool_strdup(pool, endpoints->items[i]->text);
		e->override_path = override_path;
		if (!e->url)
			return -ENOMEM;
	}
	return m->host ? 0 : -ENOMEM;
}

static int fill_mirror(struct pool *pool, const struct document *d, struct mirror_config *m)
{
	const struct node *endpoints = node_find(d->root, "endpoints");

	m->host = pool_strdup(pool, d->name);
	m->origin = fill_origin(d->root);
	fill_bool(d->root, "skipFallback", &m->skip_fallback);
	if (endpoints) {
		m->endpoints = pool_alloc(pool, (endpoints->n + 1) * sizeof(*m->endpoints));
		if (!m->endpoints)
			return -ENOMEM;
	}
	for (size_t i = 0; endpoints && i < endpoints->n; i++) {
		struct mirror_endpoint *e = &m->endpoints[m->n_endpoints++];
		int r = fill_text(pool, endpoints->items[i], "url", &e->url);
		if (r < 0)
			return r;
		fill_bool(endpoints->items[i], "overridePath", &e->override_path);
	}
	return m->host ? 0 : -ENOMEM;
}

static int compare_mirrors(const void *a, const void *b)
{
	return strcmp(((const struct mirror_config *)a)->host,
		      ((const struct mirror_config *)b)->host);
}

static struct mirror_config *find_mirror(const struct machine_config *c, const char *host)
{
	for (size_t i = 0; i < c->n_mirrors; i++)
		if (strcmp(c->mirrors[i].host, host) == 0)
			return &c->mirrors[i];
	return NULL;
}

int fill_mirrors(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	const struct node *old =
		node_find(fill_root(set, KIND_MACHINE, NULL), "machine.registries.mirrors");
	size_t room = count_entries(set, old, KIND_MIRROR, KIND_MIRROR);

	c->mirrors = pool_alloc(&set->pool, (room + 1) * sizeof(*c->mirrors));
	if (!c->mirrors)
		return out_of_memory(diag);
	for (size_t i = 0; old && i < old->n; i++)
		if (fill_old_mirror(&set->pool, &old->pairs[i], &c->mirrors[c->n_mirrors++]) < 0)
			return out_of_memory(diag);
	for (size_t i = 0; i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		if (strcmp(d->kind->name, KIND_MIRROR) != 0)
			continue;
		const struct mirror_config *before = find_mirror(c, d->name);
		if (before)
			return set_twice(d, &before->origin, diag);
		if (fill_mirror(&set->pool, d, &c->mirrors[c->n_mirrors++]) < 0)
			return out_of_memory(diag);
	}
	qsort(c->mirrors, c->n_mirrors, sizeof(*c->mirrors), compare_mirrors);
	return 0;
}

/* base64 of PEM text, as the v1alpha1 document has it. */
static int fill_base64(struct pool *pool, const struct node *root, const char *path, char **ret)
{
	const struct node *node = node_find(root, path);
	char *decoded = NULL;
	size_t size;

	if (!node)
		return 0;
	int r = base64_decode(node->text, &decoded, &size);
	if (r < 0)
		return r;
	*ret = pool_strndup(pool, decoded, size);
	explicit_bzero(decoded, size);
	free(decoded);
	return *ret ? 0 : -ENOMEM;
}

/* Credentials of more than one sort for one registry: nobody could say which counts. auth is the map they are in; may be NULL. */
static int check_auth(const struct node *auth, const char *host, struct diag *diag)
{
	const struct node *username = node_find(auth, "username");
	const struct node *sorts[] = {
		username ? username : node_find(auth, "password"),
		node_find(auth, "auth"),
		node_find(auth, "identityToken"),
	};
	const struct node *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
		if (first && sorts[i])
			return node_error(sorts[i], diag,
					  "%s: set one of username and password, auth, "
					  "identityToken; another one is set at %s:%u",
					  host, first->file->path, first->line);
		if (sorts[i])
			first = sorts[i];
	}
	return 0;
}

static int fill_auth(struct pool *pool, const struct node *auth, struct registry_access_config *a)
{
	if (fill_text(pool, auth, "username", &a->username) < 0 ||
	    fill_text(pool, auth, "password", &a->password) < 0 ||
	    fill_text(pool, auth, "auth", &a->auth) < 0 ||
	    fill_text(pool, auth, "identityToken", &a->identity_token) < 0)
		return -ENOMEM;
	return 0;
}

static int fill_old_access(struct pool *pool, const struct node_pair *pair,
			   struct registry_access_config *a)
{
	a->host = pool_strdup(pool, pair->key->text);
	a->origin = fill_origin(pair->key);
	fill_bool(pair->value, "tls.insecureSkipVerify", &a->insecure_skip_verify);
	if (!a->host || fill_auth(pool, node_find(pair->value, "auth"), a) < 0 ||
	    fill_base64(pool, pair->value, "tls.ca", &a->ca) < 0 ||
	    fill_base64(pool, pair->value, "tls.clientIdentity.crt", &a->client_cert) < 0 ||
	    fill_base64(pool, pair->value, "tls.clientIdentity.key", &a->client_key) < 0)
		return -ENOMEM;
	return 0;
}

static int fill_tls(struct pool *pool, const struct node *root, struct registry_access_config *a)
{
	fill_bool(root, "insecureSkipVerify", &a->insecure_skip_verify);
	if (fill_text(pool, root, "ca", &a->ca) < 0 ||
	    fill_text(pool, root, "clientIdentity.cert", &a->client_cert) < 0 ||
	    fill_text(pool, root, "clientIdentity.key", &a->client_key) < 0)
		return -ENOMEM;
	return 0;
}

static int compare_access(const void *a, const void *b)
{
	return strcmp(((const struct registry_access_config *)a)->host,
		      ((const struct registry_access_config *)b)->host);
}

static struct registry_access_config *find_access(const struct machine_config *c, const char *host)
{
	for (size_t i = 0; i < c->n_access; i++)
		if (strcmp(c->access[i].host, host) == 0)
			return &c->access[i];
	return NULL;
}

static bool is_set(const char *text)
{
	return text && *text;
}

/* What Talos takes and nobody wants. */
static int note_auth(struct document_set *set, const struct registry_access_config *a)
{
	if (is_set(a->username) == is_set(a->password))
		return 0;
	return documents_note(set, NULL, "%s:%u: %s: there is a %s and no %s", a->origin.file,
			      a->origin.line, a->host,
			      is_set(a->username) ? "username" : "password",
			      is_set(a->username) ? "password: the registry gets an empty one"
						  : "username: it has no effect");
}

static int note_empty_auth(struct document_set *set, const struct document *d,
			   const struct registry_access_config *a)
{
	if (is_set(a->username) || is_set(a->password) || is_set(a->auth) ||
	    is_set(a->identity_token))
		return 0;
	return documents_note(set, d->root,
			      "%s: there is no username and password, auth or identityToken: it "
			      "has no effect",
			      d->label);
}

static int add_access_document(struct machine_config *c, struct document_set *set,
			       const struct document *d, const struct node *old, struct diag *diag)
{
	bool is_auth = strcmp(d->kind->name, KIND_AUTH) == 0;
	const struct node *before = node_get(old, d->name);
	struct registry_access_config *a = find_access(c, d->name);
	int r;

	if (node_find(before, is_auth ? "auth" : "tls"))
		return set_twice(d, &a->origin, diag);
	if (!a) {
		a = &c->access[c->n_access++];
		a->origin = fill_origin(d->root);
		a->host = pool_strdup(&set->pool, d->name);
		if (!a->host)
			return out_of_memory(diag);
	}
	if (is_auth && check_auth(d->root, d->name, diag) < 0)
		return -EINVAL;
	r = is_auth ? fill_auth(&set->pool, d->root, a) : fill_tls(&set->pool, d->root, a);
	if (r == 0 && is_auth)
		r = note_empty_auth(set, d, a);
	return r < 0 ? out_of_memory(diag) : 0;
}

int fill_access(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	const struct node *old =
		node_find(fill_root(set, KIND_MACHINE, NULL), "machine.registries.config");
	size_t room = count_entries(set, old, KIND_AUTH, KIND_TLS);
	int r = 0;

	c->access = pool_alloc(&set->pool, (room + 1) * sizeof(*c->access));
	if (!c->access)
		return out_of_memory(diag);
	for (size_t i = 0; old && i < old->n; i++) {
		const struct node_pair *pair = &old->pairs[i];
		if (check_auth(node_find(pair->value, "auth"), pair->key->text, diag) < 0)
			return -EINVAL;
		if (fill_old_access(&set->pool, pair, &c->access[c->n_access++]) < 0)
			return out_of_memory(diag);
	}
	for (size_t i = 0; r == 0 && i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		if (strcmp(d->kind->name, KIND_AUTH) == 0 || strcmp(d->kind->name, KIND_TLS) == 0)
			r = add_access_document(c, set, d, old, diag);
	}
	for (size_t i = 0; r == 0 && i < c->n_access; i++)
		if (note_auth(set, &c->access[i]) < 0)
			r = out_of_memory(diag);
	qsort(c->access, c->n_access, sizeof(*c->access), compare_access);
	return r;
}
