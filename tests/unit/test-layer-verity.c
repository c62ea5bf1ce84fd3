/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who decides whether a layer is mounted through dm-verity: the table in layers/layer_verity.h, row by row. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "layers/layer_verity.h"

#define A  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define B  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NO "this kernel has none"

/* root_hash NULL: broken; "": without. */
static const struct {
	const char *configured, *beside;
	bool tree;
	const char *unavailable;
	const char *root_hash;
	bool required;
	const char *words; /* in the note, or in the reason; NULL: there is no note */
} rows[] = {
	{ NULL, NULL, false, NULL, "", false, NULL },
	{ NULL, NULL, false, NO, "", false, NULL },
	{ NULL, NULL, true, NULL, "", false, "there is no .roothash file" },
	{ NULL, NULL, true, NO, "", false, "there is no .roothash file" },
	{ NULL, A, false, NULL, "", false, "there is no .verity file" },
	{ NULL, A, false, NO, "", false, "there is no .verity file" },
	{ NULL, A, true, NO, "", false, "mounted without dm-verity: " NO },
	{ NULL, A, true, NULL, A, false, NULL },
	{ A, NULL, true, NULL, A, true, NULL },
	{ A, A, true, NULL, A, true, NULL },
	{ A, NULL, true, NO, NULL, false, "ba7816bf8f01cfea…, and " NO },
	{ A, A, true, NO, NULL, false, "and " NO },
	{ A, NULL, false, NULL, NULL, false, "no .verity file lies beside it" },
	{ A, A, false, NULL, NULL, false, "no .verity file lies beside it" },
	{ A, NULL, false, NO, NULL, false, "no .verity file lies beside it" },
	{ A, B, true, NULL, NULL, false,
	  "ba7816bf8f01cfea… by CacheLayerConfig and e3b0c44298fc1c14…" },
	{ A, B, false, NO, NULL, false, "by the file beside it" },
	{ NULL, "", true, NULL, NULL, false, "no root hash" },
	{ NULL, "nonsense", false, NO, NULL, false, "no root hash" },
	{ A, "nonsense", true, NULL, NULL, false, "no root hash" },
};

static void test_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct verity_facts facts = { rows[i].configured, rows[i].beside,
						    rows[i].tree, rows[i].unavailable };
		_cleanup_verity_plan_ struct verity_plan plan = { 0 };
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		int r = verity_decide(&facts, &plan, &diag);
		const char *said = rows[i].root_hash ? plan.note : diag.message;
		if (r != (rows[i].root_hash ? 0 : -EINVAL))
			fail_msg("row %zu: %d", i, r);
		assert_string_equal(plan.root_hash, rows[i].root_hash ? rows[i].root_hash : "");
		assert_int_equal(plan.required, rows[i].required);
		if (!rows[i].words)
			assert_null(said);
		else if (!said || !strstr(said, rows[i].words))
			fail_msg("row %zu: \"%s\" does not have \"%s\"", i, said ? said : "",
				 rows[i].words);
	}
}

static void test_configured(void **state)
{
	static char k8s[] = "k8s", one[] = "1.0", app[] = "app", a[] = A, b[] = B;
	struct wanted_layer wanted[] = {
		{ .name = k8s, .version = one, .root_hash = a },
		{ .name = app, .root_hash = b },
	};
	const struct layer_config config = { .layers = wanted, .n_layers = ARRAY_SIZE(wanted) };

	(void)state;
	assert_string_equal(verity_configured(&config, "k8s", "1.0"), A);
	assert_string_equal(verity_configured(&config, "k8s", "v1.0"), A);
	assert_null(verity_configured(&config, "k8s", "1.1"));
	assert_null(verity_configured(&config, "k8s", NULL));
	assert_string_equal(verity_configured(&config, "app", NULL), B);
	assert_string_equal(verity_configured(&config, "app", "7"), B);
	assert_null(verity_configured(&config, "other", "1.0"));
	assert_null(verity_configured(&config, NULL, NULL));
	assert_null(verity_configured(NULL, "k8s", "1.0"));
}

struct place {
	char dir[32];
	char *layer, *tree, *root;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/larder-beside.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->layer = path_join(p->dir, "a-1.sqsh");
	p->tree = path_join(p->dir, "a-1.sqsh.verity");
	p->root = path_join(p->dir, "a-1.sqsh.roothash");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	assert_int_equal(remove_tree_at(AT_FDCWD, p->dir), 0);
	free(p->layer);
	free(p->tree);
	free(p->root);
	free(p);
	return 0;
}

static int plan_of(const struct place *p, const char *configured, bool follow)
{
	_cleanup_verity_plan_ struct verity_plan plan = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	return verity_plan_read(p->layer, follow, configured, &plan, &diag);
}

static void put(const char *path, const char *text)
{
	assert_int_equal(write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

static void test_files(void **state)
{
	const struct place *p = *state;

	assert_int_equal(plan_of(p, NULL, false), 0);
	put(p->root, A "\n");
	assert_int_equal(plan_of(p, NULL, false), 0);
	assert_int_equal(plan_of(p, B, false), -EINVAL);
	put(p->root, "not hex\n");
	assert_int_equal(plan_of(p, NULL, false), -EINVAL);
	assert_int_equal(unlink(p->root), 0);
	/* A symlink out of the directory is not followed on the volume and on media. */
	put(p->tree, "elsewhere");
	assert_int_equal(symlink(p->tree, p->root), 0);
	assert_int_equal(plan_of(p, NULL, false), -EINVAL);
	assert_int_equal(unlink(p->root), 0);
	assert_int_equal(unlink(p->tree), 0);
	assert_int_equal(mkfifo(p->tree, 0600), 0);
	assert_int_equal(plan_of(p, NULL, false), -EINVAL);
	assert_int_equal(unlink(p->tree), 0);
	assert_int_equal(mkdir(p->tree, 0700), 0);
	assert_int_equal(plan_of(p, NULL, true), -EINVAL);
}

/* What .roothash says is bounded. */
static void test_large(void **state)
{
	const struct place *p = *state;
	_cleanup_free_ char *large = malloc(1024 * 1024 + 1);

	memset(large, 'a', 1024 * 1024);
	large[1024 * 1024] = '\0';
	put(p->root, large);
	assert_int_equal(plan_of(p, NULL, false), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_configured),
		cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
	};

	return unit_main(tests);
}
