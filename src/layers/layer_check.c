/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_check.h"

#include <string.h>
#include <sys/stat.h>

#include "base/names.h"
#include "base/text.h"
#include "store/manifest.h"
#include "store/place_names.h"
#include "store/reference.h"
#include "store/tree.h"

/* For messages: names come from the image and may hold anything. */
static const char *printable(const char *name, char buffer[static 80])
{
	size_t n = 0;

	for (; name[n] && n < 79; n++)
		buffer[n] =
			(char)((unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n]);
	buffer[n] = '\0';
	return buffer;
}

/*
 * Every entry of the parts that larder uses is looked at once, directory by directory, and their names are kept: what is asked about
 * them afterwards is answered from there. Of blobs, of which there may be many, only directories are.
 */
struct scan {
	struct place *place, *names;
	struct names *into;
	bool blobs;
	unsigned entries;
	struct diag *diag;
};

static int unreadable(struct diag *diag, int r)
{
	return diag_set(diag, -EINVAL, "it cannot be read: %s",
			r == -ENOTUNIQ ? "a directory has an entry called \".\" or \"..\""
				       : strerror(-r));
}

static int scan_entry(const char *name, mode_t type, void *user)
{
	struct scan *s = user;
	char shown[80];

	if (++s->entries > LAYER_SCAN_ENTRIES_MAX)
		return diag_set(s->diag, -EINVAL, "it has more than %d files",
				LAYER_SCAN_ENTRIES_MAX);
	if (S_ISREG(type))
		return s->blobs ? 0 : names_add(s->into, name, type);
	if (S_ISDIR(type))
		return names_add(s->into, name, type);
	return diag_set(s->diag, -EINVAL,
			"\"%s\" in it is %s; a cache tree has only files and "
			"directories",
			printable(name, shown), S_ISLNK(type) ? "a symlink" : "no regular file");
}

/* The parts of a layer that larder uses; what else is in the image is nobody's business. */
static int scan_root_entry(const char *name, mode_t type, void *user)
{
	static const char *const parts[] = { NAME_BLOB_DIR, NAME_MANIFESTS_DIR, NAME_LAYER_DIR };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strcmp(name, parts[i]) == 0)
			return S_ISREG(type) ? unreadable(((struct scan *)user)->diag, -ENOTDIR)
					     : scan_entry(name, type, user);
	return 0;
}

static int scan_directory(struct scan *s, const char *path, unsigned depth);

struct scan_below {
	struct scan *scan;
	const char *path;
	unsigned depth;
};

static int scan_subdirectory(const char *name, mode_t type, void *user)
{
	const struct scan_below *b = user;
	_cleanup_free_ char *path = NULL;

	if (!S_ISDIR(type))
		return 0;
	path = text_format("%s%s%s", b->path, *b->path ? "/" : "", name);
	if (!path)
		return -ENOMEM;
	if (b->depth == 0)
		b->scan->blobs = strcmp(name, NAME_BLOB_DIR) == 0;
	return scan_directory(b->scan, path, b->depth + 1);
}

/* path "", depth 0: the root. */
static int scan_directory(struct scan *s, const char *path, unsigned depth)
{
	const struct scan_below below = { s, path, depth };
	struct names *here;

	if (depth > LAYER_SCAN_DEPTH_MAX)
		return diag_set(s->diag, -EINVAL, "its directories are nested deeper than %d",
				LAYER_SCAN_DEPTH_MAX);
	int r = place_names_directory(s->names, path, &here);
	if (r < 0)
		return r;
	s->into = here;
	r = place_list_any(s->place, path, depth ? scan_entry : scan_root_entry, s);
	if (r < 0)
		return r == -ENOMEM || r == -EINVAL ? r : unreadable(s->diag, r);
	return names_list(here, scan_subdirectory, (void *)&below);
}

