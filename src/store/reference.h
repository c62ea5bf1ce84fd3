/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_REFERENCE_H
#define LARDER_STORE_REFERENCE_H
/*
 * Image references: registry/repository[:tag][@digest], as people and runtimes write them.
 *
 *	busybox               docker.io / library/busybox : latest
 *	ghcr.io/acme/app@sha256:…
 *	localhost:5000/x/y:1
 *
 * The first component is a registry if it holds a dot or a colon or is "localhost", else the registry is docker.io
 * and a repository of one component gets "library/" before it. "registry-1.docker.io" and "index.docker.io" are
 * docker.io. Without tag and digest the tag is "latest". Grammar: OCI distribution specification 1.1, "Pulling
 * manifests".
 */
#include <stdbool.h>

#include "base/diag.h"
#include "store/digest.h"

#define REFERENCE_REGISTRY_MAX 255
#define REFERENCE_REPOSITORY_MAX                                                                   \
	255 /* bytes of registry and repository together stay below a file name's length per component */
#define REFERENCE_TAG_MAX 128

struct reference {
	char *registry;	      /* host or host:port, never NULL once parsed */
	char *repository;     /* never NULL once parsed */
	char *tag;	      /* NULL: none, then there is a digest */
	struct digest digest; /* algorithm DIGEST_NONE: none */
};

int reference_parse(const char *text, struct reference *ret,
		    struct diag *diag); /* -EINVAL with diag */
void reference_done(struct reference *r);
#define _cleanup_reference_ _cleanup_(reference_done)

/* The canonical spelling, owned by the caller; NULL: out of memory. */
char *reference_format(const struct reference *r);

/* The parts by themselves, for what comes from URLs and file names. */
bool registry_is_valid(const char *text); /* host[:port], DNS letters, no path separators */
bool repository_is_valid(const char *text);
bool tag_is_valid(const char *text);

/* docker.io for its other spellings, else the same text. */
const char *registry_canonical(const char *registry);

#endif
