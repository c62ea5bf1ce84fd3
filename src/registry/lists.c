/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reads directories or many manifests, and so runs on a thread: tags, catalog, referrers, readiness. */
#include "registry/inside.h"

#include <jansson.h>
#include <string.h>

#include "base/text.h"

#define JSON_TYPE   "application/json"
#define READY_TEXT  "ready\n"
#define CATALOG_MAX 1000000

struct list_job {
	struct job job;
	STAILQ_ENTRY(list_job) order; /* while it waits */
	struct asked *asked;
	uint64_t epoch; /* when it was asked for */
	int result;	/* 0, -ENOENT: 404, -ENOMEM */
	const char *content_type;
	char *body;
	char *next; /* for Link; NULL: this is the last page */
	bool filtered;
};

/* The names after "last", at most n of them, from a sorted list. *ret_more: some were left out. */
static json_t *page_of(char *const *names, const struct route *route, const char **ret_last)
{
	json_t *page = json_array();
	size_t n = 0;

	*ret_last = NULL;
	for (; page && names && *names; names++) {
		if (route->last[0] && strcmp(*names, route->last) <= 0)
			continue;
		if (route->has_n && n == route->n)
			return page;
		json_array_append_new(page, json_string(*names));
		*ret_last = *names;
		n++;
	}
	*ret_last = NULL;
	return page;
}

static int set_body(struct list_job *l, json_t *value, const char *type)
{
	l->body = value ? json_dumps(value, JSON_COMPACT) : NULL;
	l->content_type = type;
	json_decref(value);
	return l->body ? 0 : -ENOMEM;
}

static int set_next(struct list_job *l, const char *last)
{
	if (!last || l->asked->route.n == 0)
		return 0;
	l->next = strdup(last);
	return l->next ? 0 : -ENOMEM;
}

/* Adds to a sorted list what it does not hold yet; both lists are consumed. */
static int merge(char ***list, char **more)
{
	size_t n = strv_length(*list), m = strv_length(more), used = 0, i = 0, j = 0;
	char **merged = calloc(n + m + 1, sizeof(*merged));

	if (!merged) {
		strv_free(more);
		return -ENOMEM;
	}
	while (i < n || j < m) {
		int order = i == n ? 1 : j == m ? -1 : strcmp((*list)[i], more[j]);
		if (order == 0)
			free(more[j++]);
		else
			merged[used++] = order < 0 ? (*list)[i++] : more[j++];
	}
	free(*list);
	free(more);
	*list = merged;
	return 0;
}

static int list_tags(struct list_job *l)
{
	const struct asked *asked = l->asked;
	_cleanup_strv_ char **tags = NULL;
	const char *last;
	int r = 0;

	if (!view_has_repository(asked->view, asked->registry_name, asked->repository))
		return -ENOENT;
	for (size_t i = 0; r == 0 && i < view_main_sources(asked->view); i++) {
		char **some = NULL;
		if (source_tags(view_source(asked->view, i), asked->registry_name,
				asked->repository, &some) == 0)
			r = merge(&tags, some);
	}
	if (r < 0)
		return r;
	json_t *page = page_of(tags, &asked->route, &last);
	if (set_next(l, last) < 0)
		r = -ENOMEM;
	json_t *body =
		page ? json_pack("{s:s, s:o}", "name", asked->route.name, "tags", page) : NULL;
	int r2 = set_body(l, body, JSON_TYPE);
	return r < 0 ? r : r2;
}

struct name_list {
	char **names;
	size_t n, capacity;
	const char
		*registry; /* only of this one; "": of all, and with the registry before the name */
};

