/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/luks.h"

#include <ctype.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "block/cryptsetup.h"

#define MAPPER_PATH	 "/dev/mapper/" LUKS_MAPPER_NAME
#define PRODUCT_UUID	 "/sys/class/dmi/id/product_uuid"
#define DEFAULT_CIPHER	 "aes-xts-plain64"
#define DEFAULT_KEY_BITS 512
#define CIPHER_MAX	 64
#define TOKEN_TPM	 "systemd-tpm2"

/* The functions that are used, by their own types. */
struct library {
	__typeof__(crypt_init) *init;
	__typeof__(crypt_init_by_name) *init_by_name;
	__typeof__(crypt_free) *free;
	__typeof__(crypt_format) *format;
	__typeof__(crypt_load) *load;
	__typeof__(crypt_keyslot_add_by_volume_key) *add_key;
	__typeof__(crypt_activate_by_passphrase) *activate;
	__typeof__(crypt_activate_by_token_pin) *activate_by_token;
	__typeof__(crypt_deactivate) *deactivate;
	__typeof__(crypt_resize) *resize;
	__typeof__(crypt_set_log_callback) *set_log;
};

struct session {
	struct library lib;
	struct crypt_device *device;
	char words[512]; /* libcryptsetup's last error */
};

static void session_done(struct session *s)
{
	if (s->device)
		s->lib.free(s->device);
	/* The library stays loaded: it has state of its own at exit. */
}

static void keep_words(int level, const char *message, void *user)
{
	struct session *s = user;

	if (level != CRYPT_LOG_ERROR)
		return;
	snprintf(s->words, sizeof(s->words), "%s", message);
	s->words[strcspn(s->words, "\n")] = '\0';
}

static int load_library(struct library *lib, struct diag *diag)
{
	const struct cryptsetup_symbol symbols[] = {
		{ "crypt_init", (void **)&lib->init },
		{ "crypt_init_by_name", (void **)&lib->init_by_name },
		{ "crypt_free", (void **)&lib->free },
		{ "crypt_format", (void **)&lib->format },
		{ "crypt_load", (void **)&lib->load },
		{ "crypt_keyslot_add_by_volume_key", (void **)&lib->add_key },
		{ "crypt_activate_by_passphrase", (void **)&lib->activate },
		{ "crypt_activate_by_token_pin", (void **)&lib->activate_by_token },
		{ "crypt_deactivate", (void **)&lib->deactivate },
		{ "crypt_resize", (void **)&lib->resize },
		{ "crypt_set_log_callback", (void **)&lib->set_log },
	};

	return cryptsetup_load(symbols, ARRAY_SIZE(symbols), "encryption", diag);
}

static int failed(const struct session *s, int r, const char *path, const char *what,
		  struct diag *diag)
{
	return diag_set(diag, r, "%s: cannot %s: %s", path, what,
			*s->words ? s->words : strerror(-r));
}

static int session_open(struct session *s, const char *path, struct diag *diag)
{
	int r = load_library(&s->lib, diag);

	if (r < 0)
		return r;
	r = s->lib.init(&s->device, path);
	if (r < 0)
		return failed(s, r, path, "examine it for encryption", diag);
	s->lib.set_log(s->device, keep_words, s);
	return 0;
}

/* The machine's UUID, in small letters; one that many machines share is no secret and no name. */
static int read_node_uuid(const char *root, char **ret, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(root, PRODUCT_UUID), *text = NULL;

	if (!path)
		return -ENOMEM;
	int r = read_file_at(AT_FDCWD, path, 4096, &text, NULL);
	if (r < 0)
		return diag_set(diag, r,
				"the nodeID key needs the machine's UUID: cannot read %s: %s", path,
				strerror(-r));
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strlen(text) != 36 || strspn(text, "0-") == 36 || strspn(text, "f-") == 36)
		return diag_set(diag, -EINVAL,
				"the nodeID key needs the machine's UUID, and \"%s\" is none",
				text);
	*ret = TAKE_PTR(text);
	return 0;
}

