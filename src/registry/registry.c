/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wiring: requests to the files that answer them, views of the sources, the pool's results. */
#include "registry/inside.h"

#include <string.h>
#include <time.h>

#include "base/events.h"
#include "base/log.h"

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

void registry_corrupt(struct registry *r, const char *path, const struct digest *digest,
		      const struct content_id *id, const char *what, int error)
{
	char text[DIGEST_STRING_MAX];

	if (!verified_set(r->verified, digest, id, false))
		return;
	__atomic_add_fetch(&r->epoch, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&r->metrics.corrupt, 1, __ATOMIC_RELAXED);
	digest_format(digest, text);
	if (error == -ENODATA)
		log_at(LOG_ERR, EVENT_BLOB_CORRUPT,
		       "%s: the %s %s ends before its end; it is not served from there", path, what,
		       text);
	else if (error < 0)
		log_at(LOG_ERR, EVENT_BLOB_CORRUPT,
		       "%s: the %s %s cannot be read: %s; it is not served from there", path, what,
		       text, strerror(-error));
	else
		log_at(LOG_ERR, EVENT_BLOB_CORRUPT,
		       "%s: the %s %s has other bytes than its digest says; it is not served from there",
		       path, what, text);
}

static void drop_view(struct registry *r)
{
	if (r->view)
		view_unref(r->view);
	r->view = NULL;
}

static void on_lease_end(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	drop_view(user);
}

static void tell_part(const char *text, void *user)
{
	struct registry *r = user;

	log_at(LOG_WARNING, EVENT_LAYER_BROKEN, "%s", text);
	if (r->ahead)
		ahead_restart(r->ahead);
}

static int new_view(struct registry *r)
{
	if (r->n_caches)
		return view_new(r->caches, r->n_caches, &r->view);
	int result = view_new_run_dir(r->options.run_dir, &r->parts, &r->view);
	if (r->parts)
		parts_news(r->parts, tell_part, r);
	return result;
}

struct view *registry_view(struct registry *r)
{
	static const struct timeval lease = { 0, VIEW_LEASE_MS * 1000 };
	uint64_t now = now_ms();

	if (r->view && now - r->view_since < VIEW_LEASE_MS)
		return r->view;
	drop_view(r);
	if (new_view(r) < 0)
		return NULL;
	uint64_t stamp = view_stamp(r->view);
	r->epoch += stamp != r->view_stamp;
	r->view_stamp = stamp;
	r->view_since = now;
	event_add(r->lease_timer, &lease);
	return r->view;
}

void registry_changed(struct registry *r)
{
	r->epoch++;
	drop_view(r);
	if (r->ahead)
		ahead_restart(r->ahead);
}

/* Refuses what can name nothing. A miss is always 404, so that a runtime goes on to its next mirror. */
static bool answer_flaw(struct http_exchange *x, const struct route *route)
{
	switch (route->flaw) {
	case ROUTE_SOUND:
		return false;
	case ROUTE_BAD_ENCODING:
		answer_error(x, 400, "UNSUPPORTED",
			     "the path is not percent-encoded as it should be");
		return true;
	case ROUTE_BAD_NAME:
		answer_error(x, 404, "NAME_INVALID", "this is no name of a repository");
		return true;
	case ROUTE_BAD_NAMESPACE:
		answer_error(x, 404, "NAME_INVALID", "ns= is no name of a registry");
		return true;
	case ROUTE_BAD_TAG:
		answer_error(x, 404, "MANIFEST_UNKNOWN", "this is neither a tag nor a digest");
		return true;
	case ROUTE_BAD_NUMBER:
		answer_error(x, 400, "UNSUPPORTED", "n= is no number");
		return true;
	default:
		/* The specification wants 400 where no runtime looks for its next mirror. */
		answer_error(x, route->kind == ROUTE_REFERRERS ? 400 : 404, "DIGEST_INVALID",
			     "this is no digest of a known algorithm");
		return true;
	}
}

