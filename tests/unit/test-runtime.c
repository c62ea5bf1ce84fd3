/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of each runtime, in root directories made for the test: what is written, what a second run does, what comes back. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "runtime/diff.h"
#include "runtime/route.h"
#include "runtime/runtime.h"
#include "runtime/unmerge.h"

#define MARK_BEGIN                                                                                    \
	"# larder: begin (written by \"larder runtime configure\"; \"larder runtime restore\" takes " \
	"it out)\n"
#define MARK_END   "# larder: end\n"
#define CACHE_HOST "\n[host.\"http://127.0.0.1:3172\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
#define CACHE_URL  "http://127.0.0.1:3172"
#define ENABLED	   "machine: {features: {imageCache: {localEnabled: true}}}\n---\n"
#define HOSTS	   "etc/containerd/certs.d/"

struct root {
	char path[32];
	int dir;
	struct machine_config *config;
};

static void put(const struct root *root, const char *path, const char *text)
{
	assert_int_equal(mkdir_parents_at(root->dir, path, 0755), 0);
	assert_int_equal(write_file_atomic_at(root->dir, path, text, strlen(text), 0644), 0);
}

static char *get(const struct root *root, const char *path)
{
	char *text = NULL;
	int r = read_file_at(root->dir, path, 1 << 20, &text, NULL);

	if (r == -ENOENT)
		return NULL;
	assert_int_equal(r, 0);
	return text;
}

static void assert_file(const struct root *root, const char *path, const char *expected)
{
	_cleanup_free_ char *text = get(root, path);

	if (!text && expected)
		fail_msg("%s is not there", path);
	if (!expected)
		assert_null(text);
	else
		assert_string_equal(text, expected);
}

static void root_config(struct root *root, const char *config)
{
	const struct config_sources sources = { .root = root->path };
	_cleanup_diag_ struct diag d = DIAG_INIT;

	machine_config_free(root->config);
	root->config = NULL;
	put(root, "etc/larder/machine.yaml", config);
	if (machine_config_load(&sources, &root->config, &d) < 0)
		fail_msg("%s", diag_text(&d));
}

static void root_make(struct root *root, const char *config, const char *program)
{
	*root = (struct root){ .path = "/tmp/larder-root-XXXXXX" };
	assert_non_null(mkdtemp(root->path));
	root->dir = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root->dir >= 0);
	if (program)
		put(root, program, "");
	root_config(root, config);
}

static void root_done(struct root *root)
{
	machine_config_free(root->config);
	close_fd(root->dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, root->path), 0);
}

static const struct runtime_report *find_report(const struct runtime_result *result,
						const char *name)
{
	for (size_t i = 0; i < result->n_reports; i++)
		if (strcmp(result->reports[i].name, name) == 0)
			return &result->reports[i];
	return NULL;
}

/* Configures and returns the state of one runtime; *ret_message (may be NULL) why. */
static enum runtime_state configure(const struct root *root, const char *name, char **ret_message)
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;

	if (runtime_configure(root->config, root->path, &result, &d) < 0)
		fail_msg("%s", diag_text(&d));
	const struct runtime_report *report = find_report(&result, name);
	assert_non_null(report);
	if (ret_message)
		*ret_message = strdup(report->message ? report->message : "");
	else if (report->message)
		fail_msg("%s", report->message);
	return report->state;
}

/* Configures all. */
static void runtime_configured(const struct root *root)
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };

	assert_int_equal(runtime_configure(root->config, root->path, &result, NULL), 0);
}

static void restore(const struct root *root, enum runtime_state expected)
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };

	assert_int_equal(runtime_restore(root->path, &result, NULL), 0);
	const struct runtime_report *report = find_report(&result, "restore");
	assert_int_equal(report ? report->state : RUNTIME_UNCHANGED, expected);
}

static void test_nothing_installed(void **state)
{
	struct root root;

	(void)state;
	root_make(&root, ENABLED, NULL);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_ABSENT);
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_ABSENT);
	assert_file(&root, HOSTS "_default/hosts.toml", NULL);
	root_done(&root);
}

