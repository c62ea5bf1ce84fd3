/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk over the store, on a thread of the lowest priority: it counts what is there, and has every blob hashed before somebody
 * asks for it, in the order of need: first what the tags mean on this host, then the rest. The hashing itself goes through
 * hash_content() on the loop's thread, so that a request for the same blob joins it.
 *
 *	loop: ahead_restart() ─ view ─→ thread: walk ─ wanted ─→ loop: hash_content() ─ answered ─→ thread …
 */
#include "registry/inside.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "base/text.h"

struct counts {
	uint64_t images, manifests, blobs, bytes;
};

struct ahead {
	struct registry *registry;
	struct event *restart_timer;
	struct event *message;
	int message_fd;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	struct view *next; /* to be walked; owned */
	bool stop;
	bool cancel; /* the walk that is under way is of no use any more */
	bool wanted; /* the three below are to be hashed */
	struct source *source;
	const struct digest *digest;
	const struct content *content;
	bool answered;
	bool counted; /* counts are new */
	struct counts counts;
};

/* One walk, on the thread. */
struct walk {
	struct ahead *ahead;
	struct view *view;
	size_t position; /* of the source */
	const char *registry_name, *repository;
	struct counts counts;
};

static bool is_cancelled(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	bool cancelled = a->cancel || a->stop;
	pthread_mutex_unlock(&a->lock);
	return cancelled;
}

static void wake_loop(struct ahead *a)
{
	uint64_t one = 1;

	(void)!write(a->message_fd, &one, sizeof(one));
}

