/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests by tag and by digest. What was read, verified and found complete is kept under the identity of its file, so that a
 * request costs one stat(2), and one reading where there are more manifests than memory for them. It is looked at again when
 * blobs came or went, when one proved corrupt, and after a while, by a thread.
 */
#include "registry/inside.h"

#include <string.h>
#include <sys/queue.h>

#define FRESH_MS 30000 /* answered from the cache without a second thought */
#define STALE_MS                                                                                   \
	60000 /* answered from the cache while a thread looks again; older waits for the thread */
#define BYTES_MAX (1U << 20)
#define NODES_MAX 16384
#define INLINE_MAX                                                                                 \
	(64U << 10) /* read on the loop's thread when their bytes are not in memory any more */
#define NAME_SEED 1469598103934665603ULL
#define COLD_MAX  8 /* requests by which it is told whether most find no bytes in memory */

/* The same file may be hard-linked into several repositories, whose other manifests differ. */
struct key {
	struct content_id id;
	uint64_t name; /* hash of registry and repository */
};

/*
 * What is known of one file. Its bytes are kept as long as there is room; what was found out about them stays longer, and
 * holds for as long as the file has its identity.
 */
struct node {
	struct key key;
	uint8_t digest[32];	      /* SHA-256 */
	const char *media_type;	      /* interned */
	struct manifest_entry *entry; /* NULL: its bytes are not in memory */
	uint64_t checked;	      /* ms */
	uint32_t epoch;
	bool checking;
	bool index;
	UT_hash_handle hh;
	TAILQ_ENTRY(node) order;
	TAILQ_ENTRY(node) loaded;
};

TAILQ_HEAD(node_list, node);

struct manifest_cache {
	struct node *nodes;
	struct node_list order;	 /* all, least recently used first */
	struct node_list loaded; /* those with their bytes, least recently used first */
	size_t bytes;
	unsigned
		cold; /* up to COLD_MAX: one more for each request whose bytes were not in memory, one less for each other */
	char *media_types[16];
	size_t n_media_types;
};

int manifests_new(struct manifest_cache **ret)
{
	struct manifest_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	TAILQ_INIT(&cache->order);
	TAILQ_INIT(&cache->loaded);
	*ret = cache;
	return 0;
}

/* Only a few media types are of use; NULL: there are more than that. */
static const char *intern(struct manifest_cache *cache, const char *media_type)
{
	for (size_t i = 0; i < cache->n_media_types; i++)
		if (strcmp(cache->media_types[i], media_type) == 0)
			return cache->media_types[i];
	if (cache->n_media_types == ARRAY_SIZE(cache->media_types))
		return NULL;
	char *copy = strdup(media_type);
	if (copy)
		cache->media_types[cache->n_media_types++] = copy;
	return copy;
}

static void unload(struct manifest_cache *cache, struct node *node)
{
	if (!node->entry)
		return;
	TAILQ_REMOVE(&cache->loaded, node, loaded);
	cache->bytes -= node->entry->size;
	manifest_entry_unref(node->entry);
	node->entry = NULL;
}

/* Becomes another owner of entry. */
static void load_into(struct manifest_cache *cache, struct node *node, struct manifest_entry *entry)
{
	unload(cache, node);
	while (cache->bytes + entry->size > BYTES_MAX && !TAILQ_EMPTY(&cache->loaded))
		unload(cache, TAILQ_FIRST(&cache->loaded));
	entry->owners++;
	node->entry = entry;
	cache->bytes += entry->size;
	TAILQ_INSERT_TAIL(&cache->loaded, node, loaded);
}

static void remove_node(struct manifest_cache *cache, struct node *node)
{
	unload(cache, node);
	HASH_DEL(cache->nodes, node);
	TAILQ_REMOVE(&cache->order, node, order);
	free(node);
}

