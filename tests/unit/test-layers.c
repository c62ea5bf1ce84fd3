/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of layers is decided without touching a disk: versions, names, manifests, lists, superblocks, the choice. */
#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "layers/images_list.h"
#include "layers/layer_manifest.h"
#include "layers/select.h"
#include "layers/superblock.h"
#include "layers/version.h"

#define HEX_A "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_B "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Ascending; each differs from its neighbours. */
static const char *const semver_order[] = {
	"0.0.1",       "0.9.0",	       "1.0.0-alpha",	"1.0.0-alpha.1", "1.0.0-alpha.beta",
	"1.0.0-beta",  "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",	 "1.0.0",
	"1.0.0+build", "1.2.0",	       "1.10.0",	"2.0.0",	 "18446744073709551617.0.0",
};

/* The UAPI Group's version format specification (UAPI.10), its own examples and what follows from them. */
static const char *const uapi_order[] = {
	"122.1",   "123~rc1-1", "123",	   "123-a",   "123-a.1", "123-1",
	"123-1.1", "123^post1", "123.a-1", "123.1-1", "123a-1",	 "124-1",
};

static void check_order(const char *const list[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			int order = layer_version_compare(list[i], list[j]);
			if ((order > 0) - (order < 0) != (i > j) - (i < j))
				fail_msg("%s against %s: %d", list[i], list[j], order);
		}
	}
}

static void test_versions(void **state)
{
	(void)state;
	check_order(semver_order, ARRAY_SIZE(semver_order));
	check_order(uapi_order, ARRAY_SIZE(uapi_order));
	assert_int_equal(layer_version_compare("v1.2.3", "1.2.3"), 0);
	assert_true(layer_version_compare("v0.1.4", "v0.1.1") > 0);
	assert_true(layer_version_compare("v2", "1.9") > 0);
	assert_int_equal(layer_version_compare("01", "1"), 0);
	assert_true(layer_version_compare("", "1") < 0);
}

static void test_file_names(void **state)
{
	static const struct {
		const char *file, *name, *version; /* name NULL: refused */
	} cases[] = {
		{ "000-k8s-1.34.2.sqsh", "k8s", "1.34.2" },
		{ "001-iscsi-tools-v0.1.1.sqsh", "iscsi-tools", "v0.1.1" },
		{ "extras.sqsh", "extras", NULL },
		{ "000-extras.sqsh", "extras", NULL },
		{ "000.ghcr.io-x-1.sqsh", "000.ghcr.io-x", "1" },
		{ "a-1-2.sqsh", "a", "1-2" },
		{ "a-b-1.0-rc.1+x.sqsh", "a-b", "1.0-rc.1+x" },
		{ "7-1.0.sqsh", "1.0", NULL },
		{ ".sqsh", NULL, NULL },
		{ "A-1.sqsh", NULL, NULL },
		{ "a b.sqsh", NULL, NULL },
		{ "a-1.sqsh.sha256", NULL, NULL },
		{ "..-1.sqsh", NULL, NULL },
		{ "a-1\n.sqsh", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = NULL, *version = NULL;
		int r = layer_file_name_parse(cases[i].file, &name, &version);
		if (!cases[i].name) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(name, cases[i].name);
		assert_string_equal(version ? version : "",
				    cases[i].version ? cases[i].version : "");
	}
}

static const char good[] = "apiVersion: larder/v1alpha1\n"
			   "kind: CacheLayer\n"
			   "name: \"k8s\"\n"
			   "version: \"1.34.2\"\n"
			   "author: \"a \\\"b\\\"\"\n"
			   "images:\n"
			   "  - reference: \"registry.k8s.io/pause:3.10\"\n"
			   "    digest: " HEX_A "\n"
			   "    size: 18446744073709551615\n"
			   "    platforms: [linux/amd64]\n"
			   "    omitted: [linux/arm64, linux/s390x]\n"
			   "blobs:\n"
			   "  - " HEX_A "\n"
			   "  - " HEX_B "\n";

static void test_manifest(void **state)
{
	_cleanup_layer_manifest_ struct layer_manifest m = { 0 };

	(void)state;
	assert_int_equal(layer_manifest_parse(good, strlen(good), &m, NULL), 0);
	assert_string_equal(m.name, "k8s");
	assert_string_equal(m.author, "a \"b\"");
	assert_int_equal(m.n_images, 1);
	assert_true(m.images[0].size == UINT64_MAX);
	assert_string_equal(m.images[0].omitted[1], "linux/s390x");
	assert_int_equal(m.n_blobs, 2);
	_cleanup_free_ char *again = layer_manifest_format(&m);
	assert_string_equal(again, good);
}

#define HEAD  "name: x\nimages: []\nblobs: []\n"
#define IMAGE "name: x\nblobs: []\nimages:\n- "
#define TAG   "reference: docker.io/library/a:1, digest: \"" HEX_A "\""

static void test_manifest_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "empty" },
		{ "- a", "no mapping" },
		{ "name: [", "not YAML" },
		{ "name: x", "no list of images" },
		{ "images: []\nblobs: []", "no \"name\"" },
		{ "name: ../x\nimages: []\nblobs: []", "no name of a layer" },
		{ "name: x\nversion: a/b\nimages: []\nblobs: []", "no version" },
		{ HEAD "name: y\n", "twice" },
		{ HEAD "kind: Other\n", "CacheLayer" },
		{ HEAD "author: \"a\\nb\"\n", "control" },
		{ "name: x\nimages: {}\nblobs: []", "no list" },
		{ "name: x\nimages: []\nblobs: [x]", "not a digest" },
		{ IMAGE "{digest: \"" HEX_A "\"}", "no \"reference\"" },
		{ IMAGE "{reference: a}", "no \"digest\"" },
		{ IMAGE "{reference: a, digest: \"" HEX_A "\"}", "is not written as" },
		{ IMAGE "{reference: \"../a\", digest: \"" HEX_A "\"}", "no reference" },
		{ IMAGE "{" TAG ", size: -1}", "no number" },
		{ IMAGE "{" TAG ", size: 99999999999999999999}", "no number" },
		{ IMAGE "{" TAG ", platforms: x}", "no list" },
		{ IMAGE "{" TAG "}\n- {" TAG "}", "listed twice" },
		{ "a: &a [[[[[[[[[[x]]]]]]]]]]", "nested" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		assert_int_equal(
			layer_manifest_parse(cases[i].text, strlen(cases[i].text), &m, &diag),
			-EINVAL);
		if (!strstr(diag.message, cases[i].reason))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, diag.message,
				 cases[i].reason);
	}
	/* No prefix of a good one crashes or reads past its end. */
	for (size_t n = 0; n < strlen(good); n++) {
		_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
		_cleanup_free_ char *part = malloc(n ? n : 1);
		memcpy(part, good, n);
		(void)layer_manifest_parse(part, n, &m, NULL);
	}
}