/* Waits until the loop has had it hashed. */
static void ask_for_hash(struct ahead *a, struct source *source, const struct digest *digest,
			 const struct content *content)
{
	pthread_mutex_lock(&a->lock);
	a->source = source;
	a->digest = digest;
	a->content = content;
	a->answered = false;
	a->wanted = !a->cancel && !a->stop;
	if (a->wanted) {
		wake_loop(a);
		while (!a->answered)
			pthread_cond_wait(&a->changed, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
}

static int verify_in(struct walk *w, struct source *source, const struct digest *digest)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	struct registry *registry = w->ahead->registry;

	if (!registry->options.verify_ahead)
		return 0;
	int r = source_open_blob(source, digest, &content);
	if (r < 0)
		(void)blob_is_closed(registry, source, digest, r);
	else if (verified_get(registry->verified, digest, &content.id) == VERDICT_UNKNOWN)
		ask_for_hash(w->ahead, source, digest, &content);
	return is_cancelled(w->ahead) ? -ECANCELED : 0;
}

/* Where it would be served from. */
static int verify_blob(struct walk *w, const struct digest *digest)
{
	for (size_t i = 0; i < view_main_sources(w->view); i++) {
		struct content_id id;
		if (source_stat_blob(view_source(w->view, i), digest, &id) == 0)
			return verify_in(w, view_source(w->view, i), digest);
	}
	return 0;
}

static int verify_image(struct walk *w, const struct manifest *manifest)
{
	int r = 0;

	if (manifest->config.digest.algorithm != DIGEST_NONE)
		r = verify_blob(w, &manifest->config.digest);
	for (size_t i = 0; r == 0 && i < manifest->n_items; i++)
		r = verify_blob(w, &manifest->items[i].digest);
	return r;
}

static int walk_tag(struct walk *w, const char *tag)
{
	_cleanup_(manifest_entry_unrefp) struct manifest_entry *entry = NULL;
	_cleanup_manifest_ struct manifest manifest = { 0 };
	struct load load = { .view = w->view,
			     .verified = w->ahead->registry->verified,
			     .registry_name = w->registry_name,
			     .repository = w->repository,
			     .tag = tag };
	int r = load_manifest(&load, &entry);

	if (r == 0 && entry->host_manifest.algorithm != DIGEST_NONE)
		r = load_by_digest(&load, &entry->host_manifest, &manifest);
	else if (r == 0)
		r = manifest_parse(entry->data, entry->size, &manifest, NULL);
	load_report(&load, w->ahead->registry);
	if (r == 0 && manifest.kind == MANIFEST_IMAGE)
		return verify_image(w, &manifest);
	return is_cancelled(w->ahead) ? -ECANCELED : 0;
}

/* Is it in a source that comes before this one? Then it was counted there. */
static bool tag_seen(const struct walk *w, const char *tag)
{
	struct content_id id;

	for (size_t i = 0; i < w->position; i++)
		if (source_stat_tag(view_source(w->view, i), w->registry_name, w->repository, tag,
				    &id) == 0)
			return true;
	return false;
}

static int count_manifest(const struct digest *digest, void *user)
{
	struct walk *w = user;
	struct content_id id;

	for (size_t i = 0; i < w->position; i++)
		if (source_stat_manifest(view_source(w->view, i), w->registry_name, w->repository,
					 digest, &id) == 0)
			return 0;
	w->counts.manifests++;
	return 0;
}

static int count_repository(const char *registry, const char *repository, void *user)
{
	struct walk *w = user;
	struct source *source = view_source(w->view, w->position);
	_cleanup_strv_ char **tags = NULL;

	w->registry_name = registry;
	w->repository = repository;
	int r = source_tags(source, registry, repository, &tags);
	STRV_FOREACH (tag, tags)
		w->counts.images += !tag_seen(w, *tag);
	if (r == 0)
		r = source_manifests(source, registry, repository, count_manifest, w);
	return is_cancelled(w->ahead) ? -ECANCELED : r;
}

static int walk_repository(const char *registry, const char *repository, void *user)
{
	struct walk *w = user;
	_cleanup_strv_ char **tags = NULL;

	w->registry_name = registry;
	w->repository = repository;
	int r = source_tags(view_source(w->view, w->position), registry, repository, &tags);
	STRV_FOREACH (tag, tags)
		if (r == 0 && !tag_seen(w, *tag))
			r = walk_tag(w, *tag);
	return r;
}

static int count_blob(const struct digest *digest, uint64_t size, void *user)
{
	struct walk *w = user;
	struct content_id id;

	for (size_t i = 0; i < w->position; i++)
		if (source_stat_blob(view_source(w->view, i), digest, &id) == 0)
			return 0;
	w->counts.blobs++;
	w->counts.bytes += size;
	return is_cancelled(w->ahead) ? -ECANCELED : 0;
}

static int visit_blob(const struct digest *digest, uint64_t size, void *user)
{
	struct walk *w = user;

	(void)size;
	return verify_in(w, view_source(w->view, w->position), digest);
}

static int count_source(struct walk *w, struct source *source)
{
	int r = source_repositories(source, count_repository, w);

	return r == 0 ? source_blobs(source, count_blob, w) : r;
}

static int verify_tags(struct walk *w, struct source *source)
{
	return source_repositories(source, walk_repository, w);
}

static int verify_rest(struct walk *w, struct source *source)
{
	return source_blobs(source, visit_blob, w);
}

static int for_each_source(struct walk *w, int (*visit)(struct walk *w, struct source *source))
{
	int r = 0;

	/* A source that cannot be read to its end does not keep the others from being walked. */
	for (w->position = 0; r != -ECANCELED && w->position < view_main_sources(w->view);
	     w->position++)
		r = visit(w, view_source(w->view, w->position));
	return r == -ECANCELED ? r : 0;
}

static void publish_counts(struct walk *w)
{
	pthread_mutex_lock(&w->ahead->lock);
	w->ahead->counts = w->counts;
	w->ahead->counted = true;
	wake_loop(w->ahead);
	pthread_mutex_unlock(&w->ahead->lock);
}

static void walk_view(struct ahead *a, struct view *view)
{
	struct walk walk = { .ahead = a, .view = view };
	int r = for_each_source(&walk, count_source);

	if (r == 0)
		publish_counts(&walk);
	if (r == 0 && a->registry->options.verify_ahead)
		r = for_each_source(&walk, verify_tags);
	if (r == 0 && a->registry->options.verify_ahead)
		r = for_each_source(&walk, verify_rest);
	if (r == 0)
		publish_counts(&walk);
}

static void *ahead_thread(void *user)
{
	struct ahead *a = user;
	struct sched_param none = { 0 };

	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		struct view *view = TAKE_PTR(a->next);
		a->cancel = false;
		if (!view) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		walk_view(a, view);
		view_unref(view);
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void on_hashed(enum verdict verdict, void *user)
{
	struct ahead *a = user;

	(void)verdict;
	pthread_mutex_lock(&a->lock);
	a->answered = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

static void report_status(struct registry *r)
{
	char size[TEXT_SIZE_MAX], text[160];

	if (!r->options.status)
		return;
	snprintf(text, sizeof(text), "Serving %llu images, %llu blobs, %s; %zu blobs verified",
		 (unsigned long long)r->metrics.images, (unsigned long long)r->metrics.blobs,
		 text_size_iec(r->metrics.stored_bytes, size), verified_count(r->verified));
	r->options.status(text, r->options.user);
}

static void on_message(evutil_socket_t fd, short what, void *user)
{
	struct ahead *a = user;
	struct metrics *m = &a->registry->metrics;
	uint64_t count;

	(void)what;
	(void)!read(fd, &count, sizeof(count));
	pthread_mutex_lock(&a->lock);
	bool wanted = a->wanted, counted = a->counted;
	struct counts counts = a->counts;
	a->wanted = a->counted = false;
	pthread_mutex_unlock(&a->lock);
	if (counted) {
		m->images = counts.images;
		m->manifests = counts.manifests;
		m->blobs = counts.blobs;
		m->stored_bytes = counts.bytes;
		report_status(a->registry);
	}
	/* The thread waits until it is answered, so what these point to stays. */
	if (wanted)
		hash_content(a->registry, a->source, a->digest, a->content, false, on_hashed, a);
}

static void on_restart(evutil_socket_t fd, short what, void *user)
{
	struct ahead *a = user;
	struct view *view = registry_view(a->registry);

	(void)fd;
	(void)what;
	if (!view)
		return;
	pthread_mutex_lock(&a->lock);
	if (a->next)
		view_unref(a->next);
	a->next = view_ref(view);
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

void ahead_restart(struct ahead *a)
{
	static const struct timeval soon = { 0, 20000 };

	pthread_mutex_lock(&a->lock);
	a->cancel = true;
	if (a->next)
		view_unref(a->next);
	a->next = NULL;
	pthread_mutex_unlock(&a->lock);
	hashing_let_go(a->registry);
	evtimer_add(a->restart_timer, &soon);
}

static int start_thread(struct ahead *a)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&a->thread, NULL, ahead_thread, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->started = r == 0;
	return -r;
}

int ahead_new(struct registry *r, struct ahead **ret)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->registry = r;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	a->message_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	a->restart_timer = evtimer_new(r->base, on_restart, a);
	a->message = event_new(r->base, a->message_fd, EV_READ | EV_PERSIST, on_message, a);
	int result = a->message_fd < 0 || !a->restart_timer || !a->message ||
				     event_add(a->message, NULL) < 0
			     ? -ENOMEM
			     : start_thread(a);
	if (result < 0) {
		ahead_free(a);
		return result;
	}
	*ret = a;
	return 0;
}

void ahead_stop(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	/* The loop will not answer any more; what it was asked to hash has another owner as well. */
	a->answered = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (a->started)
		pthread_join(a->thread, NULL);
	a->started = false;
}

void ahead_free(struct ahead *a)
{
	ahead_stop(a);
	if (a->next)
		view_unref(a->next);
	if (a->message)
		event_free(a->message);
	if (a->restart_timer)
		event_free(a->restart_timer);
	close_fd(a->message_fd);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
