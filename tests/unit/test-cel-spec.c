/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conformance vectors of the language, ../shared/cel-spec/X.textproto beside the source tree. Each vector must pass, unless it is listed in
 * cel-spec-left-out.h with a reason; one that is listed and passes is an error, too, so that the list stays true.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "cel/cel.h"
#include "cel/eval.h"
#include "cel/function.h"
#include "cel/time.h"
#include "cel-spec-left-out.h"
#include "textproto.h"

#define VECTORS	     "../shared/cel-spec"
#define FILE_MAX     (1024 * 1024)
#define DECLARED_MAX 16

/* What one vector declares. Everything it allocates is freed with the arena. */
struct vector {
	struct arena arena;
	const char *unsupported; /* something of protobuf that larder's CEL has not; NULL: none */
	struct cel_env env;
	struct cel_variable variables[DECLARED_MAX];
	struct cel_function functions[DECLARED_MAX];
	struct cel_value values[DECLARED_MAX];
};

static void *allocate(struct vector *v, size_t size)
{
	void *p = arena_alloc(&v->arena, size);

	assert_non_null(p);
	memset(p, 0, size);
	return p;
}

static const struct cel_type *unsupported(struct vector *v, const char *what)
{
	v->unsupported = what;
	return &cel_dyn;
}

static const struct cel_type *read_type(struct vector *v, const struct textproto *tp);

static const struct cel_type *compound(struct vector *v, enum cel_kind kind,
				       const struct textproto *a, const struct textproto *b)
{
	struct cel_type *t = allocate(v, sizeof(*t));

	*t = (struct cel_type){ .kind = kind,
				.a = read_type(v, a),
				.b = b ? read_type(v, b) : NULL };
	return t;
}

