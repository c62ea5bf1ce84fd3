/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_KINDS_H
#define LARDER_CONFIG_KINDS_H
/*
 * The documents that a machine config may hold, with the schema of each. Talos's machine document has neither apiVersion
 * nor kind.
 */
#include "config/schema.h"

#define API_TALOS  "v1alpha1"
#define API_LARDER "larder/v1alpha1"

#define KIND_MACHINE	 "v1alpha1 document"
#define KIND_VOLUME	 "VolumeConfig"
#define KIND_IMAGE_CACHE "ImageCacheConfig"
#define KIND_MIRROR	 "RegistryMirrorConfig"
#define KIND_AUTH	 "RegistryAuthConfig"
#define KIND_TLS	 "RegistryTLSConfig"
#define KIND_LAYERS	 "CacheLayerConfig"
#define KIND_MEDIA	 "CacheMediaConfig"
#define KIND_UPSTREAM	 "UpstreamConfig"
#define KIND_TAG_POLICY	 "TagPolicyConfig"

struct document_kind {
	const char *name;	 /* of the kind */
	const char *api_version; /* NULL: the machine document */
	bool named;		 /* has a "name" that tells documents of this kind apart */
	const char *later;	 /* what this version does not do with it yet; NULL: it does all */
	struct key root;
};

extern const struct document_kind document_kinds[];
extern const size_t n_document_kinds;

const struct document_kind *document_kind_find(const char *api_version, const char *name);

/* The name of a kind of that apiVersion that was probably meant; NULL: none is near. */
const char *document_kind_nearest(const char *api_version, const char *name);

/* Is it a kind that Talos itself has and larder has no use for? */
bool document_kind_is_foreign(const char *name);

#endif
