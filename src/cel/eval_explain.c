/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why an evaluation failed, for a person.
 */
#include <string.h>

#include "cel/eval.h"
#include "cel/number.h"

/* A value as it would be written, cut where it is long. */
static void show(const struct cel_value *v, char *to, size_t size)
{
	char number[NUMBER_TEXT_MAX];

	switch (v->kind) {
	case CEL_STRING:
		snprintf(to, size, "'%.*s%s'", v->length > 60 ? 60 : (int)v->length, v->s,
			 v->length > 60 ? "…" : "");
		break;
	case CEL_INT:
		snprintf(to, size, "%lld", (long long)v->i);
		break;
	case CEL_UINT:
		snprintf(to, size, "%lluu", (unsigned long long)v->u);
		break;
	case CEL_BOOL:
		snprintf(to, size, "%s", v->b ? "true" : "false");
		break;
	case CEL_DOUBLE:
		number[number_format_double(v->d, false, number)] = '\0';
		snprintf(to, size, "%.*s", (int)size - 1, number);
		break;
	case CEL_NULL:
		snprintf(to, size, "null");
		break;
	default:
		snprintf(to, size, "this value");
	}
}

static const char *function_name(const struct node *n)
{
	if (n->kind == NODE_CALL && n->function)
		return n->function->name;
	return n->kind == NODE_AND ? "&&" : n->kind == NODE_OR ? "||" : "?:";
}

int eval_explain(struct cel_eval *e, const struct cel_value *error, struct diag *diag)
{
	const struct node *n = error->node;
	const bool about = e->detail_node == n;
	const char *name = n->name.length > 0 ? n->name.s : "";
	int length = n->name.length > 60 ? 60 : (int)n->name.length;
	char value[128] = "this value";

	if (about && e->detail_value.kind != CEL_ERROR)
		show(&e->detail_value, value, sizeof(value));
#define EXPLAIN(...) cel_error_at(diag, -EDOM, e->program, n->at, __VA_ARGS__)
	switch ((enum cel_error)error->code) {
	case CEL_E_UNBOUND:
		return EXPLAIN("%.*s has no value here", length, name);
	case CEL_E_UNKNOWN_NAME:
		return EXPLAIN("there is no \"%.*s\"", length, name);
	case CEL_E_UNKNOWN_FUNCTION:
		return EXPLAIN("there is no function %.*s()", length, name);
	case CEL_E_NO_OVERLOAD:
		return EXPLAIN("%s does not work on values of these types", function_name(n));
	case CEL_E_DIVIDE_BY_ZERO:
		return EXPLAIN("division by zero");
	case CEL_E_OVERFLOW:
		return EXPLAIN("the result of %s is too large or too small for its type",
			       function_name(n));
	case CEL_E_NAN:
		return EXPLAIN("NaN is neither less nor greater than another number");
	case CEL_E_NO_KEY:
		return EXPLAIN("there is no key %s in this map", value);
	case CEL_E_NO_INDEX:
		return EXPLAIN("the list has no element %s", value);
	case CEL_E_NO_FIELD:
		return EXPLAIN("this value has no field %.*s", length, name);
	case CEL_E_BAD_KEY:
		return EXPLAIN("a key of a map is a string, a bool, an int or a uint, not %s",
			       value);
	case CEL_E_REPEATED_KEY:
		return EXPLAIN("the key %s stands twice in this map", value);
	case CEL_E_NOT_ITERABLE:
		return EXPLAIN("this is neither a list nor a map");
	case CEL_E_CONVERSION:
		return EXPLAIN("%s() cannot convert %s", function_name(n), value);
	case CEL_E_TIME_RANGE:
		return EXPLAIN("a timestamp is between the years 1 and 9999");
	case CEL_E_TIME_ZONE:
		return EXPLAIN("there is no time zone %s on this machine", value);
	case CEL_E_REGEX:
		return EXPLAIN("the pattern is not valid: %s", about && e->detail ? e->detail : "");
	case CEL_E_COST:
		return EXPLAIN("the evaluation takes more than %d steps", CEL_COST_MAX);
	case CEL_E_MEMORY:
		return EXPLAIN("the evaluation takes more memory than %zu KiB",
			       e->arena.limit / 1024);
	}
	return EXPLAIN("this cannot be evaluated");
#undef EXPLAIN
}
