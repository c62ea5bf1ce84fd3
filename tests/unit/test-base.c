/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/diag.h"
#include "base/io.h"
#include "base/run.h"
#include "base/text.h"

static void test_natural_order(void **state)
{
	static const char *const sorted[] = {
		"",   "0",    "00",    "1",	  "01",	     "2",
		"10", "11-a", "layer", "nvme1n1", "nvme1n2", "nvme10n1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			int order = natural_compare(sorted[i], sorted[j]);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

static void test_nearest(void **state)
{
	static const char *const names[] = { "disk.cdrom", "size", "rotational", "x" };

	(void)state;
	assert_string_equal(text_nearest("rotatoinal", names, ARRAY_SIZE(names)), "rotational");
	assert_string_equal(text_nearest("Size", names, ARRAY_SIZE(names)), "size");
	assert_null(text_nearest("vendor", names, ARRAY_SIZE(names)));
	assert_null(text_nearest("y", names, ARRAY_SIZE(names)));
	assert_null(text_nearest("", names, ARRAY_SIZE(names)));
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{ "", true },
		{ "plain", true },
		{ "gr\xc3\xbc\xc3\x9f", true },
		{ "\xf0\x9f\x90\xb3", true },
		{ "\xc0\x80", false },
		{ "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xc3", false },
		{ "\x80", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_is_utf8(cases[i].text, strlen(cases[i].text)),
				 cases[i].valid);
	assert_false(text_is_utf8("a\0b", 3));
}

static void test_sizes_for_people(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *si, *iec;
	} cases[] = {
		{ 0, "0 B", "0 B" },
		{ 10, "10 B", "10 B" },
		{ 999, "999 B", "999 B" },
		{ 4096, "4.1 kB", "4 KiB" },
		{ 54000000000, "54 GB", "50.3 GiB" },
		{ 2000398934016, "2.0 TB", "1.8 TiB" },
		{ 524288000, "524 MB", "500 MiB" },
		{ 9960, "10 kB", "9.7 KiB" },
		{ UINT64_MAX, "18 EB", "16 EiB" },
	};
	char buffer[TEXT_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(text_size_si(cases[i].bytes, buffer), cases[i].si);
		assert_string_equal(text_size_iec(cases[i].bytes, buffer), cases[i].iec);
	}
}

static void test_strv(void **state)
{
	_cleanup_strv_ char **list = NULL;

	(void)state;
	for (int i = 20; i > 0; i--)
		assert_int_equal(strv_addf(&list, "item%d", i), 0);
	assert_int_equal(strv_length(list), 20);
	strv_sort_natural(list);
	assert_string_equal(list[0], "item1");
	assert_string_equal(list[19], "item20");
	assert_true(strv_contains(list, "item7"));
	assert_false(strv_contains(list, "item21"));
	assert_int_equal(strv_take(&list, NULL), -ENOMEM);
}

static void test_diag(void **state)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	const char *text = "a:\n\tb\xc3\xbc"
			   "c: 1\n";

	(void)state;
	assert_int_equal(diag_set_at(&d, -EINVAL, "f.yaml", 2, 4, "bad %s", "key"), -EINVAL);
	diag_set_excerpt(&d, text, 2, 4);
	assert_string_equal(diag_text(&d), "f.yaml:2:4: bad key\n  \tb\xc3\xbc"
					   "c: 1\n  \t  ^");
	assert_int_equal(diag_prefix(&d, -EINVAL, "volume"), -EINVAL);
	assert_string_equal(d.message, "volume: bad key");
	assert_int_equal(diag_set(NULL, -EIO, "nobody asks"), -EIO);
}

