/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/sign.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/io.h"

struct signing_key {
	EVP_PKEY *key;
};

void signing_key_free(struct signing_key *key)
{
	EVP_PKEY_free(key->key);
	free(key);
}

/* Never asks on the terminal: a build may run where nobody answers. */
static int no_passphrase(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

int signing_key_read(const char *path, struct signing_key **ret, struct diag *diag)
{
	_cleanup_(signing_key_freep) struct signing_key *key = calloc(1, sizeof(*key));
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!key)
		return -ENOMEM;
	int r = read_file_at(AT_FDCWD, path, KEY_BYTES_MAX, &text, &size);
	if (r < 0)
		return diag_set(diag, -EINVAL, "cannot read the key %s: %s", path, strerror(-r));
	BIO *bio = BIO_new_mem_buf(text, (int)size);
	key->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	explicit_bzero(text, size);
	if (!key->key || EVP_PKEY_get_base_id(key->key) != EVP_PKEY_ED25519)
		return diag_set(diag, -EINVAL,
				"%s is no Ed25519 private key in PEM without a passphrase (openssl "
				"genpkey -algorithm ed25519)",
				path);
	*ret = TAKE_PTR(key);
	return 0;
}

int sign_text(struct signing_key *key, const char *text, size_t size,
	      unsigned char ret[static SIGNATURE_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_BYTES;
	bool ok = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) == 1 &&
		  EVP_DigestSign(context, ret, &length, (const unsigned char *)text, size) == 1 &&
		  length == SIGNATURE_BYTES;

	EVP_MD_CTX_free(context);
	return ok ? 0 : -EIO;
}