/* A thousand aliases of aliases are as many nodes as were written, and no more. */
static void test_manifest_bomb(void **state)
{
	_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	fputs("a0: &a0 [x, x]\n", f);
	for (int i = 1; i < 64; i++)
		fprintf(f, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	fputs(HEAD, f);
	fclose(f);
	assert_int_equal(layer_manifest_parse(text, size, &m, NULL), 0);
	assert_string_equal(m.name, "x");
}

static void test_images_list(void **state)
{
	static const char text[] = "# all of them\n"
				   "busybox\n"
				   "  registry.k8s.io/pause:3.10 # the sandbox\r\n"
				   "\n"
				   "ghcr.io/a/b:1=oci:some/dir:v1\n"
				   "x=docker-archive:x.tar\n"
				   "y=docker://z\n"
				   "tree:/srv/cache\n"
				   "oci:mirror";
	static const struct image_spec expected[] = {
		{ (char *)"docker.io/library/busybox:latest", SOURCE_REGISTRY,
		  (char *)"docker.io/library/busybox:latest", NULL, 2 },
		{ (char *)"registry.k8s.io/pause:3.10", SOURCE_REGISTRY,
		  (char *)"registry.k8s.io/pause:3.10", NULL, 3 },
		{ (char *)"ghcr.io/a/b:1", SOURCE_OCI, (char *)"some/dir", (char *)"v1", 5 },
		{ (char *)"docker.io/library/x:latest", SOURCE_DOCKER_ARCHIVE, (char *)"x.tar",
		  NULL, 6 },
		{ (char *)"docker.io/library/y:latest", SOURCE_REGISTRY,
		  (char *)"docker.io/library/z:latest", NULL, 7 },
		{ NULL, SOURCE_TREE, (char *)"/srv/cache", NULL, 8 },
		{ NULL, SOURCE_OCI, (char *)"mirror", NULL, 9 },
	};
	_cleanup_images_list_ struct images_list list = { 0 };

	(void)state;
	assert_int_equal(images_list_parse(text, strlen(text), "list", &list, NULL), 0);
	assert_int_equal(list.n_specs, ARRAY_SIZE(expected));
	for (size_t i = 0; i < list.n_specs; i++) {
		const struct image_spec *got = &list.specs[i], *want = &expected[i];
		assert_int_equal(got->kind, want->kind);
		assert_int_equal(got->line, want->line);
		assert_string_equal(got->path, want->path);
		assert_string_equal(got->reference ? got->reference : "-",
				    want->reference ? want->reference : "-");
		assert_string_equal(got->name ? got->name : "-", want->name ? want->name : "-");
	}
}

static void test_images_list_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "names no image" },
		{ "# nothing\n", "names no image" },
		{ "a\nB\n", "list:2: " },
		{ "dir:/x", "does not say what the image is called" },
		{ "a=oci:", "names no file" },
		{ "a=ocidir:x:y", "a source begins with oci:, oci-archive:" },
		{ "=oci:x", "list:1: " },
		{ "a b", "list:1: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_images_list_ struct images_list list = { 0 };
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		assert_int_equal(images_list_parse(cases[i].text, strlen(cases[i].text), "list",
						   &list, &diag),
				 -EINVAL);
		if (!strstr(diag_text(&diag), cases[i].reason))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, diag_text(&diag),
				 cases[i].reason);
	}
	struct images_list list;
	assert_int_equal(images_list_parse("a\0b", 3, NULL, &list, NULL), -EINVAL);
}

