/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/arena.h"

#include <stdlib.h>
#include <string.h>

void arena_free_chunks(struct arena_chunk *chunks)
{
	while (chunks) {
		struct arena_chunk *before = chunks->before;
		free(chunks);
		chunks = before;
	}
}

void arena_done(struct arena *a)
{
	arena_free_chunks(a->chunks);
	arena_init(a, a->limit);
}

void *arena_slow(struct arena *a, size_t size)
{
	size_t wanted = a->used < ARENA_FIRST ? ARENA_FIRST : a->used;

	if (wanted > ARENA_CHUNK_MAX)
		wanted = ARENA_CHUNK_MAX;
	if (wanted < size + sizeof(struct arena_chunk))
		wanted = size + sizeof(struct arena_chunk);
	if (size > a->limit || wanted > a->limit - a->used) {
		/* The last chunk may be smaller than usual. */
		wanted = size + sizeof(struct arena_chunk);
		if (size > a->limit || wanted > a->limit - a->used)
			return NULL;
	}
	struct arena_chunk *chunk = malloc(wanted);
	if (!chunk)
		return NULL;
	chunk->before = a->chunks;
	chunk->size = wanted;
	a->chunks = chunk;
	a->used += wanted;
	a->next = (char *)(chunk + 1) + size;
	a->end = (char *)chunk + wanted;
	return chunk + 1;
}

void arena_rewind(struct arena *a, const struct arena_mark *mark)
{
	while (a->chunks != mark->chunks) {
		struct arena_chunk *before = a->chunks->before;
		free(a->chunks);
		a->chunks = before;
	}
	a->next = mark->next;
	a->end = mark->end;
	a->used = mark->used;
}

void *arena_copy(struct arena *a, const void *data, size_t size)
{
	void *p = arena_alloc(a, size);

	if (p && size > 0)
		memcpy(p, data, size);
	return p;
}
