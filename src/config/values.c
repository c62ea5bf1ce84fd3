/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/values.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "config/install_selector.h"
#include "config/sizes.h"

#define PEM_BEGIN "-----BEGIN "

static bool is_made_of(const char *text, const char *more)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	return true;
}

/* :1 … :65535 at the end, or nothing. */
static bool port_is_valid(const char *text)
{
	char *end;

	if (*text == '\0')
		return true;
	if (*text != ':' || !isdigit((unsigned char)text[1]))
		return false;
	unsigned long port = strtoul(text + 1, &end, 10);
	return *end == '\0' && port > 0 && port < 65536;
}

/* host or host:port of length bytes; an IPv6 address is in brackets. */
static bool authority_is_valid(const char *text, size_t length)
{
	char copy[CONFIG_HOST_MAX + 1];

	if (length == 0 || length > CONFIG_HOST_MAX)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (*copy == '[') {
		char *close = strchr(copy, ']');
		if (!close || close == copy + 1 || !port_is_valid(close + 1))
			return false;
		*close = '\0';
		return strspn(copy + 1, "0123456789abcdefABCDEF:.") == strlen(copy + 1);
	}
	char *colon = strchr(copy, ':');
	if (colon) {
		if (!port_is_valid(colon))
			return false;
		*colon = '\0';
	}
	return isalnum((unsigned char)*copy) && is_made_of(copy, "-._") &&
	       strstr(copy, "..") == NULL;
}

int value_check_host(const char *text, struct diag *diag)
{
	if (authority_is_valid(text, strlen(text)))
		return 0;
	if (strstr(text, "://"))
		return diag_set(diag, -EINVAL,
				"\"%s\" is a URL; write the registry's host alone, as in "
				"registry.example:5000",
				text);
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a registry's host, as in docker.io or registry.example:5000",
			text);
}

int value_check_mirrored_host(const char *text, struct diag *diag)
{
	return strcmp(text, "*") == 0 ? 0 : value_check_host(text, diag);
}

int value_check_endpoint(const char *text, struct diag *diag)
{
	const char *rest = text_starts_with(text, "http://")	? text + 7
			   : text_starts_with(text, "https://") ? text + 8
								: NULL;

	if (!rest)
		return diag_set(
			diag, -EINVAL,
			"an endpoint begins with http:// or https://, and this one does not");
	if (strlen(text) > CONFIG_URL_MAX)
		return diag_set(diag, -EINVAL, "an endpoint has at most %d bytes", CONFIG_URL_MAX);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f ||
		    strchr("\"'<>\\^`{|}", *c))
			return diag_set(diag, -EINVAL,
					"character %d of the endpoint cannot be in a URL",
					(int)(c - text) + 1);
	if (strpbrk(rest, "?#"))
		return diag_set(diag, -EINVAL, "an endpoint has no ? and no #");
	size_t length = strcspn(rest, "/");
	if (memchr(rest, '@', length))
		return diag_set(diag, -EINVAL,
				"an endpoint holds no user and password; write them into a "
				"RegistryAuthConfig of its host");
	if (!authority_is_valid(rest, length))
		return diag_set(diag, -EINVAL, "the endpoint has no valid host");
	return 0;
}

int value_check_pem(const char *text, struct diag *diag)
{
	if (strstr(text, PEM_BEGIN))
		return 0;
	return diag_set(diag, -EINVAL, "must be PEM text (it begins with \"%s\")", PEM_BEGIN);
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

int base64_decode(const char *text, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *out = malloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, digits = 0, padding = 0;
	unsigned bits = 0;

	if (!out)
		return -ENOMEM;
	for (; *text; text++) {
		int digit = base64_digit(*text);
		if (strchr(" \t\r\n", *text))
			continue;
		if (*text == '=') {
			padding++;
			continue;
		}
		if (digit < 0 || padding)
			return -EINVAL;
		bits = bits << 6 | (unsigned)digit;
		digits++;
		if (digits % 4 != 1)
			out[n++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)) & 0xff);
	}
	if (digits % 4 == 1 || (digits + padding) % 4 != 0 || padding > 2)
		return -EINVAL;
	out[n] = '\0';
	*ret = TAKE_PTR(out);
	*ret_size = n;
	return 0;
}

int value_check_base64_pem(const char *text, struct diag *diag)
{
	_cleanup_free_ char *decoded = NULL;
	size_t size;
	int r = base64_decode(text, &decoded, &size);

	if (r == -ENOMEM)
		return r;
	if (r < 0 && strstr(text, PEM_BEGIN))
		return diag_set(diag, -EINVAL,
				"is PEM text, and the v1alpha1 document wants the base64 of it");
	if (r < 0 || strlen(decoded) != size || !strstr(decoded, PEM_BEGIN))
		return diag_set(diag, -EINVAL, "must be the base64 of PEM text");
	return 0;
}

int value_check_absolute_path(const char *text, struct diag *diag)
{
	if (*text == '/')
		return 0;
	return diag_set(diag, -EINVAL, "\"%s\" must be a path that begins with a slash", text);
}

int value_check_device_path(const char *text, struct diag *diag)
{
	if (text_starts_with(text, "/dev/") && text[5])
		return 0;
	return diag_set(diag, -EINVAL, "\"%s\" must be a path below /dev, as in /dev/sda", text);
}

int value_check_layer_name(const char *text, struct diag *diag)
{
	if (isalnum((unsigned char)*text) && is_made_of(text, "._-") && strlen(text) <= 128)
		return 0;
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a layer's name: letters, digits, \".\", \"_\" and \"-\"",
			text);
}

int value_check_layer_version(const char *text, struct diag *diag)
{
	if (isalnum((unsigned char)*text) && is_made_of(text, "._+~^-") && strlen(text) <= 128)
		return 0;
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a version: letters, digits and the characters ._+~^-", text);
}

static bool is_hex(const char *text, size_t length)
{
	return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

int value_check_root_hash(const char *text, struct diag *diag)
{
	if (is_hex(text, 64) || is_hex(text, 128))
		return 0;
	return diag_set(diag, -EINVAL, "must be 64 or 128 hex digits in lower case");
}

int value_check_digest(const char *text, struct diag *diag)
{
	if (text_starts_with(text, "sha256:") && is_hex(text + 7, 64))
		return 0;
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a digest: \"sha256:\" and 64 hex digits in lower case",
			text);
}

int value_check_image_pattern(const char *text, struct diag *diag)
{
	if (*text && is_made_of(text, "*./:_-@+"))
		return 0;
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a pattern of image names, as in registry.k8s.io/*", text);
}

int value_check_size_condition(const char *text, struct diag *diag)
{
	const char *operator;
	uint64_t bytes;

	return size_condition_parse(text, &operator, & bytes, diag);
}

int value_check_budget(const char *text, struct diag *diag)
{
	struct size_spec size;
	int r = size_parse(text, true, &size, diag);

	return r < 0 ? -EINVAL : 0;
}
