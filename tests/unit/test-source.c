/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources and views, the record of what was verified, and the pool. */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"
#include "lib/store.h"
#include "store/pool.h"
#include "store/verify.h"
#include "store/view.h"

#define HEX_ZERO "0000000000000000000000000000000000000000000000000000000000000000"

struct world {
	char dir[64]; /* with tree/, layout/ and the images of both */
};

static char *path_in(const struct world *w, const char *name)
{
	char *path = path_join(w->dir, name);

	assert_non_null(path);
	return path;
}

static void copy_blob(const char *layout, const struct digest *digest, const char *from)
{
	char name[DIGEST_STRING_MAX], to[512];
	_cleanup_free_ char *data = NULL;
	size_t size;

	digest_format(digest, name);
	snprintf(to, sizeof(to), "%s/blobs/sha256/%s", layout, strchr(name, ':') + 1);
	assert_int_equal(read_file_at(AT_FDCWD, from, 1 << 20, &data, &size), 0);
	assert_int_equal(mkdir_parents_at(AT_FDCWD, to, 0755), 0);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, to, data, size, 0644), 0);
}

/* The index and its image as an OCI layout with a full name, and the image once more with a tag alone. */
static void make_layout(const struct world *w)
{
	static const char tree[] = "tree/manifests/docker.io/library/one/";
	const struct digest *manifests[] = { &store_index, &store_image };
	const struct digest *blobs[] = { &store_config, &store_layer, &store_second_layer };
	_cleanup_free_ char *layout = path_in(w, "layout");
	char name[DIGEST_STRING_MAX], path[512], image[DIGEST_STRING_MAX], text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(manifests); i++) {
		snprintf(path, sizeof(path), "%s/%sdigest/%s", w->dir, tree,
			 digest_format_file_name(manifests[i], name));
		copy_blob(layout, manifests[i], path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
		snprintf(path, sizeof(path), "%s/tree/blob/%s", w->dir,
			 digest_format_file_name(blobs[i], name));
		copy_blob(layout, blobs[i], path);
	}
	snprintf(
		text, sizeof(text),
		"{\"schemaVersion\":2,\"manifests\":["
		"{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\",\"size\":1,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"quay.io/x/one:9\"}},"
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":1,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}",
		digest_format(&store_index, name), digest_format(&store_image, image));
	snprintf(path, sizeof(path), "%s/index.json", layout);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0644), 0);
	snprintf(path, sizeof(path), "%s/oci-layout", layout);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, "{}", 2, 0644), 0);
}

static void make_image(const struct world *w, const char *from, const char *to,
		       const char *const options[])
{
	_cleanup_free_ char *source = path_in(w, from), *image = path_in(w, to);
	const char *argv[16] = { "mksquashfs", source, image, "-quiet", "-no-progress", NULL };

	for (size_t i = 5; *options; i++)
		argv[i] = *options++;
	assert_int_equal(run_program(argv, NULL, NULL, NULL), 0);
}

static int set_up(void **state)
{
	static const char *const stored[] = { "-noD", "-noF", "-no-fragments", NULL };
	static const char *const fragments[] = { "-noD", "-noF", NULL };
	static const char *const compressed[] = { "-comp", "zstd", NULL };
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/larder-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	_cleanup_free_ char *tree = path_in(w, "tree");
	assert_int_equal(mkdir(tree, 0755), 0);
	store_make(tree);
	make_layout(w);
	make_image(w, "tree", "stored.sqsh", stored);
	make_image(w, "tree", "fragments.sqsh", fragments);
	make_image(w, "tree", "compressed.sqsh", compressed);
	make_image(w, "layout", "layout.sqsh", stored);
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

static void check_content(struct content *content, const struct digest *digest)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_content_ struct content copy = CONTENT_INIT;
	struct blob_check *check;
	size_t size;
	bool sound = false;
	char byte, last;
	int r;

	assert_int_equal(content_read_all(content, 1 << 20, &data, &size), 0);
	assert_int_equal(size, content->id.size);
	assert_int_equal(content_read_all(content, size - 1, &data, &size), -EFBIG);
	assert_int_equal(content_read(content, &byte, 1, content->id.size), 0);
	assert_int_equal(content_read(content, &last, 1, content->id.size - 1), 1);
	assert_int_equal(last, data[size - 1]);
	if (content->fd >= 0) {
		_cleanup_free_ char *extent = malloc(size);
		assert_int_equal(pread_exact(content->fd, extent, size, content->offset), 0);
		assert_memory_equal(extent, data, size);
	}
	assert_int_equal(content_copy(content, &copy), 0);
	content_done(content);
	assert_int_equal(blob_check_new(&copy, digest, &check), 0);
	while ((r = blob_check_step(check, &sound)) == 0)
		;
	assert_int_equal(r, 1);
	assert_true(sound);
	blob_check_free(check);
}

