/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every way in which a machine config can be wrong, with the exact words that a person gets. */
#include "unit.h"

#include <string.h>

#include "base/io.h"
#include "config/machine_config.h"

#define PATH_LENGTH 64

/* text with "F" wherever it says path. */
static char *shorten(const char *text, const char *path)
{
	char *result = NULL;
	size_t size;
	FILE *f = open_memstream(&result, &size);

	assert_non_null(f);
	for (const char *at; (at = strstr(text, path)); text = at + strlen(path))
		fprintf(f, "%.*sF", (int)(at - text), text);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	return result;
}

/* Writes text to a file of its own and loads it; the file's name in the message is cut to "F". */
static char *load_error(const char *text, size_t size)
{
	char path[PATH_LENGTH] = "/tmp/larder-config-XXXXXX";
	const char *const files[] = { path, NULL };
	const struct config_sources sources = { .files = files };
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	_cleanup_close_ int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write_exact(fd, text, size), 0);
	int r = machine_config_load(&sources, &c, &d);
	unlink(path);
	if (r == 0)
		return NULL;
	assert_int_equal(r, -EINVAL);
	assert_int_equal(strncmp(diag_text(&d), path, strlen(path)), 0);
	return shorten(diag_text(&d), path);
}

struct wrong {
	const char *text, *message;
};

static void expect_messages(const struct wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *message = load_error(cases[i].text, strlen(cases[i].text));
		if (!message)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(message, cases[i].message);
	}
}

#define VOLUME "apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\n"
#define LAYERS "apiVersion: larder/v1alpha1\nkind: CacheLayerConfig\n"
#define MIRROR "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n"
#define AUTH   "apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: ghcr.io\n"
#define TLS    "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: ghcr.io\n"
#define TAGS   "apiVersion: larder/v1alpha1\nkind: TagPolicyConfig\n"

