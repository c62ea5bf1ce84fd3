/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/verify.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

#define KEY_BYTES   16
#define TABLE_FIRST 1024	/* slots */
#define CORRUPT_MAX 65536	/* more are not remembered, and hashed again */
#define RECORDS_MAX (64U << 20) /* bytes of the file that are read back */

struct key {
	uint8_t bytes[KEY_BYTES];
};

/* A set of keys: open addressing, a power of two of slots, at most seven eighths full. All zero: empty. */
struct table {
	struct key *slots;
	size_t n, capacity;
};

struct verified {
	pthread_mutex_t lock;
	struct table sound;
	struct table corrupt;
	int fd; /* -1: in memory only */
};

struct header {
	char magic[16];
	char boot_id[48]; /* text, padded with zeros */
};
static const char magic[16] = "larder-verified";

static size_t slot_of(const struct table *t, const struct key *key)
{
	static const struct key empty;
	uint64_t hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	size_t slot = hash & (t->capacity - 1);
	while (memcmp(&t->slots[slot], &empty, sizeof(empty)) != 0 &&
	       memcmp(&t->slots[slot], key, sizeof(*key)) != 0)
		slot = (slot + 1) & (t->capacity - 1);
	return slot;
}

static bool table_has(const struct table *t, const struct key *key)
{
	return t->capacity > 0 && memcmp(&t->slots[slot_of(t, key)], key, sizeof(*key)) == 0;
}

static int table_grow(struct table *t)
{
	static const struct key empty;
	struct table larger = { .capacity = t->capacity ? t->capacity * 2 : TABLE_FIRST,
				.n = t->n };

	larger.slots = calloc(larger.capacity, sizeof(struct key));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->capacity; i++)
		if (memcmp(&t->slots[i], &empty, sizeof(empty)) != 0)
			larger.slots[slot_of(&larger, &t->slots[i])] = t->slots[i];
	free(t->slots);
	*t = larger;
	return 0;
}

/* Whether it was new; without memory it is not added, which costs a second hashing. */
static bool table_add(struct table *t, const struct key *key)
{
	if (table_has(t, key))
		return false;
	if (t->n + 1 > t->capacity / 8 * 7 && table_grow(t) < 0)
		return true;
	t->slots[slot_of(t, key)] = *key;
	t->n++;
	return true;
}

static void table_remove(struct table *t, const struct key *key)
{
	static const struct key empty;

	if (!table_has(t, key))
		return;
	size_t slot = slot_of(t, key);
	t->slots[slot] = empty;
	t->n--;
	/* What stood behind it is put where it is found now. */
	for (slot = (slot + 1) & (t->capacity - 1);
	     memcmp(&t->slots[slot], &empty, sizeof(empty)) != 0;
	     slot = (slot + 1) & (t->capacity - 1)) {
		struct key moved = t->slots[slot];
		t->slots[slot] = empty;
		t->slots[slot_of(t, &moved)] = moved;
	}
}

static struct key make_key(const struct digest *digest, const struct content_id *id)
{
	struct {
		struct digest digest;
		struct content_id id;
	} what;
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct key key;

	memset(&what, 0, sizeof(what));
	what.digest = *digest;
	what.id = *id;
	SHA256((const unsigned char *)&what, sizeof(what), hash);
	memcpy(key.bytes, hash, KEY_BYTES);
	key.bytes[KEY_BYTES - 1] |= 1; /* never all zero */
	return key;
}

static void make_header(struct header *header)
{
	_cleanup_free_ char *id = NULL;

	memset(header, 0, sizeof(*header));
	memcpy(header->magic, magic, sizeof(magic));
	if (read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &id, NULL) == 0)
		memcpy(header->boot_id, id, strnlen(id, sizeof(header->boot_id)));
}

/* Reads the keys that are there. -ESTALE: the file is of another boot, or no record. */
static int read_back(struct verified *v, const struct header *expected)
{
	_cleanup_free_ char *data = NULL;
	struct header header;
	size_t size;
	int r = read_fd(v->fd, RECORDS_MAX, &data, &size);

	if (r < 0)
		return r == -ENOMEM ? r : -ESTALE;
	if (size < sizeof(header) || memcmp(data, expected, sizeof(header)) != 0 ||
	    expected->boot_id[0] == '\0')
		return -ESTALE;
	for (size_t at = sizeof(header); at + KEY_BYTES <= size; at += KEY_BYTES) {
		struct key key;
		memcpy(&key, data + at, KEY_BYTES);
		if (key.bytes[KEY_BYTES - 1] & 1)
			table_add(&v->sound, &key);
	}
	/* A crash may have left half a key at the end. */
	size_t whole = size - (size - sizeof(header)) % KEY_BYTES;
	return whole < size && ftruncate(v->fd, (off_t)whole) < 0 ? -errno : 0;
}

static int start_anew(int fd, const struct header *header)
{
	if (ftruncate(fd, 0) < 0)
		return -errno;
	return write_exact(fd, header, sizeof(*header));
}

static int open_record(struct verified *v, const char *path)
{
	struct header header;
	struct stat st;

	v->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (v->fd < 0)
		return -errno;
	if (fstat(v->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	make_header(&header);
	int r = read_back(v, &header);
	return r == -ESTALE ? start_anew(v->fd, &header) : r;
}

int verified_open(const char *path, struct verified **ret, int *ret_file)
{
	struct verified *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	pthread_mutex_init(&v->lock, NULL);
	v->fd = -1;
	*ret_file = path ? open_record(v, path) : 0;
	if (*ret_file < 0)
		v->fd = close_fd(v->fd);
	*ret = v;
	return 0;
}

void verified_free(struct verified *v)
{
	close_fd(v->fd);
	free(v->sound.slots);
	free(v->corrupt.slots);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

enum verdict verified_get(struct verified *v, const struct digest *digest,
			  const struct content_id *id)
{
	struct key key = make_key(digest, id);

	pthread_mutex_lock(&v->lock);
	enum verdict verdict = table_has(&v->sound, &key)     ? VERDICT_SOUND
			       : table_has(&v->corrupt, &key) ? VERDICT_CORRUPT
							      : VERDICT_UNKNOWN;
	pthread_mutex_unlock(&v->lock);
	return verdict;
}

bool verified_set(struct verified *v, const struct digest *digest, const struct content_id *id,
		  bool sound)
{
	struct key key = make_key(digest, id);
	bool news = false;

	pthread_mutex_lock(&v->lock);
	if (sound) {
		table_remove(&v->corrupt, &key);
		news = table_add(&v->sound, &key);
		/* A full disk only means that a restart hashes again. */
		if (news && v->fd >= 0 && write_exact(v->fd, &key, sizeof(key)) < 0)
			v->fd = close_fd(v->fd);
	} else if (v->corrupt.n < CORRUPT_MAX) {
		news = table_add(&v->corrupt, &key);
	}
	pthread_mutex_unlock(&v->lock);
	return news;
}

void verified_forget(struct verified *v, const struct digest *digest, const struct content_id *id)
{
	struct key key = make_key(digest, id);

	pthread_mutex_lock(&v->lock);
	table_remove(&v->sound, &key);
	pthread_mutex_unlock(&v->lock);
}

size_t verified_count(struct verified *v)
{
	pthread_mutex_lock(&v->lock);
	size_t n = v->sound.n;
	pthread_mutex_unlock(&v->lock);
	return n;
}
