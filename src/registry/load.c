/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading one manifest, on a thread: its bytes must belong to its digest, and what it needs must be there. A manifest that a
 * runtime gets and then cannot complete makes it fail, where a miss would have sent it on to its next mirror.
 */
#include "registry/inside.h"

#include <string.h>

#define INDEX_DEPTH_MAX 4 /* indexes in indexes */

void manifest_entry_unref(struct manifest_entry *entry)
{
	if (--entry->owners > 0)
		return;
	free(entry->media_type);
	free(entry->data);
	free(entry);
}

static void note_damage(struct load *load, struct source *source, const struct digest *digest,
			const struct content_id *id, int error)
{
	if (load->n_damages < ARRAY_SIZE(load->damages))
		load->damages[load->n_damages++] = (struct damage){ source, *digest, *id, error };
}

void load_report(const struct load *load, struct registry *r)
{
	const struct parts *parts = view_parts(load->view);

	for (size_t i = 0; i < load->n_damages; i++) {
		const struct damage *d = &load->damages[i];
		_cleanup_free_ char *file = parts ? parts_file(parts, &d->id) : NULL;
		registry_corrupt(r, file ? file : source_path(d->source), &d->digest, &d->id,
				 "manifest", d->error);
	}
}

/* Reads a content that should have this digest. -EBADMSG: it has not; -EFBIG: no manifest is so large. */
static int read_verified(struct load *load, struct source *source, const struct content *content,
			 const struct digest *digest, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	struct digest found;
	size_t size;
	int r = content_read_all(content, MANIFEST_BYTES_MAX, &data, &size);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		r = digest_of(digest->algorithm, data, size, &found);
	if (r < 0 || !digest_equal(&found, digest)) {
		note_damage(load, source, digest, &content->id, r);
		return -EBADMSG;
	}
	*ret = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

/* The bytes of a manifest, from the first source that has them sound. */
static int read_manifest(struct load *load, const struct digest *digest, char **ret,
			 size_t *ret_size, struct content_id *ret_id)
{
	bool damaged = false;

	for (size_t i = 0; i < view_main_sources(load->view) || damaged; i++) {
		_cleanup_content_ struct content content = CONTENT_INIT;
		struct source *source = view_source(load->view, i);
		if (!source)
			break;
		int r = source_open_manifest(source, load->registry_name, load->repository, digest,
					     &content);
		if (r < 0 && r != -ENOENT)
			load->error = r;
		if (r == 0)
			r = read_verified(load, source, &content, digest, ret, ret_size);
		if (r == 0)
			*ret_id = content.id;
		if (r == 0 || r == -ENOMEM)
			return r;
		damaged = damaged || r != -ENOENT;
	}
	return -ENOENT;
}

int load_by_digest(struct load *load, const struct digest *digest, struct manifest *ret)
{
	_cleanup_free_ char *data = NULL;
	struct content_id id;
	size_t size;
	int r = read_manifest(load, digest, &data, &size, &id);

	if (r < 0)
		return r;
	r = manifest_parse(data, size, ret, NULL);
	return r == -EINVAL ? -ENOENT : r;
}

/* Is there a copy of this blob that has the right size and was not found corrupt? */
static bool has_blob(struct load *load, const struct descriptor *blob)
{
	bool damaged = false;

	for (size_t i = 0; i < view_main_sources(load->view) || damaged; i++) {
		struct content_id id;
		struct source *source = view_source(load->view, i);
		if (!source)
			return false;
		if (source_stat_blob(source, &blob->digest, &id) < 0)
			continue;
		if (id.size == blob->size &&
		    verified_get(load->verified, &blob->digest, &id) != VERDICT_CORRUPT)
			return true;
		damaged = true;
	}
	return false;
}

static bool is_missing(struct load *load, const struct descriptor *blob)
{
	if (blob->foreign || blob->digest.algorithm == DIGEST_NONE || has_blob(load, blob))
		return false;
	digest_format(&blob->digest, load->missing);
	return true;
}

static bool image_is_complete(struct load *load, const struct manifest *manifest)
{
	if (is_missing(load, &manifest->config))
		return false;
	for (size_t i = 0; i < manifest->n_items; i++)
		if (is_missing(load, &manifest->items[i]))
			return false;
	return true;
}

static bool is_complete(struct load *load, const struct manifest *manifest, unsigned depth);

static bool item_is_complete(struct load *load, const struct descriptor *item, unsigned depth)
{
	_cleanup_manifest_ struct manifest manifest = { 0 };

	if (depth < INDEX_DEPTH_MAX && load->followed <= MANIFEST_FOLLOWED_MAX &&
	    load_by_digest(load, &item->digest, &manifest) == 0)
		return is_complete(load, &manifest, depth + 1);
	digest_format(&item->digest, load->missing);
	return false;
}

static const struct descriptor *host_item(const struct manifest *index)
{
	return manifest_for_host(index, platform_host());
}

static bool any_item_is_complete(struct load *load, const struct manifest *index, bool unknown,
				 unsigned depth)
{
	for (size_t i = 0; i < index->n_items; i++)
		if (platform_is_unknown(&index->items[i].platform) == unknown &&
		    item_is_complete(load, &index->items[i], depth))
			return true;
	return false;
}

static bool has_platforms(const struct manifest *index)
{
	for (size_t i = 0; i < index->n_items; i++)
		if (!platform_is_unknown(&index->items[i].platform))
			return true;
	return false;
}

/*
 * The manifest that a runtime here takes decides. An index without one is there for others: any complete manifest will do. What describes
 * images is nothing that somebody could run: it counts only where there is nothing else. An empty index is complete.
 */
static bool index_is_complete(struct load *load, const struct manifest *index, unsigned depth)
{
	const struct descriptor *host = host_item(index);

	load->followed += index->n_items;
	if (host)
		return item_is_complete(load, host, depth);
	return index->n_items == 0 ||
	       any_item_is_complete(load, index, !has_platforms(index), depth);
}

static bool is_complete(struct load *load, const struct manifest *manifest, unsigned depth)
{
	bool complete = manifest->kind == MANIFEST_INDEX ? index_is_complete(load, manifest, depth)
							 : image_is_complete(load, manifest);

	if (complete)
		load->missing[0] = '\0';
	return complete;
}

static int make_entry(const struct digest *digest, const struct manifest *manifest, char **data,
		      size_t size, struct manifest_entry **ret)
{
	struct manifest_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	entry->owners = 1;
	entry->digest = *digest;
	entry->index = manifest->kind == MANIFEST_INDEX;
	if (entry->index && host_item(manifest))
		entry->host_manifest = host_item(manifest)->digest;
	entry->data = TAKE_PTR(*data);
	entry->size = size;
	entry->media_type = strdup(manifest->media_type);
	if (!entry->media_type) {
		manifest_entry_unref(entry);
		return -ENOMEM;
	}
	*ret = entry;
	return 0;
}

static int load_digest(struct load *load, const struct digest *digest, struct content_id *ret_id,
		       struct manifest_entry **ret)
{
	_cleanup_manifest_ struct manifest manifest = { 0 };
	_cleanup_free_ char *data = NULL;
	size_t size;
	int r = read_manifest(load, digest, &data, &size, ret_id);

	if (r == 0) {
		r = manifest_parse(data, size, &manifest, NULL);
		load->unreadable |= r == -EINVAL;
	}
	load->followed = 0;
	if (r == 0 && !is_complete(load, &manifest, 0))
		r = -ENOENT;
	if (r == 0)
		r = make_entry(digest, &manifest, &data, size, ret);
	return r == -EINVAL ? -ENOENT : r;
}

/*
 * The file of a tag holds the manifest once more. It counts only as a pointer: the digest of its bytes, of which there must be a
 * manifest by digest. A flipped bit makes a pointer to nothing.
 */
static int load_tag_from(struct load *load, struct source *source, struct manifest_entry **ret)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *data = NULL;
	struct content_id id;
	struct digest digest = { 0 };
	size_t size;
	int r = source_open_tag(source, load->registry_name, load->repository, load->tag, &content);

	if (r < 0 && r != -ENOENT)
		load->error = r;
	if (r < 0)
		return r;
	r = content_read_all(&content, MANIFEST_BYTES_MAX, &data, &size);
	if (r == 0)
		r = digest_of(DIGEST_SHA256, data, size, &digest);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	int before = load->error; /* of another source's tag, which says nothing of this one */
	load->error = 0;
	r = load_digest(load, &digest, &id, ret);
	bool closed = load->error < 0;
	load->error = closed ? load->error : before;
	if (r == -ENOENT && load->missing[0] == '\0' && !load->unreadable) {
		if (!closed)
			note_damage(load, source, &digest, &content.id, 0);
		return -EBADMSG;
	}
	load->id = content.id;
	return r;
}

static int load_tag(struct load *load, struct manifest_entry **ret)
{
	bool damaged = false;

	for (size_t i = 0; i < view_main_sources(load->view) || damaged; i++) {
		struct source *source = view_source(load->view, i);
		if (!source)
			break;
		int r = load_tag_from(load, source, ret);
		if (r == 0 || r == -ENOMEM)
			return r;
		damaged = damaged || r == -EBADMSG;
	}
	return -ENOENT;
}

int load_manifest(struct load *load, struct manifest_entry **ret)
{
	return load->tag ? load_tag(load, ret) : load_digest(load, load->digest, &load->id, ret);
}
