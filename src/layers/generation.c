/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/generation.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "layers/mount_api.h"
#include "store/parts_inside.h"

#define EMPTY_NAME "empty" /* the bottom: an overlay wants two directories at least */
#define APART_NAME "apart" /* in the directory of a generation that is no overlay */

static bool parse_number(const char *text, unsigned *ret)
{
	char *end;

	if (*text < '1' || *text > '9')
		return false;
	unsigned long n = strtoul(text, &end, 10);
	if (*end || n > INT_MAX)
		return false;
	*ret = (unsigned)n;
	return true;
}

static bool is_mounted(const char *point)
{
	_cleanup_mounts_ struct mounts mounts = { 0 };

	return mounts_now(&mounts) == 0 && mounts_at(&mounts, point) != NULL;
}

static bool is_apart(const char *point)
{
	_cleanup_free_ char *mark = path_join(point, APART_NAME);

	return mark && access(mark, F_OK) == 0;
}

unsigned generation_current(const char *run_dir)
{
	_cleanup_free_ char *link = path_join(run_dir, NAME_RUN_CACHE), *point = NULL;
	char target[64];
	unsigned number;

	if (!link)
		return 0;
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	if (!text_starts_with(target, NAME_RUN_GEN "/") ||
	    !parse_number(target + strlen(NAME_RUN_GEN "/"), &number))
		return 0;
	point = path_join(run_dir, target);
	return point && (is_mounted(point) || is_apart(point)) ? number : 0;
}

static int generation_path(const char *run_dir, unsigned number, const char *suffix, char **ret)
{
	*ret = text_format("%s/" NAME_RUN_GEN "/%u%s", run_dir, number, suffix);
	return *ret ? 0 : -ENOMEM;
}

bool generation_is(const char *run_dir, unsigned number, const struct part *parts, size_t n)
{
	_cleanup_free_ char *path = NULL, *have = NULL, *want = NULL;
	size_t size;

	want = parts_format(parts, n, &size);
	return want && generation_path(run_dir, number, NAME_RUN_GEN_LIST, &path) == 0 &&
	       read_regular_at(AT_FDCWD, path, PARTS_BYTES_MAX, &have, NULL) == 0 &&
	       strcmp(have, want) == 0;
}

int generation_read(const char *run_dir, unsigned number, struct part **ret, size_t *ret_n)
{
	_cleanup_free_ char *list = NULL, *text = NULL;
	int r = generation_path(run_dir, number, NAME_RUN_GEN_LIST, &list);

	if (r == 0)
		r = read_regular_at(AT_FDCWD, list, PARTS_BYTES_MAX, &text, NULL);
	return r < 0 ? r : parts_list_parse(text, ret, ret_n);
}

bool generation_has(const char *run_dir, unsigned number, const char *path)
{
	_cleanup_free_ char *list = NULL, *text = NULL, *end = NULL;

	if (generation_path(run_dir, number, NAME_RUN_GEN_LIST, &list) < 0 ||
	    read_regular_at(AT_FDCWD, list, PARTS_BYTES_MAX, &text, NULL) < 0)
		return false;
	end = text_format(" %s\n", path);
	return end && strstr(text, end);
}

/* "7" and what belongs to it, "7.list" and the like: its number, and what follows. */
static bool parse_entry(const char *entry, unsigned *ret_number, const char **ret_suffix)
{
	char name[NAME_MAX + 1];
	size_t length = strcspn(entry, ".");

	snprintf(name, sizeof(name), "%.*s", (int)length, entry);
	*ret_suffix = entry + length;
	return parse_number(name, ret_number);
}

static int highest_number(const char *gen_dir, unsigned *ret)
{
	_cleanup_closedir_ DIR *d = opendir(gen_dir);
	const char *suffix;

	if (!d)
		return -errno;
	*ret = 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		unsigned number;
		if (parse_entry(e->d_name, &number, &suffix) && number > *ret)
			*ret = number;
	}
	return 0;
}

/* One more than any that was there since boot, so that a number never means two things. */
static int next_number(const char *gen_dir, unsigned *ret)
{
	int r = highest_number(gen_dir, ret);

	*ret += r == 0;
	return r;
}

/* What lies beside generations that are gone. The newest list stays, also when nothing else does: numbers are not used again. */
static void remove_rest(const char *gen_dir, unsigned keep)
{
	_cleanup_closedir_ DIR *d = opendir(gen_dir);
	unsigned number, highest = 0;
	const char *suffix;

	if (!d || highest_number(gen_dir, &highest) < 0)
		return;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!parse_entry(e->d_name, &number, &suffix))
			continue;
		if (strcmp(suffix, OVERLAY_LINKS_SUFFIX) == 0)
			(void)remove_tree_at(dirfd(d), e->d_name);
		else if (strcmp(suffix, NAME_RUN_GEN_LIST) == 0 && number != keep &&
			 number != highest)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
}

static bool can_be_merged(const struct part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (part_in_place(&parts[i]) && !parts[i].spare)
			return false;
	return true;
}