static void put(uint8_t *at, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void make_superblock(uint8_t bytes[static SQUASHFS_SUPERBLOCK_SIZE])
{
	memset(bytes, 0, SQUASHFS_SUPERBLOCK_SIZE);
	memcpy(bytes, "hsqs", 4);
	put(bytes + 12, 1 << 20, 4);
	put(bytes + 22, 20, 2);
	put(bytes + 26, 1, 2);
	put(bytes + 28, 4, 2);
	put(bytes + 40, 4096, 8);
	put(bytes + 48, 3000, 8);
	put(bytes + 56, UINT64_MAX, 8);
	put(bytes + 64, 1000, 8);
	put(bytes + 72, 2000, 8);
}

static void test_superblock(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *reason;
	} cases[] = {
		{ 0, 4, 0, "no squashfs image" },
		{ 28, 2, 3, "squashfs 3.0" },
		{ 12, 4, 12345, "block size" },
		{ 22, 2, 12, "block size" },
		{ 22, 2, 65535, "block size" },
		{ 12, 4, 2 << 20, "block size" },
		{ 40, 8, 4097, "truncated" },
		{ 40, 8, UINT64_MAX, "truncated" },
		{ 56, 8, 3500, "extended attributes" },
		{ 64, 8, 10, "not in their order" },
		{ 72, 8, 999, "not in their order" },
		{ 48, 8, 4096, "not in their order" },
		{ 26, 2, 0, "no user ids" },
	};
	uint8_t bytes[SQUASHFS_SUPERBLOCK_SIZE];

	(void)state;
	make_superblock(bytes);
	assert_int_equal(superblock_check(bytes, 4096, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		make_superblock(bytes);
		put(bytes + cases[i].at, cases[i].value, cases[i].n);
		assert_int_equal(superblock_check(bytes, 4096, &diag), -EINVAL);
		if (!strstr(diag.message, cases[i].reason))
			fail_msg("%zu: \"%s\" lacks \"%s\"", i, diag.message, cases[i].reason);
	}
}

/* One line of a case of the choice: what is there, and what it must become. */
struct candidate {
	const char *name, *version;
	enum layer_origin origin;
	bool is_signed;
	const char *tag, *digest; /* its one image */
	enum layer_state expected;
};

struct choice {
	const char *what;
	struct layer_config config;
	struct candidate candidates[6];
	size_t n_conflicts,
		n_rows; /* n_rows: with those that are missing; 0: as many as candidates */
};

static struct wanted_layer pin_old[] = { { (char *)"k8s", (char *)"1.0", NULL } };
static struct wanted_layer want_k8s[] = { { (char *)"k8s", NULL, NULL } };

#define V LAYER_ON_VOLUME
#define B LAYER_BUILT_IN
#define M LAYER_ON_MEDIUM

static const struct choice choices[] = {
	{ "the highest version",
	  { 0 },
	  { { "k8s", "1.9", V, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	    { "k8s", "1.10", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "the pinned version",
	  { .layers = pin_old, .n_layers = 1 },
	  { { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_ACTIVE },
	    { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "a pinned version that is not there",
	  { .layers = pin_old, .n_layers = 1 },
	  { { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } },
	  .n_rows = 2 },
	{ "a layer that is not configured",
	  { .layers = want_k8s, .n_layers = 1 },
	  { { "other", "1.0", V, false, "a:1", HEX_A, LAYER_NOT_CONFIGURED },
	    { "k8s", "2.0", V, false, "b:1", HEX_A, LAYER_ACTIVE } } },
	{ "a configured layer that is nowhere",
	  { .layers = want_k8s, .n_layers = 1 },
	  { { 0 } },
	  .n_rows = 1 },
	{ "copies: volume, then built in, then medium",
	  { 0 },
	  { { "k8s", "1.0", M, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	    { "k8s", "1.0", B, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "a newer one on a medium that changes no tag",
	  { 0 },
	  { { "k8s", "2.0", M, false, "a:2", HEX_B, LAYER_ACTIVE },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "a newer one on a medium that changes a tag",
	  { 0 },
	  { { "k8s", "2.0", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "another layer on a medium that changes a tag",
	  { 0 },
	  { { "evil", "1", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "1.0", B, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "an older one on a medium is merely superseded",
	  { 0 },
	  { { "k8s", "1.0", M, false, "a:1", HEX_B, LAYER_SUPERSEDED },
	    { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "pinned, a medium may change a tag",
	  { .layers = pin_old, .n_layers = 1 },
	  { { "k8s", "1.0", M, false, "a:1", HEX_B, LAYER_ACTIVE },
	    { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "signed before higher",
	  { 0 },
	  { { "k8s", "9.0", M, false, "b:9", HEX_B, LAYER_SUPERSEDED },
	    { "k8s", "1.0", V, true, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "a superseded one holds its tags against media",
	  { 0 },
	  { { "evil", "1", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "2.0", V, false, "b:1", HEX_A, LAYER_ACTIVE },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "also while a medium's newer one supersedes it",
	  { 0 },
	  { { "evil", "1", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "9.0", M, false, "b:1", HEX_A, LAYER_ACTIVE },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "and one that is not configured",
	  { .layers = want_k8s, .n_layers = 1 },
	  { { "k8s", "1", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "other", "1", B, false, "a:1", HEX_A, LAYER_NOT_CONFIGURED } } },
	{ "what is served says what a tag means, not what is superseded",
	  { 0 },
	  { { "more", "1", M, false, "a:1", HEX_B, LAYER_ACTIVE },
	    { "k8s", "2.0", V, false, "a:1", HEX_B, LAYER_ACTIVE },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "an old meaning does not come back",
	  { 0 },
	  { { "more", "1", M, false, "a:1", HEX_A, LAYER_REFUSED },
	    { "k8s", "2.0", V, false, "a:1", HEX_B, LAYER_ACTIVE },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "what is broken or refused holds nothing",
	  { .trust_required = true },
	  { { "new", "1", M, true, "a:1", HEX_B, LAYER_ACTIVE },
	    { "b", "1", V, true, "a:1", HEX_A, LAYER_BROKEN },
	    { "r", "1", V, false, "a:1", HEX_A, LAYER_REFUSED } } },
	{ "pinned, another layer may not change a tag",
	  { .layers = pin_old, .n_layers = 1 },
	  { { "k8s", "1.0", M, false, "a:1", HEX_B, LAYER_REFUSED },
	    { "other", "1", V, false, "a:1", HEX_A, LAYER_NOT_CONFIGURED } } },
	{ "signed, another layer may not change a tag",
	  { .trust_required = true },
	  { { "zz-old", "1.0", M, true, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "2.0", V, true, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "signed, but older than one that is not",
	  { 0 },
	  { { "k8s", "1.0", M, true, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "signed and newer, a medium may change the tag of its own name",
	  { 0 },
	  { { "k8s", "2.0", M, true, "a:1", HEX_B, LAYER_ACTIVE },
	    { "k8s", "1.0", V, true, "a:1", HEX_A, LAYER_SUPERSEDED } } },
	{ "an old signed one that is played back",
	  { .trust_required = true },
	  { { "k8s", "1.0", M, true, "a:1", HEX_B, LAYER_SUPERSEDED },
	    { "k8s", "2.0", V, true, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "required signatures",
	  { .trust_required = true },
	  { { "k8s", "2.0", V, false, "a:1", HEX_A, LAYER_REFUSED },
	    { "k8s", "1.0", V, true, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "signed and newer, but the tag is another layer's, too",
	  { 0 },
	  { { "k8s", "2.0", M, true, "a:1", HEX_B, LAYER_REFUSED },
	    { "k8s", "1.0", V, true, "a:1", HEX_A, LAYER_ACTIVE },
	    { "base", "1.0", V, true, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "two layers, one tag, two digests",
	  { 0 },
	  { { "a", "1", V, false, "a:1", HEX_A, LAYER_ACTIVE },
	    { "b", "1", V, false, "a:1", HEX_B, LAYER_ACTIVE } },
	  .n_conflicts = 1 },
	{ "two layers, one tag, one digest",
	  { 0 },
	  { { "a", "1", V, false, "a:1", HEX_A, LAYER_ACTIVE },
	    { "b", "1", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
	{ "a broken one counts for nothing",
	  { 0 },
	  { { "k8s", "2.0", V, false, "a:1", HEX_B, LAYER_BROKEN },
	    { "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_ACTIVE } } },
};

static void fill(struct layer *layer, const struct candidate *c)
{
	layer->path = strdup("/x.sqsh");
	layer->origin = c->origin;
	layer->is_signed = c->is_signed;
	layer->state = c->expected == LAYER_BROKEN ? LAYER_BROKEN : LAYER_ACTIVE;
	layer->manifest.name = strdup(c->name);
	layer->manifest.version = strdup(c->version);
	layer->manifest.images = calloc(1, sizeof(struct layer_image));
	layer->manifest.n_images = 1;
	layer->manifest.images[0].reference = strdup(c->tag);
	assert_int_equal(digest_parse(c->digest, &layer->manifest.images[0].digest), 0);
}

static void test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct choice *c = &choices[i];
		_cleanup_layers_result_ struct layers_result result = { 0 };
		size_t n = 0;
		while (n < ARRAY_SIZE(c->candidates) && c->candidates[n].name)
			n++;
		/* As many places as layers_add() would have made for n. */
		result.layers = calloc(8, sizeof(*result.layers));
		result.n_layers = n;
		for (size_t k = 0; k < n; k++)
			fill(&result.layers[k], &c->candidates[k]);
		assert_int_equal(layers_select(&c->config, &result), 0);
		assert_int_equal(result.n_layers, c->n_rows ? c->n_rows : n);
		for (size_t k = 0; k < n; k++)
			if (result.layers[k].state != c->candidates[k].expected)
				fail_msg("%s: %s %s is %s", c->what, c->candidates[k].name,
					 c->candidates[k].version,
					 layer_state_name(result.layers[k].state));
		for (size_t k = n; k < result.n_layers; k++)
			assert_int_equal(result.layers[k].state, LAYER_MISSING);
		assert_int_equal(strv_length(result.conflicts), c->n_conflicts);
	}
}

/* A cache tree on a medium with a tag that a layer of the machine gives another digest: only while that one is served. */
static void test_tree_of_medium(void **state)
{
	static const struct candidate served[] = {
		{ "imagecache", "", M, false, "a:1", HEX_B, LAYER_ACTIVE },
		{ "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_ACTIVE },
	};
	static const struct candidate superseded[] = {
		{ "imagecache", "", M, false, "a:1", HEX_B, LAYER_REFUSED },
		{ "k8s", "9.0", M, false, "b:1", HEX_A, LAYER_ACTIVE },
		{ "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	};
	static const struct candidate same[] = {
		{ "imagecache", "", M, false, "a:1", HEX_A, LAYER_ACTIVE },
		{ "k8s", "9.0", M, false, "b:1", HEX_A, LAYER_ACTIVE },
		{ "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	};
	static const struct {
		const struct candidate *list;
		size_t n;
	} cases[] = { { served, ARRAY_SIZE(served) },
		      { superseded, ARRAY_SIZE(superseded) },
		      { same, ARRAY_SIZE(same) } };
	const struct layer_config config = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_layers_result_ struct layers_result result = { 0 };
		result.n_layers = cases[i].n;
		result.layers = calloc(result.n_layers, sizeof(*result.layers));
		for (size_t k = 0; k < result.n_layers; k++)
			fill(&result.layers[k], &cases[i].list[k]);
		result.layers[0].tree = true;
		assert_int_equal(layers_select(&config, &result), 0);
		for (size_t k = 0; k < result.n_layers; k++)
			assert_int_equal(result.layers[k].state, cases[i].list[k].expected);
	}
}

/* Why something was refused, and that what it would have replaced is not pruned meanwhile. */
static void test_refusals(void **state)
{
	static const struct candidate candidates[] = {
		{ "evil", "1", M, false, "a:1", HEX_B, LAYER_REFUSED },
		{ "k8s", "9.0", M, false, "a:1", HEX_B, LAYER_REFUSED },
		{ "k8s", "2.0", V, false, "b:1", HEX_A, LAYER_ACTIVE },
		{ "k8s", "1.0", V, false, "a:1", HEX_A, LAYER_SUPERSEDED },
	};
	const struct layer_config config = { 0 };
	_cleanup_layers_result_ struct layers_result result = { 0 };

	(void)state;
	result.n_layers = ARRAY_SIZE(candidates);
	result.layers = calloc(result.n_layers, sizeof(*result.layers));
	for (size_t k = 0; k < result.n_layers; k++)
		fill(&result.layers[k], &candidates[k]);
	assert_int_equal(layers_select(&config, &result), 0);
	for (size_t k = 0; k < result.n_layers; k++)
		assert_int_equal(result.layers[k].state, candidates[k].expected);
	assert_string_equal(result.layers[0].reason,
			    "it would replace a:1, which k8s 1.0 holds; if that is meant, "
			    "\"larder layers add\" it");
	assert_string_equal(result.layers[1].reason,
			    "it would replace a:1, which k8s 1.0 holds; if that is meant, pin its "
			    "version, sign a newer version, or \"larder layers add\" it");
	assert_false(result.layers[2].guards);
	assert_true(result.layers[3].guards);
}

/* Versions in any order, also one that wins only once media are looked at: the reason is what is active in the end. */
static void test_reasons(void **state)
{
	static const struct candidate candidates[] = {
		{ "k8s", "2.0", M, false, "b:1", HEX_A, LAYER_ACTIVE },
		{ "k8s", "1.34.1", V, false, "a:1", HEX_A, LAYER_SUPERSEDED },
		{ "k8s", "1.34.2", V, false, "a:2", HEX_A, LAYER_SUPERSEDED },
		{ "k8s", "1.34.3", V, false, "a:3", HEX_A, LAYER_SUPERSEDED },
		{ "app", "1", V, false, "c:1", HEX_A, LAYER_SUPERSEDED },
		{ "app", "1", V, false, "c:1", HEX_A, LAYER_ACTIVE },
	};
	static const char *const reasons[] = {
		NULL,
		"version 2.0 is active",
		"version 2.0 is active",
		"version 2.0 is active",
		"it is active from the volume (x.sqsh)",
		NULL,
	};
	const struct layer_config config = { 0 };
	_cleanup_layers_result_ struct layers_result result = { 0 };

	(void)state;
	result.layers = calloc(8, sizeof(*result.layers));
	result.n_layers = ARRAY_SIZE(candidates);
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		fill(&result.layers[i], &candidates[i]);
	assert_int_equal(layers_select(&config, &result), 0);
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		assert_int_equal(result.layers[i].state, candidates[i].expected);
		if (reasons[i])
			assert_string_equal(result.layers[i].reason, reasons[i]);
		else
			assert_null(result.layers[i].reason);
	}
}

static void test_too_many(void **state)
{
	const struct layer_config config = { 0 };
	_cleanup_layers_result_ struct layers_result result = { 0 };
	size_t active = 0;

	(void)state;
	result.n_layers = LAYERS_ACTIVE_MAX + 3;
	result.layers = calloc(512, sizeof(*result.layers));
	for (size_t i = 0; i < result.n_layers; i++) {
		char name[32];
		snprintf(name, sizeof(name), "n%zu", i);
		fill(&result.layers[i], &(struct candidate){ name, "1", V, false, name, HEX_A, 0 });
	}
	assert_int_equal(layers_select(&config, &result), 0);
	for (size_t i = 0; i < result.n_layers; i++)
		active += result.layers[i].state == LAYER_ACTIVE;
	assert_int_equal(active, LAYERS_ACTIVE_MAX);
	assert_int_equal(result.layers[LAYERS_ACTIVE_MAX].state, LAYER_BROKEN);
	assert_non_null(strstr(result.layers[LAYERS_ACTIVE_MAX].reason, "one overlay"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_manifest_refused),
		cmocka_unit_test(test_manifest_bomb),
		cmocka_unit_test(test_images_list),
		cmocka_unit_test(test_images_list_refused),
		cmocka_unit_test(test_superblock),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_tree_of_medium),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_too_many),
	};

	return unit_main(tests);
}
