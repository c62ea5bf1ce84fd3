/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <string.h>

#include "store/manifest.h"

#define D1 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define D2 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

static const char image[] =
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI_IMAGE "\","
	"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" D1
	"\",\"size\":7},\"layers\":[{\"mediaType\":\"application/"
	"vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"" D2 "\",\"size\":0}]}";

static const char list[] =
	"{\"schemaVersion\":2,\"manifests\":["
	"{\"mediaType\":\"" OCI_IMAGE "\",\"digest\":\"" D1 "\",\"size\":10,\"platform\":"
	"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"},\"annotations\":"
	"{\"org.opencontainers.image.ref.name\":\"1.0\",\"io.containerd.image.name\":\"h/x:1\"}},"
	"{\"digest\":\"" D2 "\",\"size\":11}],\"subject\":{\"digest\":\"" D1 "\",\"size\":1}}";

static const char docker[] =
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
	"vnd.docker.container.image.v1+json\",\"digest\":\"" D1 "\",\"size\":7},\"layers\":[]}";

static void test_image(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(image, strlen(image), &m, NULL), 0);
	assert_int_equal(m.kind, MANIFEST_IMAGE);
	assert_string_equal(m.media_type, OCI_IMAGE);
	assert_string_equal(m.artifact_type, "application/vnd.oci.image.config.v1+json");
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.n_items, 1);
	assert_true(m.items[0].foreign);
	assert_int_equal(m.subject.digest.algorithm, DIGEST_NONE);
}

static void test_index(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(list, strlen(list), &m, NULL), 0);
	assert_int_equal(m.kind, MANIFEST_INDEX);
	assert_string_equal(m.media_type, OCI_INDEX);
	assert_int_equal(m.n_items, 2);
	assert_string_equal(m.items[0].platform.variant, "v8");
	assert_string_equal(m.items[0].reference_name, "1.0");
	assert_string_equal(m.items[0].image_name, "h/x:1");
	assert_null(m.items[1].platform.os);
	assert_null(m.items[1].media_type);
	assert_int_equal(m.config.digest.algorithm, DIGEST_NONE);
	assert_int_equal(m.subject.digest.algorithm, DIGEST_SHA256);
}

static void test_docker_without_type(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(docker, strlen(docker), &m, NULL), 0);
	assert_string_equal(m.media_type, "application/vnd.docker.distribution.manifest.v2+json");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "not JSON" },
		{ "nonsense", "not JSON" },
		{ "[]", "no JSON object" },
		{ "{}", "schemaVersion" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
		{ "{\"schemaVersion\":2}", "neither" },
		{ "{\"schemaVersion\":2,\"schemaVersion\":2,\"layers\":[]}", "duplicate" },
		{ "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}", "both" },
		{ "{\"schemaVersion\":2,\"layers\":[],\"mediaType\":\"" OCI_INDEX "\"}",
		  "its content is an image" },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"" OCI_IMAGE "\"}",
		  "its content is an index" },
		{ "{\"schemaVersion\":2,\"layers\":{}}", "no list" },
		{ "{\"schemaVersion\":2,\"layers\":[1]}", "layers[0]" },
		{ "{\"schemaVersion\":2,\"layers\":[{\"size\":1}]}", "no \"digest\"" },
		{ "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"x\",\"size\":1}]}", "no digest" },
		{ "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"" D1 "\",\"size\":-1}]}",
		  "size" },
		{ "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"" D1 "\",\"size\":1.5}]}",
		  "size" },
		{ "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"" D1 "\"}]}", "size" },
		{ "{\"schemaVersion\":2,\"layers\":[],\"mediaType\":7}", "mediaType" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_manifest_ struct manifest m = { 0 };
		_cleanup_diag_ struct diag diag = DIAG_INIT;
		assert_int_equal(manifest_parse(cases[i].text, strlen(cases[i].text), &m, &diag),
				 -EINVAL);
		if (!strstr(diag.message, cases[i].reason))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, diag.message,
				 cases[i].reason);
	}
}

static void test_limits(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *big = malloc(MANIFEST_BYTES_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, ' ', MANIFEST_BYTES_MAX + 1);
	assert_int_equal(manifest_parse(big, MANIFEST_BYTES_MAX + 1, &m, &diag), -EINVAL);
	memset(big, '[', MANIFEST_BYTES_MAX);
	assert_int_equal(manifest_parse(big, MANIFEST_BYTES_MAX, &m, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "nested"));
	/* Brackets in strings do not count. */
	memset(big, '[', 200);
	big[0] = '"';
	big[199] = '"';
	assert_int_equal(manifest_parse(big, 200, &m, &diag), -EINVAL);
	assert_null(strstr(diag.message, "nested"));
	/* Every prefix of a manifest is refused, and none is read past its end. */
	for (size_t n = 0; n < strlen(image); n++) {
		_cleanup_free_ char *part = malloc(n ? n : 1);
		memcpy(part, image, n);
		assert_int_equal(manifest_parse(part, n, &m, NULL), -EINVAL);
	}
}