static void test_containerd_fresh(void **state)
{
	struct root root;

	(void)state;
	root_make(&root,
		  ENABLED
		  "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n"
		  "endpoints: [{url: http://127.0.0.1:2005}, {url: https://m/v2/g, overridePath: "
		  "true}]\nskipFallback: true\n"
		  "---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: h:5000\n",
		  "usr/bin/containerd");
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	assert_file(&root, "etc/containerd/config.toml",
		    MARK_BEGIN "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
			       "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END);
	assert_file(&root, HOSTS "_default/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	assert_file(&root, HOSTS "h_5000_/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	assert_file(&root, HOSTS "ghcr.io/hosts.toml",
		    MARK_BEGIN "server = \"https://m/v2/g\"\noverride_path = true\n" CACHE_HOST
			       "\n[host.\"http://127.0.0.1:2005\"]\n"
			       "  capabilities = [\"pull\", \"resolve\"]\n" MARK_END);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_UNCHANGED);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/containerd/config.toml", NULL);
	assert_int_equal(faccessat(root.dir, "etc/containerd", F_OK, 0), -1);
	restore(&root, RUNTIME_UNCHANGED);
	root_done(&root);
}

/* The forms of config.toml, and what becomes of each. */
static void test_containerd_config(void **state)
{
#define CRI2 "[plugins.\"io.containerd.grpc.v1.cri\".registry"
#define CRI3 "[plugins.'io.containerd.cri.v1.images'.registry"
#define LINE MARK_BEGIN "config_path = \"/etc/containerd/certs.d\"\n" MARK_END
	static const struct {
		const char *before, *after; /* NULL: left alone */
	} cases[] = {
		{ "version = 2\n", "version = 2\n" MARK_BEGIN CRI2 "]\n"
				   "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "version = 3\n",
		  "version = 3\n" MARK_BEGIN "[plugins.\"io.containerd.cri.v1.images\".registry]\n"
		  "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "oom_score = 1\n", "oom_score = 1\n" MARK_BEGIN "[plugins.\"cri\".registry]\n"
				     "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "version = 2\n" CRI2 "]\n  x = 1\n",
		  "version = 2\n" CRI2 "]\n" LINE "  x = 1\n" },
		{ "version = 2\n" CRI2 "]\n  config_path = \"\"\n  x = 1\n",
		  "version = 2\n" CRI2 "]\n" MARK_BEGIN
		  "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END "  x = 1\n" },
		{ "plugins.\"cri\".registry.config_path = \"\" # x\n", MARK_BEGIN
		  "plugins.\"cri\".registry.config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "plugins = { cri = { x = 1 } }\n", NULL },
		{ "[plugins]\ncri = { registry = { config_path = \"/srv\" } }\n", NULL },
		{ "[plugins.cri]\nregistry.x = 1\n", NULL },
		{ "version = 2\n" CRI2 ".mirrors]\n" CRI2 "]\n config_path = ''\n",
		  "version = 2\n" CRI2 ".mirrors]\n" CRI2 "]\n" MARK_BEGIN
		  " config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "version = 2\n" CRI2 "]\n  config_path = \"/etc/other\"\n", NULL },
		{ "version = 2\n" CRI2 ".mirrors.\"docker.io\"]\n endpoint = []\n", NULL },
		{ "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nregistry = {}\n", NULL },
		{ "version = 2\ndisabled_plugins = [\"cri\"]\n", NULL },
		/* Version 3 as containerd 2.x writes it, and what people make of it. */
		{ "version = 3\n[plugins]\n  " CRI3 "]\n    config_path = ''\n"
		  "  [plugins.'io.containerd.grpc.v1.cri']\n    x = 1\n",
		  "version = 3\n[plugins]\n  " CRI3 "]\n" MARK_BEGIN
		  "    config_path = \"/etc/containerd/certs.d\"\n" MARK_END
		  "  [plugins.'io.containerd.grpc.v1.cri']\n    x = 1\n" },
		{ "version = 3\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'a'\n",
		  "version = 3\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'a'\n" MARK_BEGIN
		  "[plugins.\"io.containerd.cri.v1.images\".registry]\n"
		  "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
		{ "version = 3\n" CRI3
		  "]\n  config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n",
		  NULL },
		{ "version = 3\n" CRI3 ".mirrors.\"docker.io\"]\n endpoint = []\n", NULL },
		{ "version = 3\ndisabled_plugins = [\"io.containerd.cri.v1.images\"]\n", NULL },
		/* Tables of version 3 in a file that says an earlier one: no table of that may come beside them. */
		{ "version = 2\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'a'\n",
		  NULL },
		{ "version = 2\n[plugins.'io.containerd.cri.v1.runtime']\n  x = 1\n", NULL },
		{ "version = 2\n[plugins.'io.containerd.cri.v1.images'.registry]\n", NULL },
		/* What the plugin of version 2 says of registries counts nothing in version 3. */
		{ "version = 3\n" CRI2 "]\n  config_path = \"\"\n",
		  "version = 3\n" CRI2 "]\n  config_path = \"\"\n" MARK_BEGIN
		  "[plugins.\"io.containerd.cri.v1.images\".registry]\n"
		  "  config_path = \"/etc/containerd/certs.d\"\n" MARK_END },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root root;
		root_make(&root, ENABLED, NULL);
		put(&root, "etc/containerd/config.toml", cases[i].before);
		assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
		assert_file(&root, "etc/containerd/config.toml",
			    cases[i].after ? cases[i].after : cases[i].before);
		assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_UNCHANGED);
		restore(&root, RUNTIME_CHANGED);
		assert_file(&root, "etc/containerd/config.toml", cases[i].before);
		root_done(&root);
	}
}

/* A directory of the user's hides _default, so the cache goes into each, before what is there. */
static void test_containerd_merge(void **state)
{
	static const char user[] = "server = \"https://quay.io\"\n\n[host.\"https://mine\"]\n";
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, "etc/containerd/config.toml",
	    "version = 2\n" CRI2 "]\nconfig_path = \"/srv/certs\"\n");
	put(&root, "srv/certs/quay.io/hosts.toml", user);
	put(&root, "srv/certs/old.example/ca.crt", "");
	put(&root, "srv/certs/old.example/me.cert", "");
	put(&root, "srv/certs/old.example/me.key", "");
	put(&root, "srv/certs/h:5000/hosts.toml", "server = \"http://h:5000\"\n");
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	assert_file(&root, "srv/certs/quay.io/hosts.toml",
		    "server = \"https://quay.io\"\n\n" MARK_BEGIN CACHE_HOST MARK_END
		    "[host.\"https://mine\"]\n");
	assert_file(
		&root, "srv/certs/old.example/hosts.toml",
		MARK_BEGIN
		"ca = [\"ca.crt\"]\nclient = [[\"me.cert\", \"me.key\"]]\n" CACHE_HOST MARK_END);
	assert_file(&root, "srv/certs/h:5000/hosts.toml",
		    "server = \"http://h:5000\"\n" MARK_BEGIN CACHE_HOST MARK_END);
	assert_file(&root, "srv/certs/_default/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_UNCHANGED);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "srv/certs/quay.io/hosts.toml", user);
	assert_file(&root, "srv/certs/old.example/hosts.toml", NULL);
	assert_file(&root, "srv/certs/old.example/ca.crt", "");
	root_done(&root);
}

/* What a person changes after larder wrote stays, and the next run works with it. */
/* Takes text. */
static char *append(char *text, const char *more)
{
	char *longer = NULL;

	assert_true(asprintf(&longer, "%s\n%s", text, more) > 0);
	free(text);
	return longer;
}

/* All hints of one runtime, a line each, owned by the caller. */
static char *hints_of(const struct root *root, const char *name)
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	char *all = strdup("");

	assert_int_equal(runtime_preview(root->config, root->path, &result, NULL, NULL), 0);
	const struct runtime_report *report = find_report(&result, name);
	assert_non_null(report);
	STRV_FOREACH (hint, report->hints)
		all = append(all, *hint);
	return all;
}

/* Notes and endpoints of one runtime's route, joined; owned by the caller. */
static char *route_of(const struct root *root, const char *name, const char *host)
{
	_cleanup_routes_ struct runtime_routes routes = { 0 };
	char *text = NULL;

	assert_int_equal(runtime_routes(root->path, host, "a/b", false, &routes, NULL), 0);
	for (size_t i = 0; i < routes.n_routes; i++) {
		const struct runtime_route *r = &routes.routes[i];
		if (strcmp(r->runtime, name) != 0)
			continue;
		text = strdup(r->cache_first ? "first" : "not first");
		STRV_FOREACH (endpoint, r->endpoints)
			text = append(text, *endpoint);
		text = append(text, r->note ? r->note : "");
	}
	assert_non_null(text);
	return text;
}

/* Files that config.toml imports count after it. */
static void test_containerd_imports(void **state)
{
#define IMPORTS "version = 2\nimports = [\"conf.d/*.toml\"]\n"
#define A	"/etc/containerd/conf.d/a.toml, which "
	static const struct {
		const char *import, *hint, *note; /* NULL: none */
		bool written;
		const char *certs;
	} cases[] = {
		{ CRI2 ".mirrors.\"docker.io\"]\n endpoint = [\"https://my\"]\n",
		  A "it imports, sets registry.mirrors", A "is imported, sets the registries",
		  false, HOSTS "_default/hosts.toml" },
		{ "plugins = { cri = { x = 1 } }\n", A "it imports, sets registry.mirrors",
		  A "is imported, sets the registries", false, HOSTS "_default/hosts.toml" },
		{ CRI2 "]\n config_path = \"/etc/foo\"\n", NULL, NULL, false,
		  "etc/foo/_default/hosts.toml" },
		{ "[plugins.\"io.containerd.grpc.v1.cri\"]\n sandbox_image = \"x\"\n",
		  A "is imported, sets the CRI plugin without config_path",
		  "with containerd 1.x, the CRI plugin does not read this: " A, true,
		  HOSTS "_default/hosts.toml" },
		{ "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n config_path = \"\"\n",
		  A "it imports, sets config_path to nothing", "config_path is not set", false,
		  HOSTS "_default/hosts.toml" },
		{ "oom_score = 1\n", NULL, NULL, true, HOSTS "_default/hosts.toml" },
		{ "= no\n", "an imported file is not read", NULL, true,
		  HOSTS "_default/hosts.toml" },
		{ "disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n",
		  "the CRI plugin is disabled", "config_path is not set", false,
		  HOSTS "_default/hosts.toml" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root root;
		root_make(&root, ENABLED, "usr/bin/containerd");
		put(&root, "etc/containerd/config.toml", IMPORTS);
		put(&root, "etc/containerd/conf.d/a.toml", cases[i].import);
		assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
		_cleanup_free_ char *hints = hints_of(&root, "containerd");
		_cleanup_free_ char *route = route_of(&root, "containerd", "docker.io");
		_cleanup_free_ char *text = get(&root, "etc/containerd/config.toml");
		_cleanup_free_ char *hosts = get(&root, cases[i].certs);
		if (cases[i].hint)
			assert_non_null(strstr(hints, cases[i].hint));
		else
			assert_null(strstr(hints, "import"));
		if (cases[i].note)
			assert_non_null(strstr(route, cases[i].note));
		assert_int_equal(strcmp(text, IMPORTS) != 0, cases[i].written);
		assert_non_null(hosts);
		restore(&root, RUNTIME_CHANGED);
		assert_file(&root, "etc/containerd/config.toml", IMPORTS);
		root_done(&root);
	}
}

static void test_edited_since(void **state)
{
	struct root root;
	_cleanup_free_ char *text = NULL, *edited = NULL;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, HOSTS "quay.io/hosts.toml", "[host.\"https://mine\"]\n");
	configure(&root, "containerd", NULL);
	text = get(&root, HOSTS "quay.io/hosts.toml");
	assert_true(asprintf(&edited, "# new\n%s[host.\"https://more\"]\n", text) > 0);
	put(&root, HOSTS "quay.io/hosts.toml", edited);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	assert_file(&root, HOSTS "quay.io/hosts.toml", edited);
	put(&root, HOSTS "quay.io/hosts.toml", text);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	put(&root, HOSTS "quay.io/hosts.toml", edited);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, HOSTS "_default/hosts.toml", NULL);
	assert_file(&root, HOSTS "quay.io/hosts.toml",
		    "# new\n[host.\"https://mine\"]\n[host.\"https://more\"]\n");
	root_done(&root);
}

/* A system that was copied without what larder remembers: its lines are known by their marks. */
static void test_copied_system(void **state)
{
	struct root root;
	_cleanup_free_ char *text = NULL;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, HOSTS "quay.io/hosts.toml", "[host.\"https://mine\"]\n");
	configure(&root, "containerd", NULL);
	text = get(&root, HOSTS "quay.io/hosts.toml");
	assert_int_equal(remove_tree_at(root.dir, "etc/larder/runtime"), 0);
	configure(&root, "containerd", NULL);
	assert_file(&root, HOSTS "quay.io/hosts.toml", text);
	assert_file(&root, HOSTS "_default/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, HOSTS "quay.io/hosts.toml", "[host.\"https://mine\"]\n");
	assert_file(&root, HOSTS "_default/hosts.toml", NULL);
	root_done(&root);
}

