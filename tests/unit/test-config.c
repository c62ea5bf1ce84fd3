/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "config/install_selector.h"
#include "config/machine_config.h"
#include "config/node.h"
#include "config/values.h"

/* A root directory with config files in it; made for one test. */
struct root {
	char path[32];
	int dir;
};

static void root_make(struct root *root)
{
	*root = (struct root){ .path = "/tmp/larder-root-XXXXXX" };
	assert_non_null(mkdtemp(root->path));
	root->dir = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root->dir >= 0);
}

static void root_done(struct root *root)
{
	close_fd(root->dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, root->path), 0);
}

static void root_write(const struct root *root, const char *path, mode_t mode, const char *text)
{
	assert_int_equal(mkdir_parents_at(root->dir, path, 0755), 0);
	assert_int_equal(write_file_atomic_at(root->dir, path, text, strlen(text), mode), 0);
}

static struct machine_config *root_load(const struct root *root, const char *cmdline)
{
	const struct config_sources sources = { .root = root->path, .cmdline = cmdline };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct machine_config *c = NULL;

	if (machine_config_load(&sources, &c, &d) < 0)
		fail_msg("%s", diag_text(&d));
	return c;
}

static void assert_origin(const struct origin *origin, const struct root *root, const char *path,
			  unsigned line)
{
	_cleanup_free_ char *full = path_join(root->path, path);

	assert_string_equal(origin->file, full);
	assert_int_equal(origin->line, line);
}

static void test_nothing(void **state)
{
	struct root root;
	char buffer[TEXT_SIZE_MAX];

	(void)state;
	root_make(&root);
	_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
	assert_false(c->found);
	assert_false(c->cache_enabled);
	assert_false(c->volume.present);
	assert_string_equal(selector_text(c->volume.disk_selector), "system_disk");
	assert_null(c->volume.disk_selector_origin.file);
	assert_string_equal(text_size_iec(c->volume.min_size.value, buffer), "500 MiB");
	assert_string_equal(text_size_iec(c->volume.max_size.value, buffer), "1 GiB");
	assert_int_equal(c->volume.wait_timeout_ms, 10000);
	assert_int_equal(c->layers.keep, 1);
	assert_null(c->media);
	assert_int_equal(c->n_mirrors + c->n_access, 0);
	assert_null(c->notes);
	root_done(&root);
}

static const char demo_config[] = "machine:\n"
				  "  type: worker\n"
				  "  features:\n"
				  "    imageCache:\n"
				  "      localEnabled: true\n"
				  "  registries:\n"
				  "    mirrors:\n"
				  "      \"*\": {endpoints: [\"http://127.0.0.1:2005\"]}\n"
				  "      registry.k8s.io: &dead\n"
				  "        endpoints: [\"http://127.0.0.1:2005\"]\n"
				  "        skipFallback: true\n"
				  "      docker.io:\n"
				  "        <<: *dead\n"
				  "        skipFallback: false\n"
				  "---\n"
				  "apiVersion: v1alpha1\n"
				  "kind: VolumeConfig\n"
				  "name: IMAGECACHE\n"
				  "provisioning:\n"
				  "  diskSelector:\n"
				  "    match: disk.size > 1u * GB\n"
				  "  minSize: 600MiB\n"
				  "  maxSize: 80%\n"
				  "  waitTimeout: 1m\n"
				  "---\n"
				  "apiVersion: larder/v1alpha1\n"
				  "kind: CacheMediaConfig\n"
				  "match: volume.label.startsWith(\"LARDER_\")\n";

