/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registries and archives, by skopeo(1): first the manifest as it is, then each wanted platform's image by its digest, into
 * "dir:" directories, which keep every byte. So what a tag points to cannot change in between.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"
#include "layers/source.h"
#include "store/reference.h"

#define SKOPEO_TIMEOUT_MS (24U * 60 * 60 * 1000) /* a large image over a slow line */

/* What skopeo needs of our environment: credentials, proxies, certificates; and where what is temporary lies, see skopeo(). */
static int collect_environment(const char *work, char ***ret)
{
	static const char *const names[] = {
		"HOME",	       "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
		"HTTP_PROXY",  "HTTPS_PROXY",	  "NO_PROXY",		"http_proxy",
		"https_proxy", "no_proxy",	  "SSL_CERT_FILE",	"SSL_CERT_DIR",
	};
	int r = strv_addf(ret, "TMPDIR=%s", work);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			r = strv_addf(ret, "%s=%s", names[i], getenv(names[i]));
	return r;
}

#define SKOPEO_WORDS_MAX 16

/* What skopeo has written of an image so far, for whoever looks. */
struct fetching {
	const struct source_options *options;
	const char *dir, *what;
	uint64_t total; /* 0: not known */
};

static void report_fetching(void *user)
{
	const struct fetching *f = user;
	_cleanup_closedir_ DIR *d = opendir(f->dir);
	uint64_t done = 0;
	struct stat st;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			done += (uint64_t)st.st_size;
	if (done)
		f->options->progress(done, f->total, f->what, f->options->user);
}

/*
 * What it unpacks lies in our working directory, which goes with whatever ends us: of its own choice that is /var/tmp, where an archive
 * of some gigabytes would stay when it is killed. fetching: what it copies, or NULL. words: what comes after its general options, ends with NULL.
 */
static int skopeo(const char *const words[], const struct source_options *options,
		  struct fetching *fetching, char **ret_output, struct diag *diag)
{
	const char *argv[SKOPEO_WORDS_MAX] = { "skopeo", "--tmpdir", options->work };
	_cleanup_strv_ char **environment = NULL;
	int r = collect_environment(options->work, &environment);
	const struct run_options how = {
		.timeout_ms = SKOPEO_TIMEOUT_MS,
		.environ = (const char *const *)environment,
		.ends_with_us = true,
		.tick = fetching && options->progress ? report_fetching : NULL,
		.user = fetching,
	};

	for (size_t n = 3; *words && n < SKOPEO_WORDS_MAX - 1; n++)
		argv[n] = *words++;
	return r < 0 ? r : run_program(argv, &how, ret_output, diag);
}

/* Without --insecure, TLS is verified unless registries.conf says otherwise for a registry: so no option then. */
static int copy(const char *source, struct fetching *fetching, bool all, struct diag *diag)
{
	const struct source_options *options = fetching->options;
	_cleanup_free_ char *target = text_format("dir:%s", fetching->dir);

	if (!target)
		return -ENOMEM;
	const char *const words[] = { "copy",
				      "--quiet",
				      "--preserve-digests",
				      all ? "--all" : "--multi-arch=system",
				      source,
				      target,
				      options->insecure ? "--src-tls-verify=false" : NULL,
				      NULL };
	return skopeo(words, options, fetching, NULL, diag);
}

/* About what comes out of an archive, which holds blobs as they are: its size, where nothing was chosen of what is in it. 0: not known. */
static uint64_t archive_bytes(const struct image_spec *spec)
{
	struct stat st;

	return !spec->name && stat(spec->path, &st) == 0 && S_ISREG(st.st_mode)
		       ? (uint64_t)st.st_size
		       : 0;
}

/* Archives are local: everything in them is taken over, and the choice of platforms is made afterwards. */
static int add_archive(struct contents *c, const struct image_spec *spec,
		       struct source_options *options, struct diag *diag)
{
	_cleanup_free_ char *dir = NULL, *source = NULL;

	source = text_format("%s%s%s%s", source_kind_prefix(spec->kind), spec->path,
			     spec->name ? ":" : "", spec->name ? spec->name : "");
	if (!source)
		return -ENOMEM;
	int r = source_work_dir(options, &dir);
	if (r == 0)
		r = copy(source,
			 &(struct fetching){ options, dir, spec->reference, archive_bytes(spec) },
			 true, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", spec->reference);
	return source_add_dirs(c, (const char *const[]){ dir, NULL }, spec->reference, options,
			       diag);
}

static int fetch_manifest(const char *reference, const char *dir, struct source_options *options,
			  struct digest *ret_digest, struct manifest *ret, struct diag *diag)
{
	_cleanup_free_ char *source = text_format("docker://%s", reference), *text = NULL;
	_cleanup_free_ char *path = path_join(dir, "manifest.json");

