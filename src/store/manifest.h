/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_MANIFEST_H
#define LARDER_STORE_MANIFEST_H
/*
 * Manifests and indexes: OCI image specification 1.1 (manifest.md, image-index.md) and Docker image manifest
 * version 2 schema 2 with its lists. Parsed from bytes; nothing is read from disk here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "store/digest.h"

#define MANIFEST_BYTES_MAX	 (4 * 1024 * 1024) /* as the distribution specification recommends */
#define MANIFEST_DESCRIPTORS_MAX 4096
#define MANIFEST_DEPTH_MAX	 32 /* JSON nesting */
/* Entries of indexes looked at for one image: those of indexes in indexes multiply. */
#define MANIFEST_FOLLOWED_MAX 16384

#define MANIFEST_TYPE_OCI_IMAGE	   "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_TYPE_OCI_INDEX	   "application/vnd.oci.image.index.v1+json"
#define MANIFEST_TYPE_DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_TYPE_DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"

struct platform {
	char *os; /* NULL: not said */
	char *architecture;
	char *variant;
};

struct descriptor {
	char *media_type;
	struct digest digest;
	uint64_t size;
	struct platform platform;
	char *reference_name; /* annotation org.opencontainers.image.ref.name, or NULL */
	char *image_name;     /* annotation io.containerd.image.name, or NULL */
	bool foreign;	      /* non-distributable layer: its blob may be elsewhere (urls) */
};

enum manifest_kind {
	MANIFEST_IMAGE, /* config and layers */
	MANIFEST_INDEX, /* manifests for platforms */
};

struct manifest {
	enum manifest_kind kind;
	char *media_type;    /* from the document, else from its structure; never NULL */
	char *artifact_type; /* NULL: none; for images without one, the config's media type decides */
	struct descriptor config; /* images; digest.algorithm DIGEST_NONE: none */
	struct descriptor *items; /* layers of an image, manifests of an index */
	size_t n_items;
	struct descriptor subject; /* digest.algorithm DIGEST_NONE: none */
};

/* -EINVAL with diag: not JSON, no manifest, or past a limit. The result does not point into data. */
int manifest_parse(const void *data, size_t size, struct manifest *ret, struct diag *diag);
void manifest_done(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_done)

/* By its media type. */
bool descriptor_is_index(const struct descriptor *d);

/* "os/arch[/variant]" → platform; -EINVAL. platform_done() frees the parts. */
int platform_parse(const char *text, struct platform *ret);
void platform_done(struct platform *p);

/* What the config of an image says that it is for (OCI image specification, config.md: os, architecture, variant). -ENOENT: nothing that a platform can be called. */
int platform_of_config(const char *text, size_t size, struct platform *ret);
char *platform_format(const struct platform *p);

/* The platform of this host ("linux/amd64", "linux/arm64/v8"), static. */
const struct platform *platform_host(void);

/*
 * Does an image for "image" run on a host of "host"? os and architecture equal; variants as containerd normalises them
 * (arm64 without variant is v8, arm without variant is v7, amd64 without is v1); an arm host runs lower variants too.
 */
bool platform_matches(const struct platform *image, const struct platform *host);

/* Is this for no platform at all, "unknown/unknown", as what describes an image is (its provenance, its parts)? */
bool platform_is_unknown(const struct platform *p);

/*
 * The manifest of an index that a runtime on this host takes: of those that match it one with the highest variant, the first of equals.
 * NULL: there is none.
 */
const struct descriptor *manifest_for_host(const struct manifest *index,
					   const struct platform *host);

#endif
