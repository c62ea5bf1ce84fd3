/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cache trees, in a directory or in a layer: every tag of them, and manifests that nothing leads to by their digest.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/layer_check.h"
#include "layers/source.h"
#include "store/reference.h"
#include "store/tree.h"

/* A growing list. */
struct digests {
	struct digest *list;
	size_t n;
};

struct tree_source {
	struct contents *contents;
	struct place *place;	      /* the tree's root; borrowed */
	const char *path;	      /* of it */
	const char *layer;	      /* that path, of a layer; NULL: it is a directory */
	const struct reference *only; /* NULL: all */
	const struct platform_choice *choice;
	char *registry, *repository; /* where manifests are looked up now */
	struct digests manifests;    /* all that are there */
	struct digests led_to;	     /* by a tag, or an index */
	size_t n_found;
	struct diag *diag;
};

static int locate(const struct locator *self, const struct digest *digest, bool manifest,
		  char **ret_path)
{
	const struct tree_source *s = self->data;
	char path[PATH_MAX];
	int r = manifest ? tree_manifest_path(s->registry, s->repository, digest, path)
			 : tree_blob_path(digest, path);

	if (r < 0 || !s->layer)
		return r < 0 ? r : source_find_file(s->path, path, ret_path);
	struct content_id id;
	r = place_stat(s->place, path, &id);
	if (r < 0)
		return r;
	*ret_path = path_join(s->path, path);
	return *ret_path ? 0 : -ENOMEM;
}

static int read_manifest(struct tree_source *s, const char *path, char **ret, size_t *ret_size)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	int r = place_open(s->place, path, &content);

	return r < 0 ? r : content_read_all(&content, MANIFEST_BYTES_MAX, ret, ret_size);
}

static int push(struct digests *to, const struct digest *digest)
{
	if ((to->n & (to->n - 1)) == 0) {
		struct digest *larger =
			reallocarray(to->list, to->n ? 2 * to->n : 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		to->list = larger;
	}
	to->list[to->n++] = *digest;
	return 0;
}

static int read_tag(struct tree_source *s, const char *tag, struct digest *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int r = tree_tag_path(s->registry, s->repository, tag, path);

	if (r == 0)
		r = read_manifest(s, path, &text, &size);
	return r < 0 ? r : digest_of(DIGEST_SHA256, text, size, ret);
}

/* tag NULL: the image is called by its digest alone. */
static int add_image(struct tree_source *s, const char *tag, const struct digest *digest)
{
	const struct locator locator = {
		.locate = locate,
		.data = s,
		.layer = s->layer,
	};
	_cleanup_free_ char *reference =
		s->only ? reference_format(s->only)
			: reference_format(&(struct reference){ .registry = s->registry,
								.repository = s->repository,
								.tag = (char *)tag,
								.digest = tag ? (struct digest){ 0 }
									      : *digest });

	if (!reference)
		return -ENOMEM;
	s->n_found++;
	return contents_add_image(s->contents, &locator, reference, digest, s->choice, s->diag);
}

static int add_tag(struct tree_source *s, const char *tag)
{
	struct digest found;
	int r = read_tag(s, tag, &found);

	if (r < 0)
		return diag_set(s->diag, r, "%s/%s:%s: %s", s->registry, s->repository, tag,
				contents_why(s->layer, r));
	r = push(&s->led_to, &found);
	return r < 0 ? r : add_image(s, tag, &found);
}

/* What cannot be read leads to nothing; it is an image then, and named as one. */
static int note_children(struct tree_source *s, const struct digest *digest)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	int r = tree_manifest_path(s->registry, s->repository, digest, path);

	if (r < 0)
		return r;
	if (read_manifest(s, path, &text, &size) < 0 || manifest_parse(text, size, &m, NULL) < 0)
		return 0;
	for (size_t i = 0; r == 0 && m.kind == MANIFEST_INDEX && i < m.n_items; i++)
		r = push(&s->led_to, &m.items[i].digest);
	return r;
}

static void forget_repository(struct tree_source *s)
{
	free(s->registry);
	free(s->repository);
	free(s->manifests.list);
	free(s->led_to.list);
	s->registry = s->repository = NULL;
	s->manifests = s->led_to = (struct digests){ 0 };
}

/* An image that was pinned by its digest has no tag: nothing else leads to its manifest. */
static int end_repository(struct tree_source *s)
{
	struct digests *led_to = &s->led_to;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->manifests.n; i++)
		r = note_children(s, &s->manifests.list[i]);
	if (led_to->n)
		qsort(led_to->list, led_to->n, sizeof(struct digest), digest_compare);
	for (size_t i = 0; r == 0 && i < s->manifests.n; i++) {
		const struct digest *d = &s->manifests.list[i];
		if (!led_to->n || !bsearch(d, led_to->list, led_to->n, sizeof(*d), digest_compare))
			r = add_image(s, NULL, d);
	}
	forget_repository(s);
	return r;
}

