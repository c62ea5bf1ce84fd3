/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/select.h"

#include <string.h>

#include "base/text.h"
#include "layers/find.h"
#include "layers/trust.h"
#include "layers/version.h"

static int set_state(struct layer *layer, enum layer_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int set_state(struct layer *layer, enum layer_state state, const char *format, ...)
{
	va_list ap;

	free(layer->reason);
	va_start(ap, format);
	layer->reason = text_vformat(format, ap);
	va_end(ap);
	layer->state = state;
	return layer->reason ? 0 : -ENOMEM;
}

static const char *version_of(const struct layer *layer)
{
	return layer->manifest.version ? layer->manifest.version : "";
}

static const struct wanted_layer *wanted(const struct layer_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_layers; i++)
		if (strcmp(config->layers[i].name, name) == 0)
			return &config->layers[i];
	return NULL;
}

static bool is_pinned(const struct layer_config *config, const struct layer *layer)
{
	const struct wanted_layer *w = wanted(config, layer->manifest.name);

	return w && w->version && layer_version_compare(w->version, version_of(layer)) == 0;
}

/* Above 0: a is to be taken before b, which has the same name. */
static int compare_candidates(const struct layer *a, const struct layer *b)
{
	if (a->is_signed != b->is_signed)
		return a->is_signed ? 1 : -1;
	int order = layer_version_compare(version_of(a), version_of(b));
	if (order == 0)
		order = (int)b->origin - (int)a->origin;
	/* Any order will do, as long as it does not depend on which medium was plugged in first. */
	return order ? order : memcmp(&a->id, &b->id, sizeof(a->id));
}

/* Everything that can be said of one layer by itself; LAYER_ACTIVE stands for "may become active". */
static int judge_alone(const struct layer_config *config, struct layer *layer)
{
	const struct wanted_layer *w = wanted(config, layer->manifest.name);

	if (layer->state == LAYER_BROKEN)
		return 0;
	layer->state = LAYER_ACTIVE;
	if (config->trust_required && !layer->is_signed)
		return set_state(layer, LAYER_REFUSED, "%s",
				 layer->unchecked ? TRUST_UNCHECKED
						  : "it is not signed by a trusted key");
	if (layer->tree)
		return 0;
	if (config->n_layers && !w)
		return set_state(layer, LAYER_NOT_CONFIGURED, "CacheLayerConfig does not list it");
	if (w && w->version && !is_pinned(config, layer))
		return set_state(layer, LAYER_SUPERSEDED, "version %s is configured", w->version);
	return 0;
}

/* The reason names the version that is active, or the place of the copy that is. */
static int supersede(struct layer *loser, const struct layer *winner)
{
	if (layer_version_compare(version_of(loser), version_of(winner)) != 0)
		return set_state(loser, LAYER_SUPERSEDED, "version %s is active",
				 version_of(winner));
	/* Of two files in one place, the place does not say which one it is. */
	bool same_place = loser->origin == winner->origin;
	if (!digest_equal(&loser->id, &winner->id))
		return set_state(loser, LAYER_SUPERSEDED,
				 "the same version with other content is active from the %s%s%s%s",
				 layer_origin_name(winner->origin), same_place ? " (" : "",
				 same_place ? layer_file_name(winner) : "", same_place ? ")" : "");
	return set_state(loser, LAYER_SUPERSEDED, "it is active from the %s%s%s%s",
			 layer_origin_name(winner->origin), same_place ? " (" : "",
			 same_place ? layer_file_name(winner) : "", same_place ? ")" : "");
}

/* Two of one place that claim to be the same and are not: nobody can have meant that. */
static int note_impostors(struct layers_result *result, const struct layer *a,
			  const struct layer *b)
{
	if (a->origin != b->origin || digest_equal(&a->id, &b->id) ||
	    layer_version_compare(version_of(a), version_of(b)) != 0)
		return 0;
	return strv_addf(
		&result->conflicts,
		"%s and %s are both %s %s and have different content; give one of them another "
		"version",
		a->path, b->path, a->manifest.name, version_of(a));
}

static bool competes(const struct layer *layer, bool media)
{
	return layer->state == LAYER_ACTIVE && !layer->tree &&
	       (media || layer->origin != LAYER_ON_MEDIUM);
}

/* Of the layers that are called as the one at first, one stays active. Who wins in the end is known later: name_winners(). */
static int choose_version(struct layers_result *result, size_t first, bool media)
{
	struct layer *layers = result->layers, *winner = &layers[first];
	const char *name = winner->manifest.name;
	int r = 0;

	for (size_t i = first + 1; r == 0 && i < result->n_layers; i++) {
		if (!competes(&layers[i], media) || strcmp(layers[i].manifest.name, name) != 0)
			continue;
		for (size_t k = first; r == 0 && k < i; k++)
			if (competes(&layers[k], media) &&
			    strcmp(layers[k].manifest.name, name) == 0)
				r = note_impostors(result, &layers[k], &layers[i]);
		if (compare_candidates(winner, &layers[i]) <= 0)
			winner = &layers[i];
	}
	for (size_t i = first; r == 0 && i < result->n_layers; i++) {
		if (&layers[i] == winner || !competes(&layers[i], media) ||
		    strcmp(layers[i].manifest.name, name) != 0)
			continue;
		layers[i].state = LAYER_SUPERSEDED;
		free(layers[i].reason);
		layers[i].reason = NULL;
	}
	return r;
}

