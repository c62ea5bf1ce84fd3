/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source that is an OCI image layout: its index is read once, and says which blobs are manifests of what. */
#include "store/source_kind.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "store/manifest.h"
#include "store/reference.h"

#define LAYOUT_BLOB_DIR	    "blobs"
#define LAYOUT_INDEX_FILE   "index.json"
#define LAYOUT_ENTRIES_MAX  200000
#define LAYOUT_DEPTH_MAX    4		/* indexes in indexes */
#define LAYOUT_REGISTRY	    "localhost" /* of images that have no name but a tag */
#define LAYOUT_DEFAULT_NAME "image"

/* A manifest of a repository, by tag or by digest. Sorted, so that each question is a binary search. */
struct entry {
	char *registry;
	char *repository;
	char *tag; /* NULL: by digest */
	struct digest digest;
};

struct layout {
	struct source source;
	char *name; /* repository of images without a name */
	struct entry *entries;
	size_t n, capacity;
	struct digest *manifests; /* of all entries, sorted; n of them */
};

static struct layout *layout_of(struct source *source)
{
	return (struct layout *)source;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = strcmp(a->registry, b->registry);

	if (order == 0)
		order = strcmp(a->repository, b->repository);
	if (order == 0)
		order = (a->tag != NULL) - (b->tag != NULL);
	if (order == 0 && a->tag)
		return strcmp(a->tag, b->tag);
	return order ? order : memcmp(&a->digest, &b->digest, sizeof(a->digest));
}

static int compare_repository(const struct entry *entry, const char *registry,
			      const char *repository)
{
	int order = strcmp(entry->registry, registry);

	return order ? order : strcmp(entry->repository, repository);
}

/* The first entry of a repository; n if there is none. */
static size_t first_of(const struct layout *layout, const char *registry, const char *repository)
{
	size_t low = 0, high = layout->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_repository(&layout->entries[middle], registry, repository) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < layout->n && compare_repository(&layout->entries[low], registry, repository) == 0)
		return low;
	return layout->n;
}

static bool is_of(const struct layout *layout, size_t i, const char *registry,
		  const char *repository)
{
	return i < layout->n && compare_repository(&layout->entries[i], registry, repository) == 0;
}

static int layout_blob_path(struct source *source, const struct digest *digest,
			    char path[static PATH_MAX])
{
	char text[DIGEST_STRING_MAX];

	(void)source;
	if (digest->algorithm == DIGEST_NONE)
		return -EINVAL;
	digest_format(digest, text);
	*strchr(text, ':') = '/';
	snprintf(path, PATH_MAX, LAYOUT_BLOB_DIR "/%s", text);
	return 0;
}

/* A layout keeps manifests and blobs in one directory; what its index leads to is a manifest. */
static bool is_manifest(const struct layout *layout, const struct digest *digest)
{
	return layout->n > 0 &&
	       bsearch(digest, layout->manifests, layout->n, sizeof(*digest), digest_compare);
}

static int layout_only_blob_path(struct source *source, const struct digest *digest,
				 char path[static PATH_MAX])
{
	if (is_manifest(layout_of(source), digest))
		return -ENOENT;
	return layout_blob_path(source, digest, path);
}

static const struct entry *find(const struct layout *layout, const char *registry,
				const char *repository, const char *tag,
				const struct digest *digest)
{
	struct entry key = { (char *)(uintptr_t)registry, (char *)(uintptr_t)repository,
			     (char *)(uintptr_t)tag, digest ? *digest : (struct digest){ 0 } };

	return bsearch(&key, layout->entries, layout->n, sizeof(key), compare_entries);
}

static int layout_manifest_path(struct source *source, const char *registry, const char *repository,
				const struct digest *digest, char path[static PATH_MAX])
{
	if (!find(layout_of(source), registry, repository, NULL, digest))
		return -ENOENT;
	return layout_blob_path(source, digest, path);
}

static int layout_tag_path(struct source *source, const char *registry, const char *repository,
			   const char *tag, char path[static PATH_MAX])
{
	const struct entry *entry = find(layout_of(source), registry, repository, tag, NULL);

	return entry ? layout_blob_path(source, &entry->digest, path) : -ENOENT;
}

