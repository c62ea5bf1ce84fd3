/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of RUN/gen/N.list, one line for each part. */
#include "store/parts_inside.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/names.h"
#include "base/text.h"

void part_file_set(struct part_file *file, const struct stat *st)
{
	*file = (struct part_file){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.change = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec,
	};
}

bool part_in_place(const struct part *part)
{
	return text_ends_with(part->path, NAME_LAYER_SUFFIX);
}

static void format_part(FILE *f, const struct part *part)
{
	char id[DIGEST_STRING_MAX];

	if (part->id.algorithm == DIGEST_NONE)
		fprintf(f, "- - - - - %" PRIu64 " - %s\n", part->disk, part->path);
	else
		fprintf(f,
			"%s%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64 " %s %s\n",
			part->spare ? "+" : "", digest_format(&part->id, id), part->file.device,
			part->file.inode, part->file.size, part->file.change, part->disk,
			part->name, part->path);
}

char *parts_format(const struct part *list, size_t n, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		format_part(f, &list[i]);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* A name of the manifest's file, not a path. */
static bool name_is_plain(const char *name)
{
	return *name && *name != '.' && strlen(name) <= PART_NAME_MAX && !strchr(name, '/');
}

/* line is cut into its fields. */
static int parse_part(char *line, struct part *part)
{
	char *fields[7], *end = NULL;
	struct part parsed = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = line;
		line = strchr(line, ' ');
		if (!line)
			return -EINVAL;
		*line++ = '\0';
	}
	if (*line != '/')
		return -EINVAL;
	parsed.disk = strtoull(fields[5], &end, 10);
	if (*end)
		return -EINVAL;
	if (strcmp(fields[0], "-") != 0) {
		parsed.spare = *fields[0] == '+';
		if (digest_parse(fields[0] + parsed.spare, &parsed.id) < 0 ||
		    !name_is_plain(fields[6]))
			return -EINVAL;
		parsed.file.device = strtoull(fields[1], &end, 10);
		parsed.file.inode = strtoull(fields[2], &end, 10);
		parsed.file.size = strtoull(fields[3], &end, 10);
		parsed.file.change = strtoll(fields[4], &end, 10);
		if (*end)
			return -EINVAL;
		parsed.name = strdup(fields[6]);
	}
	parsed.path = strdup(line);
	if (!parsed.path || (parsed.id.algorithm != DIGEST_NONE && !parsed.name)) {
		free(parsed.name);
		free(parsed.path);
		return -ENOMEM;
	}
	*part = parsed;
	return 0;
}

void parts_list_free(struct part *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].path);
		free(list[i].name);
	}
	free(list);
}

int parts_list_parse(const char *text, struct part **ret, size_t *ret_n)
{
	_cleanup_free_ char *copy = strdup(text);
	struct part *list = calloc(PARTS_MAX, sizeof(*list));
	size_t n = 0;
	int r = copy && list ? 0 : -ENOMEM;

	for (char *rest = copy, *line; r == 0 && (line = strsep(&rest, "\n")) && rest;) {
		r = n < PARTS_MAX ? parse_part(line, &list[n]) : -E2BIG;
		n += r == 0;
	}
	if (r < 0) {
		parts_list_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}
