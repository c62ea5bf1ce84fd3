/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_CEL_H
#define LARDER_CEL_CEL_H
/*
 * The Common Expression Language (the cel-spec repository's doc/langdef.md), without protobuf: lexer, parser,
 * static checker, evaluator. Selectors (cel/selector.h) are its one user in larder.
 *
 *	static const struct cel_variable variables[] = { { "size", &cel_uint }, { "name", &cel_string } };
 *	static const struct cel_env env = { .variables = variables, .n_variables = 2 };
 *
 *	r = cel_compile(&env, text, strlen(text), &cel_bool, &program, &diag);
 *	struct cel_value values[] = { cel_value_uint(10), cel_value_string("x") };
 *	struct cel_result result;
 *	r = cel_eval(program, values, &result, &diag);
 *	… result.value.b …
 *	cel_result_done(&result);
 *	cel_program_free(program);
 *
 * An environment is constant data: it is built by the compiler, never changed, and outlives its programs. A program is
 * constant after compiling, so that threads may share it. Values live in the arena of the evaluation that made
 * them, or point into the program and the bindings; cel_result_done() frees them all at once.
 *
 * Text is UTF-8; what is not counts as U+FFFD, byte by byte. Strings are not terminated: they have a length.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

/* Limits. A longer, deeper or dearer expression is an error, with a message that names the limit. */
#define CEL_CODE_POINTS_MAX 100000
#define CEL_NESTING_MAX	    250	     /* of one grammar rule within itself, and of operators */
#define CEL_COST_MAX	    10000000 /* steps of one evaluation: nodes, elements, 16 bytes of text */
/* Bytes of one program or of one evaluation: a base and so much per code point of the expression, which
 * together stay below 1 MiB for an expression of 1,000 code points. */
#define CEL_PROGRAM_BYTES(code_points) (64 * 1024 + 256 * (size_t)(code_points))
#define CEL_EVAL_BYTES(code_points)    (384 * 1024 + 64 * (size_t)(code_points))

enum cel_kind {
	CEL_ERROR, /* of a value: the evaluation failed here; of a type: something wrong was reported already */
	CEL_DYN, /* types only: not known before evaluation */
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_LIST,
	CEL_MAP,
	CEL_TYPE,
	CEL_TIMESTAMP,
	CEL_DURATION,
	CEL_OBJECT,
	CEL_PARAM, /* types only: a variable of the checker */
};

struct cel_type {
	enum cel_kind kind;
	uint32_t number; /* CEL_PARAM */
	const struct cel_type
		*a; /* element of a list, key of a map, what a type describes; else NULL */
	const struct cel_type *b; /* value of a map */
	const struct cel_object_type *object;
};

extern const struct cel_type cel_dyn, cel_null, cel_bool, cel_int, cel_uint, cel_double, cel_string,
	cel_bytes, cel_timestamp, cel_duration, cel_type_type;
extern const struct cel_type cel_list_dyn, cel_list_string, cel_map_dyn;

/* An object is a C struct that its type describes; the fields of a struct that are 0, "" or empty count as not set. */
enum cel_field_kind {
	CEL_FIELD_BOOL,	   /* bool */
	CEL_FIELD_UINT,	   /* uint64_t */
	CEL_FIELD_STRING,  /* const char *, never NULL */
	CEL_FIELD_STRINGS, /* const char *const *, ends with NULL; NULL is the empty list */
};

struct cel_field {
	const char *name;
	enum cel_field_kind kind;
	size_t offset; /* in the C struct */
};

struct cel_object_type {
	const char *name;
	struct cel_type type; /* { CEL_OBJECT, .object = this } */
	const struct cel_field *fields;
	size_t n_fields;
	size_t size; /* of the C struct */
};

struct cel_object {
	const struct cel_object_type *type;
	const void *data;
};

struct node;

/* 16 bytes; copied freely. */
struct cel_value {
	uint8_t kind;	 /* enum cel_kind */
	uint8_t code;	 /* CEL_ERROR: enum cel_error */
	int16_t zone;	 /* CEL_TIMESTAMP: minutes east of UTC that it was written with */
	uint32_t length; /* bytes of a string, elements of a list, nanoseconds of a timestamp */
	union {
		bool b;
		int64_t i; /* CEL_INT; seconds of a timestamp; nanoseconds of a duration */
		uint64_t u;
		double d;
		const char *s;		     /* CEL_STRING, CEL_BYTES */
		const struct cel_list *list; /* its first length items */
		const struct cel_map *map;   /* length entries */
		const struct cel_type *type; /* CEL_TYPE */
		const struct cel_object *object;
		const struct node *node; /* CEL_ERROR: where */
	};
};

struct cel_list {
	uint32_t used, capacity;
	struct cel_value items[];
};

/* Entries in the order in which they were written. */
struct cel_map {
	uint32_t slots;		    /* of the index: a power of two; 0: few entries, no index */
	uint32_t *index;	    /* entry number + 1, or 0 */
	struct cel_value entries[]; /* key, value, key, value … */
};

