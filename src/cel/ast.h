/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_AST_H
#define LARDER_CEL_AST_H
/*
 * The tree of an expression. The parser makes it, with macros expanded to comprehensions; the checker resolves names in place; the
 * evaluator reads it. Nodes live in the program's arena; names point into the program's text.
 */
#include "cel/arena.h"
#include "cel/cel.h"

/* For functions that are called in a recursion: what they need of the stack is not part of their callers' frames. */
#define OWN_FRAME __attribute__((noinline))

enum node_kind {
	NODE_LITERAL,
	NODE_IDENT,    /* parsed only: the checker makes one of the next four of it */
	NODE_VARIABLE, /* of the environment */
	NODE_LOCAL,    /* of a comprehension */
	NODE_CONSTANT, /* a literal that was written as a name */
	NODE_UNKNOWN,  /* unchecked programs: a name that nothing has */
	NODE_SELECT,
	NODE_CALL,
	NODE_AND,
	NODE_OR,
	NODE_IF,
	NODE_LIST,
	NODE_MAP,
	NODE_MESSAGE,
	NODE_FOLD,
};

struct name {
	const char *s;
	uint32_t length;
};

/* A macro: for each element of range as iter: stop unless condition; accu = step. Then result. */
struct fold {
	struct node *range;
	struct node *init;
	struct node *condition; /* NULL: true; an error of it counts as true */
	struct node *step;
	struct node *result;
	struct name iter;
	uint32_t iter_slot, accu_slot; /* set by the checker */
	const char *macro;	       /* "exists", for messages */
};

struct node {
	uint8_t kind;
	bool test;	/* NODE_SELECT: has(a.b) */
	bool member;	/* NODE_CALL: args[0] is a receiver */
	bool nested;	/* written in parentheses */
	uint16_t depth; /* operators on the longest path below, as CEL_NESTING_MAX counts them */
	uint16_t
		macro_argument; /* NODE_IF, NODE_AND, NODE_OR of a macro: index of the argument that is a predicate */
	uint32_t at; /* offset in the text, bytes */
	uint32_t n;  /* args; entries of a map or message: args has twice as many for a map */
	const struct cel_type *type; /* while it is checked */
	union {
		struct cel_value value; /* NODE_LITERAL, NODE_CONSTANT */
		uint32_t slot;		/* NODE_VARIABLE, NODE_LOCAL */
		struct {
			struct node **args;
			const struct cel_function *function; /* NODE_CALL */
		};
		struct {
			struct node *operand; /* NODE_SELECT */
			const struct cel_field *field;
		};
		struct fold *fold;
		struct message *message;
	};
	struct name
		name; /* NODE_IDENT (with a leading dot if it had one), NODE_SELECT, NODE_CALL */
};

/* NODE_MESSAGE: node.name is its type; names[i]: node.args[i]. */
struct message {
	const struct cel_object_type *type;
	struct name *names;
	uint32_t *at;
	const struct cel_field **fields;
	struct node **values;
};

/* What a program does with a variable of its environment. */
struct variable_use {
	uint32_t mentions;
	uint32_t selections; /* mentions as a.field, of an object */
	uint64_t fields;     /* those that were selected: a bit each */
};

struct cel_program {
	struct arena arena;
	const struct cel_env *env;
	char *text; /* terminated, for excerpts */
	uint32_t length;
	uint32_t code_points;
	uint32_t n_slots; /* locals of comprehensions */
	struct node *root;
	const struct cel_type *type;
	struct variable_use *uses; /* per variable of the environment */
	/* Of the first written pattern of matches() that is none: why, and where. NULL: there is no such pattern. */
	const char *pattern_problem;
	uint32_t pattern_at;
};

/* Line and column (code points, from 1) of an offset, and an excerpt with a caret. Sets d's source to none. */
int cel_error_at(struct diag *d, int err, const struct cel_program *p, uint32_t at,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));

static inline bool name_is(struct name n, const char *s)
{
	return n.length == __builtin_strlen(s) && __builtin_memcmp(n.s, s, n.length) == 0;
}

#endif
