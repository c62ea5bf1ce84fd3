/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/trust.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/layer_open.h"
#include "layers/sign.h"

#define KEYS_MAX 64

struct keys {
	EVP_PKEY *list[KEYS_MAX];
	size_t n, n_unread;
};

static void keys_done(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		EVP_PKEY_free(keys->list[i]);
}

static EVP_PKEY *parse_key(const char *text, size_t size)
{
	BIO *bio = BIO_new_mem_buf(text, (int)size);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static int load_key(const char *root, const char *path, struct keys *keys,
		    struct layers_result *result)
{
	_cleanup_free_ char *full = path_join(root, path), *text = NULL;
	size_t size = 0;

	if (!full)
		return -ENOMEM;
	/* A link to it leads where it would in that root. */
	_cleanup_close_ int fd = open_rooted(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? fd : read_fd(fd, KEY_BYTES_MAX, &text, &size);
	keys->n_unread++;
	if (r < 0)
		return strv_addf(&result->notes, "trust key %s: %s", full, strerror(-r));
	EVP_PKEY *key = keys->n < KEYS_MAX ? parse_key(text, size) : NULL;
	if (!key)
		return strv_addf(&result->notes,
				 "trust key %s: it is no Ed25519 public key in PEM (\"openssl pkey "
				 "-pubout\" makes one of a private key)",
				 full);
	keys->n_unread--;
	keys->list[keys->n++] = key;
	return 0;
}

static bool verifies(EVP_PKEY *key, const char *signature, const char *text)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(context, (const unsigned char *)signature, SIGNATURE_BYTES,
				   (const unsigned char *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(context);
	return ok;
}

static int read_signature(const struct layer *layer, char **ret)
{
	_cleanup_close_ int fd =
		beside_open(layer->path, NAME_LAYER_SIG_SUFFIX, layer->origin == LAYER_BUILT_IN);
	size_t size = 0;
	int r = fd < 0 ? fd : read_fd(fd, SIGNATURE_BYTES, ret, &size);

	return r < 0 ? r : size == SIGNATURE_BYTES ? 0 : -EINVAL;
}

static int check_one(struct layer *layer, const struct keys *keys)
{
	const struct layer_handle *h = layer->private_;
	_cleanup_free_ char *signature = NULL;

	if (layer->tree || layer->state == LAYER_BROKEN || !h || !h->text)
		return 0;
	int r = read_signature(layer, &signature);
	if (r == -ENOMEM || r == -ENOENT)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < keys->n; i++)
		layer->is_signed |= verifies(keys->list[i], signature, h->text);
	layer->unchecked = r == 0 && !layer->is_signed && keys->n_unread > 0;
	if (!layer->is_signed && !layer->reason) {
		layer->reason = strdup(layer->unchecked ? TRUST_UNCHECKED
							: "its signature is by no trusted key");
		return layer->reason ? 0 : -ENOMEM;
	}
	return 0;
}

int trust_check(const struct layers_request *request, struct layers_result *result)
{
	_cleanup_(keys_done) struct keys keys = { 0 };
	const char *root = request->config_root ? request->config_root : request->root;
	int r = 0;

	for (char **path = request->config->layers.trust_keys; r == 0 && path && *path; path++)
		r = load_key(root, *path, &keys, result);
	for (size_t i = 0; r == 0 && keys.n + keys.n_unread > 0 && i < result->n_layers; i++)
		r = check_one(&result->layers[i], &keys);
	return r;
}
