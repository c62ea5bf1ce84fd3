/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layers/squash.h: what unsquashfs(1) reads in what was laid out. */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/run.h"
#include "layers/squash.h"
#include "tests/unit/unit.h"

#define GIB (1024ULL * 1024 * 1024)

struct world {
	char dir[32];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/larder-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	assert_int_equal(remove_tree_at(AT_FDCWD, w->dir), 0);
	free(w);
	return 0;
}

static struct squash *new_squash(void)
{
	struct squash *s = NULL;

	assert_int_equal(squash_new(1024 * 1024, 1700000000, &s), 0);
	return s;
}

/* Data is a hole, but for what is written at offset of it. What unsquashfs says, the caller's. */
static char *image_says(const struct world *w, struct squash *s, const char *data, uint64_t offset,
			const char *what, const char *file)
{
	char path[64];
	struct squash_parts parts;
	char *text = NULL;

	snprintf(path, sizeof(path), "%s/image", w->dir);
	const char *argv[] = { "unsquashfs", what, path, file, NULL };
	assert_int_equal(squash_lay_out(s, &parts), 0);
	assert_int_equal(parts.head_size, 96);
	assert_int_equal((parts.head_size + parts.data_size + parts.tail_size) % 4096, 0);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(pwrite_exact(fd, parts.head, parts.head_size, 0), 0);
	assert_int_equal(pwrite_exact(fd, data, strlen(data), parts.head_size + offset), 0);
	assert_int_equal(
		pwrite_exact(fd, parts.tail, parts.tail_size, parts.head_size + parts.data_size),
		0);
	squash_parts_done(&parts);
	assert_int_equal(run_program(argv, NULL, &text, NULL), 0);
	return text;
}

/* Names whose order differs with and without their '/', and links to a file that is added after them. */
static void test_names(void **state)
{
	static const char *const expected[] = {
		"drwxr-xr-x 0/0  squashfs-root\n",
		"-r--r--r-- 0/0 5 squashfs-root/a\n",
		"drwxr-xr-x 0/0  squashfs-root/b\n",
		"drwxr-xr-x 0/0  squashfs-root/b/d\n",
		"-r--r--r-- 0/0 5 squashfs-root/b/d/link\n",
		"-r--r--r-- 0/0 3 squashfs-root/b/d.e\n",
		"-r--r--r-- 0/0 0 squashfs-root/b-c\n",
	};
	_cleanup_(squash_freep) struct squash *s = new_squash();
	char line[256];

	assert_int_equal(squash_add_link(s, "b/d/link", "a"), 0);
	assert_int_equal(squash_add_file(s, "b/d.e", 3), 0);
	assert_int_equal(squash_add_file(s, "a", 5), 0);
	assert_int_equal(squash_add_file(s, "b-c", 0), 0);
	_cleanup_free_ char *text = image_says(*state, s, "foohello", 0, "-lln", NULL);
	size_t found = 0;
	_cleanup_fclose_ FILE *f = fmemopen(text, strlen(text), "r");
	while (fgets(line, sizeof(line), f)) {
		char mode[16], owner[16], size[24], rest[128], seen[256];
		/* mode, owner, size (not of directories' concern), date, time, path */
		if (sscanf(line, "%15s %15s %23s %*s %*s %127s", mode, owner, size, rest) != 4)
			continue;
		snprintf(seen, sizeof(seen), "%s %s %s %s\n", mode, owner,
			 mode[0] == 'd' ? "" : size, rest);
		assert_true(found < ARRAY_SIZE(expected));
		assert_string_equal(seen, expected[found]);
		found++;
	}
	assert_int_equal(found, ARRAY_SIZE(expected));
}

static void test_content(void **state)
{
	_cleanup_(squash_freep) struct squash *s = new_squash();

	assert_int_equal(squash_add_file(s, "d/first", 3), 0);
	assert_int_equal(squash_add_file(s, "d/second", 5), 0);
	assert_int_equal(squash_add_link(s, "e/link", "d/second"), 0);
	_cleanup_free_ char *text = image_says(*state, s, "foohello", 0, "-cat", "e/link");
	assert_string_equal(text, "hello");
}

/* Places and sizes beyond 32 bits. */
static void test_large(void **state)
{
	_cleanup_(squash_freep) struct squash *s = new_squash();

	assert_int_equal(squash_add_file(s, "large", 5 * GIB + 1), 0);
	assert_int_equal(squash_add_file(s, "behind", 5), 0);
	_cleanup_free_ char *text = image_says(*state, s, "hello", 5 * GIB + 1, "-cat", "behind");
	assert_string_equal(text, "hello");
}

/* More than fits into one block of a directory, or of inodes. */
static void test_many(void **state)
{
	_cleanup_(squash_freep) struct squash *s = new_squash();
	char path[128];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "blob/sha256-%064u", i);
		assert_int_equal(squash_add_file(s, path, i == 19999 ? 5 : 0), 0);
	}
	_cleanup_free_ char *text = image_says(*state, s, "hello", 0, "-cat", path);
	assert_string_equal(text, "hello");
}

/* Whatever the order of their data, directories say where inodes are once for many. */
static void test_order(void **state)
{
	struct squash_parts parts[2];
	char path[128];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(parts); k++) {
		_cleanup_(squash_freep) struct squash *s = new_squash();
		for (unsigned i = 0; i < 20000; i++) {
			snprintf(path, sizeof(path), "blob/%064u", k ? (i * 7919) % 20000 : i);
			assert_int_equal(squash_add_file(s, path, 0), 0);
		}
		assert_int_equal(squash_lay_out(s, &parts[k]), 0);
	}
	assert_int_equal(parts[0].tail_size, parts[1].tail_size);
	assert_memory_equal(parts[0].tail, parts[1].tail, parts[0].tail_size);
	for (size_t k = 0; k < ARRAY_SIZE(parts); k++)
		squash_parts_done(&parts[k]);
}

static void test_errors(void **state)
{
	struct squash_parts parts;
	struct squash *s;

	(void)state;
	assert_int_equal(squash_new(1024 * 1024, -1, &s), -ERANGE);
	assert_int_equal(squash_new(1024 * 1024, 1LL << 32, &s), -ERANGE);
	static const char *const twice[][2] = { { "a/b", "a/b" }, { "a", "a/b" }, { "a/b", "a" } };
	for (size_t i = 0; i < ARRAY_SIZE(twice); i++) {
		s = new_squash();
		assert_int_equal(squash_add_file(s, twice[i][0], 1), 0);
		assert_int_equal(squash_add_file(s, twice[i][1], 1), 0);
		assert_int_equal(squash_lay_out(s, &parts), -EEXIST);
		squash_free(s);
	}
	s = new_squash();
	assert_int_equal(squash_add_link(s, "a", "b"), 0);
	assert_int_equal(squash_lay_out(s, &parts), -ENOENT);
	squash_free(s);
	s = new_squash();
	assert_int_equal(squash_add_file(s, "a", UINT64_MAX - 10), 0);
	assert_int_equal(squash_lay_out(s, &parts), -EOVERFLOW);
	squash_free(s);
	s = new_squash();
	assert_int_equal(squash_add_file(s, "a", 1ULL << 62), 0);
	assert_int_equal(squash_lay_out(s, &parts), -EOVERFLOW);
	squash_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_content, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_errors),
	};

	return unit_main(tests);
}
