/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contains, startsWith, endsWith, matches.
 */
#include <string.h>

#include "cel/eval.h"
#include "cel/function.h"
#include "cel/regex.h"

static bool two_strings(struct cel_eval *e, const struct cel_value *args, struct cel_value *ret)
{
	if (args[0].kind == CEL_STRING && args[1].kind == CEL_STRING)
		return cel_charge_text(e, (size_t)args[0].length + args[1].length);
	cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	return false;
}

void fn_contains(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	if (two_strings(e, args, ret))
		*ret = cel_value_bool(args[1].length == 0 ||
				      memmem(args[0].s, args[0].length, args[1].s, args[1].length));
}

void fn_starts_with(struct cel_eval *e, const struct cel_value *args, size_t n,
		    struct cel_value *ret)
{
	const struct cel_value *part = &args[1];

	(void)n;
	if (two_strings(e, args, ret))
		*ret = cel_value_bool(part->length <= args[0].length &&
				      memcmp(args[0].s, part->s, part->length) == 0);
}

void fn_ends_with(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *part = &args[1];

	(void)n;
	if (two_strings(e, args, ret))
		*ret = cel_value_bool(part->length <= args[0].length &&
				      memcmp(args[0].s + args[0].length - part->length, part->s,
					     part->length) == 0);
}

static bool charge(void *data, uint32_t steps)
{
	return cel_charge(data, steps);
}

void fn_matches(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct regex_meter meter = { charge, e };
	struct arena_mark mark = arena_mark(&e->arena);
	struct regex regex;
	bool error = false;

	(void)n;
	if (!two_strings(e, args, ret) || !cel_charge(e, args[1].length))
		return;
	const char *problem = regex_compile(&e->arena, args[1].s, args[1].length, &regex);
	bool matched = !problem &&
		       regex_match(&e->arena, &regex, args[0].s, args[0].length, &meter, &error);
	arena_rewind(&e->arena, &mark);
	if (problem)
		cel_fail_about(e, ret, CEL_E_REGEX, NULL, problem);
	else if (error)
		cel_fail_about(e, ret, CEL_E_REGEX, NULL, regex_out_of_memory);
	else
		*ret = cel_value_bool(matched);
}
