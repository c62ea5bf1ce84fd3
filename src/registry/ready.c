/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there an image that can be served? The first one that is whole says yes, and most often it is the first of all. */
#include "registry/inside.h"

#include "base/text.h"

#define FOUND 1 /* ends a walk */

struct search {
	struct load load;
	struct source *source;
	bool any; /* there is an image, though maybe not whole */
};

static int try_to_load(struct search *search, const char *tag, const struct digest *digest)
{
	struct manifest_entry *entry;
	struct load load = search->load;

	load.tag = tag;
	load.digest = digest;
	search->any = true;
	if (load_manifest(&load, &entry) < 0)
		return 0;
	manifest_entry_unref(entry);
	return FOUND;
}

static int try_digest(const struct digest *digest, void *user)
{
	return try_to_load(user, NULL, digest);
}

static int try_repository(const char *registry, const char *repository, void *user)
{
	struct search *search = user;
	_cleanup_strv_ char **tags = NULL;
	int r = source_tags(search->source, registry, repository, &tags);

	search->load.registry_name = registry;
	search->load.repository = repository;
	STRV_FOREACH (tag, tags)
		if (r == 0)
			r = try_to_load(search, *tag, NULL);
	if (r == 0)
		r = source_manifests(search->source, registry, repository, try_digest, search);
	return r;
}

int ready_search(const struct asked *asked)
{
	struct search search = { .load = { .view = asked->view,
					   .verified = asked->registry->verified } };

	/* A source that cannot be read to its end does not keep the others from being looked at. */
	for (size_t i = 0; i < view_main_sources(asked->view); i++) {
		search.source = view_source(asked->view, i);
		if (source_repositories(search.source, try_repository, &search) == FOUND)
			return 0;
	}
	return search.any ? -ENODATA : -ENOENT;
}