static int begin_repository(struct tree_source *s, const char *registry, const char *repository)
{
	if (s->repository && strcmp(s->repository, repository) == 0 &&
	    strcmp(s->registry, registry) == 0)
		return 0;
	int r = s->repository ? end_repository(s) : 0;
	if (r < 0)
		return r;
	s->registry = strdup(registry);
	s->repository = strdup(repository);
	return s->registry && s->repository ? 0 : -ENOMEM;
}

/* Of one image that is wanted, the digest counts where one is given. */
static bool is_only(const struct reference *only, const char *registry, const char *repository,
		    const char *tag, const struct digest *digest)
{
	if (strcmp(only->registry, registry) != 0 || strcmp(only->repository, repository) != 0)
		return false;
	if (only->digest.algorithm != DIGEST_NONE)
		return digest && digest_equal(digest, &only->digest);
	return tag && strcmp(tag, only->tag) == 0;
}

static int visit(const char *registry, const char *repository, const char *tag,
		 const struct digest *digest, void *user)
{
	struct tree_source *s = user;

	if (s->only && !is_only(s->only, registry, repository, tag, digest))
		return 0;
	int r = begin_repository(s, registry, repository);
	if (r < 0)
		return r;
	if (tag)
		return add_tag(s, tag);
	return s->only ? add_image(s, NULL, digest) : push(&s->manifests, digest);
}

static int walk(struct tree_source *s)
{
	int r = tree_walk_place(s->place, visit, s, NULL);

	if (r == 0 && s->repository)
		r = end_repository(s);
	forget_repository(s);
	return r;
}

/* Blobs are compressed already: what expands further was made to fill a disk. */
static int check_expansion(const struct image_spec *spec, uint64_t bytes, struct diag *diag)
{
	struct stat st;

	if (stat(spec->path, &st) < 0)
		return diag_set(diag, -errno, "%s: %s", spec->path, strerror(errno));
	if (bytes / LAYER_EXPANSION_MAX <= (uint64_t)st.st_size)
		return 0;
	return diag_set(diag, -EINVAL,
			"%s: its images have %llu bytes, which is more than %d times the file",
			spec->path, (unsigned long long)bytes, LAYER_EXPANSION_MAX);
}

static int add(struct tree_source *s, const struct image_spec *spec)
{
	_cleanup_reference_ struct reference only = { 0 };
	uint64_t before = s->contents->bytes;

	if (!place_has_directory(s->place, NAME_BLOB_DIR) &&
	    !place_has_directory(s->place, NAME_MANIFESTS_DIR))
		return diag_set(s->diag, -EINVAL, "%s: there is no cache tree (blob, manifests)",
				spec->path);
	int r = spec->reference ? reference_parse(spec->reference, &only, s->diag) : 0;
	if (r < 0)
		return r;
	s->only = spec->reference ? &only : NULL;
	r = walk(s);
	if (r < 0)
		return s->diag && s->diag->message ? r
						   : diag_set(s->diag, r, "%s: %s", spec->path,
							      contents_why(s->layer, r));
	if (s->n_found == 0)
		return diag_set(s->diag, -EINVAL, "%s: it has no %s", spec->path,
				spec->reference ? spec->reference : "images");
	return s->layer ? check_expansion(spec, s->contents->bytes - before, s->diag) : 0;
}

int source_add_tree(struct contents *c, const struct image_spec *spec,
		    struct source_options *options, struct diag *diag)
{
	_cleanup_(place_unrefp) struct place *place = NULL;
	int fd = open(spec->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : place_new_directory(fd, &place);

	if (r < 0)
		return diag_set(diag, r, "%s: %s", spec->path, strerror(-r));
	return add(&(struct tree_source){ .contents = c,
					  .place = place,
					  .path = spec->path,
					  .choice = &options->choice,
					  .diag = diag },
		   spec);
}

int source_add_layer(struct contents *c, const struct image_spec *spec,
		     struct source_options *options, struct diag *diag)
{
	int r = contents_open_layer(c, spec->path, diag);

	if (r < 0)
		return r;
	return add(&(struct tree_source){ .contents = c,
					  .place = c->place,
					  .path = spec->path,
					  .layer = spec->path,
					  .choice = &options->choice,
					  .diag = diag },
		   spec);
}
