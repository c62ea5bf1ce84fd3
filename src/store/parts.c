/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/parts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "store/parts_inside.h"

enum part_state {
	PART_INTACT,
	PART_CHANGED, /* its file was written to since it was mounted: read in place */
	PART_LOST,    /* its file is not the layer any more that was activated, or cannot be read */
};

/* What is known of one part besides its line. */
struct known {
	const struct part *part;
	char *link;    /* to the layer's file; NULL: a cache tree */
	uint64_t salt; /* of its identities */
	/* Under the lock: */
	enum part_state state, told;
	struct part_file now;	 /* the file, when it was looked at last */
	struct content_id right; /* the layer manifest that was found to be the right one */
	char *why;		 /* PART_OTHER: the reason */
};

/* The files of the overlay that have this device number and these high bits in their inode number are of that part. */
struct owner {
	uint64_t device, high;
	size_t part;
	bool shared; /* two parts have it: it says nothing */
};

struct parts {
	unsigned owners; /* atomic */
	char *generation;
	bool overlay; /* there is one */
	struct part *list;
	struct known *known;
	struct owner *owner; /* sorted */
	size_t n, n_owner;
	pthread_mutex_t lock;
};

#define INODE_BITS 32 /* of a squashfs image */
#define INODE_MASK ((1ULL << INODE_BITS) - 1)

struct parts *parts_ref(struct parts *parts)
{
	__atomic_add_fetch(&parts->owners, 1, __ATOMIC_RELAXED);
	return parts;
}

void parts_unref(struct parts *parts)
{
	if (__atomic_sub_fetch(&parts->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; parts->known && i < parts->n; i++) {
		free(parts->known[i].link);
		free(parts->known[i].why);
	}
	parts_list_free(parts->list, parts->n);
	free(parts->known);
	free(parts->owner);
	free(parts->generation);
	pthread_mutex_destroy(&parts->lock);
	free(parts);
}

bool parts_is(const struct parts *parts, const char *generation)
{
	return strcmp(parts->generation, generation) == 0;
}

size_t parts_count(const struct parts *parts)
{
	return parts->n;
}

bool parts_is_spare(const struct parts *parts, size_t i)
{
	return parts->list[i].spare;
}

/* FNV-1a over the whole layer id, the size of the file, and its disk. */
static uint64_t make_salt(const struct part *part)
{
	uint64_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < sizeof(part->id.bytes); i++)
		hash = (hash ^ part->id.bytes[i]) * 1099511628211ULL;
	hash = (hash ^ part->file.size) * 1099511628211ULL;
	return (hash ^ part->disk) * 1099511628211ULL;
}

static int know(struct parts *parts)
{
	parts->known = calloc(parts->n + 1, sizeof(*parts->known));
	parts->owner = calloc(parts->n + 1, sizeof(*parts->owner));
	if (!parts->known || !parts->owner)
		return -ENOMEM;
	for (size_t i = 0; i < parts->n; i++) {
		const struct part *part = &parts->list[i];
		struct known *known = &parts->known[i];
		known->part = part;
		known->salt = make_salt(part);
		if (!part->name)
			continue;
		known->now = part->file;
		known->link = text_format("%s%s", part->path,
					  part_in_place(part) ? "" : NAME_LAYER_SUFFIX);
		if (!known->link)
			return -ENOMEM;
	}
	return 0;
}

static int compare_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return (x->high > y->high) - (x->high < y->high);
}

/* The layer manifest below a directory. */
static int stat_manifest(const char *dir, const char *name, struct stat *ret)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" NAME_LAYER_MANIFEST_DIR "/%s%s", dir, name,
			 NAME_LAYER_MANIFEST_SUFFIX);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return lstat(path, ret) < 0 ? -errno : 0;
}

/* See "Identities" in the header. A part of which it cannot be told is left out. */
static void learn_owners(struct parts *parts, const char *overlay)
{
	for (size_t i = 0; i < parts->n; i++) {
		const struct part *part = &parts->list[i];
		struct stat merged, alone;
		if (!part->name || part->spare || stat_manifest(overlay, part->name, &merged) < 0 ||
		    stat_manifest(part->path, part->name, &alone) < 0 ||
		    alone.st_ino > INODE_MASK || (merged.st_ino & INODE_MASK) != alone.st_ino)
			continue;
		parts->owner[parts->n_owner++] =
			(struct owner){ merged.st_dev, merged.st_ino >> INODE_BITS, i, false };
	}
	qsort(parts->owner, parts->n_owner, sizeof(*parts->owner), compare_owners);
	for (size_t i = 1; i < parts->n_owner; i++)
		if (compare_owners(&parts->owner[i - 1], &parts->owner[i]) == 0)
			parts->owner[i - 1].shared = parts->owner[i].shared = true;
}

