/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What refers to a manifest (distribution specification 1.1, listing referrers): the manifests of a repository whose subject it is, and
 * what an index lists that clients pushed under a tag made of the digest, before registries had this end point.
 */
#include "registry/inside.h"

#include <jansson.h>
#include <string.h>

#define TAG_DIGITS 64 /* of a longer digest, the tag has only so many */

struct referrers {
	struct load load;
	const struct asked *asked;
	json_t *list;
};

static bool has_digest(const json_t *list, const char *digest)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *other = json_string_value(json_object_get(item, "digest"));
		if (other && strcmp(other, digest) == 0)
			return true;
	}
	return false;
}

static bool type_is_wanted(const struct asked *asked, const char *type)
{
	return !asked->route.artifact_type[0] ||
	       (type && strcmp(type, asked->route.artifact_type) == 0);
}

/* What a referrer is: its own artifact type, else its config's media type. */
static const char *artifact_type(const struct manifest *m)
{
	if (m->artifact_type || m->kind == MANIFEST_INDEX)
		return m->artifact_type;
	return m->config.media_type;
}

/* The annotations are passed on as they stand in the referrer. */
static json_t *annotations_of(struct load *load, const struct digest *digest)
{
	struct manifest_entry *entry = NULL;
	struct load again = *load;
	json_t *annotations = NULL;

	again.tag = NULL;
	again.digest = digest;
	if (load_manifest(&again, &entry) < 0)
		return NULL;
	json_t *document = json_loadb(entry->data, entry->size, 0, NULL);
	json_t *found = json_object_get(document, "annotations");
	if (json_is_object(found))
		annotations = json_incref(found);
	json_decref(document);
	*load = again;
	manifest_entry_unref(entry);
	return annotations;
}

static int add_descriptor(struct referrers *f, const struct digest *digest,
			  const struct manifest *m, uint64_t size)
{
	char text[DIGEST_STRING_MAX];
	const char *type = artifact_type(m);

	digest_format(digest, text);
	if (!type_is_wanted(f->asked, type) || has_digest(f->list, text))
		return 0;
	json_t *item = json_pack("{s:s, s:s, s:I}", "mediaType", m->media_type, "digest", text,
				 "size", (json_int_t)size);
	if (!item)
		return -ENOMEM;
	if (type)
		json_object_set_new(item, "artifactType", json_string(type));
	json_t *annotations = annotations_of(&f->load, digest);
	if (annotations)
		json_object_set_new(item, "annotations", annotations);
	return json_array_append_new(f->list, item) < 0 ? -ENOMEM : 0;
}

static int visit_candidate(const struct digest *digest, void *user)
{
	struct referrers *f = user;
	_cleanup_manifest_ struct manifest m = { 0 };
	struct content_id id = { 0 };

	if (load_by_digest(&f->load, digest, &m) < 0 ||
	    !digest_equal(&m.subject.digest, &f->asked->route.digest))
		return 0;
	for (size_t i = 0; i < view_main_sources(f->asked->view); i++)
		if (source_stat_manifest(view_source(f->asked->view, i), f->load.registry_name,
					 f->load.repository, digest, &id) == 0)
			break;
	return add_descriptor(f, digest, &m, id.size);
}

/* The tag that stands for this digest: "sha256-<hex>", with at most 64 digits. */
static void referrers_tag(const struct digest *digest, char tag[static DIGEST_STRING_MAX])
{
	digest_format_file_name(digest, tag);
	char *hex = strchr(tag, '-') + 1;
	if (strlen(hex) > TAG_DIGITS)
		hex[TAG_DIGITS] = '\0';
}

/* The index under that tag, as clients push it to registries without this end point. */
static int add_tag_scheme(struct referrers *f)
{
	_cleanup_(manifest_entry_unrefp) struct manifest_entry *entry = NULL;
	char tag[DIGEST_STRING_MAX];
	struct load load = f->load;
	size_t i;
	json_t *item;

	referrers_tag(&f->asked->route.digest, tag);
	load.tag = tag;
	load.digest = NULL;
	if (load_manifest(&load, &entry) < 0 || !entry->index)
		return 0;
	json_t *document = json_loadb(entry->data, entry->size, 0, NULL);
	json_array_foreach (json_object_get(document, "manifests"), i, item) {
		const char *digest = json_string_value(json_object_get(item, "digest"));
		const char *type = json_string_value(json_object_get(item, "artifactType"));
		if (digest && !has_digest(f->list, digest) && type_is_wanted(f->asked, type))
			json_array_append(f->list, item);
	}
	json_decref(document);
	return 0;
}

int referrers_of(const struct asked *asked, json_t **ret)
{
	struct referrers f = {
		.asked = asked,
		.load = { .view = asked->view,
			  .verified = asked->registry->verified,
			  .registry_name = asked->registry_name,
			  .repository = asked->repository },
		.list = json_array(),
	};
	int r = f.list ? 0 : -ENOMEM;

	if (!view_has_repository(asked->view, asked->registry_name, asked->repository))
		r = -ENOENT;
	for (size_t i = 0; r == 0 && i < view_main_sources(asked->view); i++)
		r = source_manifests(view_source(asked->view, i), asked->registry_name,
				     asked->repository, visit_candidate, &f);
	if (r == 0)
		r = add_tag_scheme(&f);
	if (r < 0) {
		json_decref(f.list);
		return r;
	}
	*ret = json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType",
			 MANIFEST_TYPE_OCI_INDEX, "manifests", f.list);
	return *ret ? 0 : -ENOMEM;
}