/* What the machine config no longer wants goes; a cache that is switched off takes everything back. */
static void test_config_changes(void **state)
{
	struct root root;

	(void)state;
	root_make(&root,
		  ENABLED "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n",
		  "usr/bin/containerd");
	configure(&root, "containerd", NULL);
	assert_file(&root, HOSTS "ghcr.io/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	root_config(&root, ENABLED);
	configure(&root, "containerd", NULL);
	assert_file(&root, HOSTS "ghcr.io/hosts.toml", NULL);
	assert_file(&root, HOSTS "_default/hosts.toml", MARK_BEGIN CACHE_HOST MARK_END);
	root_config(&root, "machine: {}\n");
	assert_int_equal(configure(&root, "restore", NULL), RUNTIME_CHANGED);
	assert_file(&root, HOSTS "_default/hosts.toml", NULL);
	root_done(&root);
}

/* A registry with TLS settings and no mirror still gets the cache first. */
static void test_access(void **state)
{
	struct root root;
	struct stat st;

	(void)state;
	root_make(&root,
		  ENABLED
		  "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: h:5\n"
		  "ca: '-----BEGIN C'\nclientIdentity: {cert: '-----BEGIN X', key: '-----BEGIN "
		  "K'}\n---\napiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: quay.io\n"
		  "username: a\npassword: \"b\\\"c\"\n",
		  "usr/bin/containerd");
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	assert_file(&root, HOSTS "h_5_/hosts.toml",
		    MARK_BEGIN "ca = \"/etc/larder/pki/h_5_/ca.pem\"\n"
			       "client = [[\"/etc/larder/pki/h_5_/client.pem\", "
			       "\"/etc/larder/pki/h_5_/client-key.pem\"]]\n" CACHE_HOST MARK_END);
	assert_file(&root, "etc/larder/pki/h_5_/client-key.pem", "-----BEGIN K");
	assert_int_equal(fstatat(root.dir, "etc/larder/pki/h_5_/client-key.pem", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_file(&root, HOSTS "quay.io/hosts.toml",
		    MARK_BEGIN
		    "\n[header]\n    authorization = [\"Basic YTpiImM=\"]\n" CACHE_HOST MARK_END);
	assert_int_equal(fstatat(root.dir, HOSTS "quay.io/hosts.toml", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/larder/pki/h_5_/client-key.pem", NULL);
	root_done(&root);
}

static void test_failures(void **state)
{
	struct root root;
	_cleanup_free_ char *message = NULL, *second = NULL;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, "usr/bin/dockerd", "");
	put(&root, "etc/docker/daemon.json", "{\"a\": 1,}\n");
	assert_int_equal(configure(&root, "docker", &message), RUNTIME_FAILED);
	assert_non_null(strstr(message, "/etc/docker/daemon.json:1:"));
	assert_file(&root, "etc/docker/daemon.json", "{\"a\": 1,}\n");
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_UNCHANGED);
	assert_int_equal(unlinkat(root.dir, "etc/docker/daemon.json", 0), 0);
	assert_int_equal(symlinkat("/nowhere", root.dir, "etc/docker/daemon.json"), 0);
	assert_int_equal(configure(&root, "docker", &second), RUNTIME_FAILED);
	assert_string_equal(
		second, "/etc/docker/daemon.json: this is a symbolic link; larder replaces only "
			"files: put a copy of what it leads to as a file in its place, then run "
			"\"larder runtime configure\"");
	root_done(&root);
}

/* A link that leads out of the root directory leads nowhere else than into it. */
static void test_stays_in_root(void **state)
{
	struct root root, outside;

	(void)state;
	root_make(&outside, ENABLED, NULL);
	root_make(&root, ENABLED, "usr/bin/containerd");
	assert_int_equal(symlinkat(outside.path, root.dir, "etc/containerd"), 0);
	_cleanup_free_ char *message = NULL;
	(void)configure(&root, "containerd", &message);
	assert_file(&outside, "config.toml", NULL);
	assert_file(&outside, "certs.d/_default/hosts.toml", NULL);
	root_done(&root);
	root_done(&outside);
}

static void test_docker(void **state)
{
	static const char user[] =
		"{\n  \"log-level\": \"warn\",\n  \"registry-mirrors\": [\"https://a\"]\n}";
	struct root root;
	_cleanup_free_ char *text = NULL;

	(void)state;
	root_make(&root,
		  ENABLED "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: docker.io\n"
			  "endpoints: [{url: http://127.0.0.1:2005/}, {url: https://m/path}]\n",
		  "usr/bin/dockerd");
	put(&root, "etc/docker/daemon.json", user);
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_CHANGED);
	text = get(&root, "etc/docker/daemon.json");
	assert_string_equal(text,
			    "{\n  \"log-level\": \"warn\",\n  \"registry-mirrors\": [\n"
			    "    \"http://127.0.0.1:3172\",\n    \"http://127.0.0.1:2005/\",\n"
			    "    \"https://a\"\n  ]\n}\n");
	assert_file(&root, "etc/docker/certs.d/_default/hosts.toml",
		    MARK_BEGIN CACHE_HOST MARK_END);
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_UNCHANGED);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/docker/daemon.json", user);
	root_done(&root);
}

/* null is a list of nothing to dockerd, and comes back as it was, also beside what the user added later. */
static void test_docker_null(void **state)
{
	static const char user[] =
		"{\n  \"registry-mirrors\": null,\n  \"insecure-registries\": null\n}\n";
	struct root root;

	(void)state;
	root_make(&root,
		  ENABLED "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: a.example\n"
			  "insecureSkipVerify: true\n",
		  "usr/bin/dockerd");
	put(&root, "etc/docker/daemon.json", user);
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_CHANGED);
	assert_file(&root, "etc/docker/daemon.json",
		    "{\n  \"registry-mirrors\": [\n    \"http://127.0.0.1:3172\"\n  ],\n"
		    "  \"insecure-registries\": [\n    \"a.example\"\n  ]\n}\n");
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_UNCHANGED);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/docker/daemon.json", user);
	assert_int_equal(configure(&root, "docker", NULL), RUNTIME_CHANGED);
	put(&root, "etc/docker/daemon.json",
	    "{\n  \"registry-mirrors\": [\n    \"http://127.0.0.1:3172\"\n  ],\n"
	    "  \"insecure-registries\": [\n    \"a.example\"\n  ],\n  \"debug\": true\n}\n");
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/docker/daemon.json",
		    "{\n  \"registry-mirrors\": null,\n  \"insecure-registries\": null,\n"
		    "  \"debug\": true\n}\n");
	root_done(&root);
}

/* dockerd does not start where a flag and daemon.json say the same. */
static void test_docker_flags(void **state)
{
	static const char unit[] = "usr/lib/systemd/system/docker.service";
	static const struct {
		const char *path, *text;
		bool mirrors, insecure; /* are they written? */
	} cases[] = {
		{ unit, "[Service]\nExecStart=/usr/bin/dockerd\n", true, true },
		{ unit, "ExecStart=dockerd --registry-mirror=https://m\n", false, true },
		{ unit, "ExecStart=dockerd \\\n  --insecure-registry r\n", true, false },
		{ unit, "# --registry-mirror x\n ;--insecure-registry x\n", true, true },
		{ unit, "ExecStart=dockerd --registry-mirrors-of-mine\n", true, true },
		{ "etc/systemd/system/docker.service.d/x.conf",
		  "ExecStart=dockerd --registry-mirror x\n", false, true },
		{ "etc/default/docker", "DOCKER_OPTS=\"--insecure-registry=x\"", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_runtime_result_ struct runtime_result result = { 0 };
		struct root root;
		root_make(&root,
			  ENABLED "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: r.example\n"
				  "insecureSkipVerify: true\n",
			  "usr/bin/dockerd");
		put(&root, cases[i].path, cases[i].text);
		assert_int_equal(runtime_configure(root.config, root.path, &result, NULL), 0);
		_cleanup_free_ char *text = get(&root, "etc/docker/daemon.json");
		assert_int_equal(text && strstr(text, "registry-mirrors"), cases[i].mirrors);
		assert_int_equal(text && strstr(text, "insecure-registries"), cases[i].insecure);
		char **hints = find_report(&result, "docker")->hints;
		bool named = false;
		STRV_FOREACH (hint, hints)
			named = named || (strstr(*hint, cases[i].path) && strstr(*hint, "move"));
		assert_int_equal(named, !cases[i].mirrors || !cases[i].insecure);
		root_done(&root);
	}
}

/* text with what comes in place of "old"; old "": at the end. Owned by the caller. */
static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = *old ? strstr(text, old) : text + strlen(text);
	char *result = NULL;

	assert_non_null(at);
	assert_true(asprintf(&result, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) >
		    0);
	return result;
}

#define MIRROR_OF(host, url)                                                                       \
	ENABLED "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: " host                    \
		"\nendpoints: [{url: " url "}]\n"

