/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_ARENA_H
#define LARDER_CEL_ARENA_H
/*
 * Memory that is freed all at once, and that has a limit. Chunks double in size from ARENA_FIRST on; a request that
 * would exceed the limit gets NULL, as one that the machine cannot serve does.
 */
#include <stddef.h>
#include <stdint.h>

#define ARENA_FIRST	2048
#define ARENA_CHUNK_MAX (64 * 1024)

struct arena_chunk {
	struct arena_chunk *before;
	size_t size;
};

struct arena {
	struct arena_chunk *chunks;
	char *next, *end; /* free room in the last chunk */
	size_t used;	  /* bytes taken from malloc() */
	size_t limit;
};

static inline void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){ .limit = limit };
}

/* Frees the chunks; the arena is empty and usable again. */
void arena_done(struct arena *a);
void arena_free_chunks(struct arena_chunk *chunks);

void *arena_slow(struct arena *a, size_t size);

/* Not cleared; aligned for any value. NULL: the limit, or out of memory. */
static inline void *arena_alloc(struct arena *a, size_t size)
{
	size = (size + 7 + !size) & ~(size_t)7;
	if ((size_t)(a->end - a->next) < size)
		return arena_slow(a, size);
	void *p = a->next;
	a->next += size;
	return p;
}

/* What was allocated after a mark can be given back. */
struct arena_mark {
	struct arena_chunk *chunks;
	char *next, *end;
	size_t used;
};

static inline struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->chunks, a->next, a->end, a->used };
}

void arena_rewind(struct arena *a, const struct arena_mark *mark);

void *arena_copy(struct arena *a, const void *data, size_t size);

#endif
