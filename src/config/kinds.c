/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/kinds.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "config/values.h"

#define SECRET_MAX (64 * 1024)
#define LIST_MAX   1024
#define TEXT_MAX   4096

static const char *const machine_top_foreign[] = { "version", "debug", "persist", "cluster", NULL };
static const char *const machine_foreign[] = {
	"type",
	"token",
	"ca",
	"acceptedCAs",
	"certSANs",
	"controlPlane",
	"kubelet",
	"pods",
	"network",
	"disks",
	"files",
	"env",
	"time",
	"sysctls",
	"sysfs",
	"systemDiskEncryption",
	"udev",
	"logging",
	"kernel",
	"seccompProfiles",
	"baseRuntimeSpecOverrides",
	"nodeLabels",
	"nodeAnnotations",
	"nodeTaints",
	NULL,
};
static const char *const features_foreign[] = {
	"rbac",
	"stableHostname",
	"kubernetesTalosAPIAccess",
	"apidCheckExtKeyUsage",
	"diskQuotaSupport",
	"kubePrism",
	"hostDNS",
	"nodeAddressSortAlgorithm",
	NULL,
};
static const char *const install_foreign[] = {
	"extraKernelArgs",   "image", "extensions", "bootloader", "wipe", "legacyBIOSSupport",
	"grubUseUKICmdline", NULL,
};
static const char *const nothing_foreign[] = { NULL };

/* The v1alpha1 document. */