/* What somebody edits after larder wrote it keeps the edit, and loses what larder added, whatever happens between. */
static void test_taken_out(void **state)
{
#define K3S    "usr/local/bin/k3s", "etc/rancher/k3s/registries.yaml"
#define DOCKER "usr/bin/dockerd", "etc/docker/daemon.json"
#define TOML   "usr/bin/containerd", "etc/containerd/config.toml"
	static const struct {
		const char *program, *path, *before; /* NULL: no file */
		const char *old, *new;		     /* the edit of what larder wrote */
		const char *after;
	} cases[] = {
		{ K3S, "mirrors: {docker.io: {endpoint: [\"https://x\"]}}\n", "", "# edited\n",
		  "mirrors: {docker.io: {endpoint: [\"https://x\"]}}\n# edited\n" },
		{ K3S, "mirrors: {docker.io: {endpoint: [\"https://x\"]}}\n", "https://x\"",
		  "https://y\", \"https://z\"",
		  "mirrors: {docker.io: {endpoint: [\"https://y\", \"https://z\"]}}\n" },
		{ K3S, "mirrors:\n  \"*\":\n    endpoint: []\n", "", "# edited\n",
		  "mirrors:\n  \"*\":\n    endpoint: []\n# edited\n" },
		{ K3S, "mirrors:\n  docker.io: {}\n", "", "# edited\n",
		  "mirrors:\n  docker.io: {}\n# edited\n" },
		{ K3S,
		  "mirrors:\n  a.io: {endpoint: [\"" CACHE_URL "\", \"https://x\"]}\n  b.io: {}\n",
		  "", "# edited\n",
		  "mirrors:\n  a.io: {endpoint: [\"" CACHE_URL
		  "\", \"https://x\"]}\n  b.io: {}\n# edited\n" },
		{ K3S, "configs: {}", "# larder: end\n", "# larder: end\n# edited\n",
		  "configs: {}\n# edited\n" },
		{ DOCKER, "{\"log-driver\":\"journald\"}", "journald", "local",
		  "{\n    \"log-driver\": \"local\"\n}\n" },
		{ DOCKER, "{\"registry-mirrors\":[],\"mtu\":1}", "1\n", "2\n",
		  "{\n    \"registry-mirrors\": [],\n    \"mtu\": 2\n}\n" },
		{ DOCKER, "{ \"mtu\":  1 }", "", "\n", "{ \"mtu\":  1 }" },
		{ TOML, "version = 2\n" CRI2 "]\n  config_path = \"\" # none\n", "", "# edited\n",
		  "version = 2\n" CRI2 "]\n  config_path = \"\" # none\n# edited\n" },
		{ TOML, "version = 2\n", "version", "# edited\nversion",
		  "# edited\nversion = 2\n" },
		{ TOML, "version = 2\n", "/certs.d", "/mine.d", "version = 2\n" },
		{ TOML, NULL, "", "# edited\n", "# edited\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 3; i++) {
		size_t n = i / 3, way = i % 3;
		struct root root;
		_cleanup_free_ char *written = NULL, *edited = NULL;
		root_make(&root, MIRROR_OF("docker.io", "https://old"), cases[n].program);
		if (cases[n].before)
			put(&root, cases[n].path, cases[n].before);
		runtime_configured(&root);
		if (way == 2) {
			root_config(&root, MIRROR_OF("docker.io", "https://new"));
			runtime_configured(&root);
		}
		written = get(&root, cases[n].path);
		edited = replaced(written, cases[n].old, cases[n].new);
		put(&root, cases[n].path, edited);
		if (way == 1) {
			root_config(&root, MIRROR_OF("docker.io", "https://new"));
			runtime_configured(&root);
			runtime_configured(&root);
		}
		restore(&root, RUNTIME_CHANGED);
		assert_file(&root, cases[n].path, cases[n].after);
		root_done(&root);
	}
}

/* The copy of the user's file is gone: that does not make the file larder's, whatever happens between. */
static void test_lost_original(void **state)
{
	static const struct {
		const char *program, *path,
			*before; /* NULL: there was none, and none is what comes back */
	} cases[] = {
		{ K3S, "mirrors:\n  docker.io:\n    endpoint:\n    - https://x\n" },
		{ K3S, "configs: {h: {}} # mine\n" },
		{ K3S, NULL },
		{ TOML, "version = 2\n[debug]\n  level = \"info\"\n" },
		{ TOML, NULL },
		{ "usr/bin/containerd", HOSTS "a/hosts.toml", "[host.\"https://a\"]\n" },
		{ "usr/bin/containerd", HOSTS "docker.io/hosts.toml", NULL },
		{ "usr/bin/podman", "etc/containers/registries.conf.d/zz-larder.conf",
		  "[[registry]]\nlocation = \"mine\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 3; i++) {
		size_t n = i / 3, way = i % 3;
		_cleanup_runtime_result_ struct runtime_result result = { 0 };
		_cleanup_free_ char *written = NULL, *edited = NULL, *after = NULL;
		struct root root;
		root_make(&root, MIRROR_OF("docker.io", "https://old"), cases[n].program);
		if (cases[n].before)
			put(&root, cases[n].path, cases[n].before);
		runtime_configured(&root);
		int notes = openat(root.dir, "etc/larder/runtime", O_RDONLY | O_DIRECTORY);
		assert_true(notes >= 0);
		int removed = remove_tree_at(notes, "original");
		assert_true(removed == 0 || removed == -ENOENT);
		close_fd(notes);
		if (way == 1) {
			root_config(&root, MIRROR_OF("docker.io", "https://new"));
			runtime_configured(&root);
		}
		if (way == 2 && cases[n].before) {
			written = get(&root, cases[n].path);
			edited = replaced(written, "", "# edited\n");
			put(&root, cases[n].path, edited);
			after = replaced(cases[n].before, "", "# edited\n");
		}
		assert_int_equal(runtime_restore(root.path, &result, NULL), 0);
		const struct runtime_report *report = find_report(&result, "restore");
		bool said = false;
		STRV_FOREACH (hint, report->hints)
			said = said ||
			       strstr(*hint, "/original, so only larder's part was taken out");
		assert_int_equal(said, cases[n].before && way != 1);
		assert_file(&root, cases[n].path, after ? after : cases[n].before);
		root_done(&root);
	}
}

static void test_unmerge(void **state)
{
	static const struct {
		const char *original, *written, *edited, *rest;
	} cases[] = {
		{ "a\nb\n", "a\nx\nb\n", "a\nx\nb\n", "a\nb\n" },
		{ "a\nb\n", "a\nx\nb\n", "a\nx\nc\n", "a\nc\n" },
		{ "a\nb\n", "a\nx\nb\n", "a\ny\nb\n", "a\ny\nb\n" },
		{ "a\nb\n", "a\nx y\nb\n", "a\nx z\nb\n", "a\nx z\nb\n" },
		{ "k: [a]\n", "k: [x, a]\n", "k: [x, b]\n", "k: [b]\n" },
		{ "k: [a]\n", "k: [x, a]\n", "k: [a]\n", "k: [a]\n" },
		{ "k = 1\n", "# m\nk = 2\n# e\n", "# m\nk = 2\n# e\nj\n", "k = 1\nj\n" },
		{ "k = 1\n", "# m\nk = 2\n# e\n", "# m\nk = 3\n# e\n", "# m\nk = 3\n# e\n" },
		{ NULL, "mirrors:\n  x: y\n", "mirrors:\n  x: z\n", "mirrors:\n  x: z\n" },
		{ NULL, "a\n", "a\nb\n", "b\n" },
		{ "a\n", "a\n", "", "" },
		{ "a", "a\nx\n", "a\nx\nb\n", "a\nb\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *rest = NULL;
		assert_int_equal(
			unmerge(cases[i].original, cases[i].written, cases[i].edited, &rest), 0);
		assert_string_equal(rest, cases[i].rest);
	}
}

static void test_k3s_fresh(void **state)
{
	struct root root;

	(void)state;
	root_make(&root,
		  ENABLED "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n"
			  "endpoints: [{url: https://m}, {url: https://n/x}]\n---\n"
			  "apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: m\nusername: u\n"
			  "password: 'p\"q'\n",
		  "usr/local/bin/k3s");
	assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_CHANGED);
	assert_file(&root, "etc/rancher/k3s/registries.yaml",
		    MARK_BEGIN
		    "mirrors:\n"
		    "  \"ghcr.io\": {endpoint: [\"http://127.0.0.1:3172\", \"https://m\", "
		    "\"https://n/x/v2\"]}\n"
		    "  \"*\": {endpoint: [\"http://127.0.0.1:3172\"]}\n"
		    "configs:\n"
		    "  \"m\": {auth: {username: \"u\", password: \"p\\\"q\"}}\n" MARK_END);
	assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_UNCHANGED);
	root_done(&root);
}

/* A user's registries.yaml, in the styles that people use: every line of it stays. */
static void test_k3s_merge(void **state)
{
#define STAR "\"*\": {endpoint: [\"http://127.0.0.1:3172\"]} # larder\n"
#define ITEM "\"http://127.0.0.1:3172\""
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "# mine\nmirrors:\n  docker.io:\n    endpoint:\n      # first\n"
		  "      - \"https://a\" # keep\n      - \"https://b\"\n",
		  "# mine\nmirrors:\n  " STAR "  docker.io:\n    endpoint:\n      # first\n"
		  "      - " ITEM
		  " # larder\n      - \"https://a\" # keep\n      - \"https://b\"\n" },
		{ "mirrors:\n  \"*\":\n    endpoint: [\"https://a\"]\n  x.io:\n    endpoint: []\n",
		  "mirrors:\n  \"*\":\n    endpoint: [" ITEM ", \"https://a\"]\n  x.io:\n"
		  "    endpoint: [" ITEM "]\n" },
		{ "mirrors: {quay.io: {endpoint: [\"https://a\"]}}\n",
		  "mirrors: {\"*\": {endpoint: [" ITEM "]}, quay.io: {endpoint: [" ITEM
		  ", \"https://a\"]}}\n" },
		{ "mirrors:\n  quay.io:\n    rewrite: {a: b}\n",
		  "mirrors:\n  " STAR "  quay.io:\n    endpoint: [" ITEM "] # larder\n"
		  "    rewrite: {a: b}\n" },
		{ "mirrors:\n- a: b\n", NULL },
		{ "configs:\n  h: {auth: {username: u}}\n",
		  "configs:\n  h: {auth: {username: u}}\n" MARK_BEGIN "mirrors:\n"
		  "  \"*\": {endpoint: [" ITEM "]}\n" MARK_END },
		{ "mirrors:\n  \"*\":\n    endpoint:\n    - http://127.0.0.1:3172\n", "" },
		{ "mirrors:\n  a.io:\n  b.io: # mine\n",
		  "mirrors:\n  " STAR "  a.io: {endpoint: [" ITEM "]}\n  b.io: {endpoint: [" ITEM
		  "]} # mine\n" },
		{ "mirrors:\n  \"*\":\n", "mirrors:\n  \"*\": {endpoint: [" ITEM "]}\n" },
		{ "mirrors:\n", "mirrors: {\"*\": {endpoint: [" ITEM "]}}\n" },
		{ "mirrors: ~ # mine\nconfigs:",
		  "mirrors: {\"*\": {endpoint: [" ITEM "]}} # mine\nconfigs:" },
		{ "mirrors: {a.io: null, \"*\": {endpoint: }}\n",
		  "mirrors: {a.io: {endpoint: [" ITEM "]}, \"*\": {endpoint: [" ITEM "] }}\n" },
		{ "mirrors: {a.io}\n", NULL },
		{ "mirrors: {a: b: c}\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *message = NULL;
		bool same = cases[i].after && !*cases[i].after;
		struct root root;
		root_make(&root, ENABLED, "usr/local/bin/rke2");
		put(&root, "etc/rancher/rke2/registries.yaml", cases[i].before);
		assert_int_equal(configure(&root, "rke2", &message), !cases[i].after
									     ? RUNTIME_FAILED
								     : same ? RUNTIME_UNCHANGED
									    : RUNTIME_CHANGED);
		if (!cases[i].after)
			assert_non_null(strstr(message, "/etc/rancher/rke2/registries.yaml:"));
		assert_file(&root, "etc/rancher/rke2/registries.yaml",
			    cases[i].after && !same ? cases[i].after : cases[i].before);
		restore(&root, cases[i].after && !same ? RUNTIME_CHANGED : RUNTIME_UNCHANGED);
		assert_file(&root, "etc/rancher/rke2/registries.yaml", cases[i].before);
		root_done(&root);
	}
}