void manifests_free(struct manifest_cache *cache)
{
	struct node *node;

	while ((node = TAILQ_FIRST(&cache->order)))
		remove_node(cache, node);
	for (size_t i = 0; i < cache->n_media_types; i++)
		free(cache->media_types[i]);
	free(cache);
}

/* FNV-1a */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return (hash ^ 0xff) * 1099511628211ULL;
}

static struct key make_key(const struct asked *asked, const struct content_id *id)
{
	uint64_t name = hash_text(hash_text(NAME_SEED, asked->registry_name), asked->repository);

	return (struct key){ *id, name };
}

static struct node *find_node(struct manifest_cache *cache, const struct key *key)
{
	struct node *node;

	HASH_FIND(hh, cache->nodes, key, sizeof(*key), node);
	if (!node)
		return NULL;
	TAILQ_REMOVE(&cache->order, node, order);
	TAILQ_INSERT_TAIL(&cache->order, node, order);
	if (node->entry) {
		TAILQ_REMOVE(&cache->loaded, node, loaded);
		TAILQ_INSERT_TAIL(&cache->loaded, node, loaded);
	}
	return node;
}

static struct node *new_node(struct manifest_cache *cache, const struct key *key)
{
	if (HASH_COUNT(cache->nodes) >= NODES_MAX)
		remove_node(cache, TAILQ_FIRST(&cache->order));
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->key = *key;
	HASH_ADD(hh, cache->nodes, key, sizeof(node->key), node);
	TAILQ_INSERT_TAIL(&cache->order, node, order);
	return node;
}

/* What a thread has found out about a file. */
static void keep(struct registry *r, const struct key *key, struct manifest_entry *entry,
		 uint32_t epoch)
{
	struct manifest_cache *cache = r->manifests;
	const char *media_type = intern(cache, entry->media_type);
	struct node *node = find_node(cache, key);

	if (entry->digest.algorithm != DIGEST_SHA256 || !media_type)
		return;
	if (!node)
		node = new_node(cache, key);
	if (!node)
		return;
	memcpy(node->digest, entry->digest.bytes, sizeof(node->digest));
	node->media_type = media_type;
	node->index = entry->index;
	node->checked = now_ms();
	node->epoch = epoch;
	node->checking = false;
	load_into(cache, node, entry);
}

static void body_done(void *user)
{
	manifest_entry_unref(user);
}

static void answer_entry(const struct asked *asked, struct manifest_entry *entry)
{
	struct http_body body = {
		.size = entry->size, .data = entry->data, .fd = -1, .done = body_done, .user = entry
	};

	entry->owners++;
	metrics_lookup(&asked->registry->metrics, asked->registry_name, true, true);
	answer_content(asked, &entry->digest, entry->media_type, &body);
}

/* load: what was found, or NULL. here: is there anything of this registry? */
static void answer_missing(const struct asked *asked, const struct load *load, bool here)
{
	char digest[DIGEST_STRING_MAX];
	const char *tag = asked->route.tag;

	metrics_lookup(&asked->registry->metrics, asked->registry_name, here, false);
	answer_common_fields(asked);
	if (load && *load->missing)
		answer_error(asked->exchange, 404, "MANIFEST_UNKNOWN",
			     "%s/%s is here, but not whole: %s is missing", asked->registry_name,
			     asked->repository, load->missing);
	else if (load && load->unreadable)
		answer_error(asked->exchange, 404, "MANIFEST_UNKNOWN",
			     "%s/%s is here, but its manifest is of no kind that is read here",
			     asked->registry_name, asked->repository);
	else if (load && load->error < 0)
		answer_error(asked->exchange, 404, "MANIFEST_UNKNOWN",
			     "%s/%s is here, but its manifest cannot be read: %s",
			     asked->registry_name, asked->repository, strerror(-load->error));
	else
		answer_error(asked->exchange, 404, "MANIFEST_UNKNOWN", "%s/%s has no %s here",
			     asked->registry_name, asked->repository,
			     *tag ? tag : digest_format(&asked->route.digest, digest));
}