static int add_repository(const char *registry, const char *repository, void *user)
{
	struct name_list *list = user;

	if (list->registry[0] && strcmp(registry, list->registry) != 0)
		return 0;
	if (list->n + 1 >= list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		char **larger = capacity <= CATALOG_MAX
					? reallocarray(list->names, capacity, sizeof(*larger))
					: NULL;
		if (!larger)
			return -ENOMEM;
		list->names = larger;
		list->capacity = capacity;
	}
	char *name = NULL;
	if (asprintf(&name, "%s%s%s", list->registry[0] ? "" : registry,
		     list->registry[0] ? "" : "/", repository) < 0)
		return -ENOMEM;
	list->names[list->n++] = name;
	list->names[list->n] = NULL;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_catalog(struct list_job *l)
{
	const struct asked *asked = l->asked;
	_cleanup_strv_ char **names = NULL;
	const char *last;
	int r = 0;

	for (size_t i = 0; r == 0 && i < view_main_sources(asked->view); i++) {
		struct name_list list = { .registry = asked->route.registry };
		r = source_repositories(view_source(asked->view, i), add_repository, &list);
		if (list.n > 1)
			qsort(list.names, list.n, sizeof(char *), compare_names);
		if (r == 0)
			r = merge(&names, list.names);
		else
			strv_free(list.names);
	}
	if (r < 0)
		return r;
	json_t *page = page_of(names, &asked->route, &last);
	if (set_next(l, last) < 0)
		r = -ENOMEM;
	json_t *body = page ? json_pack("{s:o}", "repositories", page) : NULL;
	int r2 = set_body(l, body, JSON_TYPE);
	return r < 0 ? r : r2;
}

static int list_referrers(struct list_job *l)
{
	json_t *index;
	int r = referrers_of(l->asked, &index);

	if (r < 0)
		return r;
	l->filtered = l->asked->route.artifact_type[0] != '\0';
	return set_body(l, index, MANIFEST_TYPE_OCI_INDEX);
}

static bool list_step(struct job *job)
{
	struct list_job *l = (struct list_job *)job;

	switch (l->asked->route.kind) {
	case ROUTE_TAGS:
		l->result = list_tags(l);
		break;
	case ROUTE_CATALOG:
		l->result = list_catalog(l);
		break;
	case ROUTE_REFERRERS:
		l->result = list_referrers(l);
		break;
	default:
		l->result = ready_search(l->asked);
	}
	return false;
}

static void add_link(const struct list_job *l)
{
	const struct route *route = &l->asked->route;
	const char *path = route->kind == ROUTE_CATALOG ? "_catalog" : "tags/list";

	http_reply_field(l->asked->exchange, "Link", "</v2/%s%s%s?n=%u&last=%s%s%s>; rel=\"next\"",
			 route->name, route->name[0] ? "/" : "", path, route->n, l->next,
			 route->ns[0] ? "&ns=" : "", route->ns);
}

static void answer_text(struct http_exchange *x, unsigned status, const char *text)
{
	http_reply_text(x, status, "text/plain", text, strlen(text));
}

/* Commands of larder(1) speak of what is mounted on this machine; where caches were named, they know nothing of those. */
static const char *why_not_ready(bool own_caches, int result)
{
	if (own_caches)
		return result == -ENODATA
			       ? "not ready: no image in the caches named by --cache is whole; ask for the manifest of one to read what is missing of it\n"
			       : "not ready: no image is in the caches named by --cache yet; put one there, or name another cache\n";
	return result == -ENODATA ? "not ready: no image here is whole; see larder images missing\n"
				  : "not ready: no source holds an image yet; see larder status\n";
}

static void answer_readiness(struct list_job *l)
{
	struct registry *r = l->asked->registry;

	r->ready = l->result == 0;
	r->ready_epoch = l->epoch;
	if (l->result == 0)
		answer_text(l->asked->exchange, 200, READY_TEXT);
	else
		answer_text(l->asked->exchange, 503, why_not_ready(r->n_caches > 0, l->result));
}

static void answer_list(struct list_job *l)
{
	const struct asked *asked = l->asked;
	struct http_exchange *x = asked->exchange;

	if (asked->route.kind == ROUTE_READY) {
		answer_readiness(l);
		return;
	}
	answer_common_fields(asked);
	if (l->result == -ENOENT) {
		answer_error(x, 404, "NAME_UNKNOWN", "%s/%s is not here", asked->registry_name,
			     asked->repository);
		return;
	}
	if (l->result < 0) {
		answer_error(x, 500, "UNKNOWN", "the store cannot be read: %s",
			     strerror(-l->result));
		return;
	}
	if (l->next)
		add_link(l);
	if (l->filtered)
		http_reply_field(x, "OCI-Filters-Applied", "artifactType");
	http_reply_text(x, 200, l->content_type, l->body, strlen(l->body));
}

static void free_list(struct list_job *l)
{
	asked_free(l->asked);
	free(l->body);
	free(l->next);
	free(l);
}

static void start_next(struct registry *r)
{
	struct list_job *l = STAILQ_FIRST(&r->lists.waiting);

	r->lists.running = l != NULL;
	if (!l)
		return;
	STAILQ_REMOVE_HEAD(&r->lists.waiting, order);
	r->lists.n_waiting--;
	pool_submit(r->pool, &l->job, true);
}

static void list_done(struct job *job, bool cancelled)
{
	struct list_job *l = (struct list_job *)job;
	struct registry *r = l->asked->registry;

	if (!cancelled)
		answer_list(l);
	free_list(l);
	if (!cancelled)
		start_next(r);
}

void lists_init(struct lists *lists)
{
	STAILQ_INIT(&lists->waiting);
	lists->n_waiting = 0;
	lists->running = false;
}

void lists_done(struct lists *lists)
{
	struct list_job *l;

	while ((l = STAILQ_FIRST(&lists->waiting))) {
		STAILQ_REMOVE_HEAD(&lists->waiting, order);
		free_list(l);
	}
}

void serve_list(const struct asked *asked)
{
	struct registry *r = asked->registry;

	/* Who asks whether it is ready asks often; once it is, that needs no looking until something changes. */
	if (asked->route.kind == ROUTE_READY && r->ready && r->ready_epoch == r->epoch) {
		answer_text(asked->exchange, 200, READY_TEXT);
		return;
	}
	if (r->lists.n_waiting == LISTS_WAITING_MAX) {
		answer_error(asked->exchange, 503, "UNKNOWN",
			     "%d other lists are being waited for; ask again later",
			     LISTS_WAITING_MAX);
		return;
	}
	struct list_job *l = calloc(1, sizeof(*l));
	if (l)
		l->asked = asked_keep(asked);
	if (!l || !l->asked) {
		free(l);
		answer_out_of_memory(asked->exchange);
		return;
	}
	l->job.step = list_step;
	l->job.done = list_done;
	l->epoch = r->epoch;
	STAILQ_INSERT_TAIL(&r->lists.waiting, l, order);
	r->lists.n_waiting++;
	if (!r->lists.running)
		start_next(r);
}