static void test_main_shape(void **state)
{
	struct root root;

	(void)state;
	root_make(&root);
	root_write(&root, "etc/larder/machine.yaml", 0644, demo_config);
	_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
	assert_true(c->found);
	assert_true(c->cache_enabled);
	assert_origin(&c->cache_enabled_origin, &root, "etc/larder/machine.yaml", 5);
	assert_true(c->volume.present);
	assert_string_equal(selector_text(c->volume.disk_selector), "disk.size > 1u * GB");
	assert_origin(&c->volume.disk_selector_origin, &root, "etc/larder/machine.yaml", 21);
	assert_int_equal(c->volume.max_size.kind, SIZE_PERCENT);
	assert_int_equal(c->volume.wait_timeout_ms, 60000);
	assert_string_equal(selector_text(c->media), "volume.label.startsWith(\"LARDER_\")");
	assert_int_equal(c->n_mirrors, 3);
	assert_string_equal(c->mirrors[0].host, "*");
	assert_string_equal(c->mirrors[1].host, "docker.io");
	assert_string_equal(c->mirrors[2].host, "registry.k8s.io");
	assert_int_equal(c->mirrors[1].n_endpoints, 1);
	assert_string_equal(c->mirrors[1].endpoints[0].url, "http://127.0.0.1:2005");
	assert_false(c->mirrors[1].skip_fallback);
	assert_true(c->mirrors[2].skip_fallback);
	assert_null(c->notes);
	root_done(&root);
}

/* The files in their order: maps merge, lists replace, null goes back to the default. */
static void test_merging(void **state)
{
#define VOLUME "apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\n"
#define LAYERS "apiVersion: larder/v1alpha1\nkind: CacheLayerConfig\n"
	struct root root;

	(void)state;
	root_make(&root);
	root_write(&root, "usr/lib/larder/machine.yaml", 0644,
		   VOLUME "provisioning: {minSize: 1GiB, maxSize: 4GiB, grow: true}\n"
			  "---\n" LAYERS "keep: 3\nlayers: [{name: a}, {name: b}]\n");
	root_write(&root, "etc/larder/machine.yaml", 0644,
		   VOLUME "provisioning:\n  maxSize: 5GiB\n  grow:\n");
	root_write(&root, "etc/larder/machine.yaml.d/10-ten.yaml", 0644,
		   VOLUME "provisioning: {maxSize: 10GiB}\n");
	root_write(&root, "etc/larder/machine.yaml.d/9-nine.yaml", 0644,
		   VOLUME "provisioning: {maxSize: 9GiB}\n");
	root_write(&root, "etc/larder/machine.yaml.d/.hidden.yaml", 0644, "broken: [\n");
	root_write(&root, "etc/larder/machine.yaml.d/11.yaml.bak", 0644, "broken: [\n");
	root_write(&root, "run/larder/machine.yaml", 0644,
		   LAYERS "layers: [{name: c, version: 1.10}]\n");
	root_write(&root, "boot/a b.yaml", 0644,
		   "apiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: yes}\n");
	_cleanup_(machine_config_freep) struct machine_config *c =
		root_load(&root, "quiet larder.config=\"/boot/a b.yaml\" ro\n");
	assert_int_equal(c->volume.min_size.value, UINT64_C(1) << 30);
	assert_int_equal(c->volume.max_size.value, UINT64_C(10) << 30);
	assert_false(c->volume.grow);
	assert_int_equal(c->layers.keep, 3);
	assert_int_equal(c->layers.n_layers, 1);
	assert_string_equal(c->layers.layers[0].name, "c");
	assert_string_equal(c->layers.layers[0].version, "1.10");
	assert_true(c->cache_enabled);
	assert_origin(&c->cache_enabled_origin, &root, "boot/a b.yaml", 3);
	root_done(&root);
}

static void test_missing_file(void **state)
{
	static const char *const files[] = { "/nonexistent/machine.yaml", NULL };
	const struct config_sources by_option = { .files = files };
	const struct config_sources by_kernel = { .cmdline = "larder.config=/nonexistent/x" };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct machine_config *c = NULL;

	(void)state;
	assert_int_equal(machine_config_load(&by_option, &c, &d), -EINVAL);
	assert_string_equal(diag_text(&d), "/nonexistent/machine.yaml: there is no such file");
	assert_int_equal(machine_config_load(&by_kernel, &c, &d), -EINVAL);
	assert_null(c);
}