static void answer_unresolved(const struct asked *asked, int r)
{
	if (asked->route.kind == ROUTE_MANIFEST)
		metrics_lookup(&asked->registry->metrics, "", false, false);
	answer_common_fields(asked);
	if (r == -ENOTUNIQ)
		answer_error(asked->exchange, 404, "NAME_UNKNOWN",
			     "more than one registry has %s here; say which with ?ns=",
			     asked->route.name);
	else if (r == -ENOENT)
		answer_error(asked->exchange, 404, "NAME_UNKNOWN", "%s is not here",
			     asked->route.name);
	else
		answer_out_of_memory(asked->exchange);
}

static void serve_named(struct asked *asked)
{
	int r = asked_resolve(asked);

	if (r < 0)
		answer_unresolved(asked, r);
	else if (asked->route.kind == ROUTE_MANIFEST)
		serve_manifest(asked);
	else
		serve_list(asked);
}

static void serve_metrics(struct registry *r, struct http_exchange *x)
{
	size_t size;
	_cleanup_free_ char *text =
		metrics_text(&r->metrics, http_server_connections(r->server), &size);

	if (text)
		http_reply_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
	else
		answer_out_of_memory(x);
}

static void serve_route(struct asked *asked)
{
	struct http_exchange *x = asked->exchange;

	switch (asked->route.kind) {
	case ROUTE_BASE:
		answer_common_fields(asked);
		http_reply_text(x, 200, "application/json", "{}", 2);
		break;
	case ROUTE_HEALTH:
		http_reply_text(x, 200, "text/plain", "ok\n", 3);
		break;
	case ROUTE_METRICS:
		serve_metrics(asked->registry, x);
		break;
	case ROUTE_BLOB:
		serve_blob(asked);
		break;
	case ROUTE_MANIFEST:
	case ROUTE_TAGS:
	case ROUTE_REFERRERS:
		serve_named(asked);
		break;
	case ROUTE_CATALOG:
	case ROUTE_READY:
		serve_list(asked);
		break;
	default:
		answer_error(x, 404, "UNSUPPORTED", "there is nothing at this path");
	}
}

/* What is counted of an exchange, without memory of its own: route and method in the pointer. */
static void remember(struct http_exchange *x, enum route_kind kind, enum http_method method)
{
	http_exchange_set(x, (void *)(uintptr_t)((unsigned)kind << 2 | (unsigned)method));
}

static void handle(struct http_exchange *x, const struct http_request *request, void *user)
{
	struct registry *r = user;
	struct asked asked;

	asked.registry = r;
	asked.exchange = x;
	asked.attempts = 0;
	asked.registry_name[0] = asked.repository[0] = '\0';
	route_parse(request, &asked.route);
	remember(x, asked.route.kind, request->method);
	if (request->method == HTTP_OTHER_METHOD) {
		http_reply_field(x, "Allow", "GET, HEAD");
		answer_error(x, 405, "UNSUPPORTED", "this registry is read-only");
		return;
	}
	if (answer_flaw(x, &asked.route))
		return;
	asked.view = registry_view(r);
	if (!asked.view) {
		answer_out_of_memory(x);
		return;
	}
	asked_read(&asked, request);
	serve_route(&asked);
}

static void refuse(struct http_exchange *x, unsigned status, void *user)
{
	(void)user;
	remember(x, ROUTE_UNKNOWN, HTTP_OTHER_METHOD);
	answer_error(x, status, "UNSUPPORTED", "%s",
		     status == 413 ? "this registry takes no request bodies"
				   : "this is not a request that can be answered");
}

static void finished(struct http_exchange *x, const struct http_outcome *outcome, void *user)
{
	struct registry *r = user;
	unsigned what = (unsigned)(uintptr_t)http_exchange_get(x);

	metrics_count(&r->metrics, (enum route_kind)(what >> 2), (enum http_method)(what & 3),
		      outcome);
}

static void on_pool(evutil_socket_t fd, short what, void *user)
{
	struct registry *r = user;

	(void)fd;
	(void)what;
	pool_collect(r->pool);
}

/* A path that leads to nothing names no cache. */
static int open_cache(const char *path, struct source **ret, struct diag *diag)
{
	int r = source_open(path, ret, diag);

	if (r == -ENOENT || r == -ENOTDIR)
		return diag_prefix(diag, -EINVAL, "there is no such cache");
	if (r == 0 && !source_has_blobs(*ret))
		log_notice(
			"%s is served, but no blobs are in it yet: a cache tree has blob/ and manifests/, an OCI layout oci-layout and index.json",
			path);
	return r;
}

