/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/type.h"

#include <string.h>

const struct cel_type cel_dyn = { CEL_DYN, 0, NULL, NULL, NULL };
const struct cel_type cel_null = { CEL_NULL, 0, NULL, NULL, NULL };
const struct cel_type cel_bool = { CEL_BOOL, 0, NULL, NULL, NULL };
const struct cel_type cel_int = { CEL_INT, 0, NULL, NULL, NULL };
const struct cel_type cel_uint = { CEL_UINT, 0, NULL, NULL, NULL };
const struct cel_type cel_double = { CEL_DOUBLE, 0, NULL, NULL, NULL };
const struct cel_type cel_string = { CEL_STRING, 0, NULL, NULL, NULL };
const struct cel_type cel_bytes = { CEL_BYTES, 0, NULL, NULL, NULL };
const struct cel_type cel_timestamp = { CEL_TIMESTAMP, 0, NULL, NULL, NULL };
const struct cel_type cel_duration = { CEL_DURATION, 0, NULL, NULL, NULL };
const struct cel_type cel_type_type = { CEL_TYPE, 0, NULL, NULL, NULL };
const struct cel_type cel_list_dyn = { CEL_LIST, 0, &cel_dyn, NULL, NULL };
const struct cel_type cel_list_string = { CEL_LIST, 0, &cel_string, NULL, NULL };
const struct cel_type cel_map_dyn = { CEL_MAP, 0, &cel_dyn, &cel_dyn, NULL };
const struct cel_type cel_error_type = { CEL_ERROR, 0, NULL, NULL, NULL };

static const char *const names[] = {
	[CEL_ERROR] = "error",
	[CEL_DYN] = "dyn",
	[CEL_NULL] = "null_type",
	[CEL_BOOL] = "bool",
	[CEL_INT] = "int",
	[CEL_UINT] = "uint",
	[CEL_DOUBLE] = "double",
	[CEL_STRING] = "string",
	[CEL_BYTES] = "bytes",
	[CEL_LIST] = "list",
	[CEL_MAP] = "map",
	[CEL_TYPE] = "type",
	[CEL_TIMESTAMP] = "google.protobuf.Timestamp",
	[CEL_DURATION] = "google.protobuf.Duration",
	[CEL_OBJECT] = "object",
	[CEL_PARAM] = "dyn",
};

const char *cel_type_name(const struct cel_type *t)
{
	return t->kind == CEL_OBJECT ? t->object->name : names[t->kind];
}

/* The names that stand for types in an expression: the type that each has, and the type that each is. */
static const struct {
	struct cel_type type;
	const struct cel_type *value;
} named[] = {
	{ { CEL_TYPE, 0, &cel_bool, NULL, NULL }, &cel_bool },
	{ { CEL_TYPE, 0, &cel_bytes, NULL, NULL }, &cel_bytes },
	{ { CEL_TYPE, 0, &cel_double, NULL, NULL }, &cel_double },
	{ { CEL_TYPE, 0, &cel_duration, NULL, NULL }, &cel_duration },
	{ { CEL_TYPE, 0, &cel_int, NULL, NULL }, &cel_int },
	{ { CEL_TYPE, 0, &cel_list_dyn, NULL, NULL }, &cel_list_dyn },
	{ { CEL_TYPE, 0, &cel_map_dyn, NULL, NULL }, &cel_map_dyn },
	{ { CEL_TYPE, 0, &cel_null, NULL, NULL }, &cel_null },
	{ { CEL_TYPE, 0, &cel_string, NULL, NULL }, &cel_string },
	{ { CEL_TYPE, 0, &cel_timestamp, NULL, NULL }, &cel_timestamp },
	{ { CEL_TYPE, 0, &cel_type_type, NULL, NULL }, &cel_type_type },
	{ { CEL_TYPE, 0, &cel_uint, NULL, NULL }, &cel_uint },
};

bool type_find(const char *name, size_t length, const struct cel_type **ret_type,
	       const struct cel_type **ret_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		const char *s = names[named[i].value->kind];
		if (strlen(s) == length && memcmp(s, name, length) == 0) {
			*ret_type = &named[i].type;
			*ret_value = named[i].value;
			return true;
		}
	}
	return false;
}

#define FORMAT_TYPES_MAX                                                                           \
	1000 /* a type can be exponentially longer than the expression it comes from */

static void format(FILE *f, const struct cel_type *t, unsigned *budget)
{
	if (*budget == 0) {
		fputs("…", f);
		return;
	}
	--*budget;
	fputs(cel_type_name(t), f);
	if (!t->a)
		return;
	fputc('(', f);
	format(f, t->a, budget);
	if (t->b) {
		fputs(", ", f);
		format(f, t->b, budget);
	}
	fputc(')', f);
}

char *cel_type_format(const struct cel_type *t)
{
	unsigned budget = FORMAT_TYPES_MAX;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	format(f, t, &budget);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
