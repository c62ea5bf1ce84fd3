/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/build.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/build_verity.h"
#include "layers/sign.h"
#include "layers/version.h"
#include "layers/work_dir.h"

void build_result_done(struct build_result *r)
{
	layer_manifest_done(&r->manifest);
}

struct build {
	const struct build_options *options;
	const struct images_list *list;
	struct contents contents;
	struct layer_manifest manifest;
	char *manifest_text;
	char *work;		 /* work_dir.h */
	int lock;		 /* of work */
	char *image;		 /* in work */
	struct signing_key *key; /* NULL: unsigned */
	struct diag *diag;
};

static void build_done(struct build *b)
{
	if (b->work)
		(void)remove_tree_at(AT_FDCWD, b->work);
	close_fd(b->lock);
	contents_done(&b->contents);
	signing_key_freep(&b->key);
	layer_manifest_done(&b->manifest);
	free(b->manifest_text);
	free(b->work);
	free(b->image);
}

static int copy_text(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return from && !*ret ? -ENOMEM : 0;
}

/* The options win over what the file name says. */
static int settle_name(struct build *b)
{
	const char *slash = strrchr(b->options->output, '/');
	const char *file = slash ? slash + 1 : b->options->output;
	_cleanup_free_ char *name = NULL, *version = NULL;
	struct stat st;

	if (!text_ends_with(file, NAME_LAYER_SUFFIX))
		return diag_set(b->diag, -EINVAL, "%s: a layer's name ends with " NAME_LAYER_SUFFIX,
				b->options->output);
	if (stat(b->options->output, &st) == 0 && S_ISDIR(st.st_mode))
		return diag_set(b->diag, -EINVAL, "%s is a directory; a layer is a file",
				b->options->output);
	if (layer_file_name_parse(file, &name, &version) < 0 && !b->options->name)
		return diag_set(b->diag, -EINVAL,
				"%s: the file name gives no name for the layer (NAME-VERSION.sqsh, "
				"lower-case letters and digits); use --name",
				b->options->output);
	int r = copy_text(b->options->name ? b->options->name : name, &b->manifest.name);
	if (r == 0)
		r = copy_text(b->options->version ? b->options->version : version,
			      &b->manifest.version);
	if (r < 0)
		return r;
	if (!layer_name_is_valid(b->manifest.name))
		return diag_set(
			b->diag, -EINVAL,
			"\"%s\" is no name for a layer: lower-case letters, digits and . _ -",
			b->manifest.name);
	if (b->manifest.version && !layer_version_is_valid(b->manifest.version))
		return diag_set(b->diag, -EINVAL, "\"%s\" is no version", b->manifest.version);
	return 0;
}

static bool text_is_plain(const char *text)
{
	for (const char *c = text ? text : ""; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return !text || (strlen(text) <= LAYER_TEXT_MAX && text_is_utf8(text, strlen(text)));
}

static int settle_texts(struct build *b)
{
	if (!text_is_plain(b->options->author) || !text_is_plain(b->options->description))
		return diag_set(b->diag, -EINVAL,
				"author and description are one line of text, at most %d bytes",
				LAYER_TEXT_MAX);
	int r = copy_text(b->options->author, &b->manifest.author);
	return r < 0 ? r : copy_text(b->options->description, &b->manifest.description);
}

static int make_work_dir(struct build *b)
{
	int r = work_dir_make(b->options->output, &b->work, &b->lock, b->diag);

	if (r < 0)
		return r;
	if (b->options->work_dir)
		b->options->work_dir(b->work, b->options->user);
	b->image = path_join(b->work, "layer" NAME_LAYER_SUFFIX);
	return b->image ? 0 : -ENOMEM;
}

static int collect(struct build *b)
{
	struct source_options options = {
		.work = b->work,
		.insecure = b->options->insecure,
		.choice = b->options->choice,
		.progress = b->options->fetch_progress,
		.user = b->options->fetch_user,
	};

	for (size_t i = 0; i < b->list->n_specs; i++) {
		int r = source_add(&b->contents, &b->list->specs[i], &options, b->diag);
		if (r < 0)
			return r;
	}
	contents_end(&b->contents);
	return 0;
}

/* What is read of a layer manifest (layer_manifest.h): a layer that nobody would read is not made. */
static int check_limits(struct build *b)
{
	const struct layer_manifest *m = &b->manifest;

	if (m->n_images <= LAYER_MANIFEST_IMAGES_MAX && m->n_blobs <= LAYER_MANIFEST_BLOBS_MAX &&
	    strlen(b->manifest_text) <= LAYER_MANIFEST_BYTES_MAX)
		return 0;
	return diag_set(b->diag, -EINVAL,
			"%zu images with %zu blobs, which take %zu KiB to list, are too many for "
			"one layer, which holds at most %d images, %d blobs and %d KiB; make more "
			"than one of them",
			m->n_images, m->n_blobs, strlen(b->manifest_text) >> 10,
			LAYER_MANIFEST_IMAGES_MAX, LAYER_MANIFEST_BLOBS_MAX,
			LAYER_MANIFEST_BYTES_MAX >> 10);
}

/* Images and blobs move from the contents into the manifest; items stay for packing. */
static int settle_manifest(struct build *b)
{
	struct contents *c = &b->contents;

	b->manifest.images = TAKE_PTR(c->images);
	b->manifest.n_images = c->n_images;
	c->n_images = 0;
	qsort(b->manifest.images, b->manifest.n_images, sizeof(struct layer_image),
	      layer_image_compare);
	b->manifest.blobs = calloc(c->n_items + 1, sizeof(struct digest));
	if (!b->manifest.blobs)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_items; i++)
		if (!c->items[i].repository)
			b->manifest.blobs[b->manifest.n_blobs++] = c->items[i].digest;
	qsort(b->manifest.blobs, b->manifest.n_blobs, sizeof(struct digest), digest_compare);
	b->manifest_text = layer_manifest_format(&b->manifest);
	/* They may be many, and are in the text now. */
	free(b->manifest.blobs);
	b->manifest.blobs = NULL;
	return b->manifest_text ? check_limits(b) : -ENOMEM;
}