struct names {
	char text[256];
	unsigned blobs;
	uint64_t bytes;
};

static int note_repository(const char *registry, const char *repository, void *user)
{
	struct names *names = user;

	strcat(strcat(strcat(strcat(names->text, registry), "/"), repository), " ");
	return 0;
}

static int count_blob(const struct digest *digest, uint64_t size, void *user)
{
	struct names *names = user;

	(void)digest;
	names->blobs++;
	names->bytes += size;
	return 0;
}

static void check_tree(const struct world *w, const char *name, bool extents)
{
	_cleanup_free_ char *path = path_in(w, name);
	_cleanup_(source_unrefp) struct source *source = NULL;
	_cleanup_strv_ char **tags = NULL, **registries = NULL;
	struct names names = { 0 };
	struct content content;
	struct content_id id;

	assert_int_equal(source_open(path, &source, NULL), 0);
	assert_int_equal(source_open_blob(source, &store_second_layer, &content), 0);
	assert_int_equal(content.fd >= 0, extents);
	check_content(&content, &store_second_layer);
	assert_int_equal(source_open_blob(source, &store_layer, &content), 0);
	check_content(&content, &store_layer);
	assert_int_equal(source_open_tag(source, "docker.io", "library/one", "index", &content), 0);
	check_content(&content, &store_index);
	assert_int_equal(
		source_open_manifest(source, "docker.io", "library/one", &store_image, &content),
		0);
	check_content(&content, &store_image);
	assert_int_equal(source_stat_blob(source, &store_image, &id), -ENOENT);
	assert_int_equal(source_stat_tag(source, "docker.io", "library/one", "../1", &id), -ENOENT);
	assert_int_equal(source_stat_manifest(source, "ghcr.io", "library/one", &store_image, &id),
			 -ENOENT);
	assert_int_equal(source_tags(source, "ghcr.io", "acme/app", &tags), 0);
	assert_int_equal(strv_length(tags), 2);
	assert_string_equal(tags[0], "broken");
	assert_string_equal(tags[1], "signed");
	assert_int_equal(source_registries(source, &registries), 0);
	assert_int_equal(strv_length(registries), 2);
	assert_string_equal(registries[1], "ghcr.io");
	assert_int_equal(source_repositories(source, note_repository, &names), 0);
	assert_string_equal(names.text, "docker.io/library/one ghcr.io/acme/app ");
	assert_int_equal(source_blobs(source, count_blob, &names), 0);
	assert_int_equal(names.blobs, 3);
	assert_int_equal(names.bytes, STORE_LAYER_BYTES + 7);
	assert_true(source_has_repository(source, "ghcr.io", "acme/app"));
	assert_false(source_has_repository(source, "ghcr.io", "acme"));
}

static void test_trees(void **state)
{
	check_tree(*state, "tree", true);
	check_tree(*state, "stored.sqsh", true);
	check_tree(*state, "fragments.sqsh", true);
	check_tree(*state, "compressed.sqsh", false);
}