/* The passphrase of a static or nodeID key; owned by the caller. */
static int key_passphrase(const char *root, const char *label, const struct encryption_key *key,
			  char **ret, struct diag *diag)
{
	_cleanup_free_ char *uuid = NULL;

	if (key->kind == KEY_STATIC) {
		*ret = strdup(key->passphrase);
		return *ret ? 0 : -ENOMEM;
	}
	if (key->kind != KEY_NODE_ID)
		return diag_set(
			diag, -EOPNOTSUPP,
			"the key of slot %u is a TPM key; larder opens one that systemd-cryptenroll has enrolled, and cannot make it",
			key->slot);
	int r = read_node_uuid(root, &uuid, diag);
	if (r < 0)
		return r;
	return asprintf(ret, "%s%s", uuid, label) < 0 ? -ENOMEM : 0;
}

static void wipe_secret(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
}
#define _cleanup_secret_ _cleanup_(wipe_secret)

static int add_key(struct session *s, const char *root, const char *path, const char *label,
		   const struct encryption_key *key, struct diag *diag)
{
	_cleanup_secret_ char *passphrase = NULL;
	int r = key_passphrase(root, label, key, &passphrase, diag);

	if (r < 0)
		return r;
	r = s->lib.add_key(s->device, (int)key->slot, NULL, 0, passphrase, strlen(passphrase));
	return r < 0 ? failed(s, r, path, "store a key", diag) : 0;
}

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
		{ "submit_from_crypt_cpus", CRYPT_ACTIVATE_SUBMIT_FROM_CRYPT_CPUS },
	};

	*ret = 0;
	for (char **o = config->options; o && *o; o++) {
		uint32_t flag = 0;
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (strcmp(*o, options[i].name) == 0)
				flag = options[i].flag;
		if (!flag)
			return diag_set(diag, -EINVAL, "\"%s\" is no encryption option", *o);
		*ret |= flag;
	}
	return 0;
}

int luks_can_format(const char *root, const char *label, const struct encryption_config *config,
		    struct diag *diag)
{
	const char *text = config->cipher ? config->cipher : DEFAULT_CIPHER, *mode;
	struct library lib = { 0 };
	char cipher[CIPHER_MAX];
	uint32_t flags;

	if (split_cipher(text, cipher, &mode) < 0)
		return diag_set(diag, -EINVAL, "\"%s\" is no cipher; an example is %s", text,
				DEFAULT_CIPHER);
	int r = activation_flags(config, &flags, diag);
	for (size_t i = 0; r == 0 && i < config->n_keys; i++) {
		_cleanup_secret_ char *passphrase = NULL;
		r = key_passphrase(root, label, &config->keys[i], &passphrase, diag);
	}
	return r < 0 ? r : load_library(&lib, diag);
}

int luks_can_open(struct diag *diag)
{
	if (device_mapper_is_there())
		return 0;
	return diag_set(
		diag, -EOPNOTSUPP,
		"encryption needs the kernel's device-mapper (dm-crypt), and this kernel has none");
}

int luks_format(const char *root, const char *path, const char *label,
		const struct encryption_config *config, struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };
	struct crypt_params_luks2 parameters = { .label = label,
						 .sector_size = config->block_size };
	size_t key_bytes = (config->key_size ? config->key_size : DEFAULT_KEY_BITS) / 8;
	char cipher[CIPHER_MAX];
	const char *mode;
	int r = luks_can_format(root, label, config, diag);

	if (r == 0)
		r = split_cipher(config->cipher ? config->cipher : DEFAULT_CIPHER, cipher, &mode);
	if (r == 0)
		r = session_open(&s, path, diag);
	if (r < 0)
		return r;
	r = s.lib.format(s.device, CRYPT_LUKS2, cipher, mode, NULL, NULL, key_bytes, &parameters);
	if (r < 0)
		return failed(&s, r, path, "write the encryption header", diag);
	for (size_t i = 0; r >= 0 && i < config->n_keys; i++)
		r = add_key(&s, root, path, label, &config->keys[i], diag);
	return r;
}