/* Documents that say nothing, that are one flow map, and that are begun and ended by signs: nothing is blamed on the user. */
static void test_k3s_documents(void **state)
{
#define TLS	    "{insecure_skip_verify: true}"
#define ANY_MIRROR  "{\"*\": {endpoint: [" ITEM "]}}"
#define H_CONFIG    "{\"h\": {tls: " TLS "}}"
#define BOTH_INSIDE "mirrors: " ANY_MIRROR ", configs: " H_CONFIG
#define BOTH_BEHIND                                                                                \
	MARK_BEGIN "mirrors:\n  \"*\": {endpoint: [" ITEM "]}\nconfigs:\n  \"h\": {tls: " TLS      \
		   "}\n" MARK_END
#define ONLY_CONFIGS MARK_BEGIN "configs:\n  \"h\": {tls: " TLS "}\n" MARK_END
	static const struct {
		const char *before, *after; /* NULL: it is refused */
		const char *why;
	} cases[] = {
		{ "", BOTH_BEHIND, NULL },
		{ "# mine\n", "# mine\n" BOTH_BEHIND, NULL },
		{ "---\n", "---\n" BOTH_BEHIND, NULL },
		{ "---", "---\n" BOTH_BEHIND, NULL },
		{ "--- # mine\n...\n# end\n", "--- # mine\n" BOTH_BEHIND "...\n# end\n", NULL },
		{ "--- # mine\n...", "--- # mine\n" BOTH_BEHIND "...", NULL },
		{ "{}\n", "{" BOTH_INSIDE "}\n", NULL },
		{ "{}", "{" BOTH_INSIDE "}", NULL },
		{ "--- {} # mine\n...\n", "--- {" BOTH_INSIDE "} # mine\n...\n", NULL },
		{ "{\n  # mine\n}\n", "{" BOTH_INSIDE "\n  # mine\n}\n", NULL },
		{ "null\n", "{" BOTH_INSIDE "}\n", NULL },
		{ "# mine\n--- ~\n...\n", "# mine\n--- {" BOTH_INSIDE "}\n...\n", NULL },
		{ "{\"mirrors\":{\"docker.io\":{\"endpoint\":[\"https://a\"]}}}",
		  "{configs: " H_CONFIG ", \"mirrors\":{\"*\": {endpoint: [" ITEM
		  "]}, \"docker.io\":{\"endpoint\":[" ITEM ", \"https://a\"]}}}",
		  NULL },
		{ "{\n  \"configs\": {},\n  \"mirrors\": {}\n}\n",
		  "{\n  \"configs\": {\"h\": {tls: " TLS "}},\n  \"mirrors\": " ANY_MIRROR "\n}\n",
		  NULL },
		{ "{x: y}\n", "{" BOTH_INSIDE ", x: y}\n", NULL },
		{ "---\nmirrors:\n  a: {}\n...\n",
		  "---\nmirrors:\n  " STAR "  a: {endpoint: [" ITEM "]}\n" ONLY_CONFIGS "...\n",
		  NULL },
		{ "mirrors:\n...\n", "mirrors: " ANY_MIRROR "\n" ONLY_CONFIGS "...\n", NULL },
		{ "mirrors: {}\r\n...\r\n", "mirrors: " ANY_MIRROR "\r\n" ONLY_CONFIGS "...\r\n",
		  NULL },
		{ "x: |\n  ...\n", "x: |\n  ...\n" BOTH_BEHIND, NULL },
		{ "--- &a\nmirrors: {}\n", "--- &a\nmirrors: " ANY_MIRROR "\n" ONLY_CONFIGS, NULL },
		{ "  mirrors:\n    a: {}\n  x: y\n",
		  "  configs: " H_CONFIG " # larder\n  mirrors:\n    " STAR
		  "    a: {endpoint: [" ITEM "]}\n  x: y\n",
		  NULL },
		{ "&a {mirrors: {}}\n", NULL, ":1:1: the cache cannot be added here" },
		{ "&a {\nmirrors: {}}\n", NULL, "registries.yaml: the cache cannot be added" },
		{ "---\n---\n", NULL, "registries.yaml: the cache cannot be added" },
		{ "null\n---\nnull\n", NULL, "registries.yaml: the cache cannot be added" },
		{ "&a null\n", NULL, "registries.yaml: the cache cannot be added" },
		{ "[]\n", NULL, ":1:1: the document must be a map" },
		{ "a: b\n---\nc: d\n", NULL, ":3:1: there is more than one document" },
		{ "{mirrors: {}\n", NULL, "registries.yaml:2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *message = NULL;
		const char *after = cases[i].after ? cases[i].after : cases[i].before;
		struct root root;
		root_make(&root,
			  ENABLED "apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: h\n"
				  "insecureSkipVerify: true\n",
			  "usr/local/bin/k3s");
		put(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		enum runtime_state want = cases[i].after ? RUNTIME_CHANGED : RUNTIME_FAILED;
		if (configure(&root, "k3s", &message) != want)
			fail_msg("%s: %s", cases[i].before, message ? message : "");
		if (cases[i].why && !strstr(message, cases[i].why))
			fail_msg("%s: %s", cases[i].before, message);
		assert_file(&root, "etc/rancher/k3s/registries.yaml", after);
		if (cases[i].after)
			assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_UNCHANGED);
		restore(&root, cases[i].after ? RUNTIME_CHANGED : RUNTIME_UNCHANGED);
		assert_file(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		root_done(&root);
	}
}

/* The mirrors of the machine config come between the cache and what the user's entry names. */
static void test_k3s_mirrors(void **state)
{
#define M "\"https://m\""
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "mirrors:\n  docker.io:\n    endpoint:\n      - https://a\n  \"*\":\n",
		  "mirrors:\n  docker.io:\n    endpoint:\n      - " ITEM " # larder\n      - " M
		  " # larder\n      - https://a\n  \"*\": {endpoint: [" ITEM "]}\n" },
		{ "mirrors: {docker.io: {endpoint: [https://a, https://m]}, \"*\": }\n",
		  "mirrors: {docker.io: {endpoint: [" ITEM
		  ", https://a, https://m]}, \"*\": {endpoint: [" ITEM "]} }\n" },
		{ "mirrors: {docker.io: {endpoint: []}, \"*\": {}}\n",
		  "mirrors: {docker.io: {endpoint: [" ITEM ", " M "]}, \"*\": {endpoint: [" ITEM
		  "]}}\n" },
		{ "mirrors:\n  docker.io: &d\n    endpoint: [a]\n  \"*\": *d\n",
		  "mirrors:\n  docker.io: &d\n    endpoint: [" ITEM ", a]\n  \"*\": *d\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root root;
		root_make(&root, MIRROR_OF("docker.io", "https://m"), "usr/local/bin/k3s");
		put(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_CHANGED);
		assert_file(&root, "etc/rancher/k3s/registries.yaml", cases[i].after);
		assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_UNCHANGED);
		restore(&root, RUNTIME_CHANGED);
		assert_file(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		root_done(&root);
	}
}

/* What the machine config says of a registry is added where the user's entry says nothing of it. */
static void test_k3s_access(void **state)
{
#define AUTH	  "{username: \"u\", password: \"p\"}"
#define MINE	  "mirrors: {\"*\": {endpoint: [" ITEM "]}}\n"
#define H_ENTRY	  "  \"h\": {auth: " AUTH ", tls: " TLS "} # larder\n"
#define BOTH_OF_H "{auth: " AUTH ", tls: " TLS "}"
	static const struct {
		const char *before, *after, *hint; /* after "": as it was */
	} cases[] = {
		{ MINE "configs:\n  # mine\n  x: {}\n",
		  MINE "configs:\n  # mine\n" H_ENTRY "  x: {}\n", NULL },
		{ MINE "configs:\n  h:\n    auth:\n      username: me # mine\n",
		  MINE "configs:\n  h:\n    tls: " TLS " # larder\n    auth:\n      username: me "
		       "# mine\n",
		  NULL },
		{ MINE "configs:\n  h:\n    tls: {ca_file: /c}\n",
		  MINE "configs:\n  h:\n    auth: " AUTH " # larder\n    tls: {ca_file: /c}\n",
		  NULL },
		{ MINE "configs: {h: {tls: {}}}\n",
		  MINE "configs: {h: {auth: " AUTH ", tls: {}}}\n", NULL },
		{ MINE "configs: {h: {}}\n", MINE "configs: {h: " BOTH_OF_H "}\n", NULL },
		{ MINE "configs:\n  h: # mine\n", MINE "configs:\n  h: " BOTH_OF_H " # mine\n",
		  NULL },
		{ MINE "configs: {h: {auth: {}, tls: {}}}\n", "", NULL },
		{ MINE "configs:\n  h:\n    auth: {username: me}\n    tls:\n",
		  MINE "configs:\n  h:\n    auth: {username: me}\n    tls: " TLS "\n", NULL },
		{ MINE "configs:\n  h:\n    auth: # mine\n    tls: ~\n",
		  MINE "configs:\n  h:\n    auth: " AUTH " # mine\n    tls: " TLS "\n", NULL },
		{ MINE "configs: {h: {tls: }}\n",
		  MINE "configs: {h: {auth: " AUTH ", tls: " TLS " }}\n", NULL },
		{ "x: &n ~\n" MINE "configs:\n  h: {auth: {}, tls: *n}\n", "", NULL },
		{ MINE "configs:\n  h: &h {tls: {}}\n  i: *h\n", "",
		  "its entry is also another registry's" },
		{ MINE "configs:\n  h: &h {auth: {}, tls: {}}\n  i: *h\n", "", "" },
		{ MINE "configs:\n  h: &h {tls: {}}\n", "", "write it as a plain map" },
		{ MINE "configs:\n  i: &i {tls: {}}\n  h:\n    <<: *i\n    x: y\n", "",
		  "write it as a plain map" },
		{ MINE "configs: {}\n", MINE "configs: {\"h\": " BOTH_OF_H "}\n", NULL },
		{ MINE "configs: {h: [a]}\n", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool same = !cases[i].after || !*cases[i].after;
		_cleanup_free_ char *message = NULL;
		struct root root;
		root_make(&root,
			  ENABLED "apiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: h\n"
				  "username: u\npassword: p\n---\napiVersion: v1alpha1\n"
				  "kind: RegistryTLSConfig\nname: h\ninsecureSkipVerify: true\n",
			  "usr/local/bin/k3s");
		put(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		assert_int_equal(configure(&root, "k3s", &message), !cases[i].after ? RUNTIME_FAILED
								    : same ? RUNTIME_UNCHANGED
									   : RUNTIME_CHANGED);
		assert_file(&root, "etc/rancher/k3s/registries.yaml",
			    same ? cases[i].before : cases[i].after);
		if (cases[i].hint) {
			_cleanup_free_ char *hints = hints_of(&root, "k3s");
			assert_non_null(strstr(hints, cases[i].hint));
		}
		restore(&root, same ? RUNTIME_UNCHANGED : RUNTIME_CHANGED);
		assert_file(&root, "etc/rancher/k3s/registries.yaml", cases[i].before);
		root_done(&root);
	}
}

/* Brackets with nothing in them take several entries, too. */
static void test_k3s_empty_sections(void **state)
{
	static const char before[] = "mirrors: {}\nconfigs: {}\n";
	struct root root;

	(void)state;
	root_make(
		&root,
		ENABLED
		"apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: m\nendpoints: [{url: http://x}]\n---\n"
		"apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: a\ninsecureSkipVerify: true\n---\n"
		"apiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: b\ninsecureSkipVerify: true\n",
		"usr/local/bin/k3s");
	put(&root, "etc/rancher/k3s/registries.yaml", before);
	assert_int_equal(configure(&root, "k3s", NULL), RUNTIME_CHANGED);
	assert_file(
		&root, "etc/rancher/k3s/registries.yaml",
		"mirrors: {\"m\": {endpoint: [" ITEM ", \"http://x\"]}, \"*\": {endpoint: [" ITEM
		"]}}\n"
		"configs: {\"a\": {tls: {insecure_skip_verify: true}}, \"b\": {tls: {insecure_skip_verify: true}}}\n");
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/rancher/k3s/registries.yaml", before);
	root_done(&root);
}

static void test_containers(void **state)
{
	struct root root;
	_cleanup_free_ char *text = NULL;

	(void)state;
	root_make(&root,
		  ENABLED
		  "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\n"
		  "endpoints: [{url: http://127.0.0.1:2005}, {url: https://m/v2/g, overridePath: "
		  "true}]\nskipFallback: true\n",
		  "usr/bin/podman");
	put(&root, "etc/containers/registries.conf",
	    "[[registry]]\nlocation = \"docker.io\"\n\n[[registry]]\nprefix = \"*.corp\"\n");
	put(&root, "etc/containers/registries.conf.d/mine.conf",
	    "[[registry]]\nlocation = \"docker.io\"\ninsecure = false # 2\n"
	    "[[registry.mirror]]\nlocation = \"mine\"\n");
	put(&root, "run/larder/cache/manifests/cached.example/x/digest/y", "");
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_CHANGED);
	text = get(&root, "etc/containers/registries.conf.d/zz-larder.conf");
#define MIRROR(x) "[[registry.mirror]]\nlocation = \"" x "\"\n"
#define PLAIN	  "insecure = true\n"
#define CACHED(x)                                                                                  \
	"\n[[registry]]\nprefix = \"" x "\"\nlocation = \"" x "\"\n" MIRROR("127.0.0.1:3172/" x)   \
		PLAIN
	assert_string_equal(
		text, MARK_BEGIN
		"\n[[registry]]\nlocation = \"docker.io\"\ninsecure = false # 2\n" MIRROR(
			"127.0.0.1:3172/docker.io") PLAIN MIRROR("mine")
			CACHED("cached.example") "\n[[registry]]\nprefix = \"ghcr.io\"\nlocation = \"m/g\"\n" MIRROR(
				"127.0.0.1:3172/ghcr.io") PLAIN MIRROR("127.0.0.1:2005")
				PLAIN CACHED("quay.io") CACHED("registry.k8s.io") MARK_END);
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_UNCHANGED);
	root_done(&root);
}

/* Drop-ins are read in the order of their bytes; one behind larder's own hides the cache, which is said. */
static void test_containers_order(void **state)
{
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/podman");
	put(&root, "etc/containers/registries.conf.d/10-a.conf",
	    "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"ten\"\n");
	put(&root, "etc/containers/registries.conf.d/9-b.conf",
	    "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"nine\"\n");
	_cleanup_free_ char *before = hints_of(&root, "podman and CRI-O");
	assert_null(strstr(before, "do not come from the cache"));
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_CHANGED);
	_cleanup_free_ char *route = route_of(&root, "podman and CRI-O", "docker.io");
	assert_string_equal(route,
			    "first\n127.0.0.1:3172/docker.io/a/b\nnine/a/b\ndocker.io/a/b\n");
	put(&root, "etc/containers/registries.conf.d/zzz.conf",
	    "[[registry]]\nlocation = \"quay.io\"\n");
	_cleanup_free_ char *hints = hints_of(&root, "podman and CRI-O");
	assert_non_null(strstr(hints, "images of quay.io do not come from the cache: "
				      "/etc/containers/registries.conf.d/zzz.conf is read after "
				      "zz-larder.conf"));
	assert_null(strstr(hints, "docker.io"));
	_cleanup_free_ char *hidden = route_of(&root, "podman and CRI-O", "quay.io");
	assert_string_equal(hidden, "not first\nquay.io/a/b\n");
	root_done(&root);
}

