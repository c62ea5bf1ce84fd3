/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "store/manifest.h"
#include "store/tree.h"

struct digest store_config, store_layer, store_second_layer, store_image, store_index, store_broken,
	store_referrer;

static void must(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "the test's store: %s: %s\n", what, strerror(errno));
		abort();
	}
}

static void put(const char *dir, const char *path, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(fd >= 0, dir);
	must(mkdir_parents_at(fd, path, 0755) == 0, path);
	must(write_file_atomic_at(fd, path, data, size, 0644) == 0, path);
}

struct digest store_add_blob(const char *dir, const void *data, size_t size)
{
	struct digest digest;
	char path[PATH_MAX];

	must(digest_of(DIGEST_SHA256, data, size, &digest) == 0, "digest");
	must(tree_blob_path(&digest, path) == 0, "path");
	put(dir, path, data, size);
	return digest;
}

struct digest store_add_manifest(const char *dir, const char *name, const char *tag,
				 const char *text)
{
	_cleanup_free_ char *registry = strdup(name);
	char path[PATH_MAX];
	struct digest digest;
	char *repository = strchr(registry, '/');

	*repository++ = '\0';
	must(digest_of(DIGEST_SHA256, text, strlen(text), &digest) == 0, "digest");
	must(tree_manifest_path(registry, repository, &digest, path) == 0, "path");
	put(dir, path, text, strlen(text));
	if (tag) {
		must(tree_tag_path(registry, repository, tag, path) == 0, "path");
		put(dir, path, text, strlen(text));
	}
	return digest;
}

static struct digest add_image(const char *dir, const char *name, const char *tag,
			       const struct digest *second, const char *more)
{
	char config[DIGEST_STRING_MAX], first[DIGEST_STRING_MAX], last[DIGEST_STRING_MAX];
	char text[2048];

	snprintf(
		text, sizeof(text),
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"%s\",\"size\":2},\"layers\":["
		"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":5},"
		"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
		"\"size\":%d}]%s}",
		digest_format(&store_config, config), digest_format(&store_layer, first),
		digest_format(second, last), STORE_LAYER_BYTES, more);
	return store_add_manifest(dir, name, tag, text);
}

static struct digest add_index(const char *dir, const struct digest *image)
{
	char digest[DIGEST_STRING_MAX], text[2048];
	_cleanup_free_ char *platform = platform_format(platform_host());
	char *architecture = strchr(platform, '/');

	*architecture++ = '\0';
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		 "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		 "\"digest\":\"sha256:%064d\",\"size\":9,"
		 "\"platform\":{\"os\":\"plan9\",\"architecture\":\"mips\"}},"
		 "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
		 "\"size\":9,\"platform\":{\"os\":\"%s\",\"architecture\":\"%.*s\"}}]}",
		 7, digest_format(image, digest), platform, (int)strcspn(architecture, "/"),
		 architecture);
	return store_add_manifest(dir, "docker.io/library/one", "index", text);
}

void store_make(const char *dir)
{
	static char layer[STORE_LAYER_BYTES];
	struct digest missing;
	char subject[256], digest[DIGEST_STRING_MAX];

	for (size_t i = 0; i < sizeof(layer); i++)
		layer[i] = (char)('a' + i % 23);
	store_config = store_add_blob(dir, "{}", 2);
	store_layer = store_add_blob(dir, "layer", 5);
	store_second_layer = store_add_blob(dir, layer, sizeof(layer));
	store_image = add_image(dir, "docker.io/library/one", "1", &store_second_layer, "");
	store_index = add_index(dir, &store_image);
	must(digest_of(DIGEST_SHA256, "missing", 7, &missing) == 0, "digest");
	store_broken = add_image(dir, "ghcr.io/acme/app", "broken", &missing, "");
	add_image(dir, "ghcr.io/acme/app", "signed", &store_second_layer, "");
	snprintf(subject, sizeof(subject),
		 ",\"artifactType\":\"test/signature\",\"annotations\":{\"by\":\"me\"},"
		 "\"subject\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		 "\"digest\":\"%s\",\"size\":9}",
		 digest_format(&store_image, digest));
	store_referrer = add_image(dir, "ghcr.io/acme/app", NULL, &store_second_layer, subject);
}