static void check_layout(const struct world *w, const char *name)
{
	_cleanup_free_ char *path = path_in(w, name);
	_cleanup_(source_unrefp) struct source *source = NULL;
	struct names names = { 0 };
	struct content content;
	struct content_id id;

	assert_int_equal(source_open(path, &source, NULL), 0);
	assert_int_equal(source_open_tag(source, "quay.io", "x/one", "9", &content), 0);
	check_content(&content, &store_index);
	assert_int_equal(source_open_manifest(source, "quay.io", "x/one", &store_image, &content),
			 0);
	check_content(&content, &store_image);
	assert_int_equal(source_open_tag(source, "localhost", "layout", "latest", &content), 0);
	check_content(&content, &store_image);
	assert_int_equal(source_open_blob(source, &store_second_layer, &content), 0);
	check_content(&content, &store_second_layer);
	/* A manifest is no blob here either, and one of another repository is not there. */
	assert_int_equal(source_stat_blob(source, &store_image, &id), -ENOENT);
	assert_int_equal(source_stat_manifest(source, "localhost", "layout", &store_index, &id),
			 -ENOENT);
	assert_int_equal(source_repositories(source, note_repository, &names), 0);
	assert_string_equal(names.text, "localhost/layout quay.io/x/one ");
	assert_int_equal(source_blobs(source, count_blob, &names), 0);
	assert_int_equal(names.blobs, 3);
}

static void test_layouts(void **state)
{
	check_layout(*state, "layout");
	check_layout(*state, "layout.sqsh");
}

static void test_no_sources(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *none = path_in(w, "none"), *text = path_in(w, "layout/oci-layout");
	_cleanup_free_ char *index = path_in(w, "layout/index.json");
	_cleanup_free_ char *layout = path_in(w, "layout");
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct source *source;

	assert_int_equal(source_open(none, &source, &diag), -ENOENT);
	assert_non_null(strstr(diag_text(&diag), "none"));
	assert_int_equal(source_open(text, &source, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "no squashfs image"));
	assert_int_equal(write_file_atomic_at(AT_FDCWD, index, "{", 1, 0644), 0);
	assert_int_equal(source_open(layout, &source, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "index.json"));
}

/* A symlink in a tree leads nowhere. */
static void test_symlinks(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *tree = path_in(w, "tree"), *blobs = path_in(w, "tree/blob");
	_cleanup_free_ char *moved = path_in(w, "moved");
	_cleanup_(source_unrefp) struct source *source = NULL;
	struct content content;

	assert_int_equal(source_open(tree, &source, NULL), 0);
	assert_int_equal(rename(blobs, moved), 0);
	assert_int_equal(symlink(moved, blobs), 0);
	assert_int_equal(source_open_blob(source, &store_layer, &content), -ENOENT);
}

/* "digest" and "reference" are directories of a repository, and parts of the names of others. */
static void test_kinds_as_names(void **state)
{
	static const char *const files[] = {
		"digest/reference/1", /* h.io/digest */
		"acme/digest/digest/sha256-" HEX_ZERO,
		"acme/both/reference/1",
		"acme/both/reference/digest/sha256-" HEX_ZERO,
		"acme/deep/reference/digest/reference/x",
	};
	_cleanup_free_ char *dir = path_in(*state, "kinds");
	_cleanup_(source_unrefp) struct source *source = NULL;
	_cleanup_strv_ char **tags = NULL;
	struct names names = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/manifests/h.io/%s", dir, files[i]);
		assert_int_equal(mkdir_parents_at(AT_FDCWD, path, 0755), 0);
		assert_int_equal(write_file_atomic_at(AT_FDCWD, path, "{}", 2, 0644), 0);
	}
	assert_int_equal(source_open(dir, &source, NULL), 0);
	assert_int_equal(source_repositories(source, note_repository, &names), 0);
	assert_string_equal(
		names.text,
		"h.io/acme/both h.io/acme/both/reference h.io/acme/deep/reference/digest "
		"h.io/acme/digest h.io/digest ");
	assert_true(source_has_repository(source, "h.io", "acme/digest"));
	assert_true(source_has_repository(source, "h.io", "acme/both"));
	assert_true(source_has_repository(source, "h.io", "acme/both/reference"));
	assert_false(source_has_repository(source, "h.io", "acme"));
	assert_false(source_has_repository(source, "h.io", "acme/deep"));
	assert_false(source_has_repository(source, "h.io", "acme/deep/reference"));
	assert_int_equal(source_tags(source, "h.io", "acme/both", &tags), 0);
	assert_int_equal(strv_length(tags), 1);
}