static int merge(const char *gen_dir, const char *target, const struct part *parts, size_t n,
		 struct diag *diag)
{
	_cleanup_free_ char *empty = path_join(gen_dir, EMPTY_NAME);
	_cleanup_free_ const char **lower = calloc(n + 1, sizeof(*lower));
	int r = empty && lower ? mkdir_all_at(AT_FDCWD, empty, 0755) : -ENOMEM;

	if (r < 0)
		return diag_set(diag, r, "%s: %s", gen_dir, strerror(-r));
	size_t n_lower = 0;
	for (size_t i = 0; i < n; i++)
		if (!parts[i].spare)
			lower[n_lower++] = parts[i].path;
	lower[n_lower++] = empty;
	return mount_overlay(lower, n_lower, target, diag);
}

static int leave_apart(const char *target)
{
	_cleanup_free_ char *mark = path_join(target, APART_NAME);

	return mark ? write_file_atomic_at(AT_FDCWD, mark, "", 0, 0644) : -ENOMEM;
}

static int make_generation(const char *run_dir, const char *gen_dir, unsigned number,
			   const struct part *parts, size_t n, char **ret_apart, struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *target = NULL, *list = NULL, *text = NULL;
	size_t size = 0;
	int r = generation_path(run_dir, number, "", &target);

	if (r == 0)
		r = generation_path(run_dir, number, NAME_RUN_GEN_LIST, &list);
	text = parts_format(parts, n, &size);
	if (r == 0)
		r = text ? mkdir_all_at(AT_FDCWD, target, 0755) : -ENOMEM;
	if (r == 0)
		r = write_file_atomic_at(AT_FDCWD, list, text, size, 0644);
	if (r < 0)
		return diag_set(diag, r, "%s: %s", gen_dir, strerror(-r));
	r = can_be_merged(parts, n) ? merge(gen_dir, target, parts, n, &why) : -ENOTSUP;
	if (r == 0 || r == -ENOMEM)
		return r;
	*ret_apart = why.message ? strdup(diag_text(&why)) : NULL;
	r = leave_apart(target);
	return r < 0 ? diag_set(diag, r, "%s: %s", target, strerror(-r)) : 0;
}

int generation_publish(const char *run_dir, const struct part *parts, size_t n,
		       unsigned *ret_number, char **ret_apart, struct diag *diag)
{
	_cleanup_free_ char *apart = NULL;
	_cleanup_free_ char *gen_dir = path_join(run_dir, NAME_RUN_GEN);
	_cleanup_free_ char *link = path_join(run_dir, NAME_RUN_CACHE);
	char target[64];
	unsigned number = 0;

	if (!gen_dir || !link)
		return -ENOMEM;
	int r = mkdir_all_at(AT_FDCWD, gen_dir, 0755);
	if (r == 0)
		r = next_number(gen_dir, &number);
	if (r < 0)
		return diag_set(diag, r, "%s: %s", gen_dir, strerror(-r));
	r = make_generation(run_dir, gen_dir, number, parts, n, &apart, diag);
	if (r < 0)
		return r;
	snprintf(target, sizeof(target), NAME_RUN_GEN "/%u", number);
	r = symlink_atomic_at(target, AT_FDCWD, link);
	if (r < 0)
		return diag_set(diag, r, "%s: %s", link, strerror(-r));
	*ret_number = number;
	*ret_apart = TAKE_PTR(apart);
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x < y) - (x > y);
}

/* The numbers that have a directory, the newest first. */
static int list_numbers(const char *gen_dir, unsigned **ret, size_t *ret_n)
{
	_cleanup_closedir_ DIR *d = opendir(gen_dir);
	_cleanup_free_ unsigned *numbers = NULL;
	size_t n = 0;

	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		unsigned number;
		if (!parse_number(e->d_name, &number))
			continue;
		unsigned *larger = reallocarray(numbers, n + 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		numbers = larger;
		numbers[n++] = number;
	}
	if (n)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	*ret = TAKE_PTR(numbers);
	*ret_n = n;
	return 0;
}

int generation_clean(const char *run_dir, unsigned keep)
{
	_cleanup_free_ char *gen_dir = path_join(run_dir, NAME_RUN_GEN);
	_cleanup_free_ char *link = path_join(run_dir, NAME_RUN_CACHE);
	_cleanup_free_ unsigned *numbers = NULL;
	size_t n = 0;
	int result = 0;

	if (!gen_dir || !link)
		return -ENOMEM;
	if (keep == 0)
		(void)unlink(link);
	remove_temporaries_at(AT_FDCWD, run_dir, NAME_RUN_CACHE);
	remove_temporaries_at(AT_FDCWD, gen_dir, "");
	int r = list_numbers(gen_dir, &numbers, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL, *apart = NULL;
		if (numbers[i] == keep)
			continue;
		r = generation_path(run_dir, numbers[i], "", &path);
		if (r == 0)
			r = generation_path(run_dir, numbers[i], "/" APART_NAME, &apart);
		if (r < 0)
			return r;
		(void)unlink(apart);
		r = unmount(path);
		if (r < 0)
			result = r;
	}
	remove_rest(gen_dir, keep);
	return result;
}
