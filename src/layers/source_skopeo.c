/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registries and archives, by skopeo(1): first the manifest as it is, then each wanted platform's image by its digest, into
 * "dir:" directories, which keep every byte. So what a tag points to cannot change in between.
 */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"
#include "layers/source.h"
#include "store/reference.h"

#define SKOPEO_TIMEOUT_MS (24U * 60 * 60 * 1000) /* a large image over a slow line */

/* What skopeo needs of our environment: credentials, proxies, certificates. */
static int collect_environment(char ***ret)
{
	static const char *const names[] = {
		"HOME",	       "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
		"HTTP_PROXY",  "HTTPS_PROXY",	  "NO_PROXY",		"http_proxy",
		"https_proxy", "no_proxy",	  "SSL_CERT_FILE",	"SSL_CERT_DIR",
		"TMPDIR",
	};
	int r = strv_add(ret, "LARDER_BUILD=1");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			r = strv_addf(ret, "%s=%s", names[i], getenv(names[i]));
	return r;
}

static int skopeo(const char *const argv[], char **ret_output, struct diag *diag)
{
	_cleanup_strv_ char **environment = NULL;
	int r = collect_environment(&environment);
	const struct run_options options = {
		.timeout_ms = SKOPEO_TIMEOUT_MS,
		.environ = (const char *const *)environment,
		.ends_with_us = true,
	};

	return r < 0 ? r : run_program(argv, &options, ret_output, diag);
}

/* Without --insecure, TLS is verified unless registries.conf says otherwise for a registry: so no option then. */
static int copy(const char *source, const char *dir, bool all, struct source_options *options,
		struct diag *diag)
{
	_cleanup_free_ char *target = NULL;

	if (asprintf(&target, "dir:%s", dir) < 0) {
		target = NULL;
		return -ENOMEM;
	}
	const char *const argv[] = { "skopeo",
				     "copy",
				     "--quiet",
				     "--preserve-digests",
				     all ? "--all" : "--multi-arch=system",
				     source,
				     target,
				     options->insecure ? "--src-tls-verify=false" : NULL,
				     NULL };
	return skopeo(argv, NULL, diag);
}

/* Archives are local: everything in them is taken over, and the choice of platforms is made afterwards. */
static int add_archive(struct contents *c, const struct image_spec *spec,
		       struct source_options *options, struct diag *diag)
{
	_cleanup_free_ char *dir = NULL, *source = NULL;

	if (asprintf(&source, "%s%s%s%s", source_kind_prefix(spec->kind), spec->path,
		     spec->name ? ":" : "", spec->name ? spec->name : "") < 0) {
		source = NULL;
		return -ENOMEM;
	}
	int r = source_work_dir(options, &dir);
	if (r == 0)
		r = copy(source, dir, true, options, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", spec->reference);
	return source_add_dirs(c, (const char *const[]){ dir, NULL }, spec->reference, options,
			       diag);
}

static int fetch_manifest(const char *reference, const char *dir, struct source_options *options,
			  struct digest *ret_digest, struct manifest *ret, struct diag *diag)
{
	_cleanup_free_ char *source = NULL, *text = NULL, *path = path_join(dir, "manifest.json");

	if (!path || asprintf(&source, "docker://%s", reference) < 0)
		return -ENOMEM;
	const char *const argv[] = {
		"skopeo",
		"inspect",
		"--raw",
		source,
		options->insecure ? "--tls-verify=false" : NULL,
		NULL,
	};
	int r = skopeo(argv, &text, diag);
	if (r < 0)
		return r;
	size_t size = strlen(text);
	r = digest_of(DIGEST_SHA256, text, size, ret_digest);
	if (r == 0)
		r = write_file_atomic_at(AT_FDCWD, path, text, size, 0600);
	return r < 0 ? r : manifest_parse(text, size, ret, diag);
}

/* The image of one manifest, named by its digest, into a new directory. */
static int fetch_image(const struct reference *from, const struct digest *digest,
		       struct source_options *options, char ***dirs, struct diag *diag)
{
	_cleanup_free_ char *source = NULL, *dir = NULL;
	char text[DIGEST_STRING_MAX];

	if (asprintf(&source, "docker://%s/%s@%s", from->registry, from->repository,
		     digest_format(digest, text)) < 0) {
		source = NULL;
		return -ENOMEM;
	}
	int r = source_work_dir(options, &dir);
	if (r == 0)
		r = copy(source, dir, false, options, diag);
	return r < 0 ? r : strv_take(dirs, TAKE_PTR(dir));
}

static int fetch_children(const struct reference *from, const struct manifest *index,
			  struct source_options *options, char ***dirs, struct diag *diag)
{
	for (size_t i = 0; i < index->n_items; i++) {
		const struct descriptor *d = &index->items[i];
		bool chosen = d->platform.os ? platform_is_chosen(&options->choice, &d->platform)
					     : options->choice.all || index->n_items == 1;
		int r = chosen ? fetch_image(from, &d->digest, options, dirs, diag) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_from_registry(struct contents *c, const struct image_spec *spec,
			     struct source_options *options, struct diag *diag)
{
	_cleanup_reference_ struct reference from = { 0 };
	_cleanup_manifest_ struct manifest manifest = { 0 };
	_cleanup_strv_ char **dirs = NULL;
	_cleanup_free_ char *dir = NULL;
	struct digest digest;
	int r = reference_parse(spec->path, &from, diag);

	if (r == 0)
		r = source_work_dir(options, &dir);
	if (r == 0)
		r = strv_add(&dirs, dir);
	if (r == 0)
		r = fetch_manifest(spec->path, dir, options, &digest, &manifest, diag);
	if (r == 0 && manifest.kind == MANIFEST_INDEX)
		r = fetch_children(&from, &manifest, options, &dirs, diag);
	else if (r == 0)
		r = fetch_image(&from, &digest, options, &dirs, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", spec->reference);
	return source_add_dirs(c, (const char *const *)dirs, spec->reference, options, diag);
}

int source_add_skopeo(struct contents *c, const struct image_spec *spec,
		      struct source_options *options, struct diag *diag)
{
	return spec->kind == SOURCE_REGISTRY ? add_from_registry(c, spec, options, diag)
					     : add_archive(c, spec, options, diag);
}
