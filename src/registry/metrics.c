/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const unsigned codes[METRICS_CODES] = { 200, 206, 304, 400, 404, 405, 413, 414,
					       416, 417, 431, 500, 501, 503, 505, 0 };
static const char *const methods[METRICS_METHODS] = { "GET", "HEAD", "other" };

/* Upper bounds; the last one is +Inf. */
static const double buckets[METRICS_BUCKETS - 1] = { 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05,
						     0.1,    0.5,    1,	    5,	   10 };

void metrics_done(struct metrics *m)
{
	for (size_t i = 0; i < m->n_registries; i++)
		free(m->registries[i]);
	m->n_registries = 0;
}

static size_t code_index(unsigned status)
{
	size_t i = 0;

	while (i < METRICS_CODES - 1 && codes[i] != status)
		i++;
	return i;
}

void metrics_count(struct metrics *m, enum route_kind kind, enum http_method method,
		   const struct http_outcome *outcome)
{
	double seconds = (double)outcome->nanoseconds / 1e9;
	size_t bucket = 0;

	while (bucket < METRICS_BUCKETS - 1 && seconds > buckets[bucket])
		bucket++;
	m->requests[kind][method][code_index(outcome->status)]++;
	m->durations[kind][bucket]++;
	m->duration_ns[kind] += outcome->nanoseconds;
	m->body_bytes += outcome->body_sent;
	m->incomplete += !outcome->complete;
}

static struct metrics_registry *find_registry(struct metrics *m, const char *registry, bool known)
{
	for (size_t i = 0; i < m->n_registries; i++)
		if (strcmp(m->registries[i]->name, registry) == 0)
			return m->registries[i];
	if (!known || m->n_registries == METRICS_REGISTRIES_MAX ||
	    strlen(registry) > REFERENCE_REGISTRY_MAX)
		return NULL;
	struct metrics_registry *new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	memcpy(new->name, registry, strlen(registry) + 1);
	m->registries[m->n_registries++] = new;
	return new;
}

bool metrics_know(struct metrics *m, const char *registry)
{
	return find_registry(m, registry, false) != NULL;
}

void metrics_lookup(struct metrics *m, const char *registry, bool known, bool hit)
{
	struct metrics_registry *r = find_registry(m, registry, known);

	if (r && hit)
		r->hits++;
	else if (r)
		r->misses++;
	else
		m->other_misses += !hit;
}

static void write_head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_one(FILE *f, const char *name, const char *type, const char *help, uint64_t value)
{
	write_head(f, name, type, help);
	fprintf(f, "%s %" PRIu64 "\n", name, value);
}

static void write_requests(FILE *f, const struct metrics *m)
{
	write_head(f, "larder_http_requests_total", "counter", "Answered requests.");
	for (enum route_kind kind = 0; kind < ROUTE_KINDS; kind++)
		for (size_t method = 0; method < METRICS_METHODS; method++)
			for (size_t code = 0; code < METRICS_CODES; code++) {
				uint64_t n = m->requests[kind][method][code];
				if (n == 0)
					continue;
				fprintf(f,
					"larder_http_requests_total{handler=\"%s\",method=\"%s\",code=\"",
					route_kind_name(kind), methods[method]);
				if (codes[code])
					fprintf(f, "%u\"} %" PRIu64 "\n", codes[code], n);
				else
					fprintf(f, "other\"} %" PRIu64 "\n", n);
			}
}

static void write_duration(FILE *f, const struct metrics *m, enum route_kind kind)
{
	static const char name[] = "larder_http_request_duration_seconds";
	const char *handler = route_kind_name(kind);
	uint64_t sum = 0;

	for (size_t i = 0; i < METRICS_BUCKETS; i++)
		sum += m->durations[kind][i];
	if (sum == 0)
		return;
	sum = 0;
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += m->durations[kind][i];
		if (i < METRICS_BUCKETS - 1)
			fprintf(f, "%s_bucket{handler=\"%s\",le=\"%g\"} %" PRIu64 "\n", name,
				handler, buckets[i], sum);
		else
			fprintf(f, "%s_bucket{handler=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
				handler, sum);
	}
	fprintf(f, "%s_sum{handler=\"%s\"} %.9f\n", name, handler,
		(double)m->duration_ns[kind] / 1e9);
	fprintf(f, "%s_count{handler=\"%s\"} %" PRIu64 "\n", name, handler, sum);
}

static void write_lookups(FILE *f, const struct metrics *m)
{
	write_head(f, "larder_cache_hits_total", "counter",
		   "Manifests that were asked for and found, by registry.");
	for (size_t i = 0; i < m->n_registries; i++)
		fprintf(f, "larder_cache_hits_total{registry=\"%s\"} %" PRIu64 "\n",
			m->registries[i]->name, m->registries[i]->hits);
	write_head(f, "larder_cache_misses_total", "counter",
		   "Manifests that were asked for and not found, by registry.");
	for (size_t i = 0; i < m->n_registries; i++)
		fprintf(f, "larder_cache_misses_total{registry=\"%s\"} %" PRIu64 "\n",
			m->registries[i]->name, m->registries[i]->misses);
	fprintf(f, "larder_cache_misses_total{registry=\"other\"} %" PRIu64 "\n", m->other_misses);
}

static void write_store(FILE *f, const struct metrics *m)
{
	write_one(f, "larder_store_images", "gauge", "Tags in the store.", m->images);
	write_one(f, "larder_store_manifests", "gauge", "Manifests in the store.", m->manifests);
	write_one(f, "larder_store_blobs", "gauge", "Blobs in the store.", m->blobs);
	write_one(f, "larder_store_blob_bytes", "gauge", "Bytes of all blobs in the store.",
		  m->stored_bytes);
	write_one(f, "larder_verified_total", "counter", "Blobs that were hashed and found sound.",
		  m->verified);
	write_one(f, "larder_verified_bytes_total", "counter", "Bytes that were hashed.",
		  m->verified_bytes);
	write_one(f, "larder_verification_failures_total", "counter",
		  "Blobs and manifests whose bytes do not belong to their digest.", m->corrupt);
}

char *metrics_text(const struct metrics *m, unsigned connections, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return NULL;
	write_head(f, "larder_build_info", "gauge", "Version of this program.");
	fprintf(f, "larder_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	write_requests(f, m);
	write_head(f, "larder_http_request_duration_seconds", "histogram",
		   "Time from the complete request to the last byte of its answer.");
	for (enum route_kind kind = 0; kind < ROUTE_KINDS; kind++)
		write_duration(f, m, kind);
	write_one(f, "larder_http_response_bytes_total", "counter", "Bytes of bodies sent.",
		  m->body_bytes);
	write_one(f, "larder_http_responses_incomplete_total", "counter",
		  "Answers that ended before their last byte.", m->incomplete);
	write_one(f, "larder_http_connections", "gauge", "Open connections.", connections);
	write_lookups(f, m);
	write_store(f, m);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
