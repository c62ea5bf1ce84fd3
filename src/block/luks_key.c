/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/luks_key.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "base/io.h"
#include "base/run.h"
#include "base/text.h"

#define PRODUCT_UUID	   "/sys/class/dmi/id/product_uuid"
#define TPM_DEVICE	   "/dev/tpmrm0"
#define SECURE_BOOT	   "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define ENROLL		   "systemd-cryptenroll"
#define ENROLL_TIMEOUT_MS  (2 * 60 * 1000)
#define INTERIM_BYTES	   32
#define INTERIM_ITERATIONS 1000 /* the least; a random key needs no stretching */
#define SLOTS		   32	/* of LUKS2 */
#define PCR_LIST_MAX	   128
#define _cleanup_secret_   _cleanup_(wipe_secret)

static void wipe_secret(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
}

/* The machine's UUID, in small letters; one that many machines share is no secret and no name. */
static int read_node_uuid(const char *root, char **ret, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(root, PRODUCT_UUID), *text = NULL;

	if (!path)
		return -ENOMEM;
	int r = read_file_at(AT_FDCWD, path, 4096, &text, NULL);
	if (r < 0)
		return diag_set(
			diag, r,
			"the nodeID key needs the machine's UUID: cannot read %s: %s; use a key of another kind",
			path, strerror(-r));
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strlen(text) != 36 || strspn(text, "0-") == 36 || strspn(text, "f-") == 36)
		return diag_set(
			diag, -EINVAL,
			"the nodeID key needs the machine's UUID, and \"%s\" is none; use a key of another kind",
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
	int r = read_node_uuid(root, &uuid, diag);
	if (r < 0)
		return r;
	*ret = text_format("%s%s", uuid, label);
	return *ret ? 0 : -ENOMEM;
}

/* An EFI variable: four bytes of attributes, then the value. */
static bool secure_boot_is_on(const char *root)
{
	_cleanup_free_ char *path = path_join(root, SECURE_BOOT), *value = NULL;
	size_t size = 0;

	return path && read_file_at(AT_FDCWD, path, 16, &value, &size) == 0 && size == 5 &&
	       value[4] == 1;
}

static int can_enroll(const char *root, const struct encryption_key *key, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(root, TPM_DEVICE);

	if (!path)
		return -ENOMEM;
	if (access(path, F_OK) < 0)
		return diag_set(diag, -EOPNOTSUPP,
				"the key of slot %u is a TPM key, and this machine shows no TPM "
				"2.0 (" TPM_DEVICE
				"): switch it on in the firmware, or use a key of another kind",
				key->slot);
	if (key->check_secure_boot && !secure_boot_is_on(root))
		return diag_set(
			diag, -EOPNOTSUPP,
			"the TPM key of slot %u is to be stored only under Secure Boot, which is not on; switch it on, or set checkSecurebootStatusOnEnroll to false",
			key->slot);
	return 0;
}

int luks_key_can_store(const char *root, const char *label, const struct encryption_key *key,
		       struct diag *diag)
{
	_cleanup_secret_ char *passphrase = NULL;

	if (key->kind == KEY_TPM)
		return can_enroll(root, key, diag);
	return key_passphrase(root, label, key, &passphrase, diag);
}

static int store_passphrase(struct luks_session *s, const char *root, const char *path,
			    const char *label, const struct encryption_key *key, struct diag *diag)
{
	_cleanup_secret_ char *passphrase = NULL;
	int r = key_passphrase(root, label, key, &passphrase, diag);

	if (r < 0)
		return r;
	r = s->lib.add_key(s->device, (int)key->slot, NULL, 0, passphrase, strlen(passphrase));
	return r < 0 ? luks_session_failed(s, r, path, "store a key", diag) : 0;
}