static bool layout_has_repository(struct source *source, const char *registry,
				  const char *repository)
{
	const struct layout *layout = layout_of(source);

	return first_of(layout, registry, repository) < layout->n;
}

static int layout_registries(struct source *source, char ***ret)
{
	const struct layout *layout = layout_of(source);
	_cleanup_strv_ char **list = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < layout->n; i++)
		if (i == 0 ||
		    strcmp(layout->entries[i].registry, layout->entries[i - 1].registry) != 0)
			r = strv_add(&list, layout->entries[i].registry);
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

static int layout_tags(struct source *source, const char *registry, const char *repository,
		       char ***ret)
{
	const struct layout *layout = layout_of(source);
	_cleanup_strv_ char **list = NULL;
	int r = 0;

	for (size_t i = first_of(layout, registry, repository);
	     r == 0 && is_of(layout, i, registry, repository); i++)
		if (layout->entries[i].tag)
			r = strv_add(&list, layout->entries[i].tag);
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

static int layout_manifests(struct source *source, const char *registry, const char *repository,
			    source_manifest_fn visit, void *user)
{
	const struct layout *layout = layout_of(source);
	int r = 0;

	for (size_t i = first_of(layout, registry, repository);
	     r == 0 && is_of(layout, i, registry, repository); i++)
		if (!layout->entries[i].tag)
			r = visit(&layout->entries[i].digest, user);
	return r;
}

static int layout_repositories(struct source *source, source_repository_fn visit, void *user)
{
	const struct layout *layout = layout_of(source);
	int r = 0;

	for (size_t i = 0; r == 0 && i < layout->n; i++) {
		const struct entry *e = &layout->entries[i];
		if (i == 0 || !is_of(layout, i - 1, e->registry, e->repository))
			r = visit(e->registry, e->repository, user);
	}
	return r;
}

static void entry_done(struct entry *entry)
{
	free(entry->registry);
	free(entry->repository);
	free(entry->tag);
}

static void layout_free(struct source *source)
{
	struct layout *layout = layout_of(source);

	for (size_t i = 0; i < layout->n; i++)
		entry_done(&layout->entries[i]);
	free(layout->entries);
	free(layout->manifests);
	free(layout->name);
	free(layout);
}

static const struct source_kind layout_kind = {
	.blob_path = layout_only_blob_path,
	.manifest_path = layout_manifest_path,
	.tag_path = layout_tag_path,
	.has_repository = layout_has_repository,
	.registries = layout_registries,
	.tags = layout_tags,
	.manifests = layout_manifests,
	.repositories = layout_repositories,
	.blob_directory = LAYOUT_BLOB_DIR,
	.blob_names_are_hex = true,
	.free = layout_free,
};

static int add_entry(struct layout *layout, const char *registry, const char *repository,
		     const char *tag, const struct digest *digest)
{
	if (layout->n == LAYOUT_ENTRIES_MAX)
		return -E2BIG;
	if (layout->n == layout->capacity) {
		size_t capacity = layout->capacity ? layout->capacity * 2 : 16;
		struct entry *larger = reallocarray(layout->entries, capacity, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		layout->entries = larger;
		layout->capacity = capacity;
	}
	struct entry entry = { strdup(registry), strdup(repository), tag ? strdup(tag) : NULL,
			       *digest };
	if (!entry.registry || !entry.repository || (tag && !entry.tag)) {
		entry_done(&entry);
		return -ENOMEM;
	}
	layout->entries[layout->n++] = entry;
	return 0;
}

static int read_manifest(struct layout *layout, const char *path, struct manifest *ret,
			 struct diag *diag)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *text = NULL;
	size_t size;

	int r = place_open(layout->source.place, path, &content);
	if (r == 0)
		r = content_read_all(&content, MANIFEST_BYTES_MAX, &text, &size);
	if (r < 0)
		return diag_set(diag, r, "cannot read %s: %s", path, strerror(-r));
	r = manifest_parse(text, size, ret, diag);
	return r < 0 ? diag_prefix(diag, r, "%s", path) : 0;
}

/* The manifest itself, and if it is an index, what is in it. What is not there or not readable is left out. */
static int add_manifest(struct layout *layout, const struct reference *name,
			const struct digest *digest, unsigned depth)
{
	_cleanup_manifest_ struct manifest manifest = { 0 };
	char path[PATH_MAX];
	int r = add_entry(layout, name->registry, name->repository, NULL, digest);

	if (r < 0 || layout_blob_path(&layout->source, digest, path) < 0 ||
	    read_manifest(layout, path, &manifest, NULL) < 0)
		return r;
	for (size_t i = 0; r == 0 && depth < LAYOUT_DEPTH_MAX && manifest.kind == MANIFEST_INDEX &&
			   i < manifest.n_items;
	     i++)
		r = add_manifest(layout, name, &manifest.items[i].digest, depth + 1);
	return r;
}

/* The name that the annotations give, else one made of the layout's own name. */
static int name_item(struct layout *layout, const struct descriptor *item, struct reference *ret)
{
	const char *tag = item->reference_name;

	if (item->image_name && reference_parse(item->image_name, ret, NULL) == 0)
		return 0;
	if (tag && strpbrk(tag, "/:@") && reference_parse(tag, ret, NULL) == 0)
		return 0;
	ret->registry = strdup(LAYOUT_REGISTRY);
	ret->repository = strdup(layout->name);
	ret->tag = tag && tag_is_valid(tag) ? strdup(tag) : NULL;
	return ret->registry && ret->repository ? 0 : -ENOMEM;
}

static int add_item(struct layout *layout, const struct descriptor *item)
{
	_cleanup_reference_ struct reference name = { 0 };
	int r = name_item(layout, item, &name);

	if (r == 0 && name.tag)
		r = add_entry(layout, name.registry, name.repository, name.tag, &item->digest);
	if (r == 0)
		r = add_manifest(layout, &name, &item->digest, 0);
	return r;
}

/* One tag may be there twice; the entry that comes first counts, so later ones go. */
static void remove_doubles(struct layout *layout)
{
	size_t kept = 0;

	for (size_t i = 0; i < layout->n; i++) {
		if (kept > 0 &&
		    compare_entries(&layout->entries[kept - 1], &layout->entries[i]) == 0)
			entry_done(&layout->entries[i]);
		else
			layout->entries[kept++] = layout->entries[i];
	}
	layout->n = kept;
}

static int sort_entries(struct layout *layout)
{
	qsort(layout->entries, layout->n, sizeof(struct entry), compare_entries);
	remove_doubles(layout);
	layout->manifests = calloc(layout->n, sizeof(struct digest));
	if (!layout->manifests)
		return -ENOMEM;
	for (size_t i = 0; i < layout->n; i++)
		layout->manifests[i] = layout->entries[i].digest;
	qsort(layout->manifests, layout->n, sizeof(struct digest), digest_compare);
	return 0;
}

static int read_index(struct layout *layout, struct diag *diag)
{
	_cleanup_manifest_ struct manifest index = { 0 };
	int r = read_manifest(layout, LAYOUT_INDEX_FILE, &index, diag);

	for (size_t i = 0; r == 0 && i < index.n_items; i++)
		r = add_item(layout, &index.items[i]);
	return r == 0 && layout->n > 0 ? sort_entries(layout) : r;
}

/* A repository's name made of a directory's: lower case, and a default for what cannot be one. */
static char *repository_name(const char *name)
{
	char *copy = strdup(name);

	for (char *c = copy; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (copy && !repository_is_valid(copy)) {
		free(copy);
		copy = strdup(LAYOUT_DEFAULT_NAME);
	}
	return copy;
}

int source_new_layout(struct place *place, const char *name, struct source **ret, struct diag *diag)
{
	_cleanup_(source_unrefp) struct source *source = NULL;
	struct layout *layout = calloc(1, sizeof(*layout));

	if (!layout) {
		place_unref(place);
		return -ENOMEM;
	}
	layout->source = (struct source){ .kind = &layout_kind, .owners = 1, .place = place };
	source = &layout->source;
	layout->name = repository_name(name);
	if (!layout->name)
		return -ENOMEM;
	int r = read_index(layout, diag);
	if (r == 0)
		*ret = TAKE_PTR(source);
	return r;
}
