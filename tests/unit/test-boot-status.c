/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "boot/status.h"

static const char *state_of(const json_t *status)
{
	return json_string_value(json_object_get(status, "state"));
}

static void test_state_follows_problems(void **state)
{
	json_auto_t *status = status_new();

	(void)state;
	assert_string_equal(state_of(status), "ready");
	assert_int_equal(status_add_problem(status, "volume", "no disk matched"), 0);
	assert_int_equal(status_add_problem(status, "layers", "bad \xff bytes"), 0);
	assert_string_equal(state_of(status), "degraded");
	assert_int_equal(json_array_size(json_object_get(status, "problems")), 2);
	status_clear_problems(status, "volume");
	assert_string_equal(state_of(status), "degraded");
	status_clear_problems(status, "layers");
	assert_string_equal(state_of(status), "ready");
	assert_int_equal(status_set_state(status, "failed"), 0);
	assert_int_equal(status_add_problem(status, "config", "bad"), 0);
	assert_string_equal(state_of(status), "failed");
}

static void test_write_and_read(void **state)
{
	char directory[] = "/tmp/larder-test-XXXXXX";
	json_auto_t *status = status_new(), *again = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;

	(void)state;
	assert_non_null(mkdtemp(directory));
	_cleanup_free_ char *run_dir = path_join(directory, "run/larder");
	assert_int_equal(status_read(run_dir, &again, &d), -ENOENT);
	assert_non_null(strstr(d.message, "larder boot has not run"));
	assert_int_equal(status_set(status, "volume", json_pack("{s:s}", "phase", "ready")), 0);
	assert_int_equal(status_write(status, run_dir, &d), 0);
	assert_int_equal(status_read(run_dir, &again, &d), 0);
	assert_true(json_equal(status, again));

	static const char *const bad[] = {
		"", "[]", "{\"format\": 2, \"state\": \"ready\", \"problems\": []}",
		"{\"format\": 1, \"state\": 1, \"problems\": []}"
	};
	_cleanup_free_ char *path = path_join(run_dir, "status.json");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *none = NULL;
		assert_int_equal(write_file_atomic_at(AT_FDCWD, path, bad[i], strlen(bad[i]), 0644),
				 0);
		assert_int_equal(status_read(run_dir, &none, &d), -EINVAL);
		assert_null(none);
		assert_non_null(strstr(d.message, "\"larder boot\" writes it anew"));
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(status_read(run_dir, &again, &d), -EINVAL);
	assert_non_null(strstr(d.message, "it is no regular file; \"larder boot\" writes it anew"));
	assert_int_equal(remove_tree_at(AT_FDCWD, directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_follows_problems),
		cmocka_unit_test(test_write_and_read),
	};

	return unit_main(tests);
}