struct cel_variable {
	const char *name;
	const struct cel_type *type;
};

struct cel_constant {
	const char *name;
	const struct cel_type *type;
	struct cel_value value;
};

struct cel_eval;

/* Fills *ret, with an error if need be (cel_fail()). args are never errors. */
typedef void cel_call(struct cel_eval *e, const struct cel_value *args, size_t n,
		      struct cel_value *ret);

#define CEL_ARGS_MAX 3

struct cel_overload {
	bool member; /* called as a.f(b): args[0] is the receiver */
	uint8_t n_args;
	uint8_t n_params; /* type parameters: 0, 1 (A) or 2 (A and B) */
	const struct cel_type *args[CEL_ARGS_MAX];
	const struct cel_type *result;
};

struct cel_function {
	const char *name;
	const char *usage; /* "text.contains(part)", for messages; NULL: none */
	cel_call *call;
	const struct cel_overload *overloads;
	size_t n_overloads;
};

struct cel_env {
	const char *container; /* names are looked up in it first: "a.b"; NULL: none */
	const struct cel_variable *variables;
	size_t n_variables;
	const struct cel_constant *constants;
	size_t n_constants;
	const struct cel_function *functions; /* in addition to the standard ones */
	size_t n_functions;
	const struct cel_object_type *const *objects;
	size_t n_objects;
	bool unchecked; /* parse only: types and names are left to the evaluation */
	bool no_macros;
	/*
	 * The specification and its reference implementation, which Talos uses, differ in few places; this is for the specification: a
	 * key of a map is bool, int, uint or string, and none stands twice (reference: any value but bytes, and the last one counts);
	 * duration.getMilliseconds() is what is left over of seconds (reference: the whole duration); m.`a-b` is a field.
	 */
	bool as_specified;
};

enum cel_phase {
	CEL_PHASE_PARSE,
	CEL_PHASE_CHECK,
	CEL_PHASE_TYPE, /* it is sound, and its type is not the expected one */
};

struct cel_program;

/*
 * Parses and checks text (copied). expected NULL: any type will do. -EINVAL with line, column and excerpt in diag;
 * ret_phase (may be NULL) then says what failed, and for CEL_PHASE_TYPE the program is returned nevertheless. -ENOMEM.
 */
int cel_compile(const struct cel_env *env, const char *text, size_t length,
		const struct cel_type *expected, struct cel_program **ret,
		enum cel_phase *ret_phase, struct diag *diag);

const char *cel_program_text(const struct cel_program *p);
const struct cel_type *cel_program_type(const struct cel_program *p);

/*
 * A pattern of matches() that is written out and that is no regular expression makes every evaluation that meets it err. -EINVAL with
 * diag: there is one, and where; 0: there is none.
 */
int cel_program_check_patterns(const struct cel_program *p, struct diag *diag);

/* Is the variable of that number in the environment mentioned? */
bool cel_program_uses(const struct cel_program *p, size_t variable);

/*
 * Of a variable that is an object (of at most 64 fields): which of them does the program read, has() included? Bit i is field i of
 * the object's type. All bits: the object is also mentioned by itself ("[disk]").
 */
uint64_t cel_program_fields(const struct cel_program *p, size_t variable);

void cel_program_free(struct cel_program *p);
DEFINE_CLEANUP(struct cel_program *, cel_program_free);

struct arena_chunk;

struct cel_result {
	struct cel_value value;
	struct arena_chunk *chunks;
};

/*
 * Evaluates. values: one per variable of the environment, in its order; kind CEL_ERROR stands for a variable that has
 * no value. -EDOM with line, column, excerpt: the expression errs. ret is to be released on success only.
 */
int cel_eval(const struct cel_program *p, const struct cel_value *values, struct cel_result *ret,
	     struct diag *diag);
void cel_result_done(struct cel_result *result);

/* "list(string)", "map(dyn, dyn)", "google.protobuf.Timestamp"; NULL: out of memory. Owned by the caller. */
char *cel_type_format(const struct cel_type *t);

/* The name of a value's type: "int", "list", "null_type". */
const char *cel_type_name(const struct cel_type *t);

/* RFC 3339 with as many decimals as are needed; 64 bytes are enough. */
#define CEL_TIME_TEXT_MAX 64
void cel_timestamp_format(const struct cel_value *v, bool utc,
			  char buffer[static CEL_TIME_TEXT_MAX]);

static inline struct cel_value cel_value_bool(bool b)
{
	return (struct cel_value){ .kind = CEL_BOOL, .b = b };
}
static inline struct cel_value cel_value_uint(uint64_t u)
{
	return (struct cel_value){ .kind = CEL_UINT, .u = u };
}
static inline struct cel_value cel_value_text(const char *s, size_t length)
{
	return (struct cel_value){ .kind = CEL_STRING, .length = (uint32_t)length, .s = s };
}
struct cel_value cel_value_string(const char *s);		    /* not copied */
struct cel_value cel_value_object(const struct cel_object *object); /* not copied */

#endif