/* What is in place of a file and is none must not stop a boot. */
static void test_odd_files(void **state)
{
	struct root root;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct machine_config *c = NULL;

	(void)state;
	root_make(&root);
	const struct config_sources sources = { .root = root.path };
	assert_int_equal(mkdir_all_at(root.dir, "etc/larder", 0755), 0);
	assert_int_equal(mkfifoat(root.dir, "etc/larder/machine.yaml", 0644), 0);
	assert_int_equal(machine_config_load(&sources, &c, &d), -EINVAL);
	assert_non_null(strstr(diag_text(&d), "machine.yaml: this is no regular file"));
	assert_int_equal(unlinkat(root.dir, "etc/larder/machine.yaml", 0), 0);
	root_write(&root, "etc/larder/machine.yaml", 0644, "# nothing\n---\n# at all\n---\n");
	assert_int_equal(machine_config_load(&sources, &c, &d), 0);
	assert_true(c->found);
	machine_config_free(c);
	root_done(&root);
}

static void assert_refused(const struct config_sources *sources, const char *expected)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct machine_config *c = NULL;

	assert_int_equal(machine_config_load(sources, &c, &d), -EINVAL);
	if (!strstr(diag_text(&d), expected))
		fail_msg("\"%s\" is not in: %s", expected, diag_text(&d));
}

/* Links are those of the root: what they lead to is there, and never outside. */
static void test_links(void **state)
{
	struct root root, outside;
	_cleanup_free_ char *out = NULL;

	(void)state;
	root_make(&root);
	root_make(&outside);
	const struct config_sources sources = { .root = root.path };
	root_write(&outside, "m.yaml", 0644, demo_config);
	out = path_join(outside.path, "m.yaml");
	assert_non_null(out);
	root_write(&root, "usr/share/m.yaml", 0644, demo_config);
	root_write(&root, "usr/share/m.d/x.yaml", 0644,
		   "apiVersion: larder/v1alpha1\nkind: CacheLayerConfig\nkeep: 3\n");
	assert_int_equal(mkdir_all_at(root.dir, "etc/larder", 0755), 0);
	assert_int_equal(mkdir_all_at(root.dir, "run/larder", 0755), 0);
	assert_int_equal(
		symlink_atomic_at("/usr/share/m.yaml", root.dir, "etc/larder/machine.yaml"), 0);
	assert_int_equal(
		symlink_atomic_at("../../usr/share/m.d", root.dir, "etc/larder/machine.yaml.d"), 0);
	assert_int_equal(
		symlink_atomic_at("/usr/share/m.d/x.yaml", root.dir, "run/larder/machine.yaml"), 0);
	struct machine_config *c = root_load(&root, "larder.config=/etc/larder/machine.yaml");
	assert_true(c->cache_enabled);
	assert_int_equal(c->layers.keep, 3);
	assert_int_equal(strv_length(c->files), 4);
	machine_config_free(c);

	assert_int_equal(symlink_atomic_at(out, root.dir, "run/larder/machine.yaml"), 0);
	assert_refused(&sources, "run/larder/machine.yaml: this symbolic link leads to");
	assert_int_equal(unlinkat(root.dir, "run/larder/machine.yaml", 0), 0);
	assert_int_equal(symlink_atomic_at(out, root.dir, "usr/share/m.d/y.yaml"), 0);
	assert_refused(&sources, "machine.yaml.d/y.yaml: this symbolic link leads to");
	assert_int_equal(symlink_atomic_at(outside.path, root.dir, "etc/larder/machine.yaml.d"), 0);
	assert_refused(&sources, "etc/larder/machine.yaml.d: this symbolic link leads to");
	assert_int_equal(unlinkat(root.dir, "etc/larder/machine.yaml.d", 0), 0);
	assert_int_equal(symlink_atomic_at(out, root.dir, "etc/larder/machine.yaml"), 0);
	assert_refused(&sources, "etc/larder/machine.yaml: this symbolic link leads to");
	assert_int_equal(symlink_atomic_at("machine.yaml", root.dir, "etc/larder/machine.yaml"), 0);
	assert_int_equal(machine_config_load(&sources, &c, NULL), -ELOOP);
	assert_int_equal(remove_tree_at(root.dir, "etc/larder"), 0);
	assert_int_equal(symlink_atomic_at("/gone", root.dir, "etc/larder"), 0);
	assert_refused(&sources, "etc/larder: this symbolic link leads to /gone, and nothing is "
				 "there below /tmp/larder-root-");
	assert_int_equal(symlink_atomic_at("/usr", root.dir, "etc/larder"), 0);
	c = root_load(&root, NULL);
	assert_false(c->found);
	machine_config_free(c);
	root_done(&outside);
	root_done(&root);
}

