/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_CORPUS_H
#define LARDER_TESTS_CORPUS_H
/* Every input that fuzzing has kept, through the checks of its fuzz target (tests/fuzz/NAME-input.h). Includes unit.h. */
#include "unit.h"

#include <fcntl.h>

#include "base/io.h"

#define CORPUS_INPUT_MAX (1 << 20)
#define CORPUS_LEAST	 6 /* fewer files than that, and something is wrong with the path */

/* below: a directory of the source tree. */
static inline void corpus_replay(const char *below, void (*input)(const uint8_t *data, size_t size))
{
	_cleanup_free_ char *path = path_join(unit_source_dir(), below);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n = 0;

	assert_true(fd >= 0);
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		_cleanup_free_ char *data = NULL;
		size_t size;
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(read_file_at(fd, e->d_name, CORPUS_INPUT_MAX, &data, &size), 0);
		input((const uint8_t *)data, size);
		n++;
	}
	assert_true(n >= CORPUS_LEAST);
}

#endif
