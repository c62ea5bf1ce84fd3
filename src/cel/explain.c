/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with an expression, for the person who wrote it: the name that was probably meant, the number that should have been
 * a uint, the operator that was spelled as a word.
 */
#include <string.h>

#include "base/text.h"
#include "cel/check.h"
#include "cel/function.h"

#define WORD_MAX 64

/* A name as a string; longer ones are near to nothing and get an empty one. */
static const char *word(struct name name, char buffer[static WORD_MAX + 1])
{
	size_t length = name.length <= WORD_MAX ? name.length : 0;

	memcpy(buffer, name.s, length);
	buffer[length] = '\0';
	return buffer;
}

/* The variable that has a field of that name. */
static const char *owner_of_field(const struct cel_env *env, struct name name)
{
	for (size_t i = 0; i < env->n_variables; i++) {
		const struct cel_type *t = env->variables[i].type;
		if (t->kind == CEL_OBJECT && object_field(t->object, name))
			return env->variables[i].name;
	}
	return NULL;
}

#define NAMES_MAX 128

static size_t variable_names(const struct cel_env *env, const char *names[static NAMES_MAX])
{
	size_t n = 0;

	for (; n < env->n_variables && n < NAMES_MAX; n++)
		names[n] = env->variables[n].name;
	return n;
}

static size_t field_names(const struct cel_object_type *type, const char *names[static NAMES_MAX])
{
	size_t n = 0;

	for (; n < type->n_fields && n < NAMES_MAX; n++)
		names[n] = type->fields[n].name;
	return n;
}

static const char *nearest_name(const struct cel_env *env, const char *text)
{
	const char *names[NAMES_MAX];
	size_t n = variable_names(env, names);

	for (size_t i = 0; i < env->n_constants && n < NAMES_MAX; i++)
		names[n++] = env->constants[i].name;
	return text_nearest(text, names, n);
}

static const char *nearest_field(const struct cel_object_type *type, const char *text)
{
	const char *names[NAMES_MAX];

	return text_nearest(text, names, field_names(type, names));
}

static const char *nearest_function(const struct cel_env *env, const char *text)
{
	static const char *const macros[] = {
		"has", "all", "exists", "exists_one", "map", "filter"
	};
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < env->n_functions && n < NAMES_MAX; i++)
		names[n++] = env->functions[i].name;
	for (size_t i = 0; i < cel_n_functions && n < NAMES_MAX; i++)
		names[n++] = cel_functions[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(macros) && n < NAMES_MAX; i++)
		names[n++] = macros[i];
	return text_nearest(text, names, n);
}

/* "disk, system_disk"; the caller's. */
static char *join(const char *const names[], size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i > 0 ? ", " : "", names[i]);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A variable of another place, or a text without its quotes. */
static void explain_unknown(struct checker *c, struct node *n)
{
	const char *variables[NAMES_MAX];
	_cleanup_free_ char *names = join(variables, variable_names(c->env, variables));
	bool any = names && *names;

	check_error(c, n, n->at, "there is no \"%.*s\"%s%s; a text is written in quotes: '%.*s'",
		    (int)n->name.length, n->name.s, any ? " here; there are: " : "",
		    any ? names : "", (int)n->name.length, n->name.s);
}

void explain_name(struct checker *c, struct node *n)
{
	char buffer[WORD_MAX + 1];
	const struct cel_env *env = c->env;
	const char *text = word(n->name, buffer), *near = nearest_name(env, text);
	const char *owner = owner_of_field(env, n->name);

	if (owner) {
		check_error(c, n, n->at, "there is no \"%s\" by itself; did you mean %s.%s?", text,
			    owner, text);
		return;
	}
	for (size_t i = 0; !near && i < env->n_variables; i++) {
		const struct cel_type *t = env->variables[i].type;
		const char *field = t->kind == CEL_OBJECT ? nearest_field(t->object, text) : NULL;
		if (field) {
			check_error(c, n, n->at, "there is no \"%s\"; did you mean %s.%s?", text,
				    env->variables[i].name, field);
			return;
		}
	}
	if (near)
		check_error(c, n, n->at, "there is no \"%s\"; did you mean %s?", text, near);
	else
		explain_unknown(c, n);
}

/* How the operand of a selection was written, if it is a plain name: "disk". */
static void owner_text(const struct node *n, char buffer[static WORD_MAX + 2])
{
	const struct node *operand = n->kind == NODE_SELECT ? n->operand : NULL;

	buffer[0] = '\0';
	if (operand && operand->kind == NODE_VARIABLE && operand->name.length > 0 &&
	    operand->name.length <= WORD_MAX)
		snprintf(buffer, WORD_MAX + 2, "%.*s.", (int)operand->name.length, operand->name.s);
}