/* Is there a mount of its own? */
static bool is_mount(const char *dir)
{
	_cleanup_free_ char *parent = path_join(dir, "..");
	struct stat st, above;

	return parent && stat(dir, &st) == 0 && stat(parent, &above) == 0 &&
	       st.st_dev != above.st_dev;
}

static int read_list(struct parts *parts, const char *generation)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	path = text_format("%s" NAME_RUN_GEN_LIST, generation);
	if (!path)
		return -ENOMEM;
	int r = read_regular_at(AT_FDCWD, path, PARTS_BYTES_MAX, &text, NULL);
	if (r == 0)
		r = parts_list_parse(text, &parts->list, &parts->n);
	if (r == 0)
		r = know(parts);
	parts->overlay = r == 0 && is_mount(generation);
	for (size_t i = 0; r == 0 && i < parts->n; i++)
		parts->overlay &= parts->list[i].spare || !part_in_place(&parts->list[i]);
	if (parts->overlay)
		learn_owners(parts, generation);
	return r;
}

int parts_read(const char *run_dir, const char *generation, struct parts **ret)
{
	_cleanup_free_ char *dir = path_join(*generation == '/' ? NULL : run_dir, generation);
	struct parts *parts = calloc(1, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	parts->owners = 1;
	pthread_mutex_init(&parts->lock, NULL);
	parts->generation = strdup(generation);
	int r = dir && parts->generation ? read_list(parts, dir) : -ENOMEM;
	if (r < 0) {
		parts_unref(parts);
		return r;
	}
	*ret = parts;
	return 0;
}

static bool same_file(const struct part_file *a, const struct part_file *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static bool unchanged(const struct part_file *a, const struct part_file *b)
{
	return same_file(a, b) && a->size == b->size && a->change == b->change;
}

/* What is at the end of the link now. False: nothing, or it cannot be asked. */
static bool look_at(const struct known *known, struct part_file *ret)
{
	struct stat st;

	if (stat(known->link, &st) < 0)
		return false;
	part_file_set(ret, &st);
	return true;
}

static void lose(struct known *known, const char *why)
{
	known->state = PART_LOST;
	free(known->why);
	known->why = strdup(why);
}

static void look_at_part(const struct part *part, struct known *known)
{
	struct part_file now;
	bool there = look_at(known, &now);

	/* A mount holds the file that it was made of, wherever that is now. */
	if (!part_in_place(part) && (!there || !same_file(&now, &part->file)))
		return;
	if (!there) {
		known->now = (struct part_file){ 0 };
		lose(known, "it is gone");
	} else if (!unchanged(&now, &known->now)) {
		known->now = now;
		known->state = PART_CHANGED;
	}
}

void parts_look(struct parts *parts, uint64_t *ret_stamp)
{
	uint64_t stamp = 0;

	pthread_mutex_lock(&parts->lock);
	for (size_t i = 0; i < parts->n; i++) {
		struct known *known = &parts->known[i];
		if (known->link)
			look_at_part(known->part, known);
		stamp = stamp * 1099511628211ULL + known->state + (uint64_t)known->now.change;
	}
	pthread_mutex_unlock(&parts->lock);
	*ret_stamp = stamp;
}

bool parts_are_merged(struct parts *parts)
{
	bool merged = parts->overlay;

	pthread_mutex_lock(&parts->lock);
	for (size_t i = 0; i < parts->n; i++)
		merged &= parts->known[i].state == PART_INTACT || parts->list[i].spare;
	pthread_mutex_unlock(&parts->lock);
	return merged;
}

static void identify_mounted(const void *user, struct content_id *id)
{
	const struct known *known = user;
	const struct part_file *file = &known->part->file;

	id->device = file->device;
	id->image = file->inode;
	id->change = file->change;
	id->inode &= INODE_MASK;
	id->mounted = known->salt;
}

static void identify_salted(const void *user, struct content_id *id)
{
	const struct known *known = user;

	id->mounted = known->salt;
}

static void identify_in_overlay(const void *user, struct content_id *id)
{
	const struct parts *parts = user;
	const struct owner key = { id->device, id->inode >> INODE_BITS, 0, false };
	const struct owner *owner =
		bsearch(&key, parts->owner, parts->n_owner, sizeof(*parts->owner), compare_owners);

	if (owner && !owner->shared)
		identify_mounted(&parts->known[owner->part], id);
}

void parts_identify_overlay(const struct parts *parts, struct place *overlay)
{
	place_set_identify(overlay, identify_in_overlay, parts);
}

static bool has_digest(const struct content *content, const struct digest *expected)
{
	_cleanup_free_ char *text = NULL;
	struct digest digest;
	size_t size;

	return content_read_all(content, LAYER_MANIFEST_BYTES_MAX, &text, &size) == 0 &&
	       digest_of(expected->algorithm, text, size, &digest) == 0 &&
	       digest_equal(&digest, expected);
}

/* Does this image still hold the layer manifest that was activated? Whatever else is in it is hashed when it is wanted. */
static bool is_the_layer(struct known *known, struct place *image, struct diag *diag)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), NAME_LAYER_MANIFEST_DIR "/%s%s", known->part->name,
		 NAME_LAYER_MANIFEST_SUFFIX);
	int r = place_open(image, path, &content);
	if (r == 0 && memcmp(&content.id, &known->right, sizeof(content.id)) == 0)
		return true;
	if (r < 0 || !has_digest(&content, &known->part->id)) {
		diag_set(diag, -EINVAL, "its layer manifest is another one than was activated");
		return false;
	}
	known->right = content.id;
	return true;
}

