/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every input that fuzzing has kept, through the checks of the fuzz target. */
#include "unit.h"

#include <fcntl.h>

#include "base/io.h"
#include "fuzz/cel-input.h"

static void replay(const char *below)
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
		assert_int_equal(read_file_at(fd, e->d_name, 1 << 20, &data, &size), 0);
		cel_input((const uint8_t *)data, size);
		n++;
	}
	assert_true(n > 5);
}

static void test_corpus(void **state)
{
	(void)state;
	replay("tests/fuzz/corpus/cel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
	};

	return unit_main(tests);
}
