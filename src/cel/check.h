/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_CHECK_H
#define LARDER_CEL_CHECK_H
/*
 * The static checker: names, fields, types, overloads. It resolves names in the tree in place, so that the evaluator looks up nothing by name.
 */
#include "cel/ast.h"
#include "cel/type.h"

struct local {
	struct name name;
	const struct cel_type *type;
	uint32_t slot;
};

struct checker {
	struct cel_program *program;
	const struct cel_env *env;
	struct diag *diag;
	int error;
	struct unifier unifier;
	struct arena scratch; /* types; gone after checking */
	struct local *locals; /* innermost last */
	uint32_t n_locals, locals_size;
};

/* Checks program->root and sets program->type. -EINVAL with diag, -ENOMEM. */
int cel_check(struct cel_program *program, struct diag *diag);

/* The rest is between check.c, check_name.c, check_call.c and explain.c. */
void check_node(struct checker *c, struct node *n);
void check_ident(struct checker *c, struct node *n);
void check_select(struct checker *c, struct node *n);
void check_call(struct checker *c, struct node *n);
void check_message(struct checker *c, struct node *n);

static inline const struct cel_type *check_substitute(struct checker *c, const struct cel_type *t)
{
	return type_substitute(&c->unifier, t, false);
}

/* The object type of that name, looked for in the container first; NULL: none. */
const struct cel_object_type *check_find_object(struct checker *c, struct name name);
const struct cel_field *object_field(const struct cel_object_type *type, struct name name);
const struct cel_type *field_type(const struct cel_field *field);

/* The first error counts; n->type becomes the error type. */
void check_error(struct checker *c, struct node *n, uint32_t at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* explain.c: what is wrong, and what was probably meant. */
void explain_name(struct checker *c, struct node *n);
void explain_field(struct checker *c, struct node *n, const struct cel_object_type *type);
void explain_function(struct checker *c, struct node *call);
void explain_overload(struct checker *c, struct node *call, const struct cel_function *function);
void explain_not_bool(struct checker *c, struct node *n, const struct node *parent,
		      uint32_t argument);
void explain_result(struct cel_program *program, const struct cel_type *expected,
		    struct diag *diag);

#endif
