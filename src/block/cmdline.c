/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/cmdline.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Live systems say so: Debian live, Ubuntu casper, dracut's dmsquash-live, Arch. A word, or the start of one. */
static const char *const live_words[] = { "boot=live", "boot=casper", "rd.live.image" };
static const char *const live_prefixes[] = { "root=live:", "archisobasedir=", "archisolabel=",
					     "archisodevice=" };

static const struct {
	const char *prefix;
	enum root_kind kind;
} kinds[] = {
	{ "UUID=", ROOT_UUID },
	{ "LABEL=", ROOT_LABEL },
	{ "PARTUUID=", ROOT_PARTUUID },
	{ "PARTLABEL=", ROOT_PARTLABEL },
};

/* Takes the next word without its quotes; NULL: no more. */
static char *next_word(char **line)
{
	char *from = *line, *word, *to;
	bool quoted = false;

	while (isspace((unsigned char)*from))
		from++;
	if (*from == '\0')
		return NULL;
	for (word = to = from; *from && (quoted || !isspace((unsigned char)*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static bool is_live(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(live_words); i++)
		if (strcmp(word, live_words[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(live_prefixes); i++)
		if (text_starts_with(word, live_prefixes[i]))
			return true;
	return false;
}

/* What begins no option of larder's interest: "/dev/nfs" and "/dev/ram0" are no local disks. */
static bool is_disk_path(const char *path)
{
	return text_starts_with(path, "/dev/") && strcmp(path, "/dev/nfs") != 0 &&
	       strcmp(path, "/dev/cifs") != 0 && !text_starts_with(path, "/dev/ram");
}

/* "08:02" is decimal with a colon; "802" alone is the kernel's old hexadecimal form. */
static bool parse_number(const char *text, struct root_option *o)
{
	int end = 0;

	if (sscanf(text, "%u:%u%n", &o->major, &o->minor, &end) == 2 && text[end] == '\0')
		return true;
	if (*text == '\0' || text[strspn(text, "0123456789abcdefABCDEF")] != '\0' ||
	    strlen(text) > 8)
		return false;
	unsigned long number = strtoul(text, NULL, 16);
	o->major = (unsigned)(number >> 8) & 0xfff;
	o->minor = (unsigned)((number & 0xff) | ((number >> 12) & 0xfff00));
	return o->major != 0;
}

static void classify(struct root_option *o)
{
	char *partition_offset;

	o->value = o->text;
	o->kind = ROOT_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (text_starts_with(o->text, kinds[i].prefix)) {
			o->kind = kinds[i].kind;
			o->value += strlen(kinds[i].prefix);
		}
	}
	/* "PARTUUID=…/PARTNROFF=1" is another partition of the same disk. */
	if (o->kind == ROOT_PARTUUID && (partition_offset = strstr(o->value, "/PARTNROFF=")))
		*partition_offset = '\0';
	if (o->kind != ROOT_NONE)
		return;
	if (is_disk_path(o->text))
		o->kind = ROOT_DEVICE;
	else if (parse_number(o->text, o))
		o->kind = ROOT_NUMBER;
}

int root_option_parse(const char *cmdline, struct root_option *ret)
{
	_cleanup_free_ char *copy = strdup(cmdline);
	struct root_option o = { 0 };
	char *line = copy, *last = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *word; (word = next_word(&line));) {
		o.live |= is_live(word);
		if (text_starts_with(word, "root="))
			last = word + strlen("root=");
	}
	if (last) {
		o.text = strdup(last);
		if (!o.text)
			return -ENOMEM;
		classify(&o);
	}
	*ret = o;
	return 0;
}

void root_option_done(struct root_option *o)
{
	free(o->text);
	*o = (struct root_option){ 0 };
}