/* A client that takes image manifests but no index gets, by tag, the manifest for this host. */
static bool wants_host_manifest(const struct asked *asked, const struct manifest_entry *entry)
{
	return asked->wants_image && asked->route.tag[0] && entry->index &&
	       entry->host_manifest.algorithm != DIGEST_NONE;
}

static void answer_or_descend(const struct asked *asked, struct manifest_entry *entry)
{
	if (!wants_host_manifest(asked, entry)) {
		answer_entry(asked, entry);
		return;
	}
	struct asked *inner = asked_keep(asked);
	if (!inner) {
		answer_out_of_memory(asked->exchange);
		return;
	}
	inner->route.tag[0] = '\0';
	inner->route.digest = entry->host_manifest;
	serve_manifest(inner);
	asked_free(inner);
}

struct manifest_job {
	struct job job;
	struct asked *asked;
	bool answers;	/* false: only looks again */
	uint32_t epoch; /* when it began: what changes meanwhile makes the result old */
	struct load load;
	struct manifest_entry *entry;
	int result;
};

static bool job_step(struct job *job)
{
	struct manifest_job *m = (struct manifest_job *)job;

	m->result = load_manifest(&m->load, &m->entry);
	return false;
}

static void settle_job(struct manifest_job *m)
{
	struct registry *r = m->asked->registry;

	load_report(&m->load, r);
	if (m->result == 0) {
		struct key key = make_key(m->asked, &m->load.id);
		keep(r, &key, m->entry, m->epoch);
	}
	if (!m->answers)
		return;
	if (m->result == 0)
		answer_or_descend(m->asked, m->entry);
	else if (m->result == -ENOMEM)
		answer_out_of_memory(m->asked->exchange);
	else
		answer_missing(m->asked, &m->load, true);
}

static void job_done(struct job *job, bool cancelled)
{
	struct manifest_job *m = (struct manifest_job *)job;

	if (!cancelled)
		settle_job(m);
	if (m->entry)
		manifest_entry_unref(m->entry);
	asked_free(m->asked);
	free(m);
}

static bool submit(const struct asked *asked, bool answers)
{
	struct manifest_job *m = calloc(1, sizeof(*m));

	if (m)
		m->asked = asked_keep(asked);
	if (!m || !m->asked) {
		free(m);
		return false;
	}
	m->job.step = job_step;
	m->job.done = job_done;
	m->answers = answers;
	m->epoch = (uint32_t)asked->registry->epoch;
	m->load = (struct load){
		.view = m->asked->view,
		.verified = asked->registry->verified,
		.registry_name = m->asked->registry_name,
		.repository = m->asked->repository,
		.tag = m->asked->route.tag[0] ? m->asked->route.tag : NULL,
		.digest = &m->asked->route.digest,
	};
	pool_submit(asked->registry->pool, &m->job, true);
	return true;
}

static int stat_file(const struct asked *asked, struct source *source, struct content_id *ret)
{
	const struct route *route = &asked->route;

	if (route->tag[0])
		return source_stat_tag(source, asked->registry_name, asked->repository, route->tag,
				       ret);
	return source_stat_manifest(source, asked->registry_name, asked->repository, &route->digest,
				    ret);
}

static int open_file(const struct asked *asked, struct source *source, struct content *ret)
{
	const struct route *route = &asked->route;

	if (route->tag[0])
		return source_open_tag(source, asked->registry_name, asked->repository, route->tag,
				       ret);
	return source_open_manifest(source, asked->registry_name, asked->repository, &route->digest,
				    ret);
}

/* The file that answers a request. */
struct found {
	struct source *source;
	bool open;		/* else of content there is only the id */
	struct content content; /* CONTENT_INIT at first */
};