void explain_field(struct checker *c, struct node *n, const struct cel_object_type *type)
{
	char buffer[WORD_MAX + 1], owner[WORD_MAX + 2];
	const char *near = nearest_field(type, word(n->name, buffer));

	owner_text(n, owner);
	if (near) {
		check_error(c, n, n->at, "there is no field \"%.*s\"; did you mean %s%s?",
			    (int)n->name.length, n->name.s, owner, near);
		return;
	}
	const char *fields[NAMES_MAX];
	_cleanup_free_ char *names = join(fields, field_names(type, fields));
	check_error(c, n, n->at, "there is no field \"%.*s\"; the fields are: %s",
		    (int)n->name.length, n->name.s, names ? names : "");
}

void explain_function(struct checker *c, struct node *call)
{
	char buffer[WORD_MAX + 1];
	const char *text = word(call->name, buffer), *near = nearest_function(c->env, text);
	static const char *const macros[] = { "all", "exists", "exists_one", "map", "filter" };

	for (size_t i = 0; i < ARRAY_SIZE(macros); i++) {
		if (strcmp(text, macros[i]) == 0) {
			check_error(c, call, call->at,
				    "%s() is written after a list, with a name for the element and "
				    "what to do with it: list.%s(x, … x …)",
				    text, text);
			return;
		}
	}
	if (strcmp(text, "has") == 0)
		check_error(c, call, call->at,
			    "has() takes one field, and no receiver: has(disk.serial)");
	else if (strcmp(text, "not") == 0)
		check_error(c, call, call->at, "\"not\" is written ! here, before what it negates");
	else if (near)
		check_error(c, call, call->at, "there is no function %s(); did you mean %s()?",
			    text, near);
	else
		check_error(c, call, call->at, "there is no function %.*s()",
			    (int)call->name.length, call->name.s);
}

/* How a value was written, if that is short: "disk.size", "10". */
static void describe(const struct checker *c, const struct node *n,
		     char buffer[static WORD_MAX + 1])
{
	char operand[WORD_MAX + 1];

	buffer[0] = '\0';
	switch (n->kind) {
	case NODE_VARIABLE:
	case NODE_LOCAL:
	case NODE_CONSTANT:
		word(n->name, buffer);
		break;
	case NODE_SELECT:
		describe(c, n->operand, operand);
		if (operand[0] && strlen(operand) + n->name.length < WORD_MAX)
			snprintf(buffer, WORD_MAX + 1, "%.40s.%.*s", operand,
				 n->name.length < 20 ? (int)n->name.length : 20, n->name.s);
		break;
	case NODE_LITERAL:
		if (n->value.kind == CEL_INT)
			snprintf(buffer, WORD_MAX + 1, "%lld", (long long)n->value.i);
		break;
	default:
		break;
	}
}

/* A uint beside a literal int: the most common mistake, as sizes are uint. */
static bool explain_uint(struct checker *c, struct node *call)
{
	char uint_text[WORD_MAX + 1];

	if (call->n != 2 || call->kind != NODE_CALL || call->member)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const struct node *literal = call->args[i], *other = call->args[1 - i];
		if (other->type->kind != CEL_UINT || literal->kind != NODE_LITERAL)
			continue;
		describe(c, other, uint_text);
		const char *what = uint_text[0] ? uint_text : "the other side";
		if (literal->value.kind == CEL_INT && literal->value.i >= 0) {
			check_error(c, call, literal->at,
				    "write %lldu: %s is uint, and %lld is int",
				    (long long)literal->value.i, what, (long long)literal->value.i);
			return true;
		}
		if (literal->value.kind == CEL_DOUBLE && literal->value.d >= 0 &&
		    literal->value.d < 1e15) {
			check_error(c, call, literal->at,
				    "write %lluu: %s is uint, and a number with a point is double",
				    (unsigned long long)literal->value.d, what);
			return true;
		}
	}
	return false;
}