/* *ret: the names in it (store/place_names.h). */
static int scan(struct place *place, struct place **ret, struct diag *diag)
{
	_cleanup_(place_unrefp) struct place *names = NULL;
	int r = place_new_names(&names);
	struct scan s = { .place = place, .names = names, .diag = diag };

	if (r == 0)
		r = scan_directory(&s, "", 0);
	if (r == 0)
		*ret = TAKE_PTR(names);
	return r;
}

/* The name of the one file in larder/layers. */
struct find {
	char *found;
	struct diag *diag;
};

static int find_entry(const char *name, bool directory, void *user)
{
	struct find *f = user;

	if (directory || !text_ends_with(name, NAME_LAYER_MANIFEST_SUFFIX))
		return 0;
	if (f->found)
		return diag_set(f->diag, -EINVAL, "it has more than one layer manifest");
	f->found = strdup(name);
	return f->found ? 0 : -ENOMEM;
}

static int find_manifest(struct place *names, char **ret, struct diag *diag)
{
	struct find f = { .diag = diag };
	int r = place_list(names, NAME_LAYER_MANIFEST_DIR, find_entry, &f);

	if ((r == 0 && !f.found) || r == -ENOENT)
		r = diag_set(diag, -EINVAL,
			     "it has no layer manifest (" NAME_LAYER_MANIFEST_DIR "/NAME.yaml)");
	else if (r < 0 && r != -ENOMEM && r != -EINVAL)
		r = unreadable(diag, r);
	if (r < 0) {
		free(f.found);
		return r;
	}
	*ret = f.found;
	return 0;
}

static int read_file(struct place *place, const char *path, size_t max, char **ret,
		     size_t *ret_size)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	int r = place_open(place, path, &content);

	return r < 0 ? r : content_read_all(&content, max, ret, ret_size);
}

static int read_manifest(struct place *place, struct place *names, struct layer_manifest *ret,
			 struct digest *ret_id, char **ret_text, struct diag *diag)
{
	_cleanup_free_ char *name = NULL, *path = NULL, *text = NULL;
	char shown[80];
	size_t size;
	int r = find_manifest(names, &name, diag);

	if (r < 0)
		return r;
	printable(name, shown);
	path = text_format(NAME_LAYER_MANIFEST_DIR "/%s", name);
	if (!path)
		return -ENOMEM;
	r = read_file(place, path, LAYER_MANIFEST_BYTES_MAX, &text, &size);
	if (r == -EFBIG)
		return diag_set(diag, -EINVAL, "%s: larger than %d MiB", shown,
				LAYER_MANIFEST_BYTES_MAX >> 20);
	if (r < 0)
		return diag_set(diag, -EINVAL, "%s: it cannot be read: %s", shown, strerror(-r));
	r = digest_of(DIGEST_SHA256, text, size, ret_id);
	if (r == 0)
		r = layer_manifest_parse(text, size, ret, diag);
	if (r < 0) {
		if (diag && !diag->source)
			diag->source = strdup(shown);
		return r;
	}
	name[strlen(name) - strlen(NAME_LAYER_MANIFEST_SUFFIX)] = '\0';
	if (strcmp(name, ret->name) != 0)
		return diag_set(diag, -EINVAL, "%s says that the layer is called \"%s\"", shown,
				ret->name);
	if (ret_text)
		*ret_text = TAKE_PTR(text);
	return 0;
}

/* The manifest file of an image, by tag or by digest, is there and has the digest that is listed. */
static int check_image(struct place *place, const struct layer_image *image, struct diag *diag)
{
	_cleanup_reference_ struct reference r = { 0 };
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct digest got;
	size_t size;
	int e = reference_parse(image->reference, &r, diag);

	if (e == 0 && r.tag)
		e = tree_tag_path(r.registry, r.repository, r.tag, path);
	else if (e == 0)
		e = tree_manifest_path(r.registry, r.repository, &image->digest, path);
	if (e < 0)
		return e;
	e = read_file(place, path, MANIFEST_BYTES_MAX, &text, &size);
	if (e == 0)
		e = digest_of(image->digest.algorithm, text, size, &got);
	if (e < 0)
		return diag_set(diag, -EINVAL, "%s is listed, but its manifest %s: %s",
				image->reference, e == -ENOENT ? "is not there" : "cannot be read",
				strerror(-e));
	if (!digest_equal(&got, &image->digest))
		return diag_set(diag, -EINVAL,
				"%s: its manifest is not the one that the layer manifest lists",
				image->reference);
	return 0;
}