static void link_into(const struct world *w, const char *target, const char *name)
{
	_cleanup_free_ char *to = path_in(w, target), *path = path_in(w, name);

	assert_int_equal(mkdir_parents_at(AT_FDCWD, path, 0755), 0);
	assert_int_equal(symlink_atomic_at(to, AT_FDCWD, path), 0);
}

static void test_run_dir(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *run = path_in(w, "run"), *stop = path_in(w, "run/stopping");
	_cleanup_(view_unrefp) struct view *empty = NULL, *view = NULL, *stopping = NULL;
	_cleanup_(parts_unrefp) struct parts *parts = NULL;
	_cleanup_free_ char *registry = NULL;

	assert_int_equal(view_new_run_dir(run, &parts, &empty), 0);
	assert_int_equal(view_main_sources(empty), 0);
	assert_null(view_source(empty, 0));
	assert_false(view_has_images(empty));
	link_into(w, "tree", "run/cache");
	link_into(w, "layout", "run/layers/b-2");
	link_into(w, "stored.sqsh", "run/layers/a-1");
	link_into(w, "nowhere", "run/layers/c-3");
	assert_int_equal(view_new_run_dir(run, &parts, &view), 0);
	assert_int_equal(view_main_sources(view), 1);
	assert_true(view_has_images(view));
	assert_non_null(strstr(source_path(view_source(view, 1)), "/b-2"));
	assert_non_null(strstr(source_path(view_source(view, 2)), "/a-1"));
	assert_null(view_source(view, 3));
	assert_int_equal(view_find_registry(view, "acme/app", &registry), 0);
	assert_string_equal(registry, "ghcr.io");
	assert_int_equal(view_find_registry(view, "acme/none", &registry), -ENOENT);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, stop, "", 0, 0644), 0);
	assert_int_equal(view_new_run_dir(run, &parts, &stopping), 0);
	assert_int_equal(view_main_sources(stopping), 0);
}

static struct content_id id_of(uint64_t inode)
{
	return (struct content_id){ .device = 1, .inode = inode, .size = 9, .change = 5 };
}

static void test_record(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *path = path_in(w, "verified");
	_cleanup_(verified_freep) struct verified *v = NULL, *again = NULL;
	struct content_id id = id_of(1);
	int file;

	assert_int_equal(verified_open(path, &v, &file), 0);
	assert_int_equal(file, 0);
	assert_int_equal(verified_get(v, &store_layer, &id), VERDICT_UNKNOWN);
	assert_true(verified_set(v, &store_layer, &id, false));
	assert_false(verified_set(v, &store_layer, &id, false));
	assert_int_equal(verified_get(v, &store_layer, &id), VERDICT_CORRUPT);
	for (uint64_t i = 1; i <= 5000; i++) {
		id = id_of(i);
		assert_true(verified_set(v, &store_layer, &id, true));
		assert_int_equal(verified_get(v, &store_layer, &id), VERDICT_SOUND);
		assert_int_equal(verified_get(v, &store_image, &id), VERDICT_UNKNOWN);
	}
	assert_int_equal(verified_count(v), 5000);

	/* A restart reads it back, also after half a record. */
	assert_int_equal(truncate(path, 64 + 16 * 4000 + 7), 0);
	assert_int_equal(verified_open(path, &again, &file), 0);
	assert_int_equal(file, 0);
	assert_int_equal(verified_count(again), 4000);
	id = id_of(4000);
	assert_int_equal(verified_get(again, &store_layer, &id), VERDICT_SOUND);
	id = id_of(4001);
	assert_int_equal(verified_get(again, &store_layer, &id), VERDICT_UNKNOWN);
	assert_true(verified_set(again, &store_layer, &id, true));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 64 + 16 * 4001);
}

