/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <jansson.h>
#include <string.h>

#include "base/text.h"

#include "store/manifest.h"

#define PLATFORM_PART_MAX 64

#if defined(__x86_64__)
#define HOST_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define HOST_ARCHITECTURE "arm64"
#define HOST_VARIANT	  "v8"
#elif defined(__arm__) && __ARM_ARCH >= 7
#define HOST_ARCHITECTURE "arm"
#define HOST_VARIANT	  "v7"
#elif defined(__arm__) && __ARM_ARCH == 6
#define HOST_ARCHITECTURE "arm"
#define HOST_VARIANT	  "v6"
#elif defined(__arm__)
#define HOST_ARCHITECTURE "arm"
#define HOST_VARIANT	  "v5"
#elif defined(__i386__)
#define HOST_ARCHITECTURE "386"
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_ARCHITECTURE "ppc64le"
#elif defined(__powerpc64__)
#define HOST_ARCHITECTURE "ppc64"
#elif defined(__s390x__)
#define HOST_ARCHITECTURE "s390x"
#elif defined(__riscv)
#define HOST_ARCHITECTURE "riscv64"
#elif defined(__loongarch64)
#define HOST_ARCHITECTURE "loong64"
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_ARCHITECTURE "mips64le"
#else
#error "what do OCI images call this architecture? Add it here."
#endif
#ifndef HOST_VARIANT
#define HOST_VARIANT NULL
#endif

const struct platform *platform_host(void)
{
	/* The compiler wants char * where nobody writes. */
	static const struct platform host = {
		.os = (char *)"linux",
		.architecture = (char *)HOST_ARCHITECTURE,
		.variant = (char *)HOST_VARIANT,
	};

	return &host;
}

void platform_done(struct platform *p)
{
	free(p->os);
	free(p->architecture);
	free(p->variant);
	*p = (struct platform){ 0 };
}

static bool part_is_valid(const char *text, size_t size)
{
	if (size == 0 || size > PLATFORM_PART_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= '0' && text[i] <= '9') || strchr("._-", text[i])))
			return false;
	return true;
}

/* 0 and NULL where there is no such word. */
static int copy_part(const json_t *config, const char *key, char **ret)
{
	const char *text = json_string_value(json_object_get(config, key));

	if (!text || !part_is_valid(text, strlen(text)))
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int platform_of_config(const char *text, size_t size, struct platform *ret)
{
	json_auto_t *config = json_loadb(text, size, 0, NULL);
	struct platform p = { 0 };
	int r = copy_part(config, "os", &p.os);

	r = r < 0 ? r : copy_part(config, "architecture", &p.architecture);
	r = r < 0 ? r : copy_part(config, "variant", &p.variant);
	if (r == 0 && (!p.os || !p.architecture))
		r = -ENOENT;
	if (r < 0)
		platform_done(&p);
	else
		*ret = p;
	return r;
}

int platform_parse(const char *text, struct platform *ret)
{
	struct platform p = { 0 };
	char **parts[] = { &p.os, &p.architecture, &p.variant };
	size_t n = 0;

	for (const char *at = text; n < ARRAY_SIZE(parts);) {
		size_t size = strcspn(at, "/");
		if (!part_is_valid(at, size))
			break;
		*parts[n] = strndup(at, size);
		if (!*parts[n]) {
			platform_done(&p);
			return -ENOMEM;
		}
		n++;
		if (at[size] == '\0') {
			if (n < 2)
				break;
			*ret = p;
			return 0;
		}
		at += size + 1;
	}
	platform_done(&p);
	return -EINVAL;
}

char *platform_format(const struct platform *p)
{
	return text_format("%s/%s%s%s", p->os ? p->os : "unknown",
			   p->architecture ? p->architecture : "unknown", p->variant ? "/" : "",
			   p->variant ? p->variant : "");
}

/* Architectures as people also spell them. */
static const char *normal_architecture(const char *architecture)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" },
		{ "armhf", "arm" },    { "armel", "arm" },    { "i386", "386" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(architecture, names[i][0]) == 0)
			return names[i][1];
	return architecture;
}

/* The number of the variant: "v7" and "7" are 7; -1: there is no number in it. */
static int variant_number(const char *architecture, const char *variant)
{
	if (!variant || !*variant)
		return strcmp(architecture, "arm64") == 0   ? 8
		       : strcmp(architecture, "arm") == 0   ? 7
		       : strcmp(architecture, "amd64") == 0 ? 1
							    : 0;
	if (*variant == 'v')
		variant++;
	if (*variant < '0' || *variant > '9' || variant[1] != '\0')
		return -1;
	return *variant - '0';
}

bool platform_matches(const struct platform *image, const struct platform *host)
{
	if (!image->os || !image->architecture || strcmp(image->os, host->os) != 0)
		return false;
	const char *architecture = normal_architecture(host->architecture);
	if (strcmp(normal_architecture(image->architecture), architecture) != 0)
		return false;
	int wanted = variant_number(architecture, image->variant);
	int have = variant_number(architecture, host->variant);
	if (wanted < 0 || have < 0)
		return image->variant && host->variant &&
		       strcmp(image->variant, host->variant) == 0;
	return wanted == have || (strcmp(architecture, "arm") == 0 && wanted < have);
}

bool platform_is_unknown(const struct platform *p)
{
	return p->os && p->architecture && strcmp(p->os, "unknown") == 0 &&
	       strcmp(p->architecture, "unknown") == 0;
}

static int variant_of(const struct platform *p)
{
	return variant_number(normal_architecture(p->architecture), p->variant);
}

const struct descriptor *manifest_for_host(const struct manifest *index,
					   const struct platform *host)
{
	const struct descriptor *best = NULL;

	for (size_t i = 0; i < index->n_items; i++) {
		const struct descriptor *item = &index->items[i];
		if (platform_matches(&item->platform, host) &&
		    (!best || variant_of(&item->platform) > variant_of(&best->platform)))
			best = item;
	}
	return best;
}
