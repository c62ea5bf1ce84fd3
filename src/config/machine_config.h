/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_MACHINE_CONFIG_H
#define LARDER_CONFIG_MACHINE_CONFIG_H
/*
 * The machine config: what this machine should have, read from YAML documents (Talos's and larder's own kinds), merged
 * and checked. Once loaded it is read-only; every pointer in it belongs to it. Strings that may be absent are NULL,
 * lists are NULL-terminated (strv) or counted. docs/ARCHITECTURE.md lists the documents, larder-machine.yaml(5) every key.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "cel/selector.h"
#include "config/sizes.h"

#define CONFIG_FILE_BYTES_MAX	 (1024 * 1024)
#define CONFIG_CMDLINE_BYTES_MAX (64 * 1024)
#define CONFIG_FILES_MAX	 256
#define CONFIG_DOCUMENTS_MAX	 256
#define CONFIG_DEPTH_MAX	 64
#define CONFIG_NODES_MAX	 100000 /* after aliases were followed */

/* Where a value came from. */
struct origin {
	const char *file; /* belongs to the machine config; NULL: the default */
	unsigned line;
};

enum key_kind {
	KEY_STATIC,
	KEY_NODE_ID,
	KEY_TPM,
};

struct encryption_key {
	unsigned slot;
	enum key_kind kind;
	char *passphrase;	/* KEY_STATIC; secret */
	unsigned pcrs;		/* KEY_TPM: bit N is PCR N; default PCR 7 */
	bool check_secure_boot; /* KEY_TPM: store it only under Secure Boot */
};

struct encryption_config {
	bool enabled;
	struct encryption_key *keys; /* by slot */
	size_t n_keys;
	char *cipher;	     /* NULL: the library's default */
	unsigned key_size;   /* bits; 0: default */
	unsigned block_size; /* bytes; 0: default */
	char **options;	     /* "no_read_workqueue", … */
};

/* VolumeConfig IMAGECACHE. */
struct volume_config {
	bool present; /* is there such a document? The defaults below hold without one, too. */
	struct selector *disk_selector; /* default: system_disk */
	struct origin disk_selector_origin;
	struct size_spec min_size; /* default 500 MiB */
	struct size_spec max_size; /* default 1 GiB */
	bool grow;		   /* default false */
	uint64_t wait_timeout_ms;  /* default 10 s */
	struct encryption_config encryption;
};

struct wanted_layer {
	char *name;
	char *version;	 /* NULL: the highest that is there */
	char *root_hash; /* dm-verity, hex; NULL: none */
};

/* CacheLayerConfig. */
struct layer_config {
	struct wanted_layer *layers;
	size_t n_layers;   /* 0: every layer found is wanted */
	unsigned keep;	   /* superseded versions kept per name; default 1 */
	char **trust_keys; /* paths of Ed25519 public keys */
	bool trust_required;
};

struct mirror_endpoint {
	char *url;
	bool override_path;
};

/* machine.registries.mirrors.<host> or RegistryMirrorConfig. */
struct mirror_config {
	char *host; /* "*" for every registry without its own */
	struct mirror_endpoint *endpoints;
	size_t n_endpoints;
	bool skip_fallback;
	struct origin origin;
};

/* machine.registries.config.<host>, RegistryAuthConfig, RegistryTLSConfig. Secrets: password, auth, tokens, client_key. */
struct registry_access_config {
	char *host;
	char *username, *password, *auth, *identity_token;
	char *ca, *client_cert, *client_key; /* PEM text */
	bool insecure_skip_verify;
	struct origin origin;
};

/* machine.install: only to find the system disk. */
struct install_config {
	char *disk;			/* /dev/… */
	struct selector *disk_selector; /* diskSelector, translated to an expression; NULL: none */
};

struct machine_config {
	bool found; /* was there any file at all? */
	bool cache_enabled;
	struct origin cache_enabled_origin;
	struct volume_config volume;
	struct layer_config layers;
	struct selector *media;	       /* CacheMediaConfig.match, NULL: only the boot medium */
	struct mirror_config *mirrors; /* sorted by host */
	size_t n_mirrors;
	struct registry_access_config *access; /* sorted by host */
	size_t n_access;
	struct install_config install;
	char **files; /* that were read, in their order */
	char **notes; /* what was ignored and may surprise: "VolumeConfig EPHEMERAL is not larder's" */
	void *private_; /* documents and files that the pointers above lead into */
};

struct config_sources {
	const char *root;     /* --config-root; NULL: / */
	const char *run_dir;  /* --run-dir; NULL: /run/larder below no root */
	const char *run_root; /* --root, in which links below its /run/larder stay; NULL: / */
	const char *const *
		files; /* --config: exactly these, instead of the standard places; NULL: standard places */
	const char *cmdline; /* text of /proc/cmdline for larder.config=; NULL: none */
};

/* The text of /proc/cmdline below root (NULL: /), for config_sources; *ret stays NULL where there is none. Owned by the caller. */
int config_cmdline_read(const char *root, char **ret, struct diag *diag);

/*
 * Reads, merges and checks. No file at all is success with found false; a file named by --config or larder.config= that
 * is not there is -EINVAL. -EINVAL with file, line and column: what is wrong, and what was probably meant.
 */
int machine_config_load(const struct config_sources *sources, struct machine_config **ret,
			struct diag *diag);

/* The same for one text, as if it were the only file: what fuzzing and the replay of its corpus call. */
int machine_config_parse(const char *path, const char *text, size_t size,
			 struct machine_config **ret, struct diag *diag);

void machine_config_free(struct machine_config *c);
DEFINE_CLEANUP(struct machine_config *, machine_config_free);

#endif
