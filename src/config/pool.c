/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/pool.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

struct pool_block {
	struct pool_block *next;
	size_t size;
	max_align_t data[];
};

void *pool_alloc(struct pool *pool, size_t size)
{
	if (size > SIZE_MAX - sizeof(struct pool_block))
		return NULL;
	struct pool_block *block = calloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->next = pool->blocks;
	block->size = size;
	pool->blocks = block;
	return block->data;
}

void *pool_grow(struct pool *pool, const void *old, size_t old_size, size_t new_size)
{
	void *new = pool_alloc(pool, new_size);

	if (new &&old_size > 0)
		memcpy(new, old, old_size);
	return new;
}

char *pool_strndup(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool_alloc(pool, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

char *pool_strdup(struct pool *pool, const char *text)
{
	return pool_strndup(pool, text, strlen(text));
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return NULL;
	}
	return pool_strndup(pool, text, (size_t)n);
}

void pool_done(struct pool *pool)
{
	while (pool->blocks) {
		struct pool_block *block = pool->blocks;
		pool->blocks = block->next;
		explicit_bzero(block->data, block->size);
		free(block);
	}
}