static void test_record_not_believed(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *path = path_in(w, "verified");
	struct content_id id = id_of(1);
	struct verified *v;
	int file;

	assert_int_equal(verified_open(path, &v, &file), 0);
	verified_set(v, &store_layer, &id, true);
	verified_free(v);
	assert_int_equal(chmod(path, 0622), 0);
	assert_int_equal(verified_open(path, &v, &file), 0);
	assert_int_equal(file, -EPERM);
	assert_int_equal(verified_count(v), 0);
	verified_free(v);

	/* of another boot */
	assert_int_equal(chmod(path, 0600), 0);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite_exact(fd, "00000000", 8, 16), 0);
	assert_int_equal(verified_open(path, &v, &file), 0);
	assert_int_equal(file, 0);
	assert_int_equal(verified_count(v), 0);
	verified_free(v);
	assert_int_equal(verified_open(w->dir, &v, &file), 0);
	assert_int_equal(file, -EISDIR);
	verified_free(v);
}

#define OTHERS 2
#define LAST   UINT_MAX

struct counted {
	struct job job;
	unsigned steps;
	unsigned *order, *done, *cancelled;
	unsigned finished_as;
};

/* A job without a number of steps ends when the others have, however fast or slow they are. */
static bool step(struct job *job)
{
	struct counted *c = (struct counted *)job;

	if (c->steps == LAST && __atomic_load_n(c->order, __ATOMIC_SEQ_CST) < OTHERS)
		return true;
	c->steps = c->steps == LAST ? 0 : c->steps - 1;
	job->left = c->steps;
	if (c->steps == 0)
		c->finished_as = __atomic_add_fetch(c->order, 1, __ATOMIC_SEQ_CST);
	return c->steps > 0;
}

static void done(struct job *job, bool cancelled)
{
	struct counted *c = (struct counted *)job;

	(*c->done)++;
	*c->cancelled += cancelled;
}

/* One worker, a long job and a short one: the short one does not wait for the long one's end. */
static void test_pool(void **state)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	unsigned order = 0, ended = 0, cancelled = 0;
	struct counted jobs[OTHERS + 1];

	(void)state;
	assert_int_equal(pool_new(1, &pool), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct counted){ { .step = step, .done = done },
					    i == 0 ? LAST : 3,
					    &order,
					    &ended,
					    &cancelled,
					    0 };
		jobs[i].job.left = jobs[i].steps;
		pool_submit(pool, &jobs[i].job, i < 2);
	}
	pool_hurry(pool, &jobs[2].job);
	while (ended < ARRAY_SIZE(jobs)) {
		struct pollfd p = { .fd = pool_fd(pool), .events = POLLIN };
		assert_int_equal(poll(&p, 1, 60000), 1);
		pool_collect(pool);
	}
	assert_int_equal(jobs[0].finished_as, OTHERS + 1);
	assert_int_equal(cancelled, 0);
}

static bool step_forever(struct job *job)
{
	(void)job;
	return true;
}

static void test_pool_cancels(void **state)
{
	unsigned order = 0, ended = 0, cancelled = 0;
	struct counted job = {
		{ .step = step_forever, .done = done }, 1, &order, &ended, &cancelled, 0
	};
	struct pool *pool;

	(void)state;
	assert_int_equal(pool_new(0, &pool), 0);
	pool_submit(pool, &job.job, false);
	pool_free(pool);
	assert_int_equal(ended, 1);
	assert_int_equal(cancelled, 1);
}

static void write_over(const char *path, const char *data, size_t size)
{
	struct timespec pause = { 0, 20000000 }; /* more than a tick of the file system's clock */

	nanosleep(&pause, NULL);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, data, size), size);
}

static int stop_at_once(const char *name, bool directory, void *user)
{
	(void)name;
	(void)directory;
	(void)user;
	return 7;
}