static void test_yaml(void **state)
{
	static const struct wrong cases[] = {
		{ "a: [1\n", "F:2:1: this is not YAML: did not find expected ',' or ']', while "
			     "parsing a flow sequence" },
		{ "a: b: c\n",
		  "F:1:5: this is not YAML: mapping values are not allowed in this context" },
		{ "a: \x01\n", "F:1:4: this is not YAML: control characters are not allowed" },
		{ "a: 1\nb: \"\xff\"\n",
		  "F:2:5: this line holds bytes that are not UTF-8 text; save "
		  "the file as UTF-8" },
		{ "\xc3\xa9: \xe2\x82\xac \xe2\x82",
		  "F:1:6: this line holds bytes that are not UTF-8 text; save "
		  "the file as UTF-8" },
		{ VOLUME "provisioning:\n\tminSize: 1GiB\n",
		  "F:5:1: this is not YAML: a tab cannot indent; use spaces" },
		{ VOLUME "provisioning:\n  minSize: 1GiB\n  \tgrow: true\n",
		  "F:6:3: this is not YAML: a tab cannot indent; use spaces" },
		{ "machine: {}\nmachine: {}\n", "F:2:1: the key machine is already set at line 1" },
		{ "machine:\n  install: {}\n  \"install\": {}\n",
		  "F:3:3: the key install is already set at line 2" },
		{ "machine: *x\n", "F:1:10: the alias *x has no anchor before it" },
		{ "machine: &a\n  install: *a\n", "F:2:12: the alias *a has no anchor before it" },
		{ "machine: !secret x\n", "F:1:10: the tag !secret is not known here" },
		{ "machine: !!binary aGk=\n",
		  "F:1:10: the tag tag:yaml.org,2002:binary is not known here" },
		{ "[a, b]: c\n", "F:1:1: a key must be a plain text" },
		{ "machine: {<<: 5}\n", "F:1:15: << takes a map or a list of maps, not text" },
		{ "- a\n", "F:1:1: a document must be a map, not a list" },
		{ "text\n", "F:1:1: a document must be a map, not text" },
		{ "machine: \"a\\0b\"\n", "F:1:10: a text holds a NUL character" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void test_documents(void **state)
{
	static const struct wrong cases[] = {
		{ "kind: VolumeConfig\n", "F:1:1: the key apiVersion is missing" },
		{ "apiVersion: v1alpha1\n", "F:1:1: the key kind is missing" },
		{ "apiVersion: v1\nkind: Pod\n",
		  "F:1:13: the apiVersion is larder/v1alpha1 or v1alpha1, not v1" },
		{ "apiVersion: larder/v1alpha1\nkind: CacheLayersConfig\n",
		  "F:2:7: unknown kind CacheLayersConfig; did you mean CacheLayerConfig?" },
		{ "apiVersion: larder/v1alpha1\nkind: Frobnicate\n",
		  "F:2:7: unknown kind Frobnicate of larder/v1alpha1" },
		{ "apiVersion: v1alpha1\nkind: VolumConfig\n",
		  "F:2:7: unknown kind VolumConfig; did you mean VolumeConfig?" },
		{ "apiVersion: v1alpha1\nkind: CacheMediaConfig\n",
		  "F:1:13: CacheMediaConfig has the apiVersion larder/v1alpha1, not v1alpha1" },
		{ "apiVersion: [a]\nkind: VolumeConfig\n",
		  "F:1:13: apiVersion must be a single value, not a list" },
		{ "version: v1beta1\nmachine: {}\n",
		  "F:1:10: the version of a machine document is v1alpha1, not v1beta1" },
		{ "hello: world\n", "F:1:1: this is no document that larder knows: it has neither "
				    "apiVersion and kind nor \"machine:\"" },
		{ "apiVersion: v1alpha1\nkind: VolumeConfig\n",
		  "F:1:1: VolumeConfig: the key name is missing" },
		{ "apiVersion: v1alpha1\nkind: VolumeConfig\nname: ImageCache\n",
		  "F:3:7: unknown volume ImageCache; did you mean IMAGECACHE?" },
		{ VOLUME "---\n" VOLUME,
		  "F:5:1: VolumeConfig IMAGECACHE is already in this file, at line 1" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void test_volume(void **state)
{
	static const struct wrong cases[] = {
		{ VOLUME "provisoning: {}\n",
		  "F:4:1: VolumeConfig IMAGECACHE: unknown key provisoning; did you mean "
		  "provisioning?" },
		{ VOLUME "provisioning:\n  minsize: 1GiB\n",
		  "F:5:3: VolumeConfig IMAGECACHE: provisioning: unknown key minsize; did you mean "
		  "minSize?" },
		{ VOLUME "provisioning:\n  colour: red\n",
		  "F:5:3: VolumeConfig IMAGECACHE: provisioning: unknown key colour" },
		{ VOLUME "provisioning: big\n",
		  "F:4:15: VolumeConfig IMAGECACHE: provisioning: must be a map, not text" },
		{ VOLUME "provisioning: {grow: \"true\"}\n",
		  "F:4:22: VolumeConfig IMAGECACHE: provisioning.grow: must be true or false, not "
		  "the text \"true\"" },
		{ VOLUME "provisioning: {grow: maybe}\n",
		  "F:4:22: VolumeConfig IMAGECACHE: provisioning.grow: must be true or false, not "
		  "\"maybe\"" },
		{ VOLUME "provisioning: {minSize: 80%}\n",
		  "F:4:25: VolumeConfig IMAGECACHE: provisioning.minSize: \"80%\" is a share, and "
		  "only a fixed size is allowed here" },
		{ VOLUME "provisioning: {maxSize: [1]}\n",
		  "F:4:25: VolumeConfig IMAGECACHE: provisioning.maxSize: must be a single value, "
		  "not a list" },
		{ VOLUME "provisioning: {maxSize: 0%}\n",
		  "F:4:25: VolumeConfig IMAGECACHE: provisioning.maxSize: must be at least 0.01%" },
		{ VOLUME "provisioning: {minSize: 2GiB, maxSize: 1GiB}\n",
		  "F:4:40: VolumeConfig IMAGECACHE: provisioning: maxSize 1GiB is less than minSize "
		  "2GiB" },
		{ VOLUME "provisioning: {waitTimeout: soon}\n",
		  "F:4:29: VolumeConfig IMAGECACHE: provisioning.waitTimeout: \"soon\" is not a "
		  "time; write a number and ms, s, m, h or d, as in 500ms or 1m30s" },
		{ VOLUME "volumeType: memory\n",
		  "F:4:13: VolumeConfig IMAGECACHE: volumeType: \"memory\" is not known here; larder "
		  "knows partition" },
		{ VOLUME "mount: {secure: true}\n",
		  "F:4:8: VolumeConfig IMAGECACHE: mount: the mount options of this volume are "
		  "fixed" },
		{ VOLUME "encryption: {provider: luks2, keys: []}\n",
		  "F:4:13: VolumeConfig IMAGECACHE: encryption: there are no keys, so nothing could "
		  "open the volume" },
		{ VOLUME "encryption: {keys: [{slot: 0, nodeID: {}}]}\n",
		  "F:4:13: VolumeConfig IMAGECACHE: encryption: the key provider is missing" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: 0}]}\n",
		  "F:4:38: VolumeConfig IMAGECACHE: encryption: a key has one of static, nodeID and "
		  "tpm, and slot 0 has none" },
		{ VOLUME "encryption: {provider: luks2, keys: [{nodeID: {}}]}\n",
		  "F:4:38: VolumeConfig IMAGECACHE: encryption.keys[0]: the key slot is missing" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: 99, nodeID: {}}]}\n",
		  "F:4:45: VolumeConfig IMAGECACHE: encryption.keys[0].slot: must be between 0 and "
		  "31, not 99" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: -1, nodeID: {}}]}\n",
		  "F:4:45: VolumeConfig IMAGECACHE: encryption.keys[0].slot: must be a whole number, "
		  "not \"-1\"" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: 1, nodeID: {}}, {slot: 1, "
			 "tpm: {}}]}\n",
		  "F:4:61: VolumeConfig IMAGECACHE: encryption: the slot 1 is used twice" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: 0, static: {}}]}\n",
		  "F:4:56: VolumeConfig IMAGECACHE: encryption.keys[0].static: the key passphrase is "
		  "missing" },
		{ VOLUME "encryption: {provider: luks2, keys: [{slot: 0, kms: {endpoint: x}}]}\n",
		  "F:4:53: VolumeConfig IMAGECACHE: encryption.keys[0].kms: larder asks no key "
		  "servers; use static, nodeID or tpm" },
		{ VOLUME "encryption: {provider: luks2, blockSize: 1000, keys: [{slot: 0, nodeID: "
			 "{}}]}\n",
		  "F:4:42: VolumeConfig IMAGECACHE: encryption: blockSize is 512, 1024, 2048 or "
		  "4096" },
		{ VOLUME
		  "encryption: {provider: luks2, keySize: 300, keys: [{slot: 0, nodeID: {}}]}\n",
		  "F:4:40: VolumeConfig IMAGECACHE: encryption: keySize is a number of bits that makes "
		  "whole bytes, and 300 does not" },
		{ VOLUME "encryption: {provider: luks1, keys: []}\n",
		  "F:4:24: VolumeConfig IMAGECACHE: encryption.provider: \"luks1\" is not known "
		  "here; did you mean luks2?" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void test_machine(void **state)
{
	static const struct wrong cases[] = {
		{ "machine:\n  feature: {}\n", "F:2:3: v1alpha1 document: machine: unknown key "
					       "feature; did you mean features?" },
		{ "machine: {features: {imageCache: {localEnable: true}}}\n",
		  "F:1:35: v1alpha1 document: machine.features.imageCache: unknown key localEnable; "
		  "did you mean localEnabled?" },
		{ "machine: {features: {imageCache: {localEnabled: true}}}\n---\n"
		  "apiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: true}\n",
		  "F:1:34: the image cache is also set by ImageCacheConfig (F:3); keep one of the "
		  "two" },
		{ "machine: {install: {disk: sda}}\n",
		  "F:1:27: v1alpha1 document: machine.install.disk: \"sda\" must be a path below "
		  "/dev, as in /dev/sda" },
		{ "machine: {install: {diskSelector: {size: \"about 5\"}}}\n",
		  "F:1:42: v1alpha1 document: machine.install.diskSelector.size: a condition is one "
		  "of >= <= == > < and a size, as in \">= 100GB\": \"about 5\" is not a size; write "
		  "a number and a unit as in 2.5GiB or 100MB" },
		{ "machine: {install: {diskSelector: {type: sdd}}}\n",
		  "F:1:42: v1alpha1 document: machine.install.diskSelector.type: \"sdd\" is not "
		  "known here; did you mean ssd?" },
		{ "machine: {install: {diskSelector: {name: SD16G}}}\n",
		  "F:1:42: v1alpha1 document: machine.install.diskSelector.name: disks have no name "
		  "to match; use model, serial or busPath" },
		{ "machine: {registries: {mirrors: {\"https://docker.io\": {}}}}\n",
		  "F:1:34: v1alpha1 document: machine.registries.mirrors: \"https://docker.io\" is a "
		  "URL; write the registry's host alone, as in registry.example:5000" },
		{ "machine: {registries: {mirrors: {docker.io: {endpoints: [\"127.0.0.1:5\"]}}}}\n",
		  "F:1:58: v1alpha1 document: "
		  "machine.registries.mirrors[\"docker.io\"].endpoints[0]: an endpoint begins with "
		  "http:// or https://, and this one does not" },
		{ "machine: {registries: {mirrors: {docker.io: {endpoint: []}}}}\n",
		  "F:1:46: v1alpha1 document: machine.registries.mirrors[\"docker.io\"]: unknown key "
		  "endpoint; did you mean endpoints?" },
		{ "machine: {registries: {config: {a.io: {tls: {ca: \"-----BEGIN X\"}}}}}\n",
		  "F:1:50: v1alpha1 document: machine.registries.config[\"a.io\"].tls.ca: is PEM "
		  "text, and the v1alpha1 document wants the base64 of it" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void test_registries(void **state)
{
	static const struct wrong cases[] = {
		{ MIRROR "endpoints: [{overridePath: true}]\n",
		  "F:4:13: RegistryMirrorConfig ghcr.io: endpoints[0]: the key url is missing" },
		{ MIRROR "endpoints: [{url: \"http://a b\"}]\n",
		  "F:4:19: RegistryMirrorConfig ghcr.io: endpoints[0].url: character 9 of the "
		  "endpoint cannot be in a URL" },
		{ MIRROR "endpoints: [{url: \"http://u:p@h\"}]\n",
		  "F:4:19: RegistryMirrorConfig ghcr.io: endpoints[0].url: an endpoint holds no user "
		  "and password; write them into a RegistryAuthConfig of its host" },
		{ MIRROR "endpoints: [{url: \"http://:5\"}]\n",
		  "F:4:19: RegistryMirrorConfig ghcr.io: endpoints[0].url: the endpoint has no valid "
		  "host" },
		{ MIRROR "endpoints: [{url: \"http://h:70000\"}]\n",
		  "F:4:19: RegistryMirrorConfig ghcr.io: endpoints[0].url: the endpoint has no valid "
		  "host" },
		{ MIRROR "endpoints: [\"http://h\"]\n",
		  "F:4:13: RegistryMirrorConfig ghcr.io: endpoints[0]: must be a map, not text" },
		{ MIRROR "---\nmachine: {registries: {mirrors: {ghcr.io: {}}}}\n",
		  "F:1:1: RegistryMirrorConfig ghcr.io: ghcr.io is also set in the v1alpha1 "
		  "document (F:5)" },
		{ AUTH "username: u\nidentityToken: t\n",
		  "F:5:16: ghcr.io: set one of username and password, auth, identityToken; "
		  "another one is set at F:4" },
		{ "machine: {registries: {config: {a.io: {auth: {auth: YQ==,\n  password: p}}}}}\n",
		  "F:1:53: a.io: set one of username and password, auth, identityToken; another one "
		  "is set at F:2" },
		{ TLS "clientIdentity: {cert: \"-----BEGIN X\"}\n",
		  "F:4:17: RegistryTLSConfig ghcr.io: clientIdentity: the key key is missing" },
		{ TLS "ca: aGVsbG8=\n",
		  "F:4:5: RegistryTLSConfig ghcr.io: ca: must be PEM text (it begins with "
		  "\"-----BEGIN \")" },
		{ "apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: \"a/b\"\n",
		  "F:3:7: RegistryAuthConfig a/b: name: \"a/b\" is not a registry's host, as in "
		  "docker.io or registry.example:5000" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void test_larder_kinds(void **state)
{
	static const struct wrong cases[] = {
		{ LAYERS "layers: [{version: 1}]\n",
		  "F:3:10: CacheLayerConfig: layers[0]: the key name is missing" },
		{ LAYERS "layers: [{name: k8s}, {name: k8s, version: 2}]\n",
		  "F:3:23: the layer k8s is listed twice; of one name exactly one version is "
		  "active" },
		{ LAYERS "layers: [{name: ../etc}]\n",
		  "F:3:17: CacheLayerConfig: layers[0].name: \"../etc\" is not a layer's name: "
		  "letters, digits, \".\", \"_\" and \"-\"" },
		{ LAYERS "keep: many\n",
		  "F:3:7: CacheLayerConfig: keep: must be a whole number, not \"many\"" },
		{ LAYERS "trust: {required: true}\n",
		  "F:3:19: trust is required, and trust.keys names no key" },
		{ LAYERS "trust: {keys: [site.pub]}\n",
		  "F:3:16: CacheLayerConfig: trust.keys[0]: \"site.pub\" must be a path that begins "
		  "with a slash" },
		{ LAYERS "layers: [{name: a, rootHash: 12ab}]\n",
		  "F:3:30: CacheLayerConfig: layers[0].rootHash: must be 64 or 128 hex digits in "
		  "lower case" },
		{ TAGS "rules: [{match: \"a b\", policy: cached}]\n",
		  "F:3:17: TagPolicyConfig: rules[0].match: \"a b\" is not a pattern of image names, "
		  "as in registry.k8s.io/*" },
		{ TAGS "rules: [{match: \"*\", policy: latest}]\n",
		  "F:3:30: TagPolicyConfig: rules[0].policy: \"latest\" is not known here; larder "
		  "knows cached, fresh, pinned" },
		{ TAGS "rules: [{match: \"*\", policy: pinned, digest: sha256:1}]\n",
		  "F:3:46: TagPolicyConfig: rules[0].digest: \"sha256:1\" is not a digest: "
		  "\"sha256:\" and 64 hex digits in lower case" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

/* Text that no log may print as it is. */
static void test_hostile_text(void **state)
{
	static const struct wrong cases[] = {
		{ VOLUME "\"a\\nlarder: all is well\": 1\n",
		  "F:4:1: VolumeConfig IMAGECACHE: unknown key a?larder: all is well" },
		{ "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: \"a\\tb\"\n",
		  "F:3:7: RegistryTLSConfig a?b: name: \"a?b\" is not a registry's host, as in "
		  "docker.io or registry.example:5000" },
		{ "machine: !<a%0alarder:%20all%20is%20well> x\n",
		  "F:1:10: the tag a?larder: all is well is not known here" },
		{ "machine: {registries: {config: {\"a\\eb\": {tls: 1}}}}\n",
		  "F:1:33: v1alpha1 document: machine.registries.config: \"a?b\" is not a "
		  "registry's host, as in docker.io or registry.example:5000" },
	};

	(void)state;
	expect_messages(cases, ARRAY_SIZE(cases));
}

static void expect_part(const char *text, size_t size, const char *part)
{
	_cleanup_free_ char *message = load_error(text, size);

	assert_non_null(message);
	if (!strstr(message, part))
		fail_msg("\"%s\" is not in: %s", part, message);
}

static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
	char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	assert_non_null(f);
	fputs(before, f);
	for (size_t i = 0; i < n; i++)
		fputs(text, f);
	fputs(after, f);
	assert_int_equal(fclose(f), 0);
	return all;
}

/* Nine levels of ten aliases: 10^9 values from half a kilobyte. */
static void test_anchor_bomb(void **state)
{
	char *bomb = NULL;
	size_t size;
	FILE *f = open_memstream(&bomb, &size);

	(void)state;
	fputs("machine:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n", f);
	for (int i = 1; i < 10; i++) {
		fprintf(f, "  a%d: &a%d [*a%d", i, i, i - 1);
		for (int j = 1; j < 10; j++)
			fprintf(f, ",*a%d", i - 1);
		fputs("]\n", f);
	}
	assert_int_equal(fclose(f), 0);
	expect_part(bomb, size,
		    "the config has more than 100000 values when its aliases are followed");
	free(bomb);
}

static void test_limits(void **state)
{
	(void)state;
	_cleanup_free_ char *deep = repeat("machine: ", "[", 100, "");
	expect_part(deep, strlen(deep), "too deeply nested");

	_cleanup_free_ char *documents = repeat("", "---\nmachine: {}\n", 300, "");
	expect_part(documents, strlen(documents), "F:513:1: more than 256 documents in one file");

	_cleanup_free_ char *large = repeat("machine: {} #", "x", CONFIG_FILE_BYTES_MAX, "\n");
	expect_part(large, strlen(large), "the file is larger than 1024 KiB");

	_cleanup_free_ char *text =
		repeat(VOLUME "provisioning: {minSize: \"a", "\xc3\xa9", 9000, "b\"}\n");
	_cleanup_free_ char *message = load_error(text, strlen(text));
	assert_in_range(strlen(message), 800, 1100);
	assert_non_null(strstr(message, "\xc3\xa9[...]\xc3\xa9"));
	assert_non_null(strstr(message, "b\" is not a size; write a number and a unit"));

	_cleanup_free_ char *values = repeat("machine: [", "1,", 120000, "1]\n");
	expect_part(values, strlen(values), "more than 100000 values");
	expect_part("machine: x\0y\n", 13,
		    "this line holds bytes that are not UTF-8 text; save "
		    "the file as UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml),	     cmocka_unit_test(test_documents),
		cmocka_unit_test(test_volume),	     cmocka_unit_test(test_machine),
		cmocka_unit_test(test_registries),   cmocka_unit_test(test_larder_kinds),
		cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_anchor_bomb),
		cmocka_unit_test(test_limits),
	};

	return unit_main(tests);
}
