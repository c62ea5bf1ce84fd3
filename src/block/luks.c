/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/luks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "block/cryptsetup.h"
#include "block/luks_key.h"

#define MAPPER_PATH	 "/dev/mapper/" LUKS_MAPPER_NAME
#define DEFAULT_CIPHER	 "aes-xts-plain64"
#define DEFAULT_KEY_BITS 512
#define CIPHER_MAX	 64

/* "aes-xts-plain64" → "aes", "xts-plain64" */
static int split_cipher(const char *text, char cipher[static CIPHER_MAX], const char **ret_mode)
{
	size_t n = strcspn(text, "-");

	if (text[n] != '-' || n == 0 || n >= CIPHER_MAX)
		return -EINVAL;
	memcpy(cipher, text, n);
	cipher[n] = '\0';
	*ret_mode = text + n + 1;
	return 0;
}

static int activation_flags(const struct encryption_config *config, uint32_t *ret,
			    struct diag *diag)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} options[] = {
		{ "no_read_workqueue", CRYPT_ACTIVATE_NO_READ_WORKQUEUE },
		{ "no_write_workqueue", CRYPT_ACTIVATE_NO_WRITE_WORKQUEUE },
		{ "same_cpu_crypt", CRYPT_ACTIVATE_SAME_CPU_CRYPT },
	};

	*ret = 0;
	for (char **o = config->options; o && *o; o++) {
		uint32_t flag = 0;
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (strcmp(*o, options[i].name) == 0)
				flag = options[i].flag;
		if (!flag)
			return diag_set(diag, -EINVAL,
					"\"%s\" is no encryption option; take it out of the config",
					*o);
		*ret |= flag;
	}
	return 0;
}

int luks_can_format(const char *root, const char *label, const struct encryption_config *config,
		    struct diag *diag)
{
	const char *text = config->cipher ? config->cipher : DEFAULT_CIPHER, *mode;
	struct luks_library lib = { 0 };
	char cipher[CIPHER_MAX];
	uint32_t flags;

	if (split_cipher(text, cipher, &mode) < 0)
		return diag_set(diag, -EINVAL, "\"%s\" is no cipher; an example is %s", text,
				DEFAULT_CIPHER);
	int r = activation_flags(config, &flags, diag);
	for (size_t i = 0; r == 0 && i < config->n_keys; i++)
		r = luks_key_can_store(root, label, &config->keys[i], diag);
	return r < 0 ? r : luks_library_load(&lib, diag);
}

int luks_can_open(struct diag *diag)
{
	if (device_mapper_is_there())
		return 0;
	return diag_set(
		diag, -EOPNOTSUPP,
		"encryption needs the kernel's device-mapper (dm-crypt), and this kernel has none; use one that has it, or take \"encryption\" out of the config");
}

int luks_format(const char *root, const char *path, const char *label,
		const struct encryption_config *config, struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };
	struct crypt_params_luks2 parameters = { .label = label,
						 .sector_size = config->block_size };
	size_t key_bytes = (config->key_size ? config->key_size : DEFAULT_KEY_BITS) / 8;
	char cipher[CIPHER_MAX];
	const char *mode;
	int r = luks_can_format(root, label, config, diag);

	if (r == 0)
		r = split_cipher(config->cipher ? config->cipher : DEFAULT_CIPHER, cipher, &mode);
	if (r == 0)
		r = luks_session_open(&s, path, diag);
	if (r < 0)
		return r;
	r = s.lib.format(s.device, CRYPT_LUKS2, cipher, mode, NULL, NULL, key_bytes, &parameters);
	if (r < 0)
		return luks_session_failed(&s, r, path, "write the encryption header", diag);
	return luks_keys_store(&s, root, path, label, config, diag);
}

/* Tries the keys in the order of their slots. name NULL: only tries. */
static int try_keys(struct luks_session *s, const char *root, const char *path, const char *label,
		    const struct encryption_config *config, const char *name, uint32_t more_flags,
		    struct diag *diag)
{
	uint32_t flags;
	int last = -EPERM, r = activation_flags(config, &flags, diag);