static const struct key image_cache_keys[] = {
	{ "localEnabled", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};

static const struct key features_keys[] = {
	{ "imageCache", VALUE_MAP, .keys = image_cache_keys },
	{ 0 },
};

static const struct key url_item = { .type = VALUE_TEXT, .check = value_check_endpoint };

static const struct key old_mirror_keys[] = {
	{ "endpoints", VALUE_LIST, .item = &url_item, .max = LIST_MAX },
	{ "overridePath", VALUE_BOOL, .fallback = "false" },
	{ "skipFallback", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};
static const struct key old_mirror = { .type = VALUE_MAP, .keys = old_mirror_keys };

static const struct key old_identity_keys[] = {
	{ "crt", VALUE_TEXT, .check = value_check_base64_pem, .required = true },
	{ "key", VALUE_TEXT, .check = value_check_base64_pem, .required = true, .secret = true },
	{ 0 },
};
static const struct key old_tls_keys[] = {
	{ "clientIdentity", VALUE_MAP, .keys = old_identity_keys },
	{ "ca", VALUE_TEXT, .check = value_check_base64_pem },
	{ "insecureSkipVerify", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};

#define AUTH_KEYS                                                                                  \
	{ "username", VALUE_TEXT, .max = TEXT_MAX },                                               \
		{ "password", VALUE_TEXT, .max = SECRET_MAX, .secret = true },                     \
		{ "auth", VALUE_TEXT, .max = SECRET_MAX, .secret = true },                         \
	{                                                                                          \
		"identityToken", VALUE_TEXT, .max = SECRET_MAX, .secret = true                     \
	}

static const struct key old_auth_keys[] = { AUTH_KEYS, { 0 } };
static const struct key old_access_keys[] = {
	{ "tls", VALUE_MAP, .keys = old_tls_keys },
	{ "auth", VALUE_MAP, .keys = old_auth_keys },
	{ 0 },
};
static const struct key old_access = { .type = VALUE_MAP, .keys = old_access_keys };

static const struct key registries_keys[] = {
	{ "mirrors", VALUE_NAMED, .item = &old_mirror, .check_name = value_check_mirrored_host },
	{ "config", VALUE_NAMED, .item = &old_access, .check_name = value_check_host },
	{ 0 },
};

static const char *const disk_types[] = { "ssd", "hdd", "nvme", "sd", NULL };
static const struct key disk_selector_keys[] = {
	{ "size", VALUE_TEXT, .check = value_check_size_condition },
	{ "model", VALUE_TEXT, .max = TEXT_MAX },
	{ "serial", VALUE_TEXT, .max = TEXT_MAX },
	{ "modalias", VALUE_TEXT, .max = TEXT_MAX },
	{ "uuid", VALUE_TEXT, .max = TEXT_MAX },
	{ "wwid", VALUE_TEXT, .max = TEXT_MAX },
	{ "type", VALUE_TEXT, .choices = disk_types },
	{ "busPath", VALUE_TEXT, .max = TEXT_MAX },
	{ "name", VALUE_TEXT,
	  .refused = "disks have no name to match; use model, serial or busPath" },
	{ 0 },
};
static const struct key install_keys[] = {
	{ "disk", VALUE_TEXT, .check = value_check_device_path },
	{ "diskSelector", VALUE_MAP, .keys = disk_selector_keys },
	{ 0 },
};

static const struct key machine_keys[] = {
	{ "features", VALUE_MAP, .keys = features_keys, .foreign = features_foreign },
	{ "registries", VALUE_MAP, .keys = registries_keys, .foreign = nothing_foreign },
	{ "install", VALUE_MAP, .keys = install_keys, .foreign = install_foreign },
	{ 0 },
};
static const struct key machine_top_keys[] = {
	{ "machine", VALUE_MAP, .keys = machine_keys, .foreign = machine_foreign },
	{ 0 },
};

/* Every other document begins with these; they were read before its schema is known. */
#define META_KEYS                                                                                  \
	{ "apiVersion", VALUE_TEXT, .ignored = true },                                             \
	{                                                                                          \
		"kind", VALUE_TEXT, .ignored = true                                                \
	}

/* VolumeConfig. */

static const struct key match_keys[] = {
	{ "match", VALUE_DISK_SELECTOR, .fallback = "system_disk" },
	{ 0 },
};
static const struct key provisioning_keys[] = {
	{ "diskSelector", VALUE_MAP, .keys = match_keys },
	{ "minSize", VALUE_SIZE, .min = 1, .fallback = "500MiB" },
	{ "maxSize", VALUE_RELATIVE_SIZE, .min = 1, .fallback = "1GiB" },
	{ "grow", VALUE_BOOL, .fallback = "false" },
	{ "waitTimeout", VALUE_DURATION, .fallback = "10s" },
	{ 0 },
};

static const struct key passphrase_keys[] = {
	{ "passphrase", VALUE_TEXT, .max = SECRET_MAX, .required = true, .secret = true },
	{ 0 },
};
static const struct key no_keys[] = { { 0 } };
static const struct key pcr_item = { .type = VALUE_NUMBER, .max = 23 };
static const struct key tpm_keys[] = {
	{ "checkSecurebootStatusOnEnroll", VALUE_BOOL, .fallback = "false" },
	{ "pcrs", VALUE_LIST, .item = &pcr_item, .max = 24 },
	{ 0 },
};
static const struct key encryption_key_keys[] = {
	{ "slot", VALUE_NUMBER, .max = 31, .required = true },
	{ "static", VALUE_MAP, .keys = passphrase_keys },
	{ "nodeID", VALUE_MAP, .keys = no_keys },
	{ "tpm", VALUE_MAP, .keys = tpm_keys },
	{ "kms", VALUE_MAP, .refused = "larder asks no key servers; use static, nodeID or tpm" },
	{ "lockToState", VALUE_BOOL, .refused = "there is no STATE partition to lock a key to" },
	{ 0 },
};
static const struct key encryption_key = { .type = VALUE_MAP, .keys = encryption_key_keys };
static const char *const providers[] = { "luks2", NULL };
static const char *const encryption_options[] = { "no_read_workqueue", "no_write_workqueue",
						  "same_cpu_crypt", NULL };
static const struct key encryption_option = { .type = VALUE_TEXT, .choices = encryption_options };
static const struct key encryption_keys[] = {
	{ "provider", VALUE_TEXT, .choices = providers, .required = true },
	{ "keys", VALUE_LIST, .item = &encryption_key, .max = 32, .required = true },
	{ "cipher", VALUE_TEXT, .max = 64 },
	{ "keySize", VALUE_NUMBER, .min = 128, .max = 1024 },
	{ "blockSize", VALUE_NUMBER, .min = 512, .max = 4096 },
	{ "options", VALUE_LIST, .item = &encryption_option, .max = 8 },
	{ 0 },
};
static const char *const volume_types[] = { "partition", NULL };
static const struct key volume_keys[] = {
	META_KEYS,
	{ "name", VALUE_TEXT, .ignored = true },
	{ "volumeType", VALUE_TEXT, .choices = volume_types, .fallback = "partition" },
	{ "provisioning", VALUE_MAP, .keys = provisioning_keys },
	{ "encryption", VALUE_MAP, .keys = encryption_keys },
	{ "mount", VALUE_MAP, .refused = "the mount options of this volume are fixed" },
	{ "filesystem", VALUE_MAP, .refused = "the filesystem of this volume is always ext4" },
	{ "trim", VALUE_MAP, .ignored = true },
	{ "scrub", VALUE_MAP, .ignored = true },
	{ 0 },
};

/* ImageCacheConfig and the registries. */

static const struct key local_keys[] = {
	{ "enabled", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};
static const struct key image_cache_config_keys[] = {
	META_KEYS,
	{ "local", VALUE_MAP, .keys = local_keys },
	{ 0 },
};

static const struct key endpoint_keys[] = {
	{ "url", VALUE_TEXT, .check = value_check_endpoint, .required = true },
	{ "overridePath", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};
static const struct key endpoint = { .type = VALUE_MAP, .keys = endpoint_keys };
static const struct key mirror_keys[] = {
	META_KEYS,
	{ "name", VALUE_TEXT, .check = value_check_mirrored_host, .required = true },
	{ "endpoints", VALUE_LIST, .item = &endpoint, .max = LIST_MAX },
	{ "skipFallback", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};

static const struct key auth_keys[] = {
	META_KEYS,
	{ "name", VALUE_TEXT, .check = value_check_host, .required = true },
	AUTH_KEYS,
	{ 0 },
};

static const struct key identity_keys[] = {
	{ "cert", VALUE_TEXT, .check = value_check_pem, .required = true },
	{ "key", VALUE_TEXT, .check = value_check_pem, .required = true, .secret = true },
	{ 0 },
};
static const struct key tls_keys[] = {
	META_KEYS,
	{ "name", VALUE_TEXT, .check = value_check_host, .required = true },
	{ "clientIdentity", VALUE_MAP, .keys = identity_keys },
	{ "ca", VALUE_TEXT, .check = value_check_pem },
	{ "insecureSkipVerify", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};

/* larder's own. */

static const struct key wanted_layer_keys[] = {
	{ "name", VALUE_TEXT, .check = value_check_layer_name, .required = true },
	{ "version", VALUE_TEXT, .check = value_check_layer_version },
	{ "rootHash", VALUE_TEXT, .check = value_check_root_hash },
	{ 0 },
};
static const struct key wanted_layer = { .type = VALUE_MAP, .keys = wanted_layer_keys };
static const struct key path_item = { .type = VALUE_TEXT, .check = value_check_absolute_path };
static const struct key trust_keys[] = {
	{ "keys", VALUE_LIST, .item = &path_item, .max = LIST_MAX },
	{ "required", VALUE_BOOL, .fallback = "false" },
	{ 0 },
};
static const struct key layer_keys[] = {
	META_KEYS,
	{ "layers", VALUE_LIST, .item = &wanted_layer, .max = LIST_MAX },
	{ "keep", VALUE_NUMBER, .max = 1000, .fallback = "1" },
	{ "trust", VALUE_MAP, .keys = trust_keys },
	{ 0 },
};

static const struct key media_keys[] = {
	META_KEYS,
	{ "match", VALUE_VOLUME_SELECTOR },
	{ 0 },
};

static const struct key pattern_item = { .type = VALUE_TEXT, .check = value_check_image_pattern };
static const struct key storage_keys[] = {
	{ "budget", VALUE_TEXT, .check = value_check_budget },
	{ "maxAge", VALUE_DURATION },
	{ 0 },
};
static const struct key upstream_keys[] = {
	META_KEYS,
	{ "match", VALUE_LIST, .item = &pattern_item, .max = LIST_MAX },
	{ "connectTimeout", VALUE_DURATION, .fallback = "500ms" },
	{ "resolveTimeout", VALUE_DURATION, .fallback = "2s" },
	{ "revalidateAfter", VALUE_DURATION, .fallback = "30s" },
	{ "storage", VALUE_MAP, .keys = storage_keys },
	{ 0 },
};

static const char *const policies[] = { "cached", "fresh", "pinned", NULL };
static const struct key rule_keys[] = {
	{ "match", VALUE_TEXT, .check = value_check_image_pattern, .required = true },
	{ "policy", VALUE_TEXT, .choices = policies, .required = true },
	{ "digest", VALUE_TEXT, .check = value_check_digest },
	{ 0 },
};
static const struct key rule = { .type = VALUE_MAP, .keys = rule_keys };
static const struct key tag_policy_keys[] = {
	META_KEYS,
	{ "rules", VALUE_LIST, .item = &rule, .max = LIST_MAX },
	{ 0 },
};

#define ROOT(k)                                                                                    \
	{                                                                                          \
		.type = VALUE_MAP, .keys = (k)                                                     \
	}

const struct document_kind document_kinds[] = {
	{ KIND_MACHINE,
	  NULL,
	  false,
	  NULL,
	  { .type = VALUE_MAP, .keys = machine_top_keys, .foreign = machine_top_foreign } },
	{ KIND_IMAGE_CACHE, API_TALOS, false, NULL, ROOT(image_cache_config_keys) },
	{ KIND_VOLUME, API_TALOS, true, NULL, ROOT(volume_keys) },
	{ KIND_MIRROR, API_TALOS, true, NULL, ROOT(mirror_keys) },
	{ KIND_AUTH, API_TALOS, true, NULL, ROOT(auth_keys) },
	{ KIND_TLS, API_TALOS, true, NULL, ROOT(tls_keys) },
	{ KIND_LAYERS, API_LARDER, false, NULL, ROOT(layer_keys) },
	{ KIND_MEDIA, API_LARDER, false, NULL, ROOT(media_keys) },
	{ KIND_UPSTREAM, API_LARDER, false, "this version asks no upstreams", ROOT(upstream_keys) },
	{ KIND_TAG_POLICY, API_LARDER, false, "this version has no tag policies",
	  ROOT(tag_policy_keys) },
};
const size_t n_document_kinds = ARRAY_SIZE(document_kinds);

const struct document_kind *document_kind_find(const char *api_version, const char *name)
{
	for (size_t i = 0; i < n_document_kinds; i++)
		if (document_kinds[i].api_version &&
		    strcmp(document_kinds[i].api_version, api_version) == 0 &&
		    strcmp(document_kinds[i].name, name) == 0)
			return &document_kinds[i];
	return NULL;
}

const char *document_kind_nearest(const char *api_version, const char *name)
{
	const char *names[ARRAY_SIZE(document_kinds)];
	size_t n = 0;

	for (size_t i = 0; i < n_document_kinds; i++)
		if (document_kinds[i].api_version &&
		    strcmp(document_kinds[i].api_version, api_version) == 0)
			names[n++] = document_kinds[i].name;
	return text_nearest(name, names, n);
}

bool document_kind_is_foreign(const char *name)
{
	/* Only those that are spelled like one of ours need to be here. */
	static const char *const kinds[] = {
		"RawVolumeConfig",
		"UserVolumeConfig",
		"ExistingVolumeConfig",
		"SwapVolumeConfig",
		"ZswapConfig",
		"ExternalVolumeConfig",
		"TrustedRootsConfig",
		"OOMConfig",
		"LVMVolumeGroupConfig",
		"LVMLogicalVolumeConfig",
		"LVMPhysicalVolumeConfig",
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i], name) == 0)
			return true;
	return false;
}
