/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests by tag and by digest. What was read, verified and found complete is kept under the identity of its file, so that a
 * request costs one stat(2); whether the blobs are still there is asked again every second, by a thread.
 */
#include "registry/inside.h"

#include <string.h>
#include <sys/queue.h>

#define FRESH_MS 1000 /* answered from the cache without a second thought */
#define STALE_MS                                                                                   \
	3000 /* answered from the cache while a thread looks again; older waits for the thread */
#define BYTES_MAX     (2U << 20)
#define NODES_MAX     32768
#define TAG_REPO_SEED 1469598103934665603ULL

/* The same file may be hard-linked into several repositories, whose other manifests differ. */
struct key {
	struct content_id id;
	uint64_t name; /* hash of registry and repository */
};

struct node {
	struct key key;
	struct manifest_entry *entry;
	uint64_t checked; /* ms */
	uint64_t epoch;
	bool checking;
	UT_hash_handle hh;
	TAILQ_ENTRY(node) order;
};

struct manifest_cache {
	struct node *nodes;
	TAILQ_HEAD(, node) order; /* least recently used first */
	size_t bytes;
};

int manifests_new(struct manifest_cache **ret)
{
	struct manifest_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	TAILQ_INIT(&cache->order);
	*ret = cache;
	return 0;
}

static void remove_node(struct manifest_cache *cache, struct node *node)
{
	HASH_DEL(cache->nodes, node);
	TAILQ_REMOVE(&cache->order, node, order);
	cache->bytes -= node->entry->size;
	manifest_entry_unref(node->entry);
	free(node);
}

void manifests_free(struct manifest_cache *cache)
{
	struct node *node;

	while ((node = TAILQ_FIRST(&cache->order)))
		remove_node(cache, node);
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
	uint64_t name =
		hash_text(hash_text(TAG_REPO_SEED, asked->registry_name), asked->repository);

	return (struct key){ *id, name };
}

static struct node *find_node(struct manifest_cache *cache, const struct key *key)
{
	struct node *node;

	HASH_FIND(hh, cache->nodes, key, sizeof(*key), node);
	if (node) {
		TAILQ_REMOVE(&cache->order, node, order);
		TAILQ_INSERT_TAIL(&cache->order, node, order);
	}
	return node;
}

/* Takes an owner of entry. */
static void keep(struct registry *r, const struct key *key, struct manifest_entry *entry)
{
	struct manifest_cache *cache = r->manifests;
	struct node *node = find_node(cache, key);

	if (node)
		remove_node(cache, node);
	while (cache->bytes + entry->size > BYTES_MAX || HASH_COUNT(cache->nodes) >= NODES_MAX) {
		node = TAILQ_FIRST(&cache->order);
		if (!node)
			break;
		remove_node(cache, node);
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		return;
	node->key = *key;
	node->entry = entry;
	node->checked = now_ms();
	node->epoch = r->epoch;
	entry->owners++;
	cache->bytes += entry->size;
	HASH_ADD(hh, cache->nodes, key, sizeof(node->key), node);
	TAILQ_INSERT_TAIL(&cache->order, node, order);
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

static void answer_missing(const struct asked *asked, const char *missing)
{
	char digest[DIGEST_STRING_MAX];
	const char *tag = asked->route.tag;

	metrics_lookup(&asked->registry->metrics, asked->registry_name, false, false);
	answer_common_fields(asked);
	if (*missing)
		answer_error(asked->exchange, 404, "MANIFEST_UNKNOWN",
			     "%s/%s is here, but not whole: %s is missing", asked->registry_name,
			     asked->repository, missing);
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
	bool answers; /* false: only looks again */
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

	for (size_t i = 0; i < m->load.n_damages; i++)
		registry_corrupt(r, m->load.damages[i].source, &m->load.damages[i].digest,
				 &m->load.damages[i].id, "manifest");
	if (m->result == 0) {
		struct key key = make_key(m->asked, &m->load.id);
		keep(r, &key, m->entry);
	}
	if (!m->answers)
		return;
	if (m->result == 0)
		answer_or_descend(m->asked, m->entry);
	else if (m->result == -ENOMEM)
		answer_out_of_memory(m->asked->exchange);
	else
		answer_missing(m->asked, m->load.missing);
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

/* The file that answers this request, in the first source that has one. */
static int find_file(const struct asked *asked, struct content_id *ret)
{
	for (size_t i = 0; i < view_main_sources(asked->view); i++) {
		struct source *source = view_source(asked->view, i);
		int r = asked->route.tag[0]
				? source_stat_tag(source, asked->registry_name, asked->repository,
						  asked->route.tag, ret)
				: source_stat_manifest(source, asked->registry_name,
						       asked->repository, &asked->route.digest,
						       ret);
		if (r == 0)
			return 0;
	}
	return -ENOENT;
}

/* Is the node's answer good enough without a thread? Starts the thread that looks again when it is about time. */
static bool is_fresh(const struct asked *asked, struct node *node)
{
	uint64_t age = now_ms() - node->checked;

	if (node->epoch != asked->registry->epoch || age > STALE_MS)
		return false;
	if (!asked->route.tag[0] && !digest_equal(&node->entry->digest, &asked->route.digest))
		return false;
	if (age > FRESH_MS && !node->checking)
		node->checking = submit(asked, false);
	return true;
}

void serve_manifest(const struct asked *asked)
{
	struct content_id id;

	if (find_file(asked, &id) < 0) {
		answer_missing(asked, "");
		return;
	}
	struct key key = make_key(asked, &id);
	struct node *node = find_node(asked->registry->manifests, &key);
	if (node && is_fresh(asked, node))
		answer_or_descend(asked, node->entry);
	else if (!submit(asked, true))
		answer_out_of_memory(asked->exchange);
}
