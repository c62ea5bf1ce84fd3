/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_CLEANUP_H
#define LARDER_BASE_CLEANUP_H
/*
 * Scope-bound ownership. A variable declared with _cleanup_(f) is released when it goes out of scope;
 * TAKE_PTR and TAKE_FD hand its content to a new owner and leave the variable empty.
 *
 *	_cleanup_free_ char *name = strdup("x");
 *	_cleanup_close_ int fd = open(…);
 *	…
 *	*ret_name = TAKE_PTR(name);
 *	return 0;
 *
 * errno is preserved by every cleanup function here.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((__cleanup__(f)))

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *take_p_ = &(p);                                                     \
		__typeof__(p) take_v_ = *take_p_;                                                  \
		*take_p_ = NULL;                                                                   \
		take_v_;                                                                           \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *take_p_ = &(fd);                                                              \
		int take_v_ = *take_p_;                                                            \
		*take_p_ = -1;                                                                     \
		take_v_;                                                                           \
	})

/* Defines func##p(), fit for _cleanup_(), for a function that frees what a pointer points to. */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##p(type *p)                                                        \
	{                                                                                          \
		int saved_ = errno;                                                                \
		if (*p)                                                                            \
			func(*p);                                                                  \
		errno = saved_;                                                                    \
	}                                                                                          \
	struct func##_needs_a_semicolon_

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void freep(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

/* Closes a descriptor unless it is negative; keeps errno; returns -1 so that "fd = close_fd(fd)" empties fd. */
static inline int close_fd(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
	}
	return -1;
}

static inline void closep(int *fd)
{
	close_fd(*fd);
}

DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

#define _cleanup_free_	   _cleanup_(freep)
#define _cleanup_close_	   _cleanup_(closep)
#define _cleanup_fclose_   _cleanup_(fclosep)
#define _cleanup_closedir_ _cleanup_(closedirp)

#endif
