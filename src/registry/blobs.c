/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs: hashed before their first byte goes out, once, by a thread; then sent from where they lie. */
#include "registry/inside.h"

#include <string.h>

#include "base/log.h"
#include "base/names.h"

#define BLOB_TYPE    "application/octet-stream"
#define ATTEMPTS_MAX 3

/* Somebody who waits for a verdict. */
struct waiter {
	hashed_fn done;
	void *user;
	struct waiter *next;
};

struct hashing_key {
	struct content_id id;
	struct digest digest;
	uint32_t zero; /* fills what would be padding */
};

struct hashing {
	struct job job;
	struct registry *registry;
	struct hashing_key key;
	struct blob_check *check;
	struct parts *parts; /* of the moment when it began; NULL: none are known */
	char *path;	     /* of the source, for the message */
	enum verdict verdict;
	int error; /* why its bytes could not be read; 0: they were */
	bool sound;
	bool cancel; /* atomic: nobody waits for it, and its source is to be let go */
	struct waiter *waiters;
	UT_hash_handle hh;
};

static bool hashing_step(struct job *job)
{
	struct hashing *h = (struct hashing *)job;

	if (__atomic_load_n(&h->cancel, __ATOMIC_RELAXED))
		return false;
	int r = blob_check_step(h->check, &h->sound);

	job->left = blob_check_left(h->check);
	if (r == 0)
		return true;
	if (h->parts && !parts_hold(h->parts, &h->key.id))
		r = -EAGAIN;
	/* Bytes that cannot be read are as bad as wrong ones; a file that changed is looked at anew by the next request. */
	if (r == 1)
		h->verdict = h->sound ? VERDICT_SOUND : VERDICT_CORRUPT;
	else
		h->verdict = r == -EAGAIN || r == -ENOMEM ? VERDICT_UNKNOWN : VERDICT_CORRUPT;
	h->error = r < 0 ? r : 0;
	return false;
}

/* By the file of its layer, if it is in one: the merged layers have no bytes of their own, and nobody could mend them. */
static void report_corrupt(const struct hashing *h)
{
	_cleanup_free_ char *file = h->parts ? parts_file(h->parts, &h->key.id) : NULL;

	registry_corrupt(h->registry, file ? file : h->path, &h->key.digest, &h->key.id,
			 NAME_BLOB_DIR, h->error);
}

static void hashing_done(struct job *job, bool cancelled)
{
	struct hashing *h = (struct hashing *)job;
	struct registry *r = h->registry;
	struct waiter *waiter;

	HASH_DEL(r->hashing, h);
	if (cancelled) {
		h->verdict = VERDICT_UNKNOWN;
	} else if (h->verdict == VERDICT_SOUND) {
		verified_set(r->verified, &h->key.digest, &h->key.id, true);
		r->metrics.verified++;
		r->metrics.verified_bytes += h->key.id.size;
	} else if (h->verdict == VERDICT_CORRUPT) {
		report_corrupt(h);
	}
	while ((waiter = h->waiters)) {
		h->waiters = waiter->next;
		waiter->done(h->verdict, waiter->user);
		free(waiter);
	}
	blob_check_free(h->check);
	if (h->parts)
		parts_unref(h->parts);
	free(h->path);
	free(h);
}

static struct hashing *new_hashing(struct registry *r, const struct source *source,
				   const struct hashing_key *key, const struct content *content)
{
	struct hashing *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->path = strdup(source_path(source));
	if (!h->path || blob_check_new(content, &key->digest, &h->check) < 0) {
		free(h->path);
		free(h);
		return NULL;
	}
	h->job.step = hashing_step;
	h->job.done = hashing_done;
	h->job.left = content->id.size;
	h->registry = r;
	h->parts = r->parts ? parts_ref(r->parts) : NULL;
	h->key = *key;
	HASH_ADD(hh, r->hashing, key, sizeof(h->key), h);
	return h;
}

void hash_content(struct registry *r, const struct source *source, const struct digest *digest,
		  const struct content *content, bool urgent, hashed_fn done, void *user)
{
	struct hashing_key key = { content->id, *digest, 0 };
	enum verdict known = verified_get(r->verified, digest, &content->id);
	struct hashing *h;

	if (known != VERDICT_UNKNOWN) {
		done(known, user);
		return;
	}
	struct waiter *waiter = malloc(sizeof(*waiter));
	HASH_FIND(hh, r->hashing, &key, sizeof(key), h);
	bool running = h != NULL;
	if (waiter && !h)
		h = new_hashing(r, source, &key, content);
	if (!waiter || !h) {
		free(waiter);
		done(VERDICT_UNKNOWN, user);
		return;
	}
	*waiter = (struct waiter){ done, user, h->waiters };
	h->waiters = waiter;
	if (!running)
		pool_submit(r->pool, &h->job, urgent);
	else if (urgent) {
		__atomic_store_n(&h->cancel, false, __ATOMIC_RELAXED);
		pool_hurry(r->pool, &h->job);
	}
}

bool blob_is_closed(struct registry *r, struct source *source, const struct digest *digest,
		    int error)
{
	struct content_id id;

	if ((error != -EACCES && error != -EPERM && error != -EIO) ||
	    source_stat_blob(source, digest, &id) < 0)
		return false;
	registry_corrupt(r, source_path(source), digest, &id, NAME_BLOB_DIR, error);
	return true;
}

void hashing_let_go(struct registry *r)
{
	struct hashing *h, *next;

	HASH_ITER (hh, r->hashing, h, next)
		if (!h->job.urgent || r->stopping)
			__atomic_store_n(&h->cancel, true, __ATOMIC_RELAXED);
}