/* name NULL: only tries the key. */
static int try_key(struct session *s, const char *root, const char *label,
		   const struct encryption_key *key, const char *name, uint32_t flags,
		   struct diag *diag)
{
	_cleanup_secret_ char *passphrase = NULL;

	if (key->kind == KEY_TPM)
		return s->lib.activate_by_token(s->device, name, TOKEN_TPM, CRYPT_ANY_TOKEN, NULL,
						0, NULL, flags);
	int r = key_passphrase(root, label, key, &passphrase, diag);
	return r < 0 ? r
		     : s->lib.activate(s->device, name, (int)key->slot, passphrase,
				       strlen(passphrase), flags);
}

/* Tries the keys in the order of their slots. */
static int try_keys(struct session *s, const char *root, const char *path, const char *label,
		    const struct encryption_config *config, const char *name, struct diag *diag)
{
	uint32_t flags;
	int last = -EPERM, r = activation_flags(config, &flags, diag);

	if (r < 0)
		return r;
	r = s->lib.load(s->device, CRYPT_LUKS, NULL);
	if (r < 0)
		return failed(s, r, path, "read the encryption header", diag);
	for (size_t i = 0; i < config->n_keys; i++) {
		r = try_key(s, root, label, &config->keys[i], name, flags, diag);
		if (r >= 0)
			return 0;
		/* A wrong key says less than a device that cannot be mapped. */
		if (last == -EPERM)
			last = r;
	}
	if (last != -EPERM && last != -ENOENT)
		return failed(s, last, path, "open the encrypted volume", diag);
	return diag_set(diag, -EPERM,
			"%s: none of the %zu keys in the machine config opens the encrypted volume",
			path, config->n_keys);
}

int luks_check(const char *root, const char *path, const char *label,
	       const struct encryption_config *config, struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };
	int r = session_open(&s, path, diag);

	return r < 0 ? r : try_keys(&s, root, path, label, config, NULL, diag);
}

static bool is_open(void)
{
	return access(MAPPER_PATH, F_OK) == 0;
}

int luks_open(const char *root, const char *path, const char *label,
	      const struct encryption_config *config, char **ret_path, struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };
	_cleanup_free_ char *mapped = strdup(MAPPER_PATH);
	int r = mapped ? 0 : -ENOMEM;

	if (r == 0 && !is_open()) {
		r = session_open(&s, path, diag);
		if (r == 0)
			r = try_keys(&s, root, path, label, config, LUKS_MAPPER_NAME, diag);
	}
	if (r < 0)
		return r;
	*ret_path = TAKE_PTR(mapped);
	return 0;
}

static int open_by_name(struct session *s, struct diag *diag)
{
	int r = load_library(&s->lib, diag);

	if (r < 0)
		return r;
	r = s->lib.init_by_name(&s->device, LUKS_MAPPER_NAME);
	return r < 0 ? failed(s, r, MAPPER_PATH, "examine it", diag) : 0;
}

int luks_resize(struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };

	if (!is_open())
		return 0;
	int r = open_by_name(&s, diag);
	if (r < 0)
		return r;
	r = s.lib.resize(s.device, LUKS_MAPPER_NAME, 0);
	return r < 0 ? failed(&s, r, MAPPER_PATH, "grow it", diag) : 0;
}

int luks_close(struct diag *diag)
{
	_cleanup_(session_done) struct session s = { 0 };

	if (!is_open())
		return 0;
	int r = open_by_name(&s, diag);
	if (r < 0)
		return r;
	r = s.lib.deactivate(s.device, LUKS_MAPPER_NAME);
	return r < 0 ? failed(&s, r, MAPPER_PATH, "close it", diag) : 0;
}

int luks_find(int fd, bool *ret)
{
	uint8_t magic[6];
	int r = pread_exact(fd, magic, sizeof(magic), 0);

	*ret = r == 0 && memcmp(magic, "LUKS\xba\xbe", sizeof(magic)) == 0;
	return r == -ENODATA ? 0 : r;
}