static int write_meanwhile(const char *name, bool directory, void *user)
{
	const struct world *w = user;
	_cleanup_free_ char *path = path_in(w, "compressed.sqsh");

	(void)name;
	(void)directory;
	write_over(path, "no image", 8);
	return 0;
}

/* What an image holds that is written to while it is open. name: which one. */
static void check_changing_image(const struct world *w, const char *name)
{
	_cleanup_free_ char *path = path_in(w, name), *other = path_in(w, "layout.sqsh");
	_cleanup_free_ char *data = NULL, *other_data = NULL;
	_cleanup_(source_unrefp) struct source *source = NULL;
	_cleanup_content_ struct content before = CONTENT_INIT, after = CONTENT_INIT;
	struct blob_check *check;
	size_t size, other_size;
	bool sound;
	char byte;

	assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &data, &size), 0);
	assert_int_equal(read_file_at(AT_FDCWD, other, 1 << 20, &other_data, &other_size), 0);
	assert_int_equal(source_open(path, &source, NULL), 0);
	assert_int_equal(source_open_blob(source, &store_layer, &before), 0);
	assert_true(content_holds(&before));
	uint64_t stamp = source_stamp(source);

	/* The same bytes once more are another identity, and what was opened before is not it. */
	write_over(path, data, size);
	assert_false(content_holds(&before));
	assert_int_equal(source_open_blob(source, &store_layer, &after), 0);
	assert_true(content_holds(&after));
	assert_int_not_equal(after.id.change, before.id.change);
	assert_int_not_equal(source_stamp(source), stamp);
	assert_int_equal(content_read(&before, &byte, 1, 0), before.fd < 0 ? -EAGAIN : 1);
	assert_int_equal(blob_check_new(&before, &store_layer, &check), 0);
	assert_int_equal(blob_check_step(check, &sound), -EAGAIN);
	blob_check_free(check);
	check_content(&after, &store_layer);

	/* Another image, then none, then the first again. */
	write_over(path, other_data, other_size);
	assert_int_equal(source_open_blob(source, &store_layer, &after), -ENOENT);
	assert_true(place_has_directory(source_place(source), "blobs/sha256"));
	write_over(path, "no image", 8);
	assert_int_equal(source_open_blob(source, &store_layer, &after), -EIO);
	assert_int_equal(source_stat_blob(source, &store_layer, &after.id), -EIO);
	assert_int_equal(place_list(source_place(source), "", stop_at_once, NULL), -EIO);
	write_over(path, data, size);
	assert_int_equal(place_list(source_place(source), "", stop_at_once, NULL), 7);
	assert_int_equal(source_open_blob(source, &store_layer, &after), 0);
	check_content(&after, &store_layer);

	/* Without a name it is what it was. */
	assert_int_equal(source_open_blob(source, &store_layer, &after), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(content_holds(&after));
	check_content(&after, &store_layer);
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, data, size, 0644), 0);
}

static void test_changing_images(void **state)
{
	check_changing_image(*state, "stored.sqsh");
	check_changing_image(*state, "fragments.sqsh");
	check_changing_image(*state, "compressed.sqsh");
}

static void test_image_changes_while_listed(void **state)
{
	_cleanup_free_ char *path = path_in(*state, "compressed.sqsh");
	_cleanup_(source_unrefp) struct source *source = NULL;

	assert_int_equal(source_open(path, &source, NULL), 0);
	assert_int_equal(place_list(source_place(source), "", write_meanwhile, *state), -EAGAIN);
}