static char *format_args(struct checker *c, const struct node *call)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (uint32_t i = call->member ? 1 : 0; i < call->n && i < 8; i++) {
		_cleanup_free_ char *type =
			cel_type_format(type_substitute(&c->unifier, call->args[i]->type, true));
		fprintf(f, "%s%.200s", i > (call->member ? 1U : 0U) ? ", " : "", type ? type : "?");
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool accepts(const struct cel_function *f, bool member, uint32_t n)
{
	for (size_t i = 0; i < f->n_overloads; i++)
		if (f->overloads[i].member == member && f->overloads[i].n_args == n)
			return true;
	return false;
}

static void explain_call(struct checker *c, struct node *call, const struct cel_function *f)
{
	_cleanup_free_ char *args = format_args(c, call);
	_cleanup_free_ char *receiver =
		call->member
			? cel_type_format(type_substitute(&c->unifier, call->args[0]->type, true))
			: NULL;

	if (!accepts(f, call->member, call->n))
		check_error(c, call, call->at, "%s() is written %s", f->name,
			    f->usage ? f->usage : f->name);
	else if (call->member)
		check_error(c, call, call->at,
			    "%s() does not take (%s) after a %s; it is written %s", f->name,
			    args ? args : "", receiver ? receiver : "value", f->usage);
	else
		check_error(c, call, call->at, "%s() does not take (%s); it is written %s", f->name,
			    args ? args : "", f->usage);
}

static void explain_operator(struct checker *c, struct node *call, const struct cel_function *f)
{
	_cleanup_free_ char *a =
		cel_type_format(type_substitute(&c->unifier, call->args[0]->type, true));
	_cleanup_free_ char *b =
		call->n > 1
			? cel_type_format(type_substitute(&c->unifier, call->args[1]->type, true))
			: NULL;

	if (!a || (call->n > 1 && !b))
		check_error(c, call, call->at, "out of memory");
	else if (call->n == 1)
		check_error(c, call, call->at, "%s does not work on a %s%s", f->name, a,
			    strcmp(a, "uint") == 0
				    ? "; a uint is never negative: write a - b, or int(a)"
				    : "");
	else if (f == &cel_operators[OPERATOR_INDEX])
		check_error(c, call, call->at, "a %s cannot be indexed by a %s%s", a, b,
			    strcmp(b, "uint") == 0 ? "; write int(…)" : "");
	else if (f == &cel_operators[OPERATOR_IN])
		check_error(
			c, call, call->at,
			"\"in\" looks for a value in a list or for a key in a map; this is a %s in a %s",
			a, b);
	else if (strcmp(a, b) == 0)
		check_error(c, call, call->at, "%s does not work on values of type %s", f->name, a);
	else
		check_error(c, call, call->at,
			    "%s takes two values of the same type, and these are %s and %s%s",
			    f->name, a, b,
			    (strcmp(a, "uint") == 0 && strcmp(b, "int") == 0) ||
					    (strcmp(a, "int") == 0 && strcmp(b, "uint") == 0)
				    ? "; write uint(…) around the int"
				    : "");
}

void explain_overload(struct checker *c, struct node *call, const struct cel_function *function)
{
	if (c->error || explain_uint(c, call))
		return;
	if (call->kind == NODE_IF && !type_assignable(&c->unifier, call->args[0]->type, &cel_bool))
		explain_not_bool(c, call->args[0], call, 0);
	else if (call->kind == NODE_IF)
		check_error(c, call, call->at,
			    "the two results of ?: have different types, %s and %s",
			    cel_type_name(call->args[1]->type), cel_type_name(call->args[2]->type));
	else if (function->usage)
		explain_call(c, call, function);
	else
		explain_operator(c, call, function);
}

void explain_not_bool(struct checker *c, struct node *n, const struct node *parent,
		      uint32_t argument)
{
	_cleanup_free_ char *type = cel_type_format(type_substitute(&c->unifier, n->type, true));
	const char *what = parent->kind == NODE_AND ? "&&" : parent->kind == NODE_OR ? "||" : "?:";

	if (parent->macro_argument > 0 && (argument > 0 || parent->kind == NODE_IF))
		check_error(c, n, n->at,
			    "the condition on each element must be true or false, and this is a %s",
			    type ? type : "value");
	else
		check_error(c, n, n->at, "%s takes what is true or false, and this is a %s", what,
			    type ? type : "value");
}

void explain_result(struct cel_program *program, const struct cel_type *expected, struct diag *diag)
{
	_cleanup_free_ char *type = cel_type_format(program->type);

	cel_error_at(diag, -EINVAL, program, program->root->at,
		     "the result must be a %s, true or false, and this gives a %s%s",
		     cel_type_name(expected), type ? type : "value",
		     program->type->kind == CEL_DYN	 ? "; write … == true"
		     : program->type->kind == CEL_STRING ? "; compare it with something: … == '…'"
							 : "");
}
