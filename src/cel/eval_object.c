/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects: C structs that an object type describes, read, and made by Type{field: value}.
 */
#include <string.h>

#include "cel/eval.h"

static void *field_of(void *data, const struct cel_field *field)
{
	return (char *)data + field->offset;
}

/* A string that ends with NUL, as the C struct of an object wants it. */
static const char *terminated(struct cel_eval *e, const struct cel_value *v)
{
	char *s = cel_alloc(e, v->length + 1);

	if (!s)
		return "";
	memcpy(s, v->s, v->length);
	s[v->length] = '\0';
	return s;
}

static void set_strings(struct cel_eval *e, const char *const **to, const struct cel_value *v)
{
	const char **strings = cel_alloc(e, (v->length + 1) * sizeof(*strings));

	if (!strings)
		return;
	for (uint32_t i = 0; i < v->length; i++)
		strings[i] = v->list->items[i].kind == CEL_STRING
				     ? terminated(e, &v->list->items[i])
				     : "";
	strings[v->length] = NULL;
	*to = strings;
}

static bool set_field(struct cel_eval *e, void *data, const struct cel_field *field,
		      const struct cel_value *v)
{
	static const uint8_t kinds[] = { [CEL_FIELD_BOOL] = CEL_BOOL,
					 [CEL_FIELD_UINT] = CEL_UINT,
					 [CEL_FIELD_STRING] = CEL_STRING,
					 [CEL_FIELD_STRINGS] = CEL_LIST };

	if (v->kind != kinds[field->kind])
		return false;
	switch (field->kind) {
	case CEL_FIELD_BOOL:
		*(bool *)field_of(data, field) = v->b;
		break;
	case CEL_FIELD_UINT:
		*(uint64_t *)field_of(data, field) = v->u;
		break;
	case CEL_FIELD_STRING:
		*(const char **)field_of(data, field) = terminated(e, v);
		break;
	case CEL_FIELD_STRINGS:
		set_strings(e, field_of(data, field), v);
		break;
	}
	return true;
}

void eval_message(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	const struct cel_object_type *type = n->message->type;
	struct cel_object *object = cel_alloc(e, sizeof(*object));
	void *data = cel_alloc(e, type->size);

	if (!object || !data)
		return;
	memset(data, 0, type->size);
	for (size_t i = 0; i < type->n_fields; i++)
		if (type->fields[i].kind == CEL_FIELD_STRING)
			*(const char **)field_of(data, &type->fields[i]) = "";
	for (uint32_t i = 0; i < n->n; i++) {
		eval_node(e, n->message->values[i], ret);
		if (ret->kind == CEL_ERROR)
			return;
		e->node = n;
		if (!set_field(e, data, n->message->fields[i], ret)) {
			cel_fail(e, ret, CEL_E_CONVERSION);
			return;
		}
	}
	*object = (struct cel_object){ type, data };
	*ret = cel_value_object(object);
}

bool object_has(const struct cel_object *object, const struct cel_field *field)
{
	const void *p = (const char *)object->data + field->offset;

	switch (field->kind) {
	case CEL_FIELD_BOOL:
		return *(const bool *)p;
	case CEL_FIELD_UINT:
		return *(const uint64_t *)p != 0;
	case CEL_FIELD_STRING:
		return **(const char *const *)p != '\0';
	default: {
		const char *const *strings = *(const char *const *const *)p;
		return strings && *strings;
	}
	}
}

static void strings_to_list(struct cel_eval *e, const char *const *strings, struct cel_value *ret)
{
	uint32_t n = 0;

	while (strings && strings[n])
		n++;
	struct cel_list *list = cel_new_list(e, n);
	if (!list || !cel_charge(e, n))
		return;
	for (uint32_t i = 0; i < n; i++)
		list->items[i] = cel_value_string(strings[i]);
	list->used = n;
	*ret = (struct cel_value){ .kind = CEL_LIST, .length = n, .list = list };
}

void object_get(struct cel_eval *e, const struct cel_object *object, const struct cel_field *field,
		struct cel_value *ret)
{
	const void *p = (const char *)object->data + field->offset;

	*ret = (struct cel_value){ .kind = CEL_NULL };
	switch (field->kind) {
	case CEL_FIELD_BOOL:
		*ret = cel_value_bool(*(const bool *)p);
		break;
	case CEL_FIELD_UINT:
		*ret = cel_value_uint(*(const uint64_t *)p);
		break;
	case CEL_FIELD_STRING:
		*ret = cel_value_string(*(const char *const *)p);
		break;
	case CEL_FIELD_STRINGS:
		strings_to_list(e, *(const char *const *const *)p, ret);
		break;
	}
}
