/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "base/text.h"
#include "layers/layer_manifest.h"

static void write_field(FILE *f, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(f, "%s: ", key);
	text_write_quoted(f, text, TEXT_ESCAPE_X);
	fputc('\n', f);
}

static void write_list(FILE *f, const char *key, char *const *list)
{
	if (!list)
		return;
	fprintf(f, "    %s: [", key);
	for (size_t i = 0; list[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", list[i]);
	fputs("]\n", f);
}

static void write_layer(FILE *f, const struct layer_manifest *m)
{
	char digest[DIGEST_STRING_MAX];

	fputs("apiVersion: " LAYER_API_VERSION "\nkind: " LAYER_KIND "\n", f);
	write_field(f, "name", m->name);
	write_field(f, "version", m->version);
	write_field(f, "author", m->author);
	write_field(f, "description", m->description);
	fputs(m->n_images ? "images:\n" : "images: []\n", f);
	for (size_t i = 0; i < m->n_images; i++) {
		const struct layer_image *image = &m->images[i];
		fputs("  - reference: ", f);
		text_write_quoted(f, image->reference, TEXT_ESCAPE_X);
		fprintf(f, "\n    digest: %s\n    size: %llu\n",
			digest_format(&image->digest, digest), (unsigned long long)image->size);
		write_list(f, "platforms", image->platforms);
		write_list(f, "omitted", image->omitted);
	}
	fputs(m->n_blobs ? "blobs:\n" : "blobs: []\n", f);
	for (size_t i = 0; i < m->n_blobs; i++)
		fprintf(f, "  - %s\n", digest_format(&m->blobs[i], digest));
}

char *layer_manifest_format(const struct layer_manifest *m)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	write_layer(f, m);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