static int open_image(struct parts *parts, struct known *known, struct source **ret)
{
	_cleanup_(source_unrefp) struct source *source = NULL;
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	int r = source_open_tree(known->link, &source, &diag);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		place_set_identify(source_place(source), identify_salted, known);
	pthread_mutex_lock(&parts->lock);
	bool right = r == 0 && is_the_layer(known, source_place(source), &diag);
	if (!right)
		lose(known, diag.message ? diag_text(&diag) : strerror(-r));
	pthread_mutex_unlock(&parts->lock);
	if (!right)
		return -ENOENT;
	*ret = TAKE_PTR(source);
	return 0;
}

int parts_open(struct parts *parts, size_t i, struct source **ret)
{
	struct known *known = &parts->known[i];

	pthread_mutex_lock(&parts->lock);
	enum part_state state = known->state;
	pthread_mutex_unlock(&parts->lock);
	if (state == PART_LOST)
		return -ENOENT;
	if (state == PART_CHANGED || part_in_place(known->part))
		return open_image(parts, known, ret);
	int r = source_open_tree(known->part->path, ret, NULL);
	if (r == 0)
		place_set_identify(source_place(*ret),
				   known->link ? identify_mounted : identify_salted, known);
	return r == -ENOMEM ? r : r < 0 ? -ENOENT : 0;
}

/* The layer that a content is in; NULL: in none. */
static const struct known *layer_of(const struct parts *parts, const struct content_id *id)
{
	for (size_t i = 0; id->image && i < parts->n; i++)
		if (parts->known[i].salt == id->mounted && parts->known[i].link)
			return &parts->known[i];
	return NULL;
}

bool parts_hold(const struct parts *parts, const struct content_id *id)
{
	const struct known *known = layer_of(parts, id);
	struct part_file now;

	return !known || !look_at(known, &now) || now.device != id->device ||
	       now.inode != id->image || now.change == id->change;
}

char *parts_file(const struct parts *parts, const struct content_id *id)
{
	const struct known *known = layer_of(parts, id);
	char file[PATH_MAX];

	if (!known)
		return NULL;
	ssize_t n = readlink(known->link, file, sizeof(file));
	return n > 0 && (size_t)n < sizeof(file) ? strndup(file, (size_t)n) : strdup(known->link);
}

/* One line for the journal, the caller's. */
static char *state_text(const struct known *known)
{
	char file[PATH_MAX];
	ssize_t n = readlink(known->link, file, sizeof(file) - 1);

	file[n > 0 ? n : 0] = '\0';
	if (known->state == PART_CHANGED)
		return text_format(
			"%s was written to while it was in use: what it holds is verified again, and "
			"read from the file until \"larder layers sync\" mounts it anew",
			n > 0 ? file : known->link);
	return text_format("%s is not used any more: %s; \"larder layers sync\" looks at it anew",
			   n > 0 ? file : known->link, known->why ? known->why : "");
}

void parts_news(struct parts *parts, void (*tell)(const char *text, void *user), void *user)
{
	for (size_t i = 0; i < parts->n; i++) {
		struct known *known = &parts->known[i];
		_cleanup_free_ char *text = NULL;
		pthread_mutex_lock(&parts->lock);
		/* A medium may go; nothing is lost as long as its layers are elsewhere. */
		if (known->state != known->told && known->state != PART_INTACT &&
		    !known->part->spare)
			text = state_text(known);
		known->told = known->state;
		pthread_mutex_unlock(&parts->lock);
		if (text)
			tell(text, user);
	}
}
