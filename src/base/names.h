/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_NAMES_H
#define LARDER_BASE_NAMES_H
/*
 * Names that formats and interfaces own, each written once. Paths are relative to the root directory (--root) unless
 * they begin with a slash; docs/ARCHITECTURE.md says what lies there.
 */

/* The volume (Talos's names, so that its partitions are found and used as they are). */
#define NAME_VOLUME	    "IMAGECACHE"
#define NAME_VOLUME_NEW	    NAME_VOLUME ".new" /* being made; the only one that is ever formatted */
#define NAME_META_PARTITION "META"	       /* on the system disk of a Talos machine */

/* The cache tree (Talos's layout). */
#define NAME_BLOB_DIR	   "blob"
#define NAME_MANIFESTS_DIR "manifests"
#define NAME_DIGEST_DIR	   "digest"
#define NAME_REFERENCE_DIR "reference"
#define NAME_TALOS_MEDIUM  "imagecache" /* a cache tree on Talos's ISO */

/* A cache layer and what lies beside it. */
#define NAME_LAYER_SUFFIX	   ".sqsh"
#define NAME_LAYER_SUM_SUFFIX	   ".sha256"
#define NAME_LAYER_SIG_SUFFIX	   ".sig"
#define NAME_LAYER_TREE_SUFFIX	   ".verity"   /* dm-verity's hash tree */
#define NAME_LAYER_ROOT_SUFFIX	   ".roothash" /* of that tree, in hex */
#define NAME_LAYER_DIR		   "larder"
#define NAME_LAYER_MANIFEST_DIR	   NAME_LAYER_DIR "/layers"
#define NAME_LAYER_MANIFEST_SUFFIX ".yaml"
#define LAYER_MANIFEST_BYTES_MAX   (4 * 1024 * 1024)
#define NAME_MEDIUM_LAYER_DIR	   "larder" /* where layers lie on a medium */

/* The volume's own directories. */
#define NAME_LAYERS_DIR	  "layers"
#define NAME_STATE_DIR	  "state"
#define NAME_INCOMING_DIR ".tmp"
#define NAME_FORMAT_FILE  "format"

/* Under the run directory (default DIR_RUN). */
#define DIR_RUN		  "/run/larder"
#define NAME_RUN_VOLUME	  "volume"
#define NAME_RUN_MEDIA	  "media"
#define NAME_RUN_LAYERS	  "layers"
#define NAME_RUN_GEN	  "gen"
#define NAME_RUN_GEN_LIST ".list" /* gen/N.list: store/parts.h */
#define NAME_RUN_CACHE	  "cache" /* symlink to gen/N */
#define NAME_RUN_STATUS	  "status.json"
#define NAME_RUN_VERIFIED "verified"
#define NAME_RUN_LOOKED                                                                            \
	"looked" /* the last event of devices before larder-boot looked, for udev's rule */
#define NAME_RUN_STOPPING "stopping" /* while this file is there, larderd keeps nothing open */

/* The registry's address, as in Talos. */
#define REGISTRY_PORT	   3172
#define REGISTRY_PORT_TEXT "3172"
#define REGISTRY_ADDRESS   "127.0.0.1:" REGISTRY_PORT_TEXT
#define REGISTRY_URL	   "http://" REGISTRY_ADDRESS

/* The static user that owns the store and runs larderd. */
#define NAME_USER "larder"

#endif