static const struct cel_type *by_name(struct vector *v, const char *name)
{
	static const struct {
		const char *name;
		const struct cel_type *type;
	} types[] = {
		{ "BOOL", &cel_bool },
		{ "INT64", &cel_int },
		{ "UINT64", &cel_uint },
		{ "DOUBLE", &cel_double },
		{ "STRING", &cel_string },
		{ "BYTES", &cel_bytes },
		{ "DURATION", &cel_duration },
		{ "TIMESTAMP", &cel_timestamp },
		{ "google.protobuf.Duration", &cel_duration },
		{ "google.protobuf.Timestamp", &cel_timestamp },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return unsupported(v, name);
}

static const struct cel_type *read_type(struct vector *v, const struct textproto *tp)
{
	const struct textproto_field *f = tp ? tp->first : NULL;

	if (!f)
		return &cel_dyn;
	if (strcmp(f->name, "primitive") == 0 || strcmp(f->name, "well_known") == 0 ||
	    strcmp(f->name, "message_type") == 0)
		return by_name(v, f->text);
	if (strcmp(f->name, "dyn") == 0)
		return &cel_dyn;
	if (strcmp(f->name, "null") == 0)
		return &cel_null;
	if (strcmp(f->name, "type") == 0)
		return compound(v, CEL_TYPE, f->message, NULL);
	if (strcmp(f->name, "list_type") == 0)
		return compound(v, CEL_LIST, textproto_message(f->message, "elem_type"), NULL);
	if (strcmp(f->name, "map_type") == 0)
		return compound(v, CEL_MAP, textproto_message(f->message, "key_type"),
				textproto_message(f->message, "value_type"));
	return unsupported(v, f->name);
}

static void read_value(struct vector *v, const struct textproto *tp, struct cel_value *ret);

static void read_list(struct vector *v, const struct textproto *tp, struct cel_value *ret)
{
	const struct textproto_field *first = textproto_first(tp, "values");
	uint32_t n = 0;

	for (const struct textproto_field *f = first; f; f = textproto_next(f))
		n++;
	struct cel_list *list = allocate(v, sizeof(*list) + n * sizeof(list->items[0]));
	for (const struct textproto_field *f = first; f; f = textproto_next(f))
		read_value(v, f->message, &list->items[list->used++]);
	list->capacity = n;
	*ret = (struct cel_value){ .kind = CEL_LIST, .length = n, .list = list };
}

static void read_map(struct vector *v, const struct textproto *tp, struct cel_value *ret)
{
	const struct textproto_field *first = textproto_first(tp, "entries");
	uint32_t n = 0;

	for (const struct textproto_field *f = first; f; f = textproto_next(f))
		n++;
	struct cel_map *map = allocate(v, sizeof(*map) + 2 * n * sizeof(map->entries[0]));
	struct cel_value *entry = map->entries;
	for (const struct textproto_field *f = first; f; f = textproto_next(f), entry += 2) {
		read_value(v, textproto_message(f->message, "key"), &entry[0]);
		read_value(v, textproto_message(f->message, "value"), &entry[1]);
	}
	*ret = (struct cel_value){ .kind = CEL_MAP, .length = n, .map = map };
}

/* { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 nanos: 2 } } */
static void read_object(struct vector *v, const struct textproto *tp, struct cel_value *ret)
{
	const struct textproto_field *f = tp->first;
	const char *seconds = f ? textproto_text(f->message, "seconds") : NULL;
	const char *nanos = f ? textproto_text(f->message, "nanos") : NULL;
	int64_t s = seconds ? strtoll(seconds, NULL, 10) : 0,
		n = nanos ? strtoll(nanos, NULL, 10) : 0;

	if (f && text_ends_with(f->name, "/google.protobuf.Duration]"))
		*ret = (struct cel_value){ .kind = CEL_DURATION, .i = s * NANOSECONDS + n };
	else if (f && text_ends_with(f->name, "/google.protobuf.Timestamp]"))
		*ret = (struct cel_value){ .kind = CEL_TIMESTAMP, .i = s, .length = (uint32_t)n };
	else
		unsupported(v, f ? f->name : "an object without a type");
}

static void read_value(struct vector *v, const struct textproto *tp, struct cel_value *ret)
{
	const struct textproto_field *f = tp ? tp->first : NULL;
	const char *name = f ? f->name : "";

	*ret = (struct cel_value){ .kind = CEL_NULL };
	if (strcmp(name, "bool_value") == 0)
		*ret = cel_value_bool(strcmp(f->text, "true") == 0);
	else if (strcmp(name, "int64_value") == 0)
		*ret = (struct cel_value){ .kind = CEL_INT, .i = strtoll(f->text, NULL, 0) };
	else if (strcmp(name, "uint64_value") == 0)
		*ret = cel_value_uint(strtoull(f->text, NULL, 0));
	else if (strcmp(name, "double_value") == 0)
		*ret = (struct cel_value){ .kind = CEL_DOUBLE, .d = strtod(f->text, NULL) };
	else if (strcmp(name, "string_value") == 0)
		*ret = cel_value_text(f->text, f->length);
	else if (strcmp(name, "bytes_value") == 0)
		*ret = (struct cel_value){ .kind = CEL_BYTES,
					   .s = f->text,
					   .length = (uint32_t)f->length };
	else if (strcmp(name, "list_value") == 0)
		read_list(v, f->message, ret);
	else if (strcmp(name, "map_value") == 0)
		read_map(v, f->message, ret);
	else if (strcmp(name, "object_value") == 0)
		read_object(v, f->message, ret);
	else if (strcmp(name, "type_value") == 0)
		*ret = (struct cel_value){ .kind = CEL_TYPE,
					   .s = f->text,
					   .length = (uint32_t)f->length };
	else if (strcmp(name, "null_value") != 0)
		unsupported(v, name);
}

static void fn_unbound(struct cel_eval *e, const struct cel_value *args, size_t n,
		       struct cel_value *ret)
{
	(void)args;
	(void)n;
	cel_fail(e, ret, CEL_E_UNKNOWN_FUNCTION);
}

static void read_overloads(struct vector *v, const struct textproto *tp, struct cel_function *f)
{
	const struct textproto_field *first = textproto_first(tp, "overloads");

	for (const struct textproto_field *o = first; o; o = textproto_next(o))
		f->n_overloads++;
	struct cel_overload *overload = allocate(v, f->n_overloads * sizeof(*overload));
	f->overloads = overload;
	for (const struct textproto_field *o = first; o; o = textproto_next(o), overload++) {
		overload->result = read_type(v, textproto_message(o->message, "result_type"));
		for (const struct textproto_field *p = textproto_first(o->message, "params"); p;
		     p = textproto_next(p)) {
			assert_in_range(overload->n_args, 0, CEL_ARGS_MAX - 1);
			overload->args[overload->n_args++] = read_type(v, p->message);
		}
	}
}

static void declare(struct vector *v, const struct textproto *tp)
{
	const char *name = textproto_text(tp, "name");
	const struct textproto *ident = textproto_message(tp, "ident");
	const struct textproto *function = textproto_message(tp, "function");

	assert_in_range(v->env.n_variables, 0, DECLARED_MAX - 1);
	if (ident)
		v->variables[v->env.n_variables++] =
			(struct cel_variable){ name,
					       read_type(v, textproto_message(ident, "type")) };
	if (function) {
		struct cel_function *f = &v->functions[v->env.n_functions++];
		*f = (struct cel_function){ .name = name, .usage = name, .call = fn_unbound };
		read_overloads(v, function, f);
	}
}

/* Without a check, what is bound is what there is. */
static void bind(struct vector *v, const struct textproto *binding)
{
	const char *key = textproto_text(binding, "key");
	const struct textproto *value =
		textproto_message(textproto_message(binding, "value"), "value");
	size_t i = 0;

	while (i < v->env.n_variables && strcmp(v->variables[i].name, key) != 0)
		i++;
	if (i == v->env.n_variables)
		v->variables[v->env.n_variables++] = (struct cel_variable){ key, &cel_dyn };
	read_value(v, value, &v->values[i]);
}

static void read_vector(struct vector *v, const struct textproto *test)
{
	const char *unchecked = textproto_text(test, "disable_check");
	const char *no_macros = textproto_text(test, "disable_macros");

	*v = (struct vector){ 0 };
	arena_init(&v->arena, FILE_MAX);
	v->env.as_specified = true;
	v->env.variables = v->variables;
	v->env.functions = v->functions;
	v->env.container = textproto_text(test, "container");
	v->env.unchecked = unchecked && strcmp(unchecked, "true") == 0;
	v->env.no_macros = no_macros && strcmp(no_macros, "true") == 0;
	for (const struct textproto_field *f = textproto_first(test, "type_env"); f;
	     f = textproto_next(f))
		declare(v, f->message);
	for (const struct textproto_field *f = textproto_first(test, "bindings"); f;
	     f = textproto_next(f))
		bind(v, f->message);
}

static bool same(const struct cel_value *a, const struct cel_value *wanted);

static bool same_map(const struct cel_value *a, const struct cel_value *wanted)
{
	for (uint32_t i = 0; i < a->length; i++) {
		bool found = false;
		for (uint32_t j = 0; j < wanted->length; j++)
			found = found ||
				(same(&a->map->entries[2 * i], &wanted->map->entries[2 * j]) &&
				 same(&a->map->entries[2 * i + 1],
				      &wanted->map->entries[2 * j + 1]));
		if (!found)
			return false;
	}
	return true;
}

/* The same kind and value; NaN is NaN, and 0 is not -0. */
static bool same(const struct cel_value *a, const struct cel_value *wanted)
{
	if (a->kind != wanted->kind)
		return false;
	switch (a->kind) {
	case CEL_NULL:
		return true;
	case CEL_BOOL:
		return a->b == wanted->b;
	case CEL_DOUBLE:
		return isnan(a->d) ? isnan(wanted->d)
				   : a->d == wanted->d && signbit(a->d) == signbit(wanted->d);
	case CEL_STRING:
	case CEL_BYTES:
		return a->length == wanted->length && memcmp(a->s, wanted->s, a->length) == 0;
	case CEL_TYPE:
		return strcmp(cel_type_name(a->type), wanted->s) == 0;
	case CEL_LIST:
		if (a->length != wanted->length)
			return false;
		for (uint32_t i = 0; i < a->length; i++)
			if (!same(&a->list->items[i], &wanted->list->items[i]))
				return false;
		return true;
	case CEL_MAP:
		return a->length == wanted->length && same_map(a, wanted);
	case CEL_TIMESTAMP:
		return a->i == wanted->i && a->length == wanted->length;
	default:
		return a->u == wanted->u;
	}
}

static bool same_type(const struct cel_type *a, const struct cel_type *b)
{
	return a->kind == b->kind && !a->a == !b->a && !a->b == !b->b &&
	       (!a->a || same_type(a->a, b->a)) && (!a->b || same_type(a->b, b->b));
}

/* What a vector wants: a value, a type, an error; without any of them, true. */
static bool check_value(struct vector *v, const struct textproto *test,
			const struct cel_value *value)
{
	const struct textproto *typed = textproto_message(test, "typed_result");
	const struct textproto *wanted_value =
		textproto_message(typed ? typed : test, typed ? "result" : "value");
	struct cel_value wanted = cel_value_bool(true);

	if (wanted_value)
		read_value(v, wanted_value, &wanted);
	return same(value, &wanted);
}

static bool check_type(struct vector *v, const struct textproto *test, const struct cel_type *type)
{
	const struct textproto *deduced =
		textproto_message(textproto_message(test, "typed_result"), "deduced_type");

	return !deduced || same_type(type, read_type(v, deduced));
}

/* False: it failed, and d says how, if it is known. */
static bool run_vector(struct vector *v, const struct textproto *test, struct diag *d)
{
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	const char *expr = textproto_text(test, "expr"),
		   *check_only = textproto_text(test, "check_only");
	bool wants_error =
		textproto_first(test, "eval_error") || textproto_first(test, "any_eval_errors");
	struct cel_result result;

	if (cel_compile(&v->env, expr, textproto_first(test, "expr")->length, NULL, &program, NULL,
			d) < 0)
		return wants_error;
	if (!check_type(v, test, cel_program_type(program))) {
		_cleanup_free_ char *type = cel_type_format(cel_program_type(program));
		diag_set(d, -EINVAL, "its type is %s", type);
		return false;
	}
	if (check_only && strcmp(check_only, "true") == 0)
		return true;
	if (cel_eval(program, v->values, &result, d) < 0)
		return wants_error;
	bool passed = !wants_error && check_value(v, test, &result.value);
	cel_result_done(&result);
	return passed;
}

static const char *left_out(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cel_spec_left_out); i++)
		if (strcmp(cel_spec_left_out[i].name, name) == 0)
			return cel_spec_left_out[i].reason;
	return NULL;
}

