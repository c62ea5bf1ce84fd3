/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_REGISTRY_INSIDE_H
#define LARDER_REGISTRY_INSIDE_H
/*
 * Inside of the registry: what its files share.
 *
 *	registry.c    wiring: handler, views, pool
 *	asked.c       one request: what counts of its fields, and where its name leads
 *	answer.c      errors, conditions, ranges
 *	manifests.c   manifests by tag and digest, and the cache of them
 *	load.c        reading, verifying and judging one manifest, on a thread
 *	blobs.c       blobs, hashed before their first byte
 *	lists.c       tags, catalog, referrers, readiness: whatever reads directories
 *	referrers.c   what refers to a manifest
 *	ready.c       whether there is an image that can be served
 *	ahead.c       the walk over the store: counting, and hashing what nobody asked for yet
 *	watch.c       notices that sources came, went or changed
 */
#include <jansson.h>
#include <sys/queue.h>
#include <uthash.h>

#include "registry/metrics.h"
#include "registry/registry.h"
#include "registry/route.h"
#include "store/manifest.h"
#include "store/pool.h"
#include "store/verify.h"
#include "store/view.h"

#define VIEW_LEASE_MS 100 /* how long an idle registry keeps its sources open */

struct manifest_cache;
struct hashing;
struct ahead;
struct watch;

/* More are answered 503: what waits holds a connection, also when its client is gone, and one list may take a second. */
#define LISTS_WAITING_MAX 256

struct list_job;
struct lists {
	STAILQ_HEAD(, list_job) waiting;
	unsigned n_waiting;
	bool running; /* one at a time: nothing else that is asked for waits for many lists */
};

struct registry {
	struct event_base *base;
	struct registry_options options;
	struct http_server *server;
	struct pool *pool;
	struct event *pool_event;
	struct verified *verified;
	struct metrics metrics;
	struct source **caches; /* of options.caches, kept open */
	size_t n_caches;
	struct parts *parts; /* of the current generation; NULL: not known */
	struct view *view;   /* NULL: not leased at the moment */
	uint64_t view_since; /* ms */
	struct event *lease_timer;
	uint64_t view_stamp; /* of the last view */
	bool stopping;	     /* nothing is to be kept open */
	uint64_t
		epoch; /* atomic: counts changes of the sources, and of what is known to be corrupt */
	struct manifest_cache *manifests;
	struct lists lists;
	bool ready;		 /* an image could be served, */
	uint64_t ready_epoch;	 /* when the epoch was this */
	struct hashing *hashing; /* uthash: contents that are being hashed */
	struct ahead *ahead;
	struct watch *watch;
};

/* One request while it is answered. A plain value: what needs it later copies it, with view_ref() of its view. */
struct asked {
	struct registry *registry;
	struct http_exchange *exchange;
	struct view *view;
	struct route route;
	/* For manifests, tags and referrers: where the name leads. */
	char registry_name[REFERENCE_REGISTRY_MAX + 1];
	char repository[ROUTE_NAME_MAX + 1];
	bool wants_image;  /* Accept has image manifests but no index */
	unsigned attempts; /* to have its blob hashed that came to nothing */
	/* Conditions, "" if there are none; what is too long to be one of ours is dropped. */
	char if_none_match[512];
	char if_range[DIGEST_STRING_MAX + 8];
	char range[64];
};

uint64_t now_ms(void);

/* The view of this moment, borrowed until control returns to the loop. NULL: out of memory. */
struct view *registry_view(struct registry *r);

/* asked.c */
/* Takes from the request what counts later: conditions, ranges, what is accepted. */
void asked_read(struct asked *asked, const struct http_request *request);
/* Where the name leads: ?ns=, else the registry in the name, else the one registry that has it. -ENOENT, -ENOTUNIQ, -ENOMEM */
int asked_resolve(struct asked *asked);
/* A copy on the heap that owns its view; NULL: out of memory. */
struct asked *asked_keep(const struct asked *asked);
void asked_free(struct asked *asked);
DEFINE_CLEANUP(struct asked *, asked_free);

/*
 * One line in the journal for each damaged file; path is that of its source. error: why it cannot be read, a negative errno; 0: it was read,
 * and has other bytes. On any thread.
 */
void registry_corrupt(struct registry *r, const char *path, const struct digest *digest,
		      const struct content_id *id, const char *what, int error);