/* Without a root, as ever; and files by name. */
static void test_links_by_name(void **state)
{
	struct root root;
	_cleanup_free_ char *link = NULL, *gone = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct machine_config *c = NULL;

	(void)state;
	root_make(&root);
	root_write(&root, "m.yaml", 0644, demo_config);
	assert_int_equal(symlink_atomic_at("m.yaml", root.dir, "link.yaml"), 0);
	assert_int_equal(symlink_atomic_at("nothing.yaml", root.dir, "gone.yaml"), 0);
	link = path_join(root.path, "link.yaml");
	gone = path_join(root.path, "gone.yaml");
	const char *const good[] = { link, NULL }, *const bad[] = { link, gone, NULL };
	const struct config_sources named = { .root = root.path, .files = good };
	const struct config_sources dangling = { .files = bad };
	assert_int_equal(machine_config_load(&named, &c, &d), 0);
	assert_true(c->cache_enabled);
	machine_config_free(c);
	assert_refused(&dangling,
		       "gone.yaml: this symbolic link leads to nothing.yaml, and nothing "
		       "is there: put there what it stands for, or remove the link");
	root_done(&root);
}

static void test_cmdline_below_root(void **state)
{
	struct root root, outside;
	_cleanup_free_ char *text = NULL, *out = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;

	(void)state;
	root_make(&root);
	root_make(&outside);
	root_write(&outside, "cmdline", 0644, "quiet");
	root_write(&root, "cmdline", 0644, "larder.config=/x");
	out = path_join(outside.path, "cmdline");
	assert_int_equal(mkdir_all_at(root.dir, "proc", 0755), 0);
	assert_int_equal(symlink_atomic_at(out, root.dir, "proc/cmdline"), 0);
	assert_int_equal(config_cmdline_read(root.path, &text, &d), 0);
	assert_null(text);
	assert_int_equal(symlink_atomic_at("/cmdline", root.dir, "proc/cmdline"), 0);
	assert_int_equal(config_cmdline_read(root.path, &text, &d), 0);
	assert_string_equal(text, "larder.config=/x");
	root_done(&outside);
	root_done(&root);
}

