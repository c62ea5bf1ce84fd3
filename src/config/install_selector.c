/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/install_selector.h"

#include <string.h>

#include "base/text.h"
#include "config/sizes.h"

int size_condition_parse(const char *text, const char **ret_operator, uint64_t *ret_bytes,
			 struct diag *diag)
{
	static const char *const operators[] = { ">=", "<=", "==", ">", "<" };
	const char *found = "==";
	struct size_spec size;

	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (text_starts_with(text, operators[i])) {
			found = operators[i];
			text += strlen(found);
			break;
		}
	}
	text += strspn(text, " ");
	int r = size_parse(text, false, &size, diag);
	if (r < 0)
		return diag_prefix(
			diag, -EINVAL,
			"a condition is one of >= <= == > < and a size, as in \">= 100GB\"");
	*ret_operator = found;
	*ret_bytes = size.value;
	return 0;
}

static void write_globs(FILE *f, const struct node *selector)
{
	static const char *const fields[][2] = {
		{ "uuid", "uuid" },	{ "wwid", "wwid" },	    { "model", "model" },
		{ "serial", "serial" }, { "modalias", "modalias" }, { "busPath", "bus_path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct node *value = node_find(selector, fields[i][0]);
		if (!value || !*value->text)
			continue;
		fputs("glob(", f);
		text_write_quoted(f, value->text, TEXT_ESCAPE_X);
		fprintf(f, ", disk.%s) && ", fields[i][1]);
	}
}

static void write_type(FILE *f, const struct node *selector)
{
	static const char *const types[][2] = {
		{ "nvme", "disk.transport == \"nvme\"" },
		{ "sd", "disk.transport == \"mmc\"" },
		{ "hdd", "disk.rotational" },
		{ "ssd", "!disk.rotational" },
	};
	const struct node *type = node_find(selector, "type");

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i][0], type->text) == 0)
			fprintf(f, "%s && ", types[i][1]);
}

static void write_size(FILE *f, const struct node *selector)
{
	const struct node *size = node_find(selector, "size");
	const char *operator;
	uint64_t bytes;

	if (size && size_condition_parse(size->text, &operator, & bytes, NULL) == 0)
		fprintf(f, "disk.size %s %lluu && ", operator,(unsigned long long) bytes);
}

char *install_selector_expression(struct pool *pool, const struct node *selector)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	write_size(f, selector);
	write_globs(f, selector);
	write_type(f, selector);
	fputs("disk.transport != \"\" && !disk.readonly && !disk.cdrom", f);
	if (fclose(f) != 0)
		return NULL;
	return pool_strdup(pool, text);
}
