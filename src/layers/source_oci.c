/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCI image layouts (OCI image specification, image-layout.md), read where they are. */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/source.h"
#include "store/reference.h"

/* blobs/ALGORITHM/HEX */
static int locate(const struct locator *self, const struct digest *digest, bool manifest,
		  char **ret_path)
{
	char text[DIGEST_STRING_MAX], name[sizeof("blobs/") + DIGEST_STRING_MAX];

	(void)manifest;
	snprintf(name, sizeof(name), "blobs/%s", digest_format(digest, text));
	*strchr(name, ':') = '/';
	return source_find_file(self->data, name, ret_path);
}

static int read_index(const char *dir, struct manifest *ret, struct diag *diag)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r = source_find_file(dir, "index.json", &path);

	if (r == 0)
		r = read_file_at(AT_FDCWD, path, MANIFEST_BYTES_MAX, &text, &size);
	if (r < 0)
		return diag_set(diag, r == -ENOENT ? -EINVAL : r,
				"%s is no OCI image layout: index.json: %s", dir, strerror(-r));
	r = manifest_parse(text, size, ret, diag);
	return r < 0 ? diag_prefix(diag, r, "%s/index.json", dir) : 0;
}

static bool has_name(const struct descriptor *d, const char *name)
{
	return (d->reference_name && strcmp(d->reference_name, name) == 0) ||
	       (d->image_name && strcmp(d->image_name, name) == 0);
}

static char *list_names(const struct manifest *index)
{
	char *list = NULL;
	size_t size;
	FILE *f = open_memstream(&list, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < index->n_items; i++)
		if (index->items[i].reference_name)
			fprintf(f, "%s%s", ftell(f) > 0 ? ", " : "",
				index->items[i].reference_name);
	fclose(f);
	return list;
}

/* The one image that the line names, or the only one there is. */
static int find_image(const struct manifest *index, const struct image_spec *spec,
		      const struct descriptor **ret, struct diag *diag)
{
	const struct descriptor *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < index->n_items; i++) {
		if (spec->name && !has_name(&index->items[i], spec->name))
			continue;
		/* One image is listed once for each of its names. */
		n += !found || !digest_equal(&found->digest, &index->items[i].digest);
		found = &index->items[i];
	}
	if (n == 1) {
		*ret = found;
		return 0;
	}
	_cleanup_free_ char *names = list_names(index);
	if (n == 0)
		return diag_set(diag, -EINVAL, "%s: oci:%s has no image \"%s\"; it has %s",
				spec->reference, spec->path, spec->name ? spec->name : "",
				names && *names ? names : "none with a name");
	return diag_set(diag, -EINVAL, "%s: oci:%s has %zu images; say which: oci:%s:NAME, of %s",
			spec->reference, spec->path, n, spec->path,
			names && *names ? names : "none with a name");
}

static bool is_named(const struct manifest *index, const char *name)
{
	for (size_t i = 0; i < index->n_items; i++)
		if (has_name(&index->items[i], name))
			return true;
	return false;
}

static int no_such_image(const struct manifest *index, const struct image_spec *spec,
			 struct diag *diag)
{
	_cleanup_free_ char *names = list_names(index);

	return diag_set(diag, -EINVAL, "oci:%s has no image \"%s\"; it has %s", spec->path,
			spec->name, names && *names ? names : "none with a name");
}

/* The full name that an image in a layout says of itself, or NULL. */
static const char *own_name(const struct descriptor *d)
{
	if (d->image_name)
		return d->image_name;
	return d->reference_name && strchr(d->reference_name, '/') ? d->reference_name : NULL;
}

static int add_all(struct contents *c, const struct manifest *index, const struct image_spec *spec,
		   const struct locator *locator, struct source_options *options, struct diag *diag)
{
	size_t n = 0;

	for (size_t i = 0; i < index->n_items; i++) {
		const char *name = own_name(&index->items[i]);
		if (!name || (spec->name && !has_name(&index->items[i], spec->name)))
			continue;
		int r = contents_add_image(c, locator, name, &index->items[i].digest,
					   &options->choice, diag);
		if (r < 0)
			return r;
		n++;
	}
	if (n == 0 && spec->name && !is_named(index, spec->name))
		return no_such_image(index, spec, diag);
	if (n == 0)
		return diag_set(diag, -EINVAL,
				"oci:%s: no image in it says its full name; write "
				"REFERENCE=oci:%s",
				spec->path, spec->path);
	return 0;
}

int source_add_oci(struct contents *c, const struct image_spec *spec,
		   struct source_options *options, struct diag *diag)
{
	const struct locator locator = { .locate = locate, .data = spec->path };
	_cleanup_manifest_ struct manifest index = { 0 };
	const struct descriptor *image = NULL;
	int r = read_index(spec->path, &index, diag);

	if (r < 0)
		return r;
	if (!spec->reference)
		return add_all(c, &index, spec, &locator, options, diag);
	r = find_image(&index, spec, &image, diag);
	return r < 0 ? r
		     : contents_add_image(c, &locator, spec->reference, &image->digest,
					  &options->choice, diag);
}
