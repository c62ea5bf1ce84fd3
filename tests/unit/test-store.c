/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "store/digest.h"
#include "store/ingest.h"
#include "store/modest.h"
#include "store/place_names.h"
#include "store/pool.h"
#include "store/reference.h"
#include "store/side_hasher.h"
#include "store/tree.h"

#define HEX_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX_ABC	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int make_directory(void **state)
{
	char *path = strdup("/tmp/larder-store.XXXXXX");

	*state = path;
	return path && mkdtemp(path) ? 0 : -1;
}

static int remove_directory(void **state)
{
	int r = remove_tree_at(AT_FDCWD, *state);

	free(*state);
	return r;
}

static void test_digest_text(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{ "sha256:" HEX_ABC, 0 },
		{ "sha512:" HEX_ABC HEX_ABC, 0 },
		{ "sha256:" HEX_ABC "0", -EINVAL },
		{ "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		  -EINVAL },
		{ "sha256-" HEX_ABC, -EINVAL },
		{ "sha256:", -EINVAL },
		{ "sha256", -EINVAL },
		{ ":" HEX_ABC, -EINVAL },
		{ "blake3:" HEX_ABC, -EOPNOTSUPP },
		{ "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", -EOPNOTSUPP },
		{ "../../etc:" HEX_ABC, -EINVAL },
		{ "", -EINVAL },
	};
	struct digest d, again;
	char text[DIGEST_STRING_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(digest_parse(cases[i].text, &d), cases[i].result);
		if (cases[i].result == 0)
			assert_string_equal(digest_format(&d, text), cases[i].text);
	}
	assert_int_equal(digest_parse_file_name("sha256-" HEX_ABC, &d), 0);
	assert_string_equal(digest_format_file_name(&d, text), "sha256-" HEX_ABC);
	assert_int_equal(digest_parse_n("sha256:" HEX_ABC "zz", 7 + 64, &again), 0);
	assert_true(digest_equal(&d, &again));
	again.bytes[31] ^= 1;
	assert_false(digest_equal(&d, &again));
}

static void test_hashing(void **state)
{
	_cleanup_(hasher_freep) struct hasher *h = NULL;
	struct digest whole, pieces, none = { 0 };
	char text[DIGEST_STRING_MAX];

	(void)state;
	assert_int_equal(digest_of(DIGEST_SHA256, "", 0, &whole), 0);
	assert_string_equal(digest_format(&whole, text), "sha256:" HEX_EMPTY);
	assert_int_equal(digest_of(DIGEST_SHA256, "abc", 3, &whole), 0);
	assert_string_equal(digest_format(&whole, text), "sha256:" HEX_ABC);
	assert_int_equal(hasher_new(DIGEST_SHA256, &h), 0);
	assert_int_equal(hasher_update(h, "a", 1), 0);
	assert_int_equal(hasher_update(h, "bc", 2), 0);
	assert_int_equal(hasher_finish(h, &pieces), 0);
	assert_true(digest_equal(&whole, &pieces));
	assert_string_equal(digest_format(&none, text), "");
	assert_int_equal(digest_of(DIGEST_NONE, "", 0, &whole), -EOPNOTSUPP);
}