static int open_caches(char *const *paths, struct source ***ret, size_t *ret_n, struct diag *diag)
{
	size_t n = 0;
	struct source **sources;

	while (paths && paths[n])
		n++;
	sources = calloc(n + 1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = open_cache(paths[i], &sources[i], diag);
		if (r == 0)
			continue;
		while (i-- > 0)
			source_unref(sources[i]);
		free(sources);
		return r;
	}
	*ret = sources;
	*ret_n = n;
	return 0;
}

static void close_caches(struct source **sources, size_t n)
{
	for (size_t i = 0; i < n; i++)
		source_unref(sources[i]);
	free(sources);
}

int registry_reload(struct registry *r, struct diag *diag)
{
	struct source **sources = NULL;
	size_t n = 0;
	int result = open_caches(r->options.caches, &sources, &n, diag);

	if (result < 0)
		return result;
	close_caches(r->caches, r->n_caches);
	r->caches = sources;
	r->n_caches = n;
	registry_changed(r);
	return 0;
}

static int start_pool(struct registry *r)
{
	int result = pool_new(r->options.workers, &r->pool);

	if (result < 0)
		return result;
	r->pool_event = event_new(r->base, pool_fd(r->pool), EV_READ | EV_PERSIST, on_pool, r);
	r->lease_timer = evtimer_new(r->base, on_lease_end, r);
	if (!r->pool_event || !r->lease_timer || event_add(r->pool_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int open_verified(struct registry *r)
{
	int file, result = verified_open(r->options.record, &r->verified, &file);

	if (result == 0 && file < 0)
		log_notice("%s cannot be used (%s): after a restart, blobs are verified again",
			   r->options.record, strerror(-file));
	return result;
}

int registry_new(struct event_base *base, const struct registry_options *options,
		 struct registry **ret, struct diag *diag)
{
	_cleanup_(registry_freep) struct registry *r = calloc(1, sizeof(*r));
	struct http_handler handler = { handle, refuse, finished, r };

	if (!r)
		return -ENOMEM;
	r->base = base;
	r->options = *options;
	lists_init(&r->lists);
	int result = open_caches(options->caches, &r->caches, &r->n_caches, diag);
	if (result == 0)
		result = open_verified(r);
	if (result == 0)
		result = start_pool(r);
	if (result == 0)
		result = manifests_new(&r->manifests);
	if (result == 0)
		result = http_server_new(base, &options->limits, &handler, &r->server);
	if (result == 0)
		result = ahead_new(r, &r->ahead);
	if (result == 0 && !r->n_caches)
		result = watch_new(r, options->run_dir, &r->watch);
	if (result < 0)
		return result;
	ahead_restart(r->ahead);
	*ret = TAKE_PTR(r);
	return 0;
}

void registry_free(struct registry *r)
{
	if (r->watch)
		watch_free(r->watch);
	if (r->ahead)
		ahead_stop(r->ahead);
	/* Jobs that are cut off still answer to the server; so it goes after the pool. */
	if (r->pool)
		pool_free(r->pool);
	lists_done(&r->lists);
	if (r->ahead)
		ahead_free(r->ahead);
	if (r->server)
		http_server_free(r->server);
	if (r->manifests)
		manifests_free(r->manifests);
	drop_view(r);
	if (r->pool_event)
		event_free(r->pool_event);
	if (r->lease_timer)
		event_free(r->lease_timer);
	if (r->verified)
		verified_free(r->verified);
	close_caches(r->caches, r->n_caches);
	if (r->parts)
		parts_unref(r->parts);
	metrics_done(&r->metrics);
	free(r);
}

int registry_listen(struct registry *r, int fd)
{
	return http_server_listen(r->server, fd);
}

int registry_adopt(struct registry *r, int fd)
{
	return http_server_adopt(r->server, fd);
}

void registry_drain(struct registry *r)
{
	http_server_drain(r->server);
}

unsigned registry_connections(const struct registry *r)
{
	return http_server_connections(r->server);
}