/* One active layer per name; without media, only the machine's own are looked at. */
static int choose_versions(struct layers_result *result, bool media)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++)
		if (competes(&result->layers[i], media))
			r = choose_version(result, i, media);
	return r;
}

/* The reason of each layer that lost names the one that is active now, not one that lost after it. */
static int name_winners(struct layers_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		struct layer *loser = &result->layers[i];
		if (loser->state != LAYER_SUPERSEDED || loser->reason)
			continue;
		for (size_t k = 0; r == 0 && k < result->n_layers && !loser->reason; k++)
			if (competes(&result->layers[k], true) &&
			    strcmp(result->layers[k].manifest.name, loser->manifest.name) == 0)
				r = supersede(loser, &result->layers[k]);
	}
	return r;
}

/* A tag of one layer, for finding the same tag in others. */
struct entry {
	const struct layer_image *image;
	struct layer *layer;
	size_t position;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->image->reference, y->image->reference);

	return order ? order : (x->position > y->position) - (x->position < y->position);
}

static bool belongs_to_machine(const struct layer *layer)
{
	return layer->origin != LAYER_ON_MEDIUM && layer->state == LAYER_ACTIVE;
}

/* What is superseded now holds its tags all the same: else one layer could clear the way for another. */
static bool holds_tags(const struct layer *layer)
{
	return layer->origin != LAYER_ON_MEDIUM && !layer->tree && layer->state != LAYER_BROKEN &&
	       layer->state != LAYER_REFUSED;
}

static bool holds_or_serves(const struct layer *layer)
{
	return holds_tags(layer) || (!layer->tree && layer->state == LAYER_ACTIVE);
}

/* All images of the layers that fits() names, sorted by reference, then by order of the layers. */
static int collect_entries(struct layers_result *result, bool (*fits)(const struct layer *layer),
			   struct entry **ret, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_layers; i++)
		n += fits(&result->layers[i]) ? result->layers[i].manifest.n_images : 0;
	struct entry *entries = calloc(n + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		for (size_t k = 0; fits(layer) && k < layer->manifest.n_images; k++)
			entries[n++] = (struct entry){ &layer->manifest.images[k], layer, i };
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	*ret = entries;
	*ret_n = n;
	return 0;
}

/* Those that give one tag, in their order. */
struct holders {
	struct entry *first;
	size_t n;
	const struct entry *active; /* the topmost that is served; NULL: none is */
};

static struct holders holders_of(const char *reference, struct entry *entries, size_t n)
{
	struct holders h = { .first = entries };
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(entries[middle].image->reference, reference) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (h.first += low; low + h.n < n; h.n++) {
		const struct entry *e = &h.first[h.n];
		if (strcmp(e->image->reference, reference) != 0)
			break;
		if (e->layer->state == LAYER_ACTIVE)
			h.active = e;
	}
	return h;
}

/* Is it meant that this layer of a medium changes what that layer says? */
static bool may_replace(const struct layer_config *config, const struct layer *layer,
			const struct layer *holder)
{
	if (strcmp(layer->manifest.name, holder->manifest.name) != 0)
		return false;
	return is_pinned(config, layer) ||
	       (layer->is_signed &&
		layer_version_compare(version_of(layer), version_of(holder)) > 0);
}

/* Who keeps this image's tag from getting another meaning, or NULL. Where a holder is served, it says what the tag means. */
static struct entry *kept_by(const struct layer_config *config, const struct layer *layer,
			     const struct layer_image *image, struct entry *held, size_t n)
{
	struct holders h = holders_of(image->reference, held, n);

	if (h.active && digest_equal(&h.active->image->digest, &image->digest))
		return NULL;
	for (size_t i = 0; i < h.n; i++) {
		struct entry *e = &h.first[i];
		if ((!h.active || e->layer->state == LAYER_ACTIVE) &&
		    !digest_equal(&e->image->digest, &image->digest) &&
		    !may_replace(config, layer, e->layer))
			return e;
	}
	return NULL;
}

/* As kept_by(), of a cache tree: it lies below all layers, so it replaces only what none of them serves. */
static struct entry *kept_from_tree(const struct layer_image *image, struct entry *held, size_t n)
{
	struct holders h = holders_of(image->reference, held, n);

	for (size_t i = 0; !h.active && i < h.n; i++)
		if (!digest_equal(&h.first[i].image->digest, &image->digest))
			return &h.first[i];
	return NULL;
}

