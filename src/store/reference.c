/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/reference.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define DEFAULT_REGISTRY  "docker.io"
#define DEFAULT_NAMESPACE "library/"
#define DEFAULT_TAG	  "latest"
#define REFERENCE_MAX                                                                              \
	(REFERENCE_REGISTRY_MAX + REFERENCE_REPOSITORY_MAX + REFERENCE_TAG_MAX + DIGEST_STRING_MAX)

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* ":port" to the end of the text, or nothing. */
static bool is_port_or_end(const char *text)
{
	size_t n = 0;

	if (*text == '\0')
		return true;
	if (*text++ != ':')
		return false;
	while (isdigit((unsigned char)text[n]))
		n++;
	return n >= 1 && n <= 5 && text[n] == '\0';
}

/* "[::1]" and what follows it. */
static bool is_ipv6_registry(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	size_t n = strcspn(++text, "]");
	struct in6_addr parsed;

	if (n >= sizeof(address) || text[n] != ']')
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	return inet_pton(AF_INET6, address, &parsed) == 1 && is_port_or_end(text + n + 1);
}

bool registry_is_valid(const char *text)
{
	const char *at = text;

	if (*text == '\0' || strlen(text) > REFERENCE_REGISTRY_MAX)
		return false;
	if (*text == '[')
		return is_ipv6_registry(text);
	for (;;) {
		const char *label = at;
		while (is_alnum(*at) || *at == '-')
			at++;
		if (at == label || *label == '-' || at[-1] == '-')
			return false;
		if (*at != '.')
			break;
		at++;
	}
	return is_port_or_end(at);
}

/* One separator within a component: ".", "_", "__" or any number of "-". Returns its length. */
static size_t separator_length(const char *text)
{
	if (text[0] == '-')
		return strspn(text, "-");
	if (text[0] == '_')
		return text[1] == '_' ? 2 : 1;
	return text[0] == '.';
}

bool repository_is_valid(const char *text)
{
	const char *at = text;

	if (strlen(text) > REFERENCE_REPOSITORY_MAX)
		return false;
	for (;;) {
		if (!is_lower_alnum(*at))
			return false;
		while (is_lower_alnum(*at))
			at++;
		if (*at == '\0')
			return true;
		at += *at == '/' ? 1 : separator_length(at);
	}
}

bool tag_is_valid(const char *text)
{
	size_t n = 0;

	if (!is_alnum(text[0]) && text[0] != '_')
		return false;
	while (is_alnum(text[n]) || (text[n] && strchr("._-", text[n])))
		n++;
	return text[n] == '\0' && n <= REFERENCE_TAG_MAX;
}

const char *registry_canonical(const char *registry)
{
	if (strcmp(registry, "registry-1.docker.io") == 0 ||
	    strcmp(registry, "index.docker.io") == 0)
		return DEFAULT_REGISTRY;
	return registry;
}

void reference_done(struct reference *r)
{
	free(r->registry);
	free(r->repository);
	free(r->tag);
	*r = (struct reference){ 0 };
}

static bool names_registry(const char *component, size_t size)
{
	return memchr(component, '.', size) || memchr(component, ':', size) || *component == '[' ||
	       (size == strlen("localhost") && memcmp(component, "localhost", size) == 0);
}

/* "@digest" at the end of text is cut off. */
static int take_digest(char *text, const char *whole, struct digest *ret, struct diag *diag)
{
	char *at = strchr(text, '@');

	if (!at)
		return 0;
	*at = '\0';
	int r = digest_parse(at + 1, ret);
	if (r == -EOPNOTSUPP)
		return diag_set(
			diag, -EINVAL,
			"\"%s\": the digest's algorithm is not known (sha256 and sha512 are)",
			whole);
	if (r < 0)
		return diag_set(diag, -EINVAL,
				"\"%s\": \"%s\" is no digest (write sha256: and 64 lower-case hex "
				"digits)",
				whole, at + 1);
	return 0;
}

/* ":tag" at the end of text is cut off. */
static int take_tag(char *text, const char *whole, char **ret, struct diag *diag)
{
	char *slash = strrchr(text, '/');
	char *colon = strchr(slash ? slash : text, ':');

	if (!colon)
		return 0;
	if (!tag_is_valid(colon + 1))
		return diag_set(diag, -EINVAL, "\"%s\": \"%s\" is no tag", whole, colon + 1);
	*colon = '\0';
	*ret = strdup(colon + 1);
	return *ret ? 0 : -ENOMEM;
}

static int take_name(const char *text, const char *whole, struct reference *r, struct diag *diag)
{
	const char *slash = strchr(text, '/');
	const char *repository = text;
	const char *name_space = "";

	if (slash && names_registry(text, (size_t)(slash - text))) {
		_cleanup_free_ char *registry = strndup(text, (size_t)(slash - text));
		if (!registry)
			return -ENOMEM;
		if (!registry_is_valid(registry))
			return diag_set(diag, -EINVAL, "\"%s\": \"%s\" is no registry", whole,
					registry);
		r->registry = strdup(registry_canonical(registry));
		repository = slash + 1;
	} else {
		r->registry = strdup(DEFAULT_REGISTRY);
	}
	if (!r->registry)
		return -ENOMEM;
	if (strcmp(r->registry, DEFAULT_REGISTRY) == 0 && !strchr(repository, '/'))
		name_space = DEFAULT_NAMESPACE;
	if (!repository_is_valid(repository))
		return diag_set(diag, -EINVAL,
				"\"%s\": \"%s\" is no repository (lower-case letters, digits and "
				"single separators . _ - within parts)",
				whole, repository);
	r->repository = text_format("%s%s", name_space, repository);
	if (!r->repository)
		return -ENOMEM;
	if (strlen(r->repository) > REFERENCE_REPOSITORY_MAX)
		return diag_set(diag, -EINVAL, "\"%s\": the repository is too long", whole);
	return 0;
}

int reference_parse(const char *text, struct reference *ret, struct diag *diag)
{
	_cleanup_reference_ struct reference r = { 0 };
	_cleanup_free_ char *copy = NULL;

	if (strlen(text) > REFERENCE_MAX)
		return diag_set(diag, -EINVAL, "the reference is longer than %zu bytes",
				(size_t)REFERENCE_MAX);
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	int e = take_digest(copy, text, &r.digest, diag);
	if (e == 0)
		e = take_tag(copy, text, &r.tag, diag);
	if (e == 0)
		e = take_name(copy, text, &r, diag);
	if (e == 0 && !r.tag && r.digest.algorithm == DIGEST_NONE) {
		r.tag = strdup(DEFAULT_TAG);
		e = r.tag ? 0 : -ENOMEM;
	}
	if (e < 0)
		return e;
	*ret = r;
	r = (struct reference){ 0 };
	return 0;
}

char *reference_format(const struct reference *r)
{
	char digest[DIGEST_STRING_MAX];

	digest_format(&r->digest, digest);
	return text_format("%s/%s%s%s%s%s", r->registry, r->repository, r->tag ? ":" : "",
			   r->tag ? r->tag : "", *digest ? "@" : "", digest);
}
