/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of a generation, and what is noticed of its layers' files. Without mounts: those are tests of the root tier. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "store/parts.h"

struct world {
	char dir[64];
	int fd;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/larder-parts.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->fd >= 0);
	assert_int_equal(mkdir_all_at(w->fd, "gen/1", 0755), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->fd);
	assert_int_equal(remove_tree_at(AT_FDCWD, w->dir), 0);
	free(w);
	return 0;
}

static void write_list(const struct world *w, const char *text)
{
	assert_int_equal(
		write_file_atomic_at(w->fd, "gen/1" NAME_RUN_GEN_LIST, text, strlen(text), 0644),
		0);
}

#define ID "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_text(void **state)
{
	struct part list[] = {
		{ .path = (char *)"/run/l a/layers/k8s-1-00000000",
		  .name = (char *)"k8s",
		  .file = { 1, 2, 3, -4 },
		  .disk = 5 },
		{ .path = (char *)"/run/larder/media/0/imagecache", .disk = 6 },
		{ .path = (char *)"/run/larder/layers/x-11111111.sqsh",
		  .name = (char *)"x",
		  .file = { UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX },
		  .spare = true },
	};
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	assert_int_equal(digest_parse(ID, &list[0].id), 0);
	assert_int_equal(digest_parse(ID, &list[2].id), 0);
	text = parts_format(list, ARRAY_SIZE(list), &size);
	assert_string_equal(text,
			    ID " 1 2 3 -4 5 k8s /run/l a/layers/k8s-1-00000000\n"
			       "- - - - - 6 - /run/larder/media/0/imagecache\n+" ID
			       " 18446744073709551615 18446744073709551615 18446744073709551615 "
			       "9223372036854775807 0 x /run/larder/layers/x-11111111.sqsh\n");
	assert_false(part_in_place(&list[0]));
	assert_true(part_in_place(&list[2]));
}

static void test_bad_lists(void **state)
{
	static const char *const bad[] = {
		"\n",
		"/run/larder/layers/k8s\n",
		"- - - - - 1 - relative\n",
		"- - - - - 1 -\n",
		"- - - - - - - /x\n",
		"sha256:1 1 2 3 4 5 k8s /x\n",
		ID " 1 2 3 4 5 ../k8s /x\n",
		ID " 1 2 3 4 5  /x\n",
		ID " 1 2 3 4x 5 k8s /x\n",
		ID " 1 2 3 4 5x k8s /x\n",
		"- - - - - 1 - /x\nnonsense\n",
	};
	struct world *w = *state;
	struct parts *parts;

	assert_int_equal(parts_read(w->dir, "gen/1", &parts), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_list(w, bad[i]);
		assert_int_equal(parts_read(w->dir, "gen/1", &parts), -EINVAL);
	}
}

static void count_news(const char *text, void *user)
{
	assert_non_null(strstr(text, "is not used any more"));
	++*(int *)user;
}

/* A layer that is read in place: its file changes, goes, and comes back. None of these is a squashfs image. */
static void test_looking(void **state)
{
	struct world *w = *state;
	_cleanup_(parts_unrefp) struct parts *parts = NULL;
	_cleanup_free_ char *link = path_join(w->dir, "layers/x-11111111.sqsh"), *text = NULL;
	_cleanup_free_ char *file = path_join(w->dir, "x.sqsh");
	struct part part = { .path = link, .name = (char *)"x" };
	struct source *source;
	uint64_t first, again, changed, gone;
	struct stat st;
	size_t size;
	int news = 0;

	assert_int_equal(mkdir_all_at(w->fd, "layers", 0755), 0);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, file, "one", 3, 0644), 0);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(stat(link, &st), 0);
	part_file_set(&part.file, &st);
	assert_int_equal(digest_parse(ID, &part.id), 0);
	text = parts_format(&part, 1, &size);
	write_list(w, text);
	assert_int_equal(parts_read(w->dir, "gen/1", &parts), 0);
	assert_true(parts_is(parts, "gen/1"));
	assert_false(parts_is(parts, "gen/11"));
	assert_int_equal(parts_count(parts), 1);
	assert_false(parts_are_merged(parts));
	parts_look(parts, &first);
	parts_look(parts, &again);
	assert_int_equal(first, again);
	parts_news(parts, count_news, &news);
	assert_int_equal(news, 0);

	assert_int_equal(write_file_atomic_at(AT_FDCWD, file, "two", 3, 0644), 0);
	parts_look(parts, &changed);
	assert_int_not_equal(first, changed);
	assert_int_equal(parts_open(parts, 0, &source), -ENOENT);
	parts_news(parts, count_news, &news);
	parts_news(parts, count_news, &news);
	assert_int_equal(news, 1);

	assert_int_equal(unlink(file), 0);
	parts_look(parts, &gone);
	assert_int_not_equal(changed, gone);
	assert_int_equal(parts_open(parts, 0, &source), -ENOENT);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, file, "three", 5, 0644), 0);
	parts_look(parts, &again);
	assert_int_not_equal(gone, again);
}

/* A content's layer file is asked for by the identity that the content got from it. */
static void test_holding(void **state)
{
	struct world *w = *state;
	_cleanup_(parts_unrefp) struct parts *parts = NULL;
	struct content_id id = { .device = 1, .inode = 5 };

	write_list(w, "- - - - - 0 - /nowhere\n");
	assert_int_equal(parts_read(w->dir, "gen/1", &parts), 0);
	assert_true(parts_hold(parts, &id));
	id.image = 7;
	assert_true(parts_hold(parts, &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_bad_lists, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_looking, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holding, set_up, tear_down),
	};

	return unit_main(tests);
}
