/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every input that the fuzz targets of http and registry keep, through the same functions. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "fuzz/registry-input.h"

static void replay(const char *name, void (*input)(const uint8_t *data, size_t size))
{
	char path[4096];
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", unit_source_dir(), name);
	_cleanup_closedir_ DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		_cleanup_free_ char *data = NULL;
		size_t size;
		if (*e->d_name == '.')
			continue;
		assert_int_equal(read_file_at(dirfd(dir), e->d_name, 1 << 20, &data, &size), 0);
		input((const uint8_t *)data, size);
		n++;
	}
	assert_true(n > 10);
}

static void test_http(void **state)
{
	(void)state;
	replay("http", input_http);
}

static void test_route(void **state)
{
	(void)state;
	replay("route", input_route);
}

static void test_server(void **state)
{
	(void)state;
	replay("server", input_server);
	input_server_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_server),
	};

	return unit_main(tests);
}