static int pack(struct build *b, struct build_result *ret)
{
	_cleanup_close_ int fd =
		open(b->image, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	const struct pack pack = {
		.contents = &b->contents,
		.layer_manifest = b->manifest_text,
		.name = b->manifest.name,
		.fd = fd,
		.time = b->options->time,
		.progress = b->options->progress,
		.user = b->options->user,
	};

	if (fd < 0)
		return diag_set(b->diag, -errno, "%s: %s", b->image, strerror(errno));
	int r = pack_write(&pack, &ret->size, &ret->digest, b->diag);
	if (r < 0)
		return r;
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		return diag_set(b->diag, -errno, "%s: %s", b->options->output, strerror(errno));
	return 0;
}

/* What lies beside the layer, whole in the working directory: its names there and at last. */
static int make_beside(struct build *b, const char *suffix, const void *data, size_t size)
{
	_cleanup_free_ char *path = text_format("%s%s", b->image, suffix);

	if (!path)
		return -ENOMEM;
	int r = write_file_durable_at(AT_FDCWD, path, data, size, 0644);
	return r < 0 ? diag_set(b->diag, r, "%s: %s", path, strerror(-r)) : 0;
}

static int make_sum(struct build *b, const struct digest *digest)
{
	const char *slash = strrchr(b->options->output, '/');
	_cleanup_free_ char *sum = NULL;
	char text[DIGEST_STRING_MAX];

	sum = text_format("%s  %s\n", strchr(digest_format(digest, text), ':') + 1,
			  slash ? slash + 1 : b->options->output);
	if (!sum)
		return -ENOMEM;
	return make_beside(b, NAME_LAYER_SUM_SUFFIX, sum, strlen(sum));
}

static int make_signature(struct build *b)
{
	unsigned char signature[SIGNATURE_BYTES];

	if (!b->key)
		return 0;
	int r = sign_text(b->key, b->manifest_text, strlen(b->manifest_text), signature);
	return r < 0 ? r : make_beside(b, NAME_LAYER_SIG_SUFFIX, signature, sizeof(signature));
}

/* What belongs to the image. */
static int make_all_beside(struct build *b, struct build_result *ret)
{
	int r = make_sum(b, &ret->digest);

	if (r == 0)
		r = make_signature(b);
	if (r == 0 && b->options->verity)
		r = tree_build(b->image, &ret->digest, ret->root_hash, b->diag);
	return r;
}

/*
 * All names, with nothing between them that takes time: what lies beside an older layer goes before its image is replaced, and what belongs
 * to the new one comes after. Whatever is cut off in between, no sum, signature or root hash stands beside an image that it is not of; and
 * builds into one directory take turns here.
 */
static int publish(struct build *b)
{
	const char *output = b->options->output;
	_cleanup_close_ int directory = openat(b->lock, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = directory < 0 || flock(directory, LOCK_EX) < 0 ? -errno : 0;

	if (r < 0)
		return diag_set(b->diag, r, "%s: cannot lock its directory: %s", output,
				strerror(-r));
	bool replaces = access(output, F_OK) == 0;
	r = beside_remove_sidecars(output);
	/* Of a layer that is new, nobody sees the image before all that belongs to it. */
	if (r == 0 && !replaces)
		r = beside_move(b->image, output);
	if (r == 0 && rename(b->image, output) < 0)
		r = -errno;
	if (r == 0)
		r = fsync_parent_at(AT_FDCWD, output);
	if (r == 0 && replaces)
		r = beside_move(b->image, output);
	if (r < 0 && !replaces)
		(void)beside_remove_sidecars(output);
	return r < 0 ? diag_set(b->diag, r, "%s: %s", output, strerror(-r)) : 0;
}

int build_layer(const struct images_list *list, const struct build_options *options,
		struct build_result *ret, struct diag *diag)
{
	_cleanup_(build_done) struct build b = {
		.options = options, .list = list, .lock = -1, .diag = diag
	};
	struct build_result result = { 0 };
	int r = settle_name(&b);

	if (r == 0)
		r = settle_texts(&b);
	if (r == 0 && options->sign_key)
		r = signing_key_read(options->sign_key, &b.key, diag);
	if (r == 0 && options->verity)
		r = verity_can_create(diag);
	if (r == 0)
		r = make_work_dir(&b);
	if (r == 0)
		r = collect(&b);
	if (r == 0)
		r = settle_manifest(&b);
	if (r == 0)
		r = pack(&b, &result);
	if (r == 0)
		r = make_all_beside(&b, &result);
	if (r == 0)
		r = publish(&b);
	if (r < 0)
		return r;
	result.manifest = b.manifest;
	b.manifest = (struct layer_manifest){ 0 };
	*ret = result;
	return 0;
}
