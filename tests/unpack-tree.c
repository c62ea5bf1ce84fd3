/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack-tree FILE DIR: a captured machine (tests/lib/tree.h) as files in an existing directory. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "lib/tree.h"

#define TREE_MAX (16 * 1024 * 1024)

int main(int argc, char *argv[])
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	unsigned line = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: unpack-tree FILE DIR\n");
		return 2;
	}
	_cleanup_close_ int dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : read_file_at(AT_FDCWD, argv[1], TREE_MAX, &text, &size);
	if (r == 0)
		r = tree_unpack(dir, text, size, 1, &line);
	if (r < 0) {
		fprintf(stderr, "%s:%u: %s\n", argv[1], line, strerror(-r));
		return 1;
	}
	return 0;
}