/* A file of a directory: written to, or only without a name any more. */
static void test_changing_file(void **state)
{
	const struct world *w = *state;
	_cleanup_free_ char *tree = path_in(w, "tree"), *data = NULL;
	_cleanup_(source_unrefp) struct source *source = NULL;
	_cleanup_content_ struct content content = CONTENT_INIT;
	char name[DIGEST_STRING_MAX], path[512];
	size_t size;

	snprintf(path, sizeof(path), "%s/tree/blob/%s", w->dir,
		 digest_format_file_name(&store_layer, name));
	assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &data, &size), 0);
	assert_int_equal(source_open(tree, &source, NULL), 0);
	assert_int_equal(source_open_blob(source, &store_layer, &content), 0);
	assert_true(content_holds(&content));
	write_over(path, data, size);
	assert_false(content_holds(&content));
	content_done(&content);
	assert_int_equal(source_open_blob(source, &store_layer, &content), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(content_holds(&content));
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, data, size, 0644), 0);
	content_done(&content);
	assert_int_equal(source_open_blob(source, &store_layer, &content), 0);
	/* Deleted after it was written to. */
	write_over(path, data, size);
	assert_int_equal(unlink(path), 0);
	assert_false(content_holds(&content));
}

#define LARGE	   1500
#define LARGE_NAME "large/sha256-%064d"

/* The image of a directory that has an index, with its inodes as they are. */
static char *make_large(const struct world *w)
{
	static const char *const options[] = { "-noI", "-no-xattrs", NULL };
	_cleanup_free_ char *root = path_in(w, "root");

	for (int i = 0; i < LARGE; i++) {
		_cleanup_free_ char *path = text_format("%s/" LARGE_NAME, root, 2 * i);
		assert_int_equal(mkdir_parents_at(AT_FDCWD, path, 0755), 0);
		assert_int_equal(write_file_atomic_at(AT_FDCWD, path, "x", 1, 0644), 0);
	}
	make_image(w, "root", "large.sqsh", options);
	return path_in(w, "large.sqsh");
}

static int stat_large(const char *image, int number)
{
	_cleanup_(place_unrefp) struct place *place = NULL;
	char path[128];
	struct content_id id;

	snprintf(path, sizeof(path), LARGE_NAME, number);
	assert_int_equal(place_new_image(open(image, O_RDONLY | O_CLOEXEC), &place, NULL), 0);
	return place_stat(place, path, &id);
}

static void test_large_directory(void **state)
{
	_cleanup_free_ char *path = make_large(*state);

	for (int i = -1; i <= 2 * LARGE; i++)
		assert_int_equal(stat_large(path, i),
				 i >= 0 && i < 2 * LARGE && i % 2 == 0 ? 0 : -ENOENT);
}

/* Numbers before the name in the first entry of the index, which lies in front of all directories: the length of the name, a block, an offset. */
static void test_lying_index(void **state)
{
	static const struct {
		size_t before; /* its name */
		uint32_t value;
	} lies[] = {
		{ 4, 255 },	   { 4, 65535 },      { 4, UINT32_MAX },  { 8, 1 },
		{ 8, 0x00100000 }, { 8, UINT32_MAX }, { 12, UINT32_MAX }, { 12, 0x00100000 },
	};
	_cleanup_free_ char *path = make_large(*state), *data = NULL;
	size_t size;

	assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 24, &data, &size), 0);
	char *name = memmem(data, size, "sha256-", strlen("sha256-"));
	assert_non_null(name);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		uint32_t truth;
		memcpy(&truth, name - lies[i].before, sizeof(truth));
		memcpy(name - lies[i].before, &lies[i].value, sizeof(truth));
		write_over(path, data, size);
		memcpy(name - lies[i].before, &truth, sizeof(truth));
		/* The last is looked for behind all that the index says. */
		(void)stat_large(path, 0);
		(void)stat_large(path, LARGE);
		assert_int_not_equal(stat_large(path, 2 * LARGE), 0);
		assert_int_not_equal(stat_large(path, LARGE + 1), 0);
	}
	write_over(path, data, size);
	assert_int_equal(stat_large(path, LARGE), 0);
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(test_trees),
		with_world(test_layouts),
		with_world(test_no_sources),
		with_world(test_symlinks),
		with_world(test_kinds_as_names),
		with_world(test_run_dir),
		with_world(test_record),
		with_world(test_record_not_believed),
		with_world(test_changing_images),
		with_world(test_image_changes_while_listed),
		with_world(test_changing_file),
		with_world(test_large_directory),
		with_world(test_lying_index),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_cancels),
	};

	return unit_main(tests);
}