/* Registries that these programs ask although skipFallback says not to are told of. */
static void test_containers_fallback(void **state)
{
	static const struct {
		const char *host, *skip;
		bool all, users;
	} cases[] = {
		{ "'*'", "true", true, true },
		{ "'*'", "false", false, false },
		{ "user.example", "true", false, true },
		{ "other.example", "true", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *config = NULL;
		struct root root;
		assert_true(asprintf(&config,
				     ENABLED
				     "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\n"
				     "name: %s\nendpoints: [{url: https://m}]\nskipFallback: %s\n",
				     cases[i].host, cases[i].skip) > 0);
		root_make(&root, config, "usr/bin/podman");
		put(&root, "etc/containers/registries.conf",
		    "[[registry]]\nlocation = \"user.example\"\n");
		_cleanup_free_ char *hints = hints_of(&root, "podman and CRI-O");
		assert_int_equal(strstr(hints,
					"skipFallback of * holds only for registries with a "
					"table in "
					"/etc/containers/registries.conf.d/zz-larder.conf") != NULL,
				 cases[i].all);
		assert_int_equal(strstr(hints, "skipFallback does not hold for user.example") !=
					 NULL,
				 cases[i].users);
		root_done(&root);
	}
}

/* Lists of version 1 count beside larder's tables as they do without. */
static void test_containers_lists(void **state)
{
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/podman");
	put(&root, "etc/containers/registries.conf",
	    "[registries.search]\nregistries = ['docker.io', 'quay.io']\n"
	    "[registries.insecure]\nregistries = ['lab.example', \"quay.io\",\n  'both.example']\n"
	    "[registries.block]\nregistries = ['docker.io', 'both.example/']\n");
	put(&root, "etc/containers/registries.conf.d/mine.conf",
	    "[[registry]]\nlocation = \"quay.io\"\n");
	put(&root, "etc/containers/registries.conf.d/old.conf",
	    "[registries.block]\nregistries = []\n");
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_CHANGED);
	assert_file(&root, "etc/containers/registries.conf.d/zz-larder.conf",
		    MARK_BEGIN
		    "\n[[registry]]\nlocation = \"lab.example\"\ninsecure = true\n" MIRROR(
			    "127.0.0.1:3172/lab.example") PLAIN
		    "\n[[registry]]\nlocation = \"quay.io\"\n" MIRROR("127.0.0.1:3172/quay.io")
			    PLAIN CACHED("ghcr.io") CACHED("registry.k8s.io") MARK_END);
	static const struct {
		const char *host, *route;
	} routes[] = {
		{ "docker.io", "not first\nblocked: registries.block of "
			       "/etc/containers/registries.conf names docker.io" },
		{ "both.example", "not first\nblocked: registries.block of "
				  "/etc/containers/registries.conf names both.example" },
		{ "lab.example", "first\n127.0.0.1:3172/lab.example/a/b\nlab.example/a/b\n" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		_cleanup_free_ char *route = route_of(&root, "podman and CRI-O", routes[i].host);
		assert_string_equal(route, routes[i].route);
	}
	put(&root, "etc/containers/registries.conf", "[registries.block]\nregistries = 'a'\n");
	_cleanup_free_ char *message = NULL;
	assert_int_equal(configure(&root, "podman and CRI-O", &message), RUNTIME_FAILED);
	assert_non_null(strstr(message, "/etc/containers/registries.conf: line 2: registries is a "
					"list of texts"));
	root_done(&root);
}

/* The runtimes refuse a file of both versions, and a drop-in of version 1: then nothing is pulled at all. */
static void test_containers_versions(void **state)
{
	static const char list[] = "[registries.search]\nregistries = ['docker.io']\n";
	static const struct {
		const char *before, *behind; /* the list */
		unsigned line;		     /* of version 2; 0: the runtimes take it */
	} cases[] = {
		{ "", "[[registry]]\nlocation = 'q.io'\n", 3 },
		{ "unqualified-search-registries = ['docker.io']\n", "", 1 },
		{ "short-name-mode = 'permissive'\n", "", 1 },
		{ "credential-helpers = ['x']\n", "", 1 },
		{ "", "[aliases]\n'a' = 'docker.io/a'\n", 4 },
		{ "unqualified-search-registries = []\nshort-name-mode = ''\n", "[aliases]\n", 0 },
		{ "", "[registries.block]\nregistries = ['b']\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL, *message = NULL, *words = NULL;
		struct root root;
		root_make(&root, ENABLED, "usr/bin/podman");
		assert_true(asprintf(&text, "%s%s%s", cases[i].before, list, cases[i].behind) > 0);
		put(&root, "etc/containers/registries.conf", text);
		assert_int_equal(configure(&root, "podman and CRI-O", &message),
				 cases[i].line ? RUNTIME_FAILED : RUNTIME_CHANGED);
		assert_true(asprintf(&words, "beside what line %u sets; write", cases[i].line) > 0);
		if (cases[i].line)
			assert_non_null(strstr(message, words));
		root_done(&root);
	}
	struct root root;
	_cleanup_free_ char *message = NULL;
	root_make(&root, ENABLED, "usr/bin/podman");
	put(&root, "etc/containers/registries.conf", "[[registry]]\nlocation = 'q.io'\n");
	put(&root, "etc/containers/registries.conf.d/old.conf", list);
	assert_int_equal(configure(&root, "podman and CRI-O", &message), RUNTIME_FAILED);
	assert_non_null(strstr(message, "registries.conf.d/old.conf: line 2: podman and CRI-O "
					"refuse lists of version 1 in a drop-in; write "));
	put(&root, "etc/containers/registries.conf.d/old.conf",
	    "[registries.search]\nregistries = []\n[[registry]]\nlocation = 'r.io'\n");
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_CHANGED);
	root_done(&root);
}

/* What the user blocked stays blocked, and what mirrors are not asked for is said. */
static void test_containers_limits(void **state)
{
	struct root root;

	(void)state;
	root_make(
		&root,
		MIRROR_OF(
			"docker.io",
			"https://m") "---\napiVersion: v1alpha1\n"
				     "kind: RegistryMirrorConfig\nname: a.corp.example\nendpoints: []\n",
		"usr/bin/podman");
	put(&root, "etc/containers/registries.conf",
	    "[[registry]]\nprefix = \"bl.example\"\nlocation = \"bl.example\"\nblocked = true\n"
	    "[[registry]]\nprefix = \"*.corp.example\"\nblocked = true\n"
	    "[[registry]]\nlocation = \"dg.example\"\nmirror-by-digest-only = true\n"
	    "[[registry]]\nlocation = \"docker.io/library\"\n"
	    "[[registry.mirror]]\nlocation = \"mine\"\npull-from-mirror = \"digest-only\"\n");
	_cleanup_free_ char *hints = hints_of(&root, "podman and CRI-O");
	assert_non_null(strstr(hints, "dg.example: mirror-by-digest-only is set"));
	assert_int_equal(configure(&root, "podman and CRI-O", NULL), RUNTIME_CHANGED);
	_cleanup_free_ char *text = get(&root, "etc/containers/registries.conf.d/zz-larder.conf");
	assert_null(strstr(text, "bl.example"));
	assert_null(strstr(text, "corp.example"));
	assert_non_null(strstr(text,
			       "[[registry]]\nlocation = \"docker.io/library\"\n" MIRROR(
				       "127.0.0.1:3172/docker.io/library") PLAIN MIRROR("m/library")
				       MIRROR("mine") "pull-from-mirror"));
	static const struct {
		const char *host, *route;
	} routes[] = {
		{ "bl.example", "not first\nblocked: the table of bl.example refuses every pull" },
		{ "a.corp.example",
		  "not first\nblocked: the table of *.corp.example refuses every pull" },
		{ "dg.example",
		  "not first\ndg.example/a/b\nsome mirrors are asked only for images named by digest "
		  "(mirror-by-digest-only, pull-from-mirror)" },
		{ "docker.io", "first\n127.0.0.1:3172/docker.io/a/b\nm/a/b\ndocker.io/a/b\n" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		_cleanup_free_ char *route = route_of(&root, "podman and CRI-O", routes[i].host);
		assert_string_equal(route, routes[i].route);
	}
	root_done(&root);
}

/* A write that fails leaves nothing of the attempt, and no advice. */
static void test_failed_write(void **state)
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	assert_int_equal(symlinkat("nowhere", root.dir, "etc/containerd"), 0);
	assert_int_equal(runtime_configure(root.config, root.path, &result, NULL), 0);
	const struct runtime_report *report = find_report(&result, "containerd");
	assert_int_equal(report->state, RUNTIME_FAILED);
	assert_non_null(
		strstr(report->message, "a symbolic link to what is not there below the root"));
	assert_null(report->hints);
	assert_int_equal(faccessat(root.dir, "etc/larder/runtime/next", F_OK, 0), -1);
	assert_int_equal(faccessat(root.dir, "etc/nowhere", F_OK, 0), -1);
	root_done(&root);
}

/* What larder notes of a file cannot be: that is named, not the user's file. */
static void test_failed_note(void **state)
{
#define NOTES "/etc/larder/runtime"
	static const struct {
		const char *path, *link; /* NULL: a file is there */
		const char *message;
	} cases[] = {
		{ "etc/larder", "nowhere",
		  NOTES
		  "/directories: cannot write: its directory is a symbolic link to what is not "
		  "there below the root; larder notes there what it changes" },
		{ "etc/larder", NULL, NOTES "/directories: cannot write: Not a directory; " },
		{ "etc/larder/runtime/written/etc/docker/daemon.json", "nowhere",
		  NOTES ": cannot read what larder noted there of /etc/docker/daemon.json: " },
		{ "etc/larder/runtime/original", NULL,
		  NOTES "/original/etc/docker/daemon.json: cannot write: Not a directory; " },
		{ "etc/larder/runtime/next", NULL,
		  NOTES "/next/etc/docker/daemon.json: cannot write: Not a directory; " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_runtime_result_ struct runtime_result result = { 0 };
		struct root root;
		root_make(&root, ENABLED, "usr/bin/dockerd");
		put(&root, "etc/docker/daemon.json", "{}\n");
		if (strcmp(cases[i].path, "etc/larder") == 0)
			assert_int_equal(renameat(root.dir, "etc/larder", root.dir, "etc/was"), 0);
		put(&root, cases[i].path, "");
		if (cases[i].link) {
			assert_int_equal(unlinkat(root.dir, cases[i].path, 0), 0);
			assert_int_equal(symlinkat(cases[i].link, root.dir, cases[i].path), 0);
		}
		(void)runtime_configure(root.config, root.path, &result, NULL);
		const struct runtime_report *report = find_report(&result, "docker");
		if (!report || report->state != RUNTIME_FAILED ||
		    strncmp(report->message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%zu: %s", i, report ? report->message : "no report");
		assert_file(&root, "etc/docker/daemon.json", "{}\n");
		root_done(&root);
	}
}

/* What was written for the runtime before it is what it was. */
static void test_taken_back(void **state)
{
	static const char user[] = "version = 2\n", mirror[] = "[host.\"https://a\"]\n";
	_cleanup_free_ char *message = NULL, *again = NULL;
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, "etc/containerd/config.toml", user);
	put(&root, HOSTS "a/hosts.toml", mirror);
	assert_int_equal(symlinkat("nowhere", root.dir, HOSTS "_default"), 0);
	assert_int_equal(configure(&root, "containerd", &message), RUNTIME_FAILED);
	assert_non_null(strstr(message, "_default/hosts.toml: cannot write"));
	assert_file(&root, "etc/containerd/config.toml", user);
	assert_file(&root, HOSTS "a/hosts.toml", mirror);
	assert_int_equal(faccessat(root.dir, "etc/larder/runtime/written", F_OK, 0), -1);

	/* What larder had written earlier becomes that again, and restore still knows the user's. */
	assert_int_equal(unlinkat(root.dir, HOSTS "_default", 0), 0);
	assert_int_equal(configure(&root, "containerd", NULL), RUNTIME_CHANGED);
	_cleanup_free_ char *before = get(&root, HOSTS "a/hosts.toml");
	assert_string_not_equal(before, mirror);
	root_config(&root, ENABLED "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: a\n"
				   "endpoints: [{url: https://b}]\n---\n"
				   "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: z\n");
	assert_int_equal(symlinkat("nowhere", root.dir, HOSTS "z"), 0);
	assert_int_equal(configure(&root, "containerd", &again), RUNTIME_FAILED);
	assert_file(&root, HOSTS "a/hosts.toml", before);
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/containerd/config.toml", user);
	assert_file(&root, HOSTS "a/hosts.toml", mirror);
	root_done(&root);
}

/* Directories that larder made go with its files; empty ones that were there stay. */
static void test_directories(void **state)
{
	struct root root;

	(void)state;
	root_make(&root, ENABLED, "usr/bin/containerd");
	put(&root, "usr/bin/dockerd", "");
	assert_int_equal(mkdir_parents_at(root.dir, HOSTS "_default/x", 0755), 0);
	runtime_configured(&root);
	assert_int_equal(faccessat(root.dir, HOSTS "_default/hosts.toml", F_OK, 0), 0);
	assert_int_equal(faccessat(root.dir, "etc/docker/daemon.json", F_OK, 0), 0);
	restore(&root, RUNTIME_CHANGED);
	assert_int_equal(faccessat(root.dir, HOSTS "_default/hosts.toml", F_OK, 0), -1);
	assert_int_equal(faccessat(root.dir, HOSTS "_default", F_OK, 0), 0);
	assert_int_equal(faccessat(root.dir, "etc/docker", F_OK, 0), -1);

	/* One that larder made stays with what somebody put there, and is theirs then. */
	runtime_configured(&root);
	put(&root, "etc/docker/mine", "");
	restore(&root, RUNTIME_CHANGED);
	assert_file(&root, "etc/docker/mine", "");
	assert_int_equal(faccessat(root.dir, "etc/larder/runtime", F_OK, 0), -1);
	root_done(&root);
}

static void test_diff(void **state)
{
	static const struct {
		const char *old, *new, *expected;
	} cases[] = {
		{ "a\n", "a\n", "" },
		{ NULL, "a\nb\n", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n" },
		{ "a\n", NULL, "--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
		  "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
		{ "a\nb", "a\nb\n",
		  "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n" },
		{ "a\n1\n2\n3\n4\n5\n6\n7\n8\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\n8\nB\n",
		  "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n "
		  "8\n-b\n+B\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = NULL;
		size_t size;
		FILE *f = open_memstream(&out, &size);
		assert_int_equal(diff_write(f, "/f", cases[i].old, cases[i].new), 0);
		assert_int_equal(fclose(f), 0);
		assert_string_equal(out, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_installed),
		cmocka_unit_test(test_containerd_fresh),
		cmocka_unit_test(test_containerd_config),
		cmocka_unit_test(test_containerd_imports),
		cmocka_unit_test(test_containerd_merge),
		cmocka_unit_test(test_edited_since),
		cmocka_unit_test(test_copied_system),
		cmocka_unit_test(test_config_changes),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_stays_in_root),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_docker_null),
		cmocka_unit_test(test_docker_flags),
		cmocka_unit_test(test_taken_out),
		cmocka_unit_test(test_lost_original),
		cmocka_unit_test(test_unmerge),
		cmocka_unit_test(test_k3s_fresh),
		cmocka_unit_test(test_k3s_merge),
		cmocka_unit_test(test_k3s_documents),
		cmocka_unit_test(test_k3s_mirrors),
		cmocka_unit_test(test_k3s_access),
		cmocka_unit_test(test_k3s_empty_sections),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_containers_limits),
		cmocka_unit_test(test_containers_lists),
		cmocka_unit_test(test_containers_versions),
		cmocka_unit_test(test_containers_fallback),
		cmocka_unit_test(test_containers_order),
		cmocka_unit_test(test_failed_write),
		cmocka_unit_test(test_failed_note),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_diff),
	};

	return unit_main(tests);
}
