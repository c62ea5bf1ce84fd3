/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hash trees on files: the same input gives the same tree, and veritysetup agrees. Mapping needs a kernel with dm-verity. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"
#include "block/cryptsetup.h"
#include "block/verity.h"

#define UUID	   "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
#define DATA_BYTES (1024 * 1024)

struct place {
	char dir[32];
	char *data, *tree, *again;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *bytes = malloc(DATA_BYTES);

	strcpy(p->dir, "/tmp/larder-verity.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->data = path_join(p->dir, "data");
	p->tree = path_join(p->dir, "tree");
	p->again = path_join(p->dir, "again");
	for (size_t i = 0; i < DATA_BYTES; i++)
		bytes[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, p->data, bytes, DATA_BYTES, 0644), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	assert_int_equal(remove_tree_at(AT_FDCWD, p->dir), 0);
	free(p->data);
	free(p->tree);
	free(p->again);
	free(p);
	return 0;
}

static const uint8_t salt[VERITY_SALT_BYTES] = { 1, 2, 3 };

static int veritysetup_verifies(const struct place *p, const char *root)
{
	const struct run_options options = { .timeout_ms = 60000 };
	const char *const argv[] = { "veritysetup", "verify", p->data, p->tree, root, NULL };

	return run_program(argv, &options, NULL, NULL);
}

static void test_create(void **state)
{
	const struct place *p = *state;
	char root[VERITY_ROOT_TEXT_MAX], again[VERITY_ROOT_TEXT_MAX];
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t size_a, size_b;

	assert_int_equal(verity_create(p->data, p->tree, salt, UUID, root, NULL), 0);
	assert_true(verity_root_hash_is_valid(root));
	assert_int_equal(verity_create(p->data, p->again, salt, UUID, again, NULL), 0);
	assert_string_equal(root, again);
	assert_int_equal(read_file_at(AT_FDCWD, p->tree, DATA_BYTES, &a, &size_a), 0);
	assert_int_equal(read_file_at(AT_FDCWD, p->again, DATA_BYTES, &b, &size_b), 0);
	assert_int_equal(size_a, size_b);
	assert_memory_equal(a, b, size_a);
	assert_int_equal(veritysetup_verifies(p, root), 0);
	root[0] = root[0] == '0' ? '1' : '0';
	assert_true(veritysetup_verifies(p, root) < 0);
}

static void test_create_refused(void **state)
{
	const struct place *p = *state;
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	char root[VERITY_ROOT_TEXT_MAX] = "untouched";

	assert_int_equal(truncate(p->data, DATA_BYTES - 1), 0);
	assert_int_equal(verity_create(p->data, p->tree, salt, UUID, root, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "no multiple of 4096"));
	assert_int_equal(truncate(p->data, 0), 0);
	assert_int_equal(verity_create(p->data, p->tree, salt, UUID, root, NULL), -EINVAL);
	assert_int_equal(truncate(p->data, DATA_BYTES), 0);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, p->tree, "x", 1, 0644), 0);
	assert_int_equal(verity_create(p->data, p->tree, salt, UUID, root, NULL), -EEXIST);
	assert_string_equal(root, "untouched");
}

static void test_root_hash(void **state)
{
	char hex[VERITY_ROOT_HEX_MAX + 2];

	(void)state;
	memset(hex, 'a', sizeof(hex));
	for (size_t n = 0; n < sizeof(hex); n++) {
		hex[n] = '\0';
		assert_int_equal(verity_root_hash_is_valid(hex), n == 64 || n == 128);
		hex[n] = 'a';
	}
	hex[64] = '\0';
	hex[10] = 'A';
	assert_false(verity_root_hash_is_valid(hex));
	hex[10] = '\n';
	assert_false(verity_root_hash_is_valid(hex));
}

/* Where the kernel cannot, it is said before anything is tried. */
static void test_without_device_mapper(void **state)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	char path[VERITY_PATH_MAX];
	int fd = -1;

	(void)state;
	if (device_mapper_is_there()) {
		assert_int_equal(verity_available(&diag), 0);
		return;
	}
	assert_int_equal(verity_available(&diag), -EOPNOTSUPP);
	assert_non_null(strstr(diag.message, "no device-mapper"));
	assert_int_equal(
		verity_open("/dev/null", "/dev/null", "", "larder-verity-x", &fd, path, NULL),
		-EOPNOTSUPP);
	assert_int_equal(fd, -1);
	assert_false(verity_found_corruption("larder-verity-x"));
	verity_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_create_refused, set_up, tear_down),
		cmocka_unit_test(test_root_hash),
		cmocka_unit_test(test_without_device_mapper),
	};

	return unit_main(tests);
}