/* "PASSWORD=" and a random passphrase, as systemd-cryptenroll reads it from its environment. */
static int make_interim(char **ret)
{
	uint8_t bytes[INTERIM_BYTES];
	char *text = NULL;
	size_t size;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	fputs("PASSWORD=", f);
	for (size_t i = 0; i < sizeof(bytes); i++)
		fprintf(f, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

/* The highest slot that no key of the config has; there is one beside a TPM key. */
static unsigned interim_slot(const struct encryption_config *config)
{
	unsigned slot = SLOTS;
	bool used = true;

	while (used && slot-- > 0) {
		used = false;
		for (size_t i = 0; i < config->n_keys; i++)
			used |= config->keys[i].slot == slot && config->keys[i].kind != KEY_TPM;
	}
	return slot;
}

static int store_interim(struct luks_session *s, const char *path, unsigned slot,
			 const char *passphrase, struct diag *diag)
{
	const struct crypt_pbkdf_type fast = {
		.type = CRYPT_KDF_PBKDF2,
		.hash = "sha256",
		.iterations = INTERIM_ITERATIONS,
		.flags = CRYPT_PBKDF_NO_BENCHMARK,
	};
	int r = s->lib.set_pbkdf(s->device, &fast);

	if (r == 0)
		r = s->lib.add_key(s->device, (int)slot, NULL, 0, passphrase, strlen(passphrase));
	return r < 0 ? luks_session_failed(s, r, path, "store a key", diag) : 0;
}

/* --tpm2-pcrs=7+11 */
static void pcr_option(const struct encryption_key *key, char text[static PCR_LIST_MAX])
{
	int at = snprintf(text, PCR_LIST_MAX, "--tpm2-pcrs=");
	const char *plus = "";

	for (unsigned i = 0; i < 24; i++) {
		if (!(key->pcrs & (1U << i)))
			continue;
		at += snprintf(text + at, PCR_LIST_MAX - (size_t)at, "%s%u", plus, i);
		plus = "+";
	}
}

/* last: the interim key goes once this one is stored. */
static int enroll(const char *path, const struct encryption_key *key, unsigned slot,
		  const char *password, bool last, struct diag *diag)
{
	char pcrs[PCR_LIST_MAX], wipe[32];
	const char *const argv[] = { ENROLL, "--tpm2-device=auto", pcrs,
				     path,   last ? wipe : NULL,   NULL };
	const char *const environment[] = { password, NULL };
	const struct run_options run = { .timeout_ms = ENROLL_TIMEOUT_MS, .environ = environment };

	pcr_option(key, pcrs);
	snprintf(wipe, sizeof(wipe), "--wipe-slot=%u", slot);
	int r = run_program(argv, &run, NULL, diag);
	return r < 0 ? diag_prefix(diag, r, "%s: cannot store the TPM key of slot %u", path,
				   key->slot)
		     : 0;
}

/* With the session closed: the program writes the header itself. */
static int store_tpm_keys(struct luks_session *s, const char *path,
			  const struct encryption_config *config, size_t n, struct diag *diag)
{
	_cleanup_secret_ char *password = NULL;
	unsigned slot = interim_slot(config);
	int r = make_interim(&password);

	if (r == 0)
		r = store_interim(s, path, slot, strchr(password, '=') + 1, diag);
	luks_session_done(s);
	for (size_t i = 0; r == 0 && i < config->n_keys; i++)
		if (config->keys[i].kind == KEY_TPM)
			r = enroll(path, &config->keys[i], slot, password, --n == 0, diag);
	return r;
}

int luks_keys_store(struct luks_session *s, const char *root, const char *path, const char *label,
		    const struct encryption_config *config, struct diag *diag)
{
	size_t n_tpm = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_keys; i++) {
		if (config->keys[i].kind == KEY_TPM)
			n_tpm++;
		else
			r = store_passphrase(s, root, path, label, &config->keys[i], diag);
	}
	return r < 0 || n_tpm == 0 ? r : store_tpm_keys(s, path, config, n_tpm, diag);
}

int luks_key_activate(struct luks_session *s, const char *root, const char *label,
		      const struct encryption_key *key, const char *name, uint32_t flags,
		      struct diag *diag)
{
	_cleanup_secret_ char *passphrase = NULL;

	if (key->kind == KEY_TPM)
		return s->lib.activate_by_token(s->device, name, LUKS_KEY_TOKEN_TPM,
						CRYPT_ANY_TOKEN, NULL, 0, NULL, flags);
	int r = key_passphrase(root, label, key, &passphrase, diag);
	return r < 0 ? r
		     : s->lib.activate(s->device, name, (int)key->slot, passphrase,
				       strlen(passphrase), flags);
}