static void test_too_many(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	fputs("{\"schemaVersion\":2,\"layers\":[", f);
	for (int i = 0; i <= MANIFEST_DESCRIPTORS_MAX; i++)
		fprintf(f, "%s{\"digest\":\"" D1 "\",\"size\":1}", i ? "," : "");
	fputs("]}", f);
	fclose(f);
	assert_int_equal(manifest_parse(text, size, &m, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "4097"));
}

static void test_platform(void **state)
{
	static const struct {
		const char *image, *host;
		bool matches;
	} cases[] = {
		{ "linux/amd64", "linux/amd64", true },
		{ "linux/amd64/v1", "linux/amd64", true },
		{ "linux/amd64/v3", "linux/amd64", false },
		{ "linux/x86_64", "linux/amd64", true },
		{ "windows/amd64", "linux/amd64", false },
		{ "linux/arm64", "linux/arm64/v8", true },
		{ "linux/arm64/v8", "linux/arm64", true },
		{ "linux/aarch64", "linux/arm64", true },
		{ "linux/arm/v6", "linux/arm/v7", true },
		{ "linux/arm/v7", "linux/arm/v6", false },
		{ "linux/arm", "linux/arm/v7", true },
		{ "linux/arm/odd", "linux/arm/v7", false },
		{ "linux/arm64", "linux/amd64", false },
		{ "unknown/unknown", "linux/amd64", false },
	};
	static const char *const bad[] = { "",	      "linux", "linux/", "/amd64",
					   "a/b/c/d", "a/b/",  "a b/c" };
	struct platform p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct platform host;
		assert_int_equal(platform_parse(cases[i].image, &p), 0);
		assert_int_equal(platform_parse(cases[i].host, &host), 0);
		if (platform_matches(&p, &host) != cases[i].matches)
			fail_msg("%s on %s", cases[i].image, cases[i].host);
		_cleanup_free_ char *text = platform_format(&p);
		assert_string_equal(text, cases[i].image);
		platform_done(&p);
		platform_done(&host);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(platform_parse(bad[i], &p), -EINVAL);
	assert_true(platform_matches(platform_host(), platform_host()));
}

/* Which manifest of an index a host takes, by its position; -1: none. */
static void test_for_host(void **state)
{
	static const struct {
		const char *host;
		const char *items[6]; /* NULL: the end */
		int taken;
	} cases[] = {
		{ "linux/amd64", { "linux/arm64", "linux/amd64", "linux/amd64" }, 1 },
		{ "linux/amd64", { "linux/arm64", "windows/amd64" }, -1 },
		{ "linux/amd64", { "linux/amd64/v3", "unknown/unknown" }, -1 },
		{ "linux/amd64", { NULL }, -1 },
		{ "linux/arm/v7",
		  { "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8" },
		  2 },
		{ "linux/arm/v7", { "linux/arm/v6", "linux/arm/v5", "linux/arm/v8" }, 0 },
		{ "linux/arm/v7", { "linux/arm/v6", "linux/arm" }, 1 },
		{ "linux/arm/v6", { "linux/arm/v7", "linux/arm/v5" }, 1 },
		{ "linux/arm/v6", { "linux/arm/v7", "linux/arm" }, -1 },
		{ "linux/arm64/v8", { "linux/arm/v7", "linux/arm64" }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct descriptor items[6] = { 0 };
		struct manifest index = { .kind = MANIFEST_INDEX, .items = items };
		struct platform host;
		assert_int_equal(platform_parse(cases[i].host, &host), 0);
		for (; cases[i].items[index.n_items]; index.n_items++)
			assert_int_equal(platform_parse(cases[i].items[index.n_items],
							&items[index.n_items].platform),
					 0);
		const struct descriptor *taken = manifest_for_host(&index, &host);
		if ((taken ? (int)(taken - items) : -1) != cases[i].taken)
			fail_msg("case %zu: %s", i, cases[i].host);
		while (index.n_items > 0)
			platform_done(&items[--index.n_items].platform);
		platform_done(&host);
	}
}

/* Names only: what a config says goes to terminals. */
static void test_platform_of_config(void **state)
{
	static const struct {
		const char *text, *platform;
	} configs[] = {
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"}", "linux/amd64" },
		{ "{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}",
		  "linux/arm/v7" },
		{ "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"\"}", "linux/arm" },
		{ "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"\\u001b[2J\"}",
		  "linux/arm" },
		{ "{\"os\":\"linux\",\"architecture\":\"\\u001b[2J\"}", NULL },
		{ "{\"os\":\"linux\"}", NULL },
		{ "{\"os\":1,\"architecture\":2}", NULL },
		{ "[]", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct platform p = { 0 };
		int r = platform_of_config(configs[i].text, strlen(configs[i].text), &p);
		assert_int_equal(r, configs[i].platform ? 0 : -ENOENT);
		if (r == 0) {
			_cleanup_free_ char *text = platform_format(&p);
			assert_string_equal(text, configs[i].platform);
		}
		platform_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_for_host),
		cmocka_unit_test(test_docker_without_type),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_platform),
		cmocka_unit_test(test_platform_of_config),
	};

	return unit_main(tests);
}