	if (!path || !source)
		return -ENOMEM;
	const char *const words[] = {
		"inspect", "--raw", source, options->insecure ? "--tls-verify=false" : NULL, NULL,
	};
	int r = skopeo(words, options, NULL, &text, diag);
	if (r < 0)
		return r;
	size_t size = strlen(text);
	r = digest_of(DIGEST_SHA256, text, size, ret_digest);
	if (r == 0)
		r = write_file_atomic_at(AT_FDCWD, path, text, size, 0600);
	return r < 0 ? r : manifest_parse(text, size, ret, diag);
}

static uint64_t bytes_of(const struct manifest *image)
{
	uint64_t bytes = image->config.size;

	for (size_t i = 0; i < image->n_items; i++)
		bytes += image->items[i].foreign ? 0 : image->items[i].size;
	return bytes;
}

/* How many bytes the image has: asked only where somebody looks, since registries count questions. 0: not known. */
static uint64_t image_bytes(const char *reference, struct source_options *options)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_free_ char *dir = NULL;
	struct digest digest;

	if (!options->progress || source_work_dir(options, &dir) < 0 ||
	    fetch_manifest(reference, dir, options, &digest, &m, NULL) < 0)
		return 0;
	return bytes_of(&m);
}

/* The image of one manifest, named by its digest, into a new directory. what: its name for people. known: the manifest, or NULL. */
static int fetch_image(const struct reference *from, const struct digest *digest,
		       const struct manifest *known, const char *what,
		       struct source_options *options, char ***dirs, struct diag *diag)
{
	_cleanup_free_ char *source = NULL, *dir = NULL;
	char text[DIGEST_STRING_MAX];

	source = text_format("docker://%s/%s@%s", from->registry, from->repository,
			     digest_format(digest, text));
	if (!source)
		return -ENOMEM;
	int r = source_work_dir(options, &dir);
	struct fetching fetching = { options, dir, what, 0 };
	if (r == 0)
		fetching.total = known ? bytes_of(known)
				       : image_bytes(source + strlen("docker://"), options);
	if (r == 0)
		r = copy(source, &fetching, false, diag);
	return r < 0 ? r : strv_take(dirs, TAKE_PTR(dir));
}

static int fetch_children(const struct reference *from, const struct manifest *index,
			  unsigned depth, const char *what, struct source_options *options,
			  char ***dirs, struct diag *diag);

/* An index in an index: its manifest alone into a new directory, and what of it is chosen. */
static int fetch_index(const struct reference *from, const struct digest *digest, unsigned depth,
		       const char *what, struct source_options *options, char ***dirs,
		       struct diag *diag)
{
	_cleanup_manifest_ struct manifest index = { 0 };
	_cleanup_free_ char *reference = NULL, *dir = NULL;
	char text[DIGEST_STRING_MAX];
	struct digest got;

	if (asprintf(&reference, "%s/%s@%s", from->registry, from->repository,
		     digest_format(digest, text)) < 0) {
		reference = NULL;
		return -ENOMEM;
	}
	int r = source_work_dir(options, &dir);
	if (r == 0)
		r = fetch_manifest(reference, dir, options, &got, &index, diag);
	if (r == 0)
		r = strv_take(dirs, TAKE_PTR(dir));
	/* One that is nested too deep is refused when it is read. */
	if (r < 0 || index.kind != MANIFEST_INDEX || depth == CONTENTS_DEPTH_MAX)
		return r;
	return fetch_children(from, &index, depth, what, options, dirs, diag);
}

static int fetch_children(const struct reference *from, const struct manifest *index,
			  unsigned depth, const char *what, struct source_options *options,
			  char ***dirs, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < index->n_items; i++) {
		const struct descriptor *d = &index->items[i];
		if (!index_takes(&options->choice, index, i))
			continue;
		r = descriptor_is_index(d)
			    ? fetch_index(from, &d->digest, depth + 1, what, options, dirs, diag)
			    : fetch_image(from, &d->digest, NULL, what, options, dirs, diag);
	}
	return r;
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
		r = fetch_children(&from, &manifest, 0, spec->reference, options, &dirs, diag);
	else if (r == 0)
		r = fetch_image(&from, &digest, &manifest, spec->reference, options, &dirs, diag);
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
