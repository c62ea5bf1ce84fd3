/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_POOL_H
#define LARDER_CONFIG_POOL_H
/*
 * Memory with one end of life: everything that a machine config points to is allocated here and goes with it. What is
 * freed is overwritten first, since it may hold secrets.
 */
#include <stddef.h>

struct pool {
	struct pool_block *blocks;
};

/* Zeroed memory, or NULL. Belongs to the pool. */
void *pool_alloc(struct pool *pool, size_t size);

/* As realloc() does for arrays: a larger copy; what was there before stays until the end. */
void *pool_grow(struct pool *pool, const void *old, size_t old_size, size_t new_size);

char *pool_strndup(struct pool *pool, const char *text, size_t length);
char *pool_strdup(struct pool *pool, const char *text);
char *pool_printf(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

void pool_done(struct pool *pool);

#endif
