/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/side_hasher.h"

#include <pthread.h>
#include <signal.h>

#include "base/io.h"

/* What is hashed sooner than a thread can be woken. */
#define SMALL_BYTES (64 * 1024)

struct side_hasher {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t pushed; /* for the thread: there is a piece, or the end */
	pthread_cond_t hashed; /* for the caller: a piece is free */
	char *pieces[SIDE_HASHER_PIECES];
	size_t sizes[SIDE_HASHER_PIECES];
	unsigned n_pushed, n_hashed; /* count on; what lies between is the thread's */
	bool ended;
	/* The caller's while no piece is the thread's, else the thread's. */
	struct hasher *hasher;
	int result;
};

static void hash_piece(struct side_hasher *h, const void *data, size_t size)
{
	if (h->result == 0)
		h->result = hasher_update(h->hasher, data, size);
}

static void *thread_main(void *user)
{
	struct side_hasher *h = user;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (h->n_hashed == h->n_pushed && !h->ended)
			pthread_cond_wait(&h->pushed, &h->lock);
		if (h->ended)
			break;
		unsigned piece = h->n_hashed % SIDE_HASHER_PIECES;
		pthread_mutex_unlock(&h->lock);
		hash_piece(h, h->pieces[piece], h->sizes[piece]);
		pthread_mutex_lock(&h->lock);
		h->n_hashed++;
		pthread_cond_signal(&h->hashed);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void free_parts(struct side_hasher *h)
{
	for (size_t i = 0; i < SIDE_HASHER_PIECES; i++)
		free(h->pieces[i]);
	hasher_freep(&h->hasher);
	pthread_cond_destroy(&h->pushed);
	pthread_cond_destroy(&h->hashed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* Signals are for the other threads of the program. */
static int start_thread(struct side_hasher *h)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int r = -pthread_create(&h->thread, NULL, thread_main, h);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int side_hasher_new(struct side_hasher **ret)
{
	struct side_hasher *h = calloc(1, sizeof(*h));
	int r = 0;

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->pushed, NULL);
	pthread_cond_init(&h->hashed, NULL);
	for (size_t i = 0; r == 0 && i < SIDE_HASHER_PIECES; i++) {
		h->pieces[i] = aligned_alloc(LONG_WRITE_ALIGNMENT, SIDE_HASHER_PIECE);
		if (!h->pieces[i])
			r = -ENOMEM;
	}
	if (r == 0)
		r = start_thread(h);
	if (r < 0) {
		free_parts(h);
		return r;
	}
	*ret = h;
	return 0;
}

void side_hasher_free(struct side_hasher *h)
{
	pthread_mutex_lock(&h->lock);
	h->ended = true;
	pthread_cond_signal(&h->pushed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	free_parts(h);
}

/* Until at most n pieces are the thread's. */
static void wait_for(struct side_hasher *h, unsigned n)
{
	pthread_mutex_lock(&h->lock);
	while (h->n_pushed - h->n_hashed > n)
		pthread_cond_wait(&h->hashed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

int side_hasher_begin(struct side_hasher *h, enum digest_algorithm algorithm)
{
	wait_for(h, 0);
	hasher_freep(&h->hasher);
	h->hasher = NULL;
	h->result = 0;
	return hasher_new(algorithm, &h->hasher);
}

void *side_hasher_piece(struct side_hasher *h)
{
	wait_for(h, SIDE_HASHER_PIECES - 1);
	return h->pieces[h->n_pushed % SIDE_HASHER_PIECES];
}

void side_hasher_push(struct side_hasher *h, size_t size)
{
	unsigned piece = h->n_pushed % SIDE_HASHER_PIECES;

	pthread_mutex_lock(&h->lock);
	bool alone = h->n_pushed == h->n_hashed;
	if (alone && size <= SMALL_BYTES) {
		pthread_mutex_unlock(&h->lock);
		hash_piece(h, h->pieces[piece], size);
		return;
	}
	h->sizes[piece] = size;
	h->n_pushed++;
	pthread_cond_signal(&h->pushed);
	pthread_mutex_unlock(&h->lock);
}

int side_hasher_finish(struct side_hasher *h, struct digest *ret)
{
	wait_for(h, 0);
	return h->result < 0 ? h->result : hasher_finish(h->hasher, ret);
}

int side_hasher_of_fd(int fd, uint64_t offset, uint64_t size, enum digest_algorithm algorithm,
		      struct digest *ret)
{
	_cleanup_(side_hasher_freep) struct side_hasher *h = NULL;
	int r = side_hasher_new(&h);

	if (r == 0)
		r = side_hasher_begin(h, algorithm);
	while (r == 0 && size > 0) {
		size_t part = size < SIDE_HASHER_PIECE ? (size_t)size : SIDE_HASHER_PIECE;
		r = pread_exact(fd, side_hasher_piece(h), part, offset);
		if (r == 0)
			side_hasher_push(h, part);
		offset += part;
		size -= part;
	}
	return r < 0 ? r : side_hasher_finish(h, ret);
}