static int refuse(struct layer *layer, struct entry *e)
{
	struct layer *holder = e->layer;
	const char *hint = "";

	holder->guards = true;
	if (!layer->tree && strcmp(layer->manifest.name, holder->manifest.name) == 0)
		hint = "pin its version, sign a newer version, or ";
	return set_state(layer, LAYER_REFUSED,
			 "it would replace %s, which %s%s%s holds; if that is meant, %s%s",
			 e->image->reference, holder->manifest.name, *version_of(holder) ? " " : "",
			 version_of(holder), hint,
			 layer->tree ? "delete that layer" : "\"larder layers add\" it");
}

/* Is a layer of the same name active here already that is to be taken before it? */
static bool loses_anyway(const struct layers_result *result, const struct layer *layer)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *own = &result->layers[i];
		if (belongs_to_machine(own) &&
		    strcmp(own->manifest.name, layer->manifest.name) == 0 &&
		    compare_candidates(own, layer) > 0)
			return true;
	}
	return false;
}

/*
 * A medium may add references, but it may not replace what a tag means here: a stick in the front of a machine would otherwise
 * serve its own registry.k8s.io/pause. What was refused is not copied either, so a copy on the volume may be believed.
 */
static int refuse_replacements(const struct layer_config *config, struct layers_result *result)
{
	_cleanup_free_ struct entry *held = NULL;
	size_t n;
	int r = collect_entries(result, holds_tags, &held, &n);

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		const struct layer_manifest *m = &layer->manifest;
		if (layer->origin != LAYER_ON_MEDIUM || layer->state != LAYER_ACTIVE ||
		    layer->tree || loses_anyway(result, layer))
			continue;
		struct entry *e = NULL;
		for (size_t k = 0; !e && k < m->n_images; k++)
			e = kept_by(config, layer, &m->images[k], held, n);
		if (e)
			r = refuse(layer, e);
	}
	return r;
}

/* Once it is known which layers are active. */
static int refuse_trees(struct layers_result *result)
{
	_cleanup_free_ struct entry *held = NULL;
	size_t n;
	int r = collect_entries(result, holds_or_serves, &held, &n);

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		struct layer *tree = &result->layers[i];
		struct entry *e = NULL;
		if (!tree->tree || tree->state != LAYER_ACTIVE)
			continue;
		for (size_t k = 0; !e && k < tree->manifest.n_images; k++)
			e = kept_from_tree(&tree->manifest.images[k], held, n);
		if (e)
			r = refuse(tree, e);
	}
	return r;
}

static bool is_active(const struct layer *layer)
{
	return layer->state == LAYER_ACTIVE;
}

static int find_conflicts(struct layers_result *result)
{
	_cleanup_free_ struct entry *entries = NULL;
	size_t n;
	int r = collect_entries(result, is_active, &entries, &n);

	for (size_t i = 1; r == 0 && i < n; i++) {
		const struct entry *a = &entries[i - 1], *b = &entries[i];
		if (strcmp(a->image->reference, b->image->reference) == 0 &&
		    !digest_equal(&a->image->digest, &b->image->digest))
			r = strv_addf(&result->conflicts,
				      "%s and %s give %s different digests; that of %s counts",
				      a->layer->manifest.name, b->layer->manifest.name,
				      a->image->reference, b->layer->manifest.name);
	}
	return r;
}

/* Beyond what one overlay takes, the last in order are left out, so that those that worked go on working. */
static int limit_active(struct layers_result *result)
{
	size_t active = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE && ++active > LAYERS_ACTIVE_MAX)
			r = set_state(layer, LAYER_BROKEN,
				      "%d layers are active already, and one overlay takes no more",
				      LAYERS_ACTIVE_MAX);
	}
	return r;
}

static bool is_there(const struct layers_result *result, const struct wanted_layer *w)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (strcmp(layer->manifest.name, w->name) == 0 && layer->state != LAYER_SUPERSEDED)
			return true;
	}
	return false;
}

static int add_missing(const struct layer_config *config, struct layers_result *result)
{
	size_t n = result->n_layers;

	for (size_t i = 0; i < config->n_layers; i++) {
		const struct wanted_layer *w = &config->layers[i];
		struct layers_result found = { .layers = result->layers, .n_layers = n };
		if (is_there(&found, w))
			continue;
		struct layer *layer = layers_add(result);
		if (!layer)
			return -ENOMEM;
		layer->manifest.name = strdup(w->name);
		layer->manifest.version = w->version ? strdup(w->version) : NULL;
		if (!layer->manifest.name || (w->version && !layer->manifest.version) ||
		    set_state(layer, LAYER_MISSING,
			      "CacheLayerConfig wants it, and it is nowhere") < 0)
			return -ENOMEM;
	}
	return 0;
}

int layers_select(const struct layer_config *config, struct layers_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++)
		r = judge_alone(config, &result->layers[i]);
	if (r == 0)
		r = choose_versions(result, false);
	if (r == 0)
		r = refuse_replacements(config, result);
	if (r == 0)
		r = choose_versions(result, true);
	if (r == 0)
		r = refuse_trees(result);
	if (r == 0)
		r = name_winners(result);
	if (r == 0)
		r = limit_active(result);
	if (r == 0)
		r = find_conflicts(result);
	return r < 0 ? r : add_missing(config, result);
}
