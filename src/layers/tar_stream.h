/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_TAR_STREAM_H
#define LARDER_LAYERS_TAR_STREAM_H
/*
 * A tar stream (POSIX.1-2001 pax, "ustar" headers) written to a descriptor: directories, files, hard links; all owned by root,
 * all with one time, so that the same content is the same bytes. A file is its header, then exactly size bytes by write_exact(),
 * then tar_pad().
 */
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"

struct tar_stream {
	int fd; /* borrowed */
	time_t time;
};

/* Paths are relative, without "." and "..". 0 or a negative errno of write(2). */
int tar_directory(const struct tar_stream *t, const char *path);
int tar_file(const struct tar_stream *t, const char *path, uint64_t size);
int tar_pad(const struct tar_stream *t, uint64_t size); /* after a file of size bytes */
int tar_hard_link(const struct tar_stream *t, const char *path, const char *target);
int tar_end(const struct tar_stream *t);

#endif
