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
	assert_true(n > 5);
}

static void test_corpora(void **state)
{
	static const struct {
		const char *name;
		void (*input)(const uint8_t *data, size_t size);
	} corpora[] = {
		{ "http", input_http },		  { "route", input_route },
		{ "reference", input_reference }, { "range", input_range },
		{ "accept", input_accept },	  { "manifest", input_manifest },
		{ "server", input_server },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(corpora); i++)
		replay(corpora[i].name, corpora[i].input);
	input_server_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpora),
	};

	return unit_main(tests);
}