/* A blob request that waits for its verdict. */
struct blob_wait {
	struct asked *asked;
	size_t position;
	bool damaged; /* a source before this one was */
	struct content content;
};

static void serve_from(const struct asked *asked, size_t position, bool damaged);

/* A blob on its way out. */
struct outgoing {
	struct registry *registry;
	struct source *source;
	struct parts
		*parts; /* NULL: the source is no part of a generation, or nothing is known of it */
	struct digest digest;
	struct content content;
	bool changed;
};

static ssize_t read_body(void *user, void *buffer, size_t size, uint64_t offset)
{
	struct outgoing *out = user;
	ssize_t n = content_read(&out->content, buffer, size, offset);

	out->changed = n == -EAGAIN;
	return n;
}

static bool body_holds(void *user)
{
	struct outgoing *out = user;

	out->changed = !content_holds(&out->content) ||
		       (out->parts && !parts_hold(out->parts, &out->content.id));
	return !out->changed;
}

/* The medium has failed, or the file was written to, since the blob was hashed: it is hashed again before it is believed again. */
static void body_unreadable(void *user)
{
	struct outgoing *out = user;
	_cleanup_free_ char *file = out->parts ? parts_file(out->parts, &out->content.id) : NULL;
	char digest[DIGEST_STRING_MAX];

	verified_forget(out->registry->verified, &out->digest, &out->content.id);
	log_warning("%s: the blob %s %s", file ? file : source_path(out->source),
		    digest_format(&out->digest, digest),
		    out->changed ? "was cut off: its file was written to while it was sent"
				 : "could not be read to its end while it was sent");
}

static void body_done(void *user)
{
	struct outgoing *out = user;

	content_done(&out->content);
	if (out->parts)
		parts_unref(out->parts);
	source_unref(out->source);
	free(out);
}

/* Takes content, which came from source. */
static void answer_blob(const struct asked *asked, struct source *source, struct content *content)
{
	struct parts *parts = view_parts(asked->view);
	struct outgoing *out = malloc(sizeof(*out));

	if (!out) {
		content_done(content);
		answer_out_of_memory(asked->exchange);
		return;
	}
	*out = (struct outgoing){
		.registry = asked->registry,
		.source = source_ref(source),
		.parts = parts ? parts_ref(parts) : NULL,
		.digest = asked->route.digest,
		.content = *content,
	};
	*content = CONTENT_INIT;
	struct http_body body = {
		.size = out->content.id.size,
		.fd = out->content.fd,
		.offset = out->content.offset,
		.read = read_body,
		.holds = body_holds,
		.unreadable = body_unreadable,
		.done = body_done,
		.user = out,
	};
	answer_content(asked, &asked->route.digest, BLOB_TYPE, &body);
}

static void verdict_came(enum verdict verdict, void *user)
{
	struct blob_wait *wait = user;

	/* The file changed meanwhile, or hashing it ahead of need was given up just before it was needed: once more. */
	bool again = verdict == VERDICT_UNKNOWN && wait->asked->attempts++ < ATTEMPTS_MAX;
	if (again)
		serve_from(wait->asked, wait->position, wait->damaged);
	else if (verdict == VERDICT_SOUND)
		answer_blob(wait->asked, view_source(wait->asked->view, wait->position),
			    &wait->content);
	else
		serve_from(wait->asked, wait->position + 1, true);
	content_done(&wait->content);
	asked_free(wait->asked);
	free(wait);
}

/* Takes content. */
static void wait_for_verdict(const struct asked *asked, size_t position, bool damaged,
			     struct content *content)
{
	struct registry *r = asked->registry;
	struct blob_wait *wait = calloc(1, sizeof(*wait));

	if (wait)
		wait->asked = asked_keep(asked);
	if (!wait || !wait->asked) {
		free(wait);
		content_done(content);
		answer_out_of_memory(asked->exchange);
		return;
	}
	wait->position = position;
	wait->damaged = damaged;
	wait->content = *content;
	*content = CONTENT_INIT;
	hash_content(r, view_source(asked->view, position), &asked->route.digest, &wait->content,
		     true, verdict_came, wait);
}

static void answer_unknown(const struct asked *asked)
{
	char digest[DIGEST_STRING_MAX];

	answer_common_fields(asked);
	answer_error(asked->exchange, 404, "BLOB_UNKNOWN", "there is no sound blob %s here",
		     digest_format(&asked->route.digest, digest));
}

/* Asks one source after the other; the fallbacks only once a main source has proved wrong. */
static void serve_from(const struct asked *asked, size_t position, bool damaged)
{
	for (; !asked->registry->stopping && (position < view_main_sources(asked->view) || damaged);
	     position++) {
		struct content content;
		struct source *source = view_source(asked->view, position);
		if (!source)
			break;
		int r = source_open_blob(source, &asked->route.digest, &content);
		if (r < 0) {
			damaged |= blob_is_closed(asked->registry, source, &asked->route.digest, r);
			continue;
		}
		switch (verified_get(asked->registry->verified, &asked->route.digest,
				     &content.id)) {
		case VERDICT_SOUND:
			answer_blob(asked, source, &content);
			return;
		case VERDICT_UNKNOWN:
			wait_for_verdict(asked, position, damaged, &content);
			return;
		default:
			damaged = true;
			content_done(&content);
		}
	}
	answer_unknown(asked);
}

void serve_blob(const struct asked *asked)
{
	serve_from(asked, 0, false);
}