struct count {
	unsigned passed, left_out, wrong;
};

static void try_vector(const char *name, const struct textproto *test, struct count *count)
{
	_cleanup_diag_ struct diag d = DIAG_INIT;
	const char *reason = left_out(name);
	struct vector v;

	read_vector(&v, test);
	bool passed = run_vector(&v, test, &d) && !v.unsupported;
	if (passed && !reason) {
		count->passed++;
	} else if (!passed && reason) {
		count->left_out++;
	} else {
		count->wrong++;
		print_message("%s: %s\n  %s\n  %s\n", name,
			      passed ? "is listed as left out, and passes" : "fails",
			      textproto_text(test, "expr"),
			      v.unsupported ? v.unsupported : diag_text(&d));
	}
	arena_done(&v.arena);
}

static void run_file(int dir, const char *file, struct count *count)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	unsigned line;

	assert_int_equal(read_file_at(dir, file, FILE_MAX, &text, &size), 0);
	struct textproto *tp = textproto_parse(text, size, &line);
	if (!tp)
		fail_msg("%s:%u: cannot be read", file, line);
	for (const struct textproto_field *s = textproto_first(tp, "section"); s;
	     s = textproto_next(s)) {
		for (const struct textproto_field *t = textproto_first(s->message, "test"); t;
		     t = textproto_next(t)) {
			_cleanup_free_ char *name = NULL;
			assert_true(asprintf(&name, "%s/%s/%s", textproto_text(tp, "name"),
					     textproto_text(s->message, "name"),
					     textproto_text(t->message, "name")) > 0);
			try_vector(name, t->message, count);
		}
	}
	textproto_free(tp);
}

static void test_spec(void **state)
{
	_cleanup_free_ char *path = path_join(unit_source_dir(), VECTORS);
	_cleanup_closedir_ DIR *d = opendir(path);
	struct count count = { 0 };
	unsigned files = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));) {
		if (!text_ends_with(entry->d_name, ".textproto"))
			continue;
		run_file(dirfd(d), entry->d_name, &count);
		files++;
	}
	print_message("%u files: %u vectors pass, %u are left out, %u are wrong\n", files,
		      count.passed, count.left_out, count.wrong);
	assert_true(files > 0);
	assert_int_equal(count.wrong, 0);
	assert_int_equal(count.left_out, ARRAY_SIZE(cel_spec_left_out));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_spec) };
	_cleanup_free_ char *path = path_join(unit_source_dir(), VECTORS);

	if (!path || access(path, R_OK) < 0) {
		printf("1..0 # SKIP %s is not there\n", VECTORS);
		return 0;
	}
	return unit_main(tests);
}