/* answer.c */
void answer_error(struct http_exchange *x, unsigned status, const char *code, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));
void answer_out_of_memory(struct http_exchange *x);
/* The fields that every answer of the registry has. */
void answer_common_fields(const struct asked *asked);
/* A content with its digest: 200, 206, 304 or 416. body is the whole; it is taken in any case. */
void answer_content(const struct asked *asked, const struct digest *digest, const char *media_type,
		    struct http_body *body);

/* manifests.c: asked->registry_name and repository are set */
int manifests_new(struct manifest_cache **ret);
void manifests_free(struct manifest_cache *cache);
void serve_manifest(const struct asked *asked);

/* load.c */
struct manifest_entry {
	unsigned owners; /* loop's thread only */
	struct digest digest;
	char *media_type;
	char *data;
	size_t size;
	bool index;
	struct digest
		host_manifest; /* of an index: its manifest for this host; algorithm NONE: none */
};
void manifest_entry_unref(struct manifest_entry *entry);
DEFINE_CLEANUP(struct manifest_entry *, manifest_entry_unref);

struct load {
	struct view *view; /* borrowed */
	struct verified *verified;
	const char *registry_name;
	const char *repository;
	const char *tag; /* NULL: by digest */
	const struct digest *digest;
	/* Results */
	struct content_id id;		 /* of the file that was found */
	char missing[DIGEST_STRING_MAX]; /* what is not there of an incomplete image; "": nothing */
	bool unreadable; /* a manifest is sound, but of no kind that is read here (store/manifest.h) */
	int error; /* why the file of a tag or manifest could not be opened; 0: there was none such */
	/* Damaged files that were come by, at most LOAD_DAMAGES_MAX of them. */
	struct damage {
		struct source *source; /* borrowed from the view */
		struct digest digest;
		struct content_id id;
		int error; /* as for registry_corrupt() */
	} damages[8];
	size_t n_damages;
	size_t followed; /* entries of indexes, of the manifest that is being read */
};
/* On any thread. -ENOENT: no sound and complete manifest is there. */
int load_manifest(struct load *load, struct manifest_entry **ret);

/* Reads and parses a manifest whose bytes belong to digest, from the first source that has it sound. */
int load_by_digest(struct load *load, const struct digest *digest, struct manifest *ret);

/* Tells of the damaged files: each by the file of its layer, if it is in one. Any thread. */
void load_report(const struct load *load, struct registry *r);

/* blobs.c */
void serve_blob(const struct asked *asked);
/* Hashes a content unless that is known or under way; done is called on the loop's thread, maybe at once. */
typedef void (*hashed_fn)(enum verdict verdict, void *user);
void hash_content(struct registry *r, const struct source *source, const struct digest *digest,
		  const struct content *content, bool urgent, hashed_fn done, void *user);

/*
 * After a blob could not be opened: one that is there all the same is as bad as a corrupt one, which is noted, so that images with it are
 * not offered. False: it is not there, or may be opened in a moment. On any thread.
 */
bool blob_is_closed(struct registry *r, struct source *source, const struct digest *digest,
		    int error);

/* Gives up hashing that nobody waits for, or all of it while stopping. */
void hashing_let_go(struct registry *r);

/* lists.c */
void lists_init(struct lists *lists);
/* After the pool: frees those that wait. */
void lists_done(struct lists *lists);
void serve_list(const struct asked *asked);

/* referrers.c: the index of them, the caller's. On a thread. -ENOENT: there is no such repository. */
int referrers_of(const struct asked *asked, json_t **ret);

/* ready.c: 0: an image can be served; -ENODATA: none is whole; -ENOENT: there is none. On a thread. */
int ready_search(const struct asked *asked);

/* ahead.c */
int ahead_new(struct registry *r, struct ahead **ret);
/* Ends the thread; ahead_free() only after the pool's jobs are done, some of which answer to it. */
void ahead_stop(struct ahead *ahead);
void ahead_free(struct ahead *ahead);
/* The sources have changed: a new walk begins soon. */
void ahead_restart(struct ahead *ahead);

/* watch.c */
int watch_new(struct registry *r, const char *run_dir, struct watch **ret);
void watch_free(struct watch *watch);
DEFINE_CLEANUP(struct watch *, watch_free);
void registry_changed(struct registry *r);

#endif