	if (r < 0)
		return r;
	for (size_t i = 0; i < config->n_keys; i++) {
		r = luks_key_activate(s, root, label, &config->keys[i], name, flags | more_flags,
				      diag);
		if (r >= 0)
			return 0;
		/* A wrong key says less than a device that cannot be mapped. */
		if (last == -EPERM)
			last = r;
	}
	if (last != -EPERM && last != -ENOENT)
		return luks_session_failed(s, last, path, "open the encrypted volume", diag);
	return diag_set(
		diag, -EPERM,
		"%s: none of the %zu keys in the machine config opens the encrypted volume%s%s%s; give the config one that does, or run \"larder volume wipe\" to give it up",
		path, config->n_keys, *s->words ? " (the last one: " : "", s->words,
		*s->words ? ")" : "");
}

/* A session with a header that was read. */
static int open_header(struct luks_session *s, const char *path, struct diag *diag)
{
	int r = luks_session_open(s, path, diag);

	if (r < 0)
		return r;
	r = s->lib.load(s->device, CRYPT_LUKS, NULL);
	return r < 0 ? luks_session_failed(s, r, path, "read the encryption header", diag) : 0;
}

int luks_check(const char *root, const char *path, const char *label,
	       const struct encryption_config *config, struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };
	int r = open_header(&s, path, diag);

	return r < 0 ? r : try_keys(&s, root, path, label, config, NULL, 0, diag);
}

static bool is_open(void)
{
	return access(MAPPER_PATH, F_OK) == 0;
}

static int open_mapped(struct luks_session *s, struct diag *diag)
{
	return luks_session_open_mapped(s, LUKS_MAPPER_NAME, diag);
}

/* There is one mapped name: is what has it the device at path? */
static int check_mapped(const char *path, struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };
	struct stat wanted, st;
	int r = open_mapped(&s, diag);

	if (r < 0)
		return r;
	const char *mapped = s.lib.device_name(s.device);
	if (mapped && stat(mapped, &st) == 0 && stat(path, &wanted) == 0 &&
	    st.st_rdev == wanted.st_rdev)
		return 0;
	return diag_set(diag, -EBUSY,
			"%s: another volume is open as " MAPPER_PATH
			", on %s; run \"larder stop\" first",
			path, mapped ? mapped : "a device that is gone");
}

int luks_open(const char *root, const char *path, const char *label,
	      const struct encryption_config *config, bool read_only, char **ret_path,
	      struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };
	_cleanup_free_ char *mapped = strdup(MAPPER_PATH);
	uint32_t flags = read_only ? CRYPT_ACTIVATE_READONLY : 0;
	int r = mapped ? 0 : -ENOMEM;

	if (r == 0 && is_open()) {
		r = check_mapped(path, diag);
	} else if (r == 0) {
		r = open_header(&s, path, diag);
		if (r == 0)
			r = try_keys(&s, root, path, label, config, LUKS_MAPPER_NAME, flags, diag);
	}
	if (r < 0)
		return r;
	*ret_path = TAKE_PTR(mapped);
	return 0;
}

int luks_resize(const char *root, const char *path, const char *label,
		const struct encryption_config *config, struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };
	struct crypt_active_device active = { 0 };
	int r = is_open() ? open_mapped(&s, diag) : 0;

	if (r < 0 || !s.device)
		return r;
	r = s.lib.get_active(s.device, LUKS_MAPPER_NAME, &active);
	/* The kernel takes the key for the new size from the keyring, where it is only while somebody has just opened the volume. */
	if (r == 0 && active.flags & CRYPT_ACTIVATE_KEYRING_KEY) {
		r = try_keys(&s, root, path, label, config, NULL, CRYPT_ACTIVATE_KEYRING_KEY, diag);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = s.lib.resize(s.device, LUKS_MAPPER_NAME, 0);
	return r < 0 ? luks_session_failed(&s, r, MAPPER_PATH, "grow it", diag) : 0;
}

int luks_close(struct diag *diag)
{
	_cleanup_luks_session_ struct luks_session s = { 0 };

	if (!is_open())
		return 0;
	int r = open_mapped(&s, diag);
	if (r < 0)
		return r;
	r = s.lib.deactivate(s.device, LUKS_MAPPER_NAME);
	return r < 0 ? luks_session_failed(&s, r, MAPPER_PATH, "close it", diag) : 0;
}

int luks_find(int fd, uint64_t offset, bool *ret)
{
	uint8_t magic[6];
	int r = pread_exact(fd, magic, sizeof(magic), offset);

	*ret = r == 0 && memcmp(magic, "LUKS\xba\xbe", sizeof(magic)) == 0;
	return r == -ENODATA ? 0 : r;
}