static void test_hash_of_file(void **state)
{
	_cleanup_close_ int fd = open(*state, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	struct digest d;
	char text[DIGEST_STRING_MAX];

	assert_true(fd >= 0);
	assert_int_equal(write_exact(fd, "xxabcyy", 7), 0);
	assert_int_equal(side_hasher_of_fd(fd, 2, 3, DIGEST_SHA256, &d), 0);
	assert_string_equal(digest_format(&d, text), "sha256:" HEX_ABC);
	assert_int_equal(side_hasher_of_fd(fd, 2, 6, DIGEST_SHA256, &d), -ENODATA);
}

/* Contents of odd sizes, one after the other, in pieces that a copy would use: the digests are those of the whole. */
static void test_side_hasher(void **state)
{
	static const size_t sizes[] = { 0,
					1,
					64 * 1024,
					64 * 1024 + 1,
					SIDE_HASHER_PIECE - 1,
					SIDE_HASHER_PIECE,
					(SIDE_HASHER_PIECES + 2) * SIDE_HASHER_PIECE + 7,
					3 };
	size_t most = (SIDE_HASHER_PIECES + 2) * SIDE_HASHER_PIECE + 7;
	_cleanup_free_ char *data = malloc(most);
	_cleanup_(side_hasher_freep) struct side_hasher *h = NULL;

	(void)state;
	for (size_t i = 0; i < most; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	assert_int_equal(side_hasher_new(&h), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		enum digest_algorithm algorithm = i % 3 ? DIGEST_SHA256 : DIGEST_SHA512;
		size_t size = sizes[i / 2];
		struct digest whole, pieces;

		assert_int_equal(side_hasher_begin(h, algorithm), 0);
		/* Now and then a content is given up in the middle, as when its file cannot be read. */
		if (i % 5 == 4) {
			memset(side_hasher_piece(h), 'x', SIDE_HASHER_PIECE);
			side_hasher_push(h, SIDE_HASHER_PIECE);
			assert_int_equal(side_hasher_begin(h, algorithm), 0);
		}
		for (size_t at = 0; at < size;) {
			size_t part = size - at < SIDE_HASHER_PIECE ? size - at : SIDE_HASHER_PIECE;
			memcpy(side_hasher_piece(h), data + at, part);
			side_hasher_push(h, part);
			at += part;
		}
		assert_int_equal(side_hasher_finish(h, &pieces), 0);
		assert_int_equal(digest_of(algorithm, data, size, &whole), 0);
		assert_true(digest_equal(&pieces, &whole));
	}
	assert_int_equal(side_hasher_begin(h, DIGEST_NONE), -EOPNOTSUPP);
}

static void test_reference(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: refused */
	} cases[] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "index.docker.io/acme/app:2", "docker.io/acme/app:2" },
		{ "registry-1.docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "acme/app", "docker.io/acme/app:latest" },
		{ "localhost/x", "localhost/x:latest" },
		{ "localhost:5000/x/y:1", "localhost:5000/x/y:1" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest" },
		{ "ghcr.io/a/b@sha256:" HEX_ABC, "ghcr.io/a/b@sha256:" HEX_ABC },
		{ "ghcr.io/a/b:v1@sha256:" HEX_ABC, "ghcr.io/a/b:v1@sha256:" HEX_ABC },
		{ "a__b/c--d/e.f_g:_x", "docker.io/a__b/c--d/e.f_g:_x" },
		{ "", NULL },
		{ "Busybox", NULL },
		{ "a..b", NULL },
		{ "a___b", NULL },
		{ "a/../b", NULL },
		{ "a//b", NULL },
		{ "/a", NULL },
		{ "a/", NULL },
		{ "x:", NULL },
		{ "x:.tag", NULL },
		{ "x:a b", NULL },
		{ "x\n", NULL },
		{ "-host.io/x", NULL },
		{ "host.io:port/x", NULL },
		{ "host.io:123456/x", NULL },
		{ "[2001:DB8::192.0.2.1]/x", "[2001:DB8::192.0.2.1]/x:latest" },
		{ "[0..]/x", NULL },
		{ "[1:2]/x", NULL },
		{ "[::1/x", NULL },
		{ "[::1]x/x", NULL },
		{ "x@sha256:abc", NULL },
		{ "x@blake3:" HEX_ABC, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_reference_ struct reference r = { 0 };
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		int e = reference_parse(cases[i].text, &r, &diag);
		if (!cases[i].canonical) {
			assert_int_equal(e, -EINVAL);
			assert_non_null(diag.message);
			continue;
		}
		assert_int_equal(e, 0);
		_cleanup_free_ char *canonical = reference_format(&r);
		assert_string_equal(canonical, cases[i].canonical);
	}
}

static void test_reference_limits(void **state)
{
	char text[1024];
	_cleanup_reference_ struct reference r = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	text[129] = '\0';
	assert_false(tag_is_valid(text));
	text[128] = '\0';
	assert_true(tag_is_valid(text));
	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	assert_false(repository_is_valid(text));
	assert_int_equal(reference_parse(text, &r, NULL), -EINVAL);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(reference_parse(text, &r, NULL), -EINVAL);
}

static void test_registry_dirs(void **state)
{
	static const char *const pairs[][2] = {
		{ "docker.io", "docker.io" },
		{ "localhost:5000", "localhost_5000_" },
		{ "10.0.0.1:80", "10.0.0.1_80_" },
		{ "[::1]:5000", "[::1]_5000_" },
		{ "[::1]", "[::1]" },
	};
	static const char *const bad[] = { "",	  ".",	    "..",     "a_b",  "a:5000",
					   "x/y", "_5000_", "a_5000", "a_b_", "-x" };
	char buffer[NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_int_equal(tree_registry_to_dir(pairs[i][0], buffer), 0);
		assert_string_equal(buffer, pairs[i][1]);
		assert_int_equal(tree_registry_from_dir(pairs[i][1], buffer), 0);
		assert_string_equal(buffer, pairs[i][0]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tree_registry_from_dir(bad[i], buffer), -EINVAL);
	assert_int_equal(tree_registry_to_dir("../x", buffer), -EINVAL);
}

static void test_tree_paths(void **state)
{
	char path[PATH_MAX];
	struct digest d, none = { 0 };

	(void)state;
	assert_int_equal(digest_parse("sha256:" HEX_ABC, &d), 0);
	assert_int_equal(tree_blob_path(&d, path), 0);
	assert_string_equal(path, NAME_BLOB_DIR "/sha256-" HEX_ABC);
	assert_int_equal(tree_blob_path(&none, path), -EINVAL);
	assert_int_equal(tree_manifest_path("h.io:5", "a/b", &d, path), 0);
	assert_string_equal(path, NAME_MANIFESTS_DIR "/h.io_5_/a/b/digest/sha256-" HEX_ABC);
	assert_int_equal(tree_tag_path("h.io", "a", "1.0", path), 0);
	assert_string_equal(path, NAME_MANIFESTS_DIR "/h.io/a/reference/1.0");
	assert_int_equal(tree_tag_path("h.io", "a", "../x", path), -EINVAL);
	assert_int_equal(tree_tag_path("h.io", "../a", "x", path), -EINVAL);
	assert_int_equal(tree_tag_path("..", "a", "x", path), -EINVAL);
}

static void put(int dir, const char *path)
{
	assert_int_equal(mkdir_parents_at(dir, path, 0755), 0);
	assert_int_equal(write_file_atomic_at(dir, path, "{}", 2, 0644), 0);
}

static int record(const char *registry, const char *repository, const char *tag,
		  const struct digest *digest, void *user)
{
	fprintf(user, "%s/%s%s%s\n", registry, repository, tag ? ":" : "@",
		tag	 ? tag
		: digest ? "digest"
			 : "");
	return 0;
}

struct remembering {
	struct place *place, *names;
	struct names *into;
	const char *path;
};

static int remember_entry(const char *name, mode_t type, void *user)
{
	return names_add(((struct remembering *)user)->into, name, type);
}

static void remember(struct place *place, struct place *names, const char *path);

static int remember_below(const char *name, mode_t type, void *user)
{
	const struct remembering *r = user;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", r->path, name);
	if (S_ISDIR(type))
		remember(r->place, r->names, path);
	return 0;
}

static void remember(struct place *place, struct place *names, const char *path)
{
	struct remembering r = { .place = place, .names = names, .path = path };

	assert_int_equal(place_names_directory(names, path, &r.into), 0);
	assert_int_equal(place_list_any(place, path, remember_entry, &r), 0);
	assert_int_equal(names_list(r.into, remember_below, &r), 0);
}

/* What was remembered of a tree that is gone is walked as the tree was. */
static void check_remembered(int dir, const char *expected, unsigned expected_skipped)
{
	_cleanup_(place_unrefp) struct place *names = NULL, *place = NULL;
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *seen = NULL;
	size_t size;
	unsigned skipped = 0;
	FILE *f = open_memstream(&seen, &size);

	assert_int_equal(place_new_names(&names), 0);
	assert_int_equal(place_new_directory(fcntl(dir, F_DUPFD_CLOEXEC, 3), &place), 0);
	assert_int_equal(tree_walk_place(names, record, f, &skipped), 0);
	remember(place, names, NAME_MANIFESTS_DIR);
	assert_int_equal(remove_tree_at(dir, NAME_MANIFESTS_DIR), 0);
	assert_int_equal(tree_walk_place(names, record, f, &skipped), 0);
	fclose(f);
	assert_string_equal(seen, expected);
	assert_int_equal(skipped, expected_skipped);
	assert_true(place_has_directory(names, NAME_MANIFESTS_DIR "/h.io/a"));
	assert_false(place_has_directory(names, NAME_MANIFESTS_DIR "/h.io/a/reference/2"));
	assert_int_equal(place_open(names, NAME_MANIFESTS_DIR "/h.io/a/reference/2", &content),
			 -ENOENT);
}

static void test_walk(void **state)
{
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *seen = NULL;
	size_t size;
	unsigned skipped = 0;
	FILE *f = open_memstream(&seen, &size);

	assert_true(dir >= 0);
	assert_false(tree_is_there(dir));
	assert_int_equal(tree_walk_manifests(dir, record, f, &skipped), 0);
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/reference/2");
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/reference/10");
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/digest/sha256-" HEX_ABC);
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/digest/digest/sha256-" HEX_EMPTY); /* h.io/a/digest */
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/digest/junk");			/* skipped */
	put(dir, NAME_MANIFESTS_DIR "/h.io/a-b/reference/x");
	put(dir, NAME_MANIFESTS_DIR "/h.io/a/z/reference/x");
	put(dir, NAME_MANIFESTS_DIR "/h.io/A/reference/x"); /* skipped */
	put(dir, NAME_MANIFESTS_DIR "/b_5000_/r/reference/x");
	put(dir, NAME_MANIFESTS_DIR "/_bad_/r/reference/x");			      /* skipped */
	assert_int_equal(symlinkat("/etc", dir, NAME_MANIFESTS_DIR "/h.io/link"), 0); /* skipped */
	assert_int_equal(symlinkat("a", dir, NAME_MANIFESTS_DIR "/h.io/a/reference/link"), 0);
	assert_true(tree_is_there(dir));
	assert_int_equal(tree_walk_manifests(dir, record, f, &skipped), 0);
	fclose(f);
	assert_string_equal(seen, "b:5000/r:x\n"
				  "h.io/a:10\nh.io/a:2\nh.io/a@digest\n"
				  "h.io/a-b:x\n"
				  "h.io/a/digest@digest\n"
				  "h.io/a/z:x\n");
	assert_int_equal(skipped, 4);
	check_remembered(dir, seen, skipped);
}

static int count_entries(int dir, const char *path)
{
	int n = 0;
	_cleanup_closedir_ DIR *d =
		fdopendir(openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void test_ingest(void **state)
{
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *content = NULL;
	struct ingest *i = NULL;
	struct digest abc, empty;

	assert_int_equal(digest_parse("sha256:" HEX_ABC, &abc), 0);
	assert_int_equal(digest_parse("sha256:" HEX_EMPTY, &empty), 0);
	assert_int_equal(ingest_new(dir, DIGEST_SHA256, &i), 0);
	assert_int_equal(ingest_write(i, "ab", 2), 0);
	assert_int_equal(ingest_write(i, "c", 1), 0);
	assert_int_equal(ingest_commit(i, &abc, "x/y/file", &diag), 0);
	ingest_free(i);
	assert_int_equal(read_file_at(dir, "x/y/file", 10, &content, NULL), 0);
	assert_string_equal(content, "abc");

	/* Wrong bytes leave nothing, under either name. */
	assert_int_equal(ingest_new(dir, DIGEST_SHA256, &i), 0);
	assert_int_equal(ingest_write(i, "abd", 3), 0);
	assert_int_equal(ingest_commit(i, &abc, "x/bad", &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, HEX_ABC));
	ingest_free(i);
	assert_int_equal(faccessat(dir, "x/bad", F_OK, 0), -1);
	assert_int_equal(count_entries(dir, NAME_INCOMING_DIR), 0);

	/* What a crash left is removed; what is being written, and what is somebody else's, is not. */
	struct ingest *live = NULL;
	assert_int_equal(ingest_new(dir, DIGEST_SHA256, &live), 0);
	put(dir, NAME_INCOMING_DIR "/ingest-0123456789abcdef");
	put(dir, NAME_INCOMING_DIR "/others.part");
	assert_int_equal(ingest_clean(dir), 0);
	assert_int_equal(count_entries(dir, NAME_INCOMING_DIR), 2);
	ingest_free(live);
	assert_int_equal(count_entries(dir, NAME_INCOMING_DIR), 1);
	assert_int_equal(remove_tree_at(dir, NAME_INCOMING_DIR), 0);
	assert_int_equal(ingest_clean(dir), 0);
}

static void test_ingest_copy(void **state)
{
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(ingest_freep) struct ingest *i = NULL;
	_cleanup_close_ int fd = -1;
	struct digest abc;

	assert_int_equal(digest_parse("sha256:" HEX_ABC, &abc), 0);
	assert_int_equal(write_file_atomic_at(dir, "source", "12abc", 5, 0600), 0);
	fd = openat(dir, "source", O_RDONLY | O_CLOEXEC);
	assert_int_equal(ingest_new(dir, DIGEST_SHA256, &i), 0);
	assert_int_equal(ingest_copy(i, fd, 2, 3), 0);
	assert_int_equal(ingest_copy(i, fd, 5, 1), -ENODATA);
	assert_int_equal(ingest_commit(i, &abc, "copy", NULL), 0);
}

/* Undisturbed it does not rest; disturbed it rests for ten times what it has worked since the last time, at most a second. */
static void test_modest(void **state)
{
	struct modest m = { .used = 500, .preempted = 3 };

	(void)state;
	assert_int_equal(modest_rest(&m, 1500, 3), 0);
	assert_int_equal(modest_rest(&m, 2500, 4), 2000 * MODEST_REST);
	assert_int_equal(modest_rest(&m, 2600, 4), 0);
	assert_int_equal(modest_rest(&m, 2700, 9), 200 * MODEST_REST);
	assert_int_equal(modest_rest(&m, 2700, 10), 0);
	assert_int_equal(modest_rest(&m, UINT64_MAX, 11), MODEST_REST_MAX);
}

/* The thread's own clock and count: work is seen. */
static void test_modest_look(void **state)
{
	struct modest m;
	uint64_t used;
	long preempted;
	volatile unsigned work = 0;

	(void)state;
	modest_begin(&m);
	while (work < 1000000)
		work = work + 1;
	modest_look(&used, &preempted);
	assert_true(used > m.used);
	assert_true(preempted >= m.preempted);
}

struct counted_job {
	struct job job;
	unsigned steps, *done;
};

/* Long enough that the processor is taken from it where anybody else wants it. */
static bool counted_step(struct job *job)
{
	struct counted_job *c = (struct counted_job *)job;
	volatile unsigned work = 0;

	while (work < 200000)
		work = work + 1;
	return ++c->steps < 20;
}

static void counted_done(struct job *job, bool cancelled)
{
	struct counted_job *c = (struct counted_job *)job;

	*c->done += !cancelled;
}

static void *spin(void *user)
{
	while (!__atomic_load_n((bool *)user, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* Jobs that nobody waits for are done in the end also where the only processor is busy, and one that becomes urgent does not rest. */
static void test_pool(void **state)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct counted_job jobs[3] = { 0 };
	unsigned done = 0;
	bool stop = false;
	pthread_t spinner;
	cpu_set_t before, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int i = 0; CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pthread_create(&spinner, NULL, spin, &stop), 0);
	assert_int_equal(pool_new(1, &pool), 0);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct counted_job){
			.job = { .step = counted_step, .done = counted_done, .left = i + 1 },
			.done = &done,
		};
		pool_submit(pool, &jobs[i].job, false);
	}
	pool_hurry(pool, &jobs[2].job);
	while (done < ARRAY_SIZE(jobs)) {
		struct pollfd p = { .fd = pool_fd(pool), .events = POLLIN };
		assert_true(poll(&p, 1, 60000) > 0);
		pool_collect(pool);
		/* The rest has no need of a busy processor. */
		if (jobs[2].steps == 20)
			__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	}
	pthread_join(spinner, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_int_equal(jobs[i].steps, 20);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_text),
		cmocka_unit_test(test_hashing),
		cmocka_unit_test_setup_teardown(test_hash_of_file, make_directory,
						remove_directory),
		cmocka_unit_test(test_side_hasher),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_reference_limits),
		cmocka_unit_test(test_registry_dirs),
		cmocka_unit_test(test_tree_paths),
		cmocka_unit_test_setup_teardown(test_walk, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_ingest, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_ingest_copy, make_directory, remove_directory),
		cmocka_unit_test(test_modest),
		cmocka_unit_test(test_modest_look),
		cmocka_unit_test(test_pool),
	};

	return unit_main(tests);
}