static void test_notes(void **state)
{
	static const char *const expected[] = {
		":1: VolumeConfig EPHEMERAL is not larder's and is ignored",
		":5: UserVolumeConfig is not larder's and is ignored",
		":9: UpstreamConfig is checked and has no effect: this version asks no upstreams",
		":16: every user can read this secret; run \"chmod 0600 ",
		":26: VolumeConfig IMAGECACHE: provisioning: maxSize -0 leaves nothing free",
		":28: RegistryAuthConfig c.io: there is no username and password, auth or",
		":13: ghcr.io: there is a password and no username: it has no effect",
		":18: b.io: there is a username and no password: the registry gets an empty one",
	};
	struct root root;

	(void)state;
	root_make(&root);
	root_write(
		&root, "etc/larder/machine.yaml", 0644,
		"apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\n---\n"
		"apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: x\n---\n"
		"apiVersion: larder/v1alpha1\nkind: UpstreamConfig\nmatch: [docker.io]\n---\n"
		"apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: ghcr.io\n"
		"password: secret\n---\n"
		"apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: b.io\nusername: u\n---\n" VOLUME
		"provisioning: {maxSize: -0}\n---\n"
		"apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: c.io\n");
	_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
	assert_int_equal(strv_length(c->notes), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (!strstr(c->notes[i], expected[i]))
			fail_msg("\"%s\" is not in: %s", expected[i], c->notes[i]);
	assert_string_equal(c->access[2].password, "secret");
	root_done(&root);
}

static void test_private_secret(void **state)
{
	struct root root;

	(void)state;
	root_make(&root);
	root_write(&root, "etc/larder/machine.yaml", 0600,
		   VOLUME "encryption:\n  provider: luks2\n  keys:\n"
			  "    - {slot: 1, tpm: {}}\n    - {slot: 0, static: {passphrase: x}}\n"
			  "  options: [no_read_workqueue]\n");
	_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
	const struct encryption_config *e = &c->volume.encryption;
	assert_null(c->notes);
	assert_true(e->enabled);
	assert_int_equal(e->n_keys, 2);
	assert_int_equal(e->keys[0].kind, KEY_STATIC);
	assert_string_equal(e->keys[0].passphrase, "x");
	assert_int_equal(e->keys[1].slot, 1);
	assert_int_equal(e->keys[1].kind, KEY_TPM);
	assert_string_equal(e->options[0], "no_read_workqueue");
	assert_null(e->options[1]);
	root_done(&root);
}

/* Both generations of registry settings, side by side. */
static void test_registries(void **state)
{
	struct root root;

	(void)state;
	root_make(&root);
	root_write(&root, "etc/larder/machine.yaml", 0600,
		   "version: v1alpha1\n"
		   "machine:\n"
		   "  registries:\n"
		   "    config:\n"
		   "      old.example:5000:\n"
		   "        tls:\n"
		   "          ca: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n"
		   "        auth: {username: u, password: p}\n"
		   "---\n"
		   "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n"
		   "endpoints:\n  - url: https://mirror.example/v2/ghcr\n    overridePath: true\n"
		   "  - {url: \"http://10.0.0.1:5000\"}\nskipFallback: true\n"
		   "---\n"
		   "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: new.example\n"
		   "ca: |\n  -----BEGIN CERTIFICATE-----\n  x\n"
		   "insecureSkipVerify: true\n");
	_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
	assert_int_equal(c->n_mirrors, 1);
	assert_true(c->mirrors[0].skip_fallback);
	assert_true(c->mirrors[0].endpoints[0].override_path);
	assert_false(c->mirrors[0].endpoints[1].override_path);
	assert_int_equal(c->n_access, 2);
	assert_string_equal(c->access[0].host, "new.example");
	assert_string_equal(c->access[0].ca, "-----BEGIN CERTIFICATE-----\nx\n");
	assert_true(c->access[0].insecure_skip_verify);
	assert_string_equal(c->access[1].host, "old.example:5000");
	assert_string_equal(c->access[1].ca, "-----BEGIN CERTIFICATE-----\n");
	assert_string_equal(c->access[1].username, "u");
	root_done(&root);
}

static void test_default_sizes_give_way(void **state)
{
	static const struct {
		const char *provisioning;
		uint64_t min_mib, max_mib;
	} cases[] = {
		{ "{}", 500, 1024 },
		{ "{minSize: 2GiB}", 2048, 2048 },
		{ "{maxSize: 100MiB}", 100, 100 },
		{ "{maxSize: 8GiB}", 500, 8192 },
		{ "{minSize: 1MiB}", 1, 1024 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root root;
		_cleanup_free_ char *text = NULL;
		root_make(&root);
		assert_true(asprintf(&text, VOLUME "provisioning: %s\n", cases[i].provisioning) >
			    0);
		root_write(&root, "etc/larder/machine.yaml", 0644, text);
		_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
		assert_int_equal(c->volume.min_size.value >> 20, cases[i].min_mib);
		assert_int_equal(c->volume.max_size.value >> 20, cases[i].max_mib);
		root_done(&root);
	}
}

static void test_install_selector(void **state)
{
#define ALWAYS "disk.transport != \"\" && !disk.readonly && !disk.cdrom"
	static const struct {
		const char *yaml, *expression;
	} cases[] = {
		{ "size: '>= 100GB'", "disk.size >= 100000000000u && " ALWAYS },
		{ "size: 1TiB", "disk.size == 1099511627776u && " ALWAYS },
		{ "size: <5000", "disk.size < 5000u && " ALWAYS },
		{ "model: WDC*", "glob(\"WDC*\", disk.model) && " ALWAYS },
		{ "serial: 'a\"\\b'", "glob(\"a\\\"\\\\b\", disk.serial) && " ALWAYS },
		{ "type: ssd", "!disk.rotational && " ALWAYS },
		{ "type: hdd", "disk.rotational && " ALWAYS },
		{ "type: nvme", "disk.transport == \"nvme\" && " ALWAYS },
		{ "type: sd", "disk.transport == \"mmc\" && " ALWAYS },
		{ "{busPath: /pci*, uuid: u, wwid: w, modalias: m*, size: '> 1G'}",
		  "disk.size > 1000000000u && glob(\"u\", disk.uuid) && glob(\"w\", disk.wwid) && "
		  "glob(\"m*\", disk.modalias) && glob(\"/pci*\", disk.bus_path) && " ALWAYS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root root;
		_cleanup_free_ char *text = NULL;
		root_make(&root);
		assert_true(
			asprintf(&text,
				 "machine:\n install:\n  disk: /dev/vdb\n  diskSelector:\n    %s\n",
				 cases[i].yaml) > 0);
		root_write(&root, "etc/larder/machine.yaml", 0644, text);
		_cleanup_(machine_config_freep) struct machine_config *c = root_load(&root, NULL);
		assert_string_equal(c->install.disk, "/dev/vdb");
		assert_string_equal(selector_text(c->install.disk_selector), cases[i].expression);
		root_done(&root);
	}
}

/* Every style of scalar leads back to the same character of the file. */
static void test_text_positions(void **state)
{
	static const struct {
		const char *yaml;
		unsigned line, column;		 /* in the text: the character X */
		unsigned file_line, file_column; /* and in the file */
	} cases[] = {
		{ "k: abX", 1, 3, 1, 6 },
		{ "k: 'abX'", 1, 3, 1, 7 },
		{ "k: \"abX\"", 1, 3, 1, 7 },
		{ "k: 'it''s X'", 1, 6, 1, 11 },
		{ "k: \"q \\\"X\"", 1, 4, 1, 9 },
		{ "k: \"\\tX\"", 1, 2, 1, 5 },
		{ "k: \"\\x41X\"", 1, 2, 1, 4 }, /* not followed: the beginning */
		{ "k: gr\xc3\xbc\xc3\x9f X", 1, 6, 1, 9 },
		{ "k: |\n  one\n  two X\n", 2, 5, 3, 7 },
		{ "k: |-\n\n    one\n      X\n", 3, 3, 4, 7 },
		{ "k: >- # folded\n  one\n  two X\n", 1, 9, 3, 7 },
		{ "k: one\n  two\n   X\n", 1, 9, 3, 4 },
		{ "k: \"one\n  X\"", 1, 5, 2, 3 },
		{ "k: ab", 1, 3, 1, 6 }, /* behind the end */
		{ "k: |\n  ab\n", 1, 3, 2, 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(pool_done) struct pool pool = { 0 };
		struct config_file file = { "f", cases[i].yaml, strlen(cases[i].yaml), 0644 };
		struct node **documents;
		uint64_t nodes = 0;
		unsigned line, column;
		size_t n;
		assert_int_equal(node_parse(&pool, &file, &nodes, &documents, &n, NULL), 0);
		node_text_position(node_get(documents[0], "k"), cases[i].line, cases[i].column,
				   &line, &column);
		if (line != cases[i].file_line || column != cases[i].file_column)
			fail_msg("case %zu: %u:%u, expected %u:%u", i, line, column,
				 cases[i].file_line, cases[i].file_column);
	}
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9v\n YmFy", "foobar" },
		{ "Zg=", NULL },
		{ "Zg", NULL },
		{ "Z===", NULL },
		{ "Zm9v=", NULL },
		{ "Zm=v", NULL },
		{ "Zm9v!", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *decoded = NULL;
		size_t size;
		int r = base64_decode(cases[i].text, &decoded, &size);
		assert_int_equal(r, cases[i].decoded ? 0 : -EINVAL);
		if (r == 0) {
			assert_string_equal(decoded, cases[i].decoded);
			assert_int_equal(size, strlen(decoded));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_main_shape),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_links_by_name),
		cmocka_unit_test(test_cmdline_below_root),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_private_secret),
		cmocka_unit_test(test_registries),
		cmocka_unit_test(test_default_sizes_give_way),
		cmocka_unit_test(test_install_selector),
		cmocka_unit_test(test_text_positions),
		cmocka_unit_test(test_base64),
	};

	return unit_main(tests);
}