/* In the first source that has one. It is opened at once where it will have to be, to look for its name once. */
static bool find_file(const struct asked *asked, struct found *ret)
{
	ret->open = asked->registry->manifests->cold > COLD_MAX / 2;
	for (size_t i = 0; i < view_main_sources(asked->view); i++) {
		ret->source = view_source(asked->view, i);
		int r = ret->open ? open_file(asked, ret->source, &ret->content)
				  : stat_file(asked, ret->source, &ret->content.id);
		if (r == 0)
			return true;
	}
	return false;
}

/* Is what is known good enough without a thread? Starts the thread that looks again when it is about time. */
static bool is_fresh(const struct asked *asked, struct node *node)
{
	uint64_t age = now_ms() - node->checked;

	if (node->epoch != (uint32_t)asked->registry->epoch || age > STALE_MS)
		return false;
	if (!asked->route.tag[0] &&
	    (asked->route.digest.algorithm != DIGEST_SHA256 ||
	     memcmp(node->digest, asked->route.digest.bytes, sizeof(node->digest)) != 0))
		return false;
	if (age > FRESH_MS && !node->checking)
		node->checking = submit(asked, false);
	return true;
}

static bool is_manifest_of(const struct manifest_entry *entry)
{
	struct digest found;

	return digest_of(entry->digest.algorithm, entry->data, entry->size, &found) == 0 &&
	       digest_equal(&found, &entry->digest);
}

static bool open_found(const struct asked *asked, struct found *found)
{
	if (!found->open)
		found->open = open_file(asked, found->source, &found->content) == 0;
	return found->open;
}

/* Reads the bytes again of a file that was verified and still was the same when it was opened. */
static struct manifest_entry *reload(const struct asked *asked, struct node *node,
				     struct found *found)
{
	struct content *content = &found->content;
	struct manifest_entry *entry;

	if (!open_found(asked, found) ||
	    memcmp(&content->id, &node->key.id, sizeof(content->id)) != 0 ||
	    content->id.size > INLINE_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->owners = 1;
	entry->digest.algorithm = DIGEST_SHA256;
	memcpy(entry->digest.bytes, node->digest, sizeof(node->digest));
	entry->media_type = strdup(node->media_type);
	if (entry->media_type &&
	    content_read_all(content, INLINE_MAX, &entry->data, &entry->size) == 0 &&
	    is_manifest_of(entry))
		return entry;
	manifest_entry_unref(entry);
	return NULL;
}

/* True: answered from what is known. */
static bool answer_from_node(const struct asked *asked, struct node *node, struct found *found)
{
	_cleanup_(manifest_entry_unrefp) struct manifest_entry *entry = NULL;
	struct manifest_cache *cache = asked->registry->manifests;

	if (!is_fresh(asked, node))
		return false;
	if (node->entry) {
		cache->cold -= cache->cold > 0;
		entry = node->entry;
		entry->owners++;
	} else {
		cache->cold += cache->cold < COLD_MAX;
		/* Which manifest of an index is for this host is known only while its bytes are. */
		if (asked->wants_image && node->index)
			return false;
		entry = reload(asked, node, found);
		if (!entry)
			return false;
	}
	answer_or_descend(asked, entry);
	return true;
}

static void serve_found(const struct asked *asked, struct found *found)
{
	struct key key = make_key(asked, &found->content.id);
	struct node *node = find_node(asked->registry->manifests, &key);

	if (node && answer_from_node(asked, node, found))
		return;
	if (!submit(asked, true))
		answer_out_of_memory(asked->exchange);
}

void serve_manifest(const struct asked *asked)
{
	struct found found = { .content = CONTENT_INIT };

	if (!find_file(asked, &found)) {
		bool here = metrics_know(&asked->registry->metrics, asked->registry_name) ||
			    view_has_registry(asked->view, asked->registry_name);
		answer_missing(asked, NULL, here);
		return;
	}
	serve_found(asked, &found);
	content_done(&found.content);
}