static int make_directory(char template[])
{
	assert_non_null(mkdtemp(template));
	int dir = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

static void test_files(void **state)
{
	char template[] = "/tmp/larder-test-XXXXXX";
	_cleanup_close_ int dir = make_directory(template);
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	assert_int_equal(mkdir_all_at(dir, "a/b/c", 0755), 0);
	assert_int_equal(mkdir_all_at(dir, "a/b/c", 0755), 0);
	assert_int_equal(write_file_durable_at(dir, "a/b/f", "one", 3, 0644), 0);
	assert_int_equal(write_file_durable_at(dir, "a/b/f", "second", 6, 0644), 0);
	assert_int_equal(mkdir_all_at(dir, "a/b/f", 0755), -ENOTDIR);
	assert_int_equal(read_file_at(dir, "a/b/f", 5, &text, &size), -EFBIG);
	assert_int_equal(read_file_at(dir, "a/b/f", 6, &text, &size), 0);
	assert_int_equal(size, 6);
	assert_string_equal(text, "second");

	assert_int_equal(symlink_atomic_at("b", dir, "a/link"), 0);
	assert_int_equal(symlink_atomic_at("/etc", dir, "a/link"), 0);
	assert_int_equal(open_beneath(dir, "a/link/passwd", O_RDONLY), -ELOOP);
	assert_int_equal(open_beneath(dir, "a/../../x", O_RDONLY), -EXDEV);
	assert_int_equal(open_beneath(dir, "/etc/passwd", O_RDONLY), -EXDEV);
	_cleanup_close_ int fd = open_beneath(dir, "a/b/f", O_RDONLY);
	assert_true(fd >= 0);

	assert_int_equal(remove_tree_at(dir, "a"), 0);
	assert_int_equal(remove_tree_at(dir, "a"), 0);
	assert_int_equal(faccessat(dir, "a", F_OK, 0), -1);
	assert_int_equal(rmdir(template), 0);
}

static void assert_rooted(const char *root, const char *path, const char *content)
{
	_cleanup_close_ int fd = open_rooted(root, path, O_RDONLY);
	_cleanup_free_ char *text = NULL;

	assert_true(fd >= 0);
	assert_int_equal(read_fd(fd, 64, &text, NULL), 0);
	assert_string_equal(text, content);
}

static void test_rooted(void **state)
{
	char template[] = "/tmp/larder-test-XXXXXX";
	_cleanup_close_ int dir = make_directory(template);
	_cleanup_free_ char *root = path_join(template, "root"), *out = path_join(template, "f");

	(void)state;
	assert_int_equal(mkdir_all_at(dir, "root/tmp", 0755), 0);
	assert_int_equal(write_file_atomic_at(dir, "f", "outside", 7, 0644), 0);
	assert_int_equal(write_file_atomic_at(dir, "root/f", "inside", 6, 0644), 0);
	assert_int_equal(symlink_atomic_at("/f", dir, "root/absolute"), 0);
	assert_int_equal(symlink_atomic_at("../../../f", dir, "root/up"), 0);
	assert_int_equal(symlink_atomic_at(out, dir, "root/out"), 0);
	assert_rooted(root, "/absolute", "inside");
	assert_rooted(root, "up", "inside");
	assert_rooted(root, "../f", "inside");
	assert_int_equal(open_rooted(root, "/out", O_RDONLY), -ENOENT);
	assert_rooted(NULL, out, "outside");
	assert_rooted("/", out, "outside");
	assert_rooted("", out, "outside");
	assert_int_equal(open_rooted(out, "/f", O_RDONLY), -ENOTDIR);
	assert_int_equal(open_rooted("/nonexistent", "/f", O_RDONLY), -ENOENT);
	assert_int_equal(remove_tree_at(AT_FDCWD, template), 0);
}

static void test_path_join(void **state)
{
	static const struct {
		const char *root, *path, *joined;
	} cases[] = {
		{ NULL, "/run/x", "/run/x" },
		{ "/", "/run/x", "/run/x" },
		{ "/sysroot", "/run/x", "/sysroot/run/x" },
		{ "/sysroot//", "run/x", "/sysroot/run/x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *joined = path_join(cases[i].root, cases[i].path);
		assert_string_equal(joined, cases[i].joined);
	}
}

static void test_run(void **state)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	_cleanup_free_ char *output = NULL;
	const char *const echo[] = { "echo", "$HOME; a", NULL };
	const char *const nothing[] = { "larder-no-such-program", NULL };
	const char *const fail[] = { "ls", "/larder/none", NULL };
	const char *const sleep[] = { "sleep", "60", NULL };
	const char *const both[] = { "sh", "-c", "echo unwanted; echo \" the words\" >&2; exit 4",
				     NULL };
	/* As e2fsck does it. */
	const char *const on_output[] = {
		"sh", "-c", "echo not a directory.; echo; printf 'RUN\\tIT\\n'; echo >&2; exit 4",
		NULL
	};
	const char *const silent[] = { "false", NULL };
	struct run_options two_is_fine = { .success = 1 << 2 };
	struct run_options words = { .output_is_words = true };
	struct run_options soon = { .timeout_ms = 50 };

	(void)state;
	assert_int_equal(run_program(echo, NULL, &output, &d), 0);
	assert_string_equal(output, "$HOME; a\n");
	assert_int_equal(run_program(nothing, NULL, NULL, &d), -ENOENT);
	assert_int_equal(run_program(fail, NULL, NULL, &d), -ECHILD);
	assert_non_null(strstr(d.message, "/larder/none"));
	assert_int_equal(run_program(fail, &two_is_fine, NULL, &d), 2);
	assert_int_equal(run_program(both, NULL, NULL, &d), -ECHILD);
	assert_string_equal(d.message, "sh failed with exit status 4: the words");
	assert_int_equal(run_program(on_output, &words, NULL, &d), -ECHILD);
	assert_string_equal(d.message, "sh failed with exit status 4: not a directory.  RUN IT");
	assert_int_equal(run_program(on_output, NULL, NULL, &d), -ECHILD);
	assert_string_equal(d.message, "sh failed with exit status 4: it said nothing");
	assert_int_equal(run_program(silent, NULL, NULL, &d), -ECHILD);
	assert_string_equal(d.message, "false failed with exit status 1: it said nothing");
	assert_int_equal(run_program(sleep, &soon, NULL, &d), -ETIMEDOUT);
}

/* A process that waits for a program is killed: *ret is how the program ended, which is ended by us if it goes on. */
static void kill_waiting(bool ends_with_us, int *ret)
{
	static const char *const program[] = { "sh", "-c", "echo $$; exec sleep 600", NULL };
	int fds[2], status;
	char text[32] = "";
	pid_t program_pid = 0;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		const struct run_options options = { .stdout_fd = fds[1],
						     .ends_with_us = ends_with_us };
		_exit(run_program(program, &options, NULL, NULL) != 0);
	}
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	program_pid = (pid_t)strtol(text, NULL, 10);
	assert_true(program_pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* Ours now. SIGTERM comes second, if it was to be killed. */
	if (!ends_with_us)
		assert_int_equal(kill(program_pid, SIGTERM), 0);
	assert_int_equal(waitpid(program_pid, ret, 0), program_pid);
	close(fds[0]);
	close(fds[1]);
}

static void test_run_ends_with_us(void **state)
{
	int how;

	(void)state;
	kill_waiting(true, &how);
	assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
	kill_waiting(false, &how);
	assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
}

/* What we ignore and block, a program does not; it starts where it is told, with nothing to read. */
static void test_run_surroundings(void **state)
{
	static const char *const program[] = { "sh", "-c", "kill -USR1 $$; echo still here", NULL };
	static const char *const where[] = { "sh", "-c", "pwd; cat", NULL };
	const struct run_options options = { .directory = "/proc" };
	const struct run_options nowhere = { .directory = "/larder/none" };
	_cleanup_free_ char *output = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	sigset_t all, before;

	(void)state;
	sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
	signal(SIGUSR1, SIG_IGN);
	assert_int_equal(run_program(program, &options, &output, &d), -ECHILD);
	assert_non_null(strstr(d.message, "killed by signal 10"));
	assert_int_equal(run_program(where, &options, &output, &d), 0);
	assert_string_equal(output, "/proc\n");
	assert_int_equal(run_program(where, &nowhere, NULL, NULL), -ENOENT);
	signal(SIGUSR1, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_natural_order),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_sizes_for_people),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_diag),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_rooted),
		cmocka_unit_test(test_path_join),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_run_ends_with_us),
		cmocka_unit_test(test_run_surroundings),
	};

	return unit_main(tests);
}
