/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/digest.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* see digest_of() */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static const struct algorithm {
	enum digest_algorithm id;
	const char *name;
	size_t bytes;
} algorithms[] = {
	{ DIGEST_SHA256, "sha256", 32 },
	{ DIGEST_SHA512, "sha512", 64 },
};

static const struct algorithm *find_algorithm(enum digest_algorithm id)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (algorithms[i].id == id)
			return &algorithms[i];
	return NULL;
}

static const struct algorithm *find_algorithm_name(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strlen(algorithms[i].name) == size &&
		    memcmp(algorithms[i].name, name, size) == 0)
			return &algorithms[i];
	return NULL;
}

/* Only the digits that a canonical digest has: no capitals. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hex(const char *text, size_t n_bytes, uint8_t *bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static bool is_algorithm_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' ||
	       c == '_' || c == '-';
}

static bool is_encoded_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '=' || c == '_' || c == '-';
}

/* "algorithm:encoded" by the grammar alone, of an algorithm that is not ours. */
static bool is_well_formed(const char *text, size_t size, size_t colon)
{
	if (colon == 0 || colon + 1 >= size)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!is_algorithm_letter(text[i]))
			return false;
	for (size_t i = colon + 1; i < size; i++)
		if (!is_encoded_letter(text[i]))
			return false;
	return true;
}

static int parse_separated(const char *text, size_t size, char separator, struct digest *ret)
{
	const char *at = memchr(text, separator, size);

	if (!at)
		return -EINVAL;
	size_t name = (size_t)(at - text);
	const struct algorithm *algorithm = find_algorithm_name(text, name);
	if (!algorithm)
		return is_well_formed(text, size, name) ? -EOPNOTSUPP : -EINVAL;
	if (size - name - 1 != 2 * algorithm->bytes)
		return -EINVAL;
	struct digest d = { .algorithm = algorithm->id };
	int r = parse_hex(at + 1, algorithm->bytes, d.bytes);
	if (r < 0)
		return r;
	*ret = d;
	return 0;
}

int digest_parse_n(const char *text, size_t size, struct digest *ret)
{
	return parse_separated(text, size, ':', ret);
}

int digest_parse(const char *text, struct digest *ret)
{
	return digest_parse_n(text, strlen(text), ret);
}

int digest_parse_file_name(const char *name, struct digest *ret)
{
	return parse_separated(name, strlen(name), '-', ret);
}

static const char *format_separated(const struct digest *d, char separator, char *buffer)
{
	static const char digits[] = "0123456789abcdef";
	const struct algorithm *algorithm = find_algorithm(d->algorithm);
	char *at = buffer;

	*buffer = '\0';
	if (!algorithm)
		return buffer;
	at = stpcpy(at, algorithm->name);
	*at++ = separator;
	for (size_t i = 0; i < algorithm->bytes; i++) {
		*at++ = digits[d->bytes[i] >> 4];
		*at++ = digits[d->bytes[i] & 15];
	}
	*at = '\0';
	return buffer;
}

const char *digest_format(const struct digest *d, char buffer[static DIGEST_STRING_MAX])
{
	return format_separated(d, ':', buffer);
}

const char *digest_format_file_name(const struct digest *d, char buffer[static DIGEST_STRING_MAX])
{
	return format_separated(d, '-', buffer);
}

int digest_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return digest_compare(a, b) == 0;
}

struct hasher {
	EVP_MD_CTX *context;
	enum digest_algorithm algorithm;
};

void hasher_free(struct hasher *h)
{
	EVP_MD_CTX_free(h->context);
	free(h);
}

static const EVP_MD *message_digest(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_SHA256   ? EVP_sha256()
	       : algorithm == DIGEST_SHA512 ? EVP_sha512()
					    : NULL;
}

int hasher_new(enum digest_algorithm algorithm, struct hasher **ret)
{
	_cleanup_(hasher_freep) struct hasher *h = calloc(1, sizeof(*h));
	const EVP_MD *md = message_digest(algorithm);

	if (!h)
		return -ENOMEM;
	if (!md)
		return -EOPNOTSUPP;
	h->algorithm = algorithm;
	h->context = EVP_MD_CTX_new();
	if (!h->context)
		return -ENOMEM;
	if (EVP_DigestInit_ex(h->context, md, NULL) != 1)
		return -EIO;
	*ret = TAKE_PTR(h);
	return 0;
}

int hasher_update(struct hasher *h, const void *data, size_t size)
{
	return EVP_DigestUpdate(h->context, data, size) == 1 ? 0 : -EIO;
}

int hasher_finish(struct hasher *h, struct digest *ret)
{
	struct digest d = { .algorithm = h->algorithm };

	if (EVP_DigestFinal_ex(h->context, d.bytes, NULL) != 1)
		return -EIO;
	*ret = d;
	return 0;
}

/*
 * By the functions below EVP's: those make libcrypto set up all its algorithms once, which was a fifth of what a boot does, and look one up
 * each time, and what is hashed here are mostly a few hundred bytes.
 */
int digest_of(enum digest_algorithm algorithm, const void *data, size_t size, struct digest *ret)
{
	struct digest digest = { .algorithm = algorithm };
	SHA256_CTX sha256;
	SHA512_CTX sha512;
	bool good;

	switch (algorithm) {
	case DIGEST_SHA256:
		good = SHA256_Init(&sha256) && SHA256_Update(&sha256, data, size) &&
		       SHA256_Final(digest.bytes, &sha256);
		break;
	case DIGEST_SHA512:
		good = SHA512_Init(&sha512) && SHA512_Update(&sha512, data, size) &&
		       SHA512_Final(digest.bytes, &sha512);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!good)
		return -EIO;
	*ret = digest;
	return 0;
}