struct tag_check {
	const struct layer_manifest *manifest;
	struct diag *diag;
};

static int visit_tag(const char *registry, const char *repository, const char *tag,
		     const struct digest *digest, void *user)
{
	struct tag_check *c = user;
	_cleanup_free_ char *reference = NULL;

	(void)digest;
	if (!tag)
		return 0;
	reference = text_format("%s/%s:%s", registry, repository, tag);
	if (!reference)
		return -ENOMEM;
	if (layer_manifest_lists(c->manifest, reference))
		return 0;
	return diag_set(c->diag, -EINVAL, "it has %s, which its layer manifest does not list",
			reference);
}

static int check_tags(struct place *place, struct place *names,
		      const struct layer_manifest *manifest, struct diag *diag)
{
	struct tag_check c = { .manifest = manifest, .diag = diag };
	unsigned skipped = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < manifest->n_images; i++)
		r = check_image(place, &manifest->images[i], diag);
	if (r == 0)
		r = tree_walk_place(names, visit_tag, &c, &skipped);
	if (r < 0)
		return diag && diag->message
			       ? r
			       : diag_set(diag, -EINVAL, "it cannot be read: %s", strerror(-r));
	if (skipped)
		return diag_set(diag, -EINVAL, "%u name%s in its manifests directory %s valid",
				skipped, skipped == 1 ? "" : "s",
				skipped == 1 ? "is not" : "are not");
	return 0;
}

static int check_blobs(struct place *place, uint64_t file_size,
		       const struct layer_manifest *manifest, struct diag *diag)
{
	uint64_t left = file_size > UINT64_MAX / LAYER_EXPANSION_MAX
				? UINT64_MAX
				: file_size * LAYER_EXPANSION_MAX;

	for (size_t i = 0; i < manifest->n_blobs; i++) {
		char path[PATH_MAX], name[DIGEST_STRING_MAX];
		struct content_id blob;
		int r = tree_blob_path(&manifest->blobs[i], path);
		if (r == 0)
			r = place_stat(place, path, &blob);
		digest_format(&manifest->blobs[i], name);
		if (r < 0)
			return diag_set(diag, -EINVAL, "blob %s is listed, but %s", name,
					r == -ENOENT ? "not there" : strerror(-r));
		if (blob.size > left)
			return diag_set(diag, -EINVAL,
					"blob %s makes its blobs larger than %d times the file",
					name, LAYER_EXPANSION_MAX);
		left -= blob.size;
	}
	return 0;
}

int layer_check(struct place *place, uint64_t file_size, struct layer_manifest *ret,
		struct digest *ret_id, char **ret_text, struct diag *diag)
{
	_cleanup_layer_manifest_ struct layer_manifest manifest = { 0 };
	_cleanup_(place_unrefp) struct place *names = NULL;
	_cleanup_free_ char *text = NULL;
	struct digest id;
	int r = scan(place, &names, diag);

	if (r == 0)
		r = read_manifest(place, names, &manifest, &id, &text, diag);
	if (r == 0)
		r = check_tags(place, names, &manifest, diag);
	if (r == 0)
		r = check_blobs(place, file_size, &manifest, diag);
	if (r < 0)
		return r;
	*ret = manifest;
	manifest = (struct layer_manifest){ 0 };
	*ret_id = id;
	if (ret_text)
		*ret_text = TAKE_PTR(text);
	return 0;
}
