/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timestamp(), duration(), their arithmetic, and the parts of a date and time.
 */
#include "cel/function.h"
#include "cel/time.h"

void fn_timestamp(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];

	(void)n;
	*ret = *v;
	switch (v->kind) {
	case CEL_TIMESTAMP:
		break;
	case CEL_INT:
		if (v->i < TIME_MIN || v->i > TIME_MAX)
			cel_fail(e, ret, CEL_E_TIME_RANGE);
		else
			*ret = (struct cel_value){ .kind = CEL_TIMESTAMP, .i = v->i };
		break;
	case CEL_STRING:
		if (!timestamp_parse(v->s, v->length, ret))
			cel_fail_about(e, ret, CEL_E_CONVERSION, v, NULL);
		break;
	default:
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	}
}

void fn_duration(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];
	int64_t nanoseconds;

	(void)n;
	if (v->kind == CEL_DURATION)
		*ret = *v;
	else if (v->kind == CEL_STRING && duration_text_parse(v->s, v->length, &nanoseconds))
		*ret = (struct cel_value){ .kind = CEL_DURATION, .i = nanoseconds };
	else if (v->kind == CEL_STRING || v->kind == CEL_INT)
		cel_fail_about(e, ret, CEL_E_CONVERSION, v, NULL);
	else
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}

/* Moves a timestamp by a duration; sign is 1 or -1. */
static void move(struct cel_eval *e, const struct cel_value *time, const struct cel_value *duration,
		 int sign, struct cel_value *ret)
{
	int64_t seconds = time->i + sign * (duration->i / NANOSECONDS);
	int64_t rest = (int64_t)time->length + sign * (duration->i % NANOSECONDS);

	*ret = *time;
	if (rest < 0) {
		rest += NANOSECONDS;
		seconds--;
	} else if (rest >= NANOSECONDS) {
		rest -= NANOSECONDS;
		seconds++;
	}
	if (seconds < TIME_MIN || seconds > TIME_MAX) {
		cel_fail(e, ret, CEL_E_TIME_RANGE);
		return;
	}
	ret->i = seconds;
	ret->length = (uint32_t)rest;
}

bool time_add(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
	      struct cel_value *ret)
{
	if (a->kind == CEL_DURATION && b->kind == CEL_DURATION) {
		*ret = *a;
		if (__builtin_add_overflow(a->i, b->i, &ret->i))
			cel_fail(e, ret, CEL_E_OVERFLOW);
	} else if (a->kind == CEL_TIMESTAMP && b->kind == CEL_DURATION) {
		move(e, a, b, 1, ret);
	} else if (a->kind == CEL_DURATION && b->kind == CEL_TIMESTAMP) {
		move(e, b, a, 1, ret);
	} else {
		return false;
	}
	return true;
}

static void difference(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
		       struct cel_value *ret)
{
	int64_t nanoseconds;

	*ret = (struct cel_value){ .kind = CEL_DURATION };
	if (__builtin_mul_overflow(a->i - b->i, (int64_t)NANOSECONDS, &nanoseconds) ||
	    __builtin_add_overflow(nanoseconds, (int64_t)a->length - b->length, &ret->i))
		cel_fail(e, ret, CEL_E_OVERFLOW);
}

bool time_subtract(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
		   struct cel_value *ret)
{
	if (a->kind == CEL_DURATION && b->kind == CEL_DURATION) {
		*ret = *a;
		if (__builtin_sub_overflow(a->i, b->i, &ret->i))
			cel_fail(e, ret, CEL_E_OVERFLOW);
	} else if (a->kind == CEL_TIMESTAMP && b->kind == CEL_DURATION) {
		move(e, a, b, -1, ret);
	} else if (a->kind == CEL_TIMESTAMP && b->kind == CEL_TIMESTAMP) {
		difference(e, a, b, ret);
	} else {
		return false;
	}
	return true;
}

/* The date and time that a call is about; false: *ret is an error. */
static bool civil(struct cel_eval *e, const struct cel_value *args, size_t n,
		  struct civil *ret_civil, struct cel_value *ret)
{
	/* Without a zone: the one that it was written with, as the reference evaluator has it. */
	int64_t offset = args[0].kind == CEL_TIMESTAMP ? args[0].zone * 60 : 0;

	if (args[0].kind != CEL_TIMESTAMP || (n > 1 && args[1].kind != CEL_STRING)) {
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
		return false;
	}
	if (n > 1 && (!cel_charge(e, 1000) ||
		      zone_offset(args[1].s, args[1].length, args[0].i, &offset) < 0)) {
		cel_fail_about(e, ret, CEL_E_TIME_ZONE, &args[1], NULL);
		return false;
	}
	*ret_civil = civil_from_seconds(args[0].i + offset);
	return true;
}

static struct cel_value integer(int64_t i)
{
	return (struct cel_value){ .kind = CEL_INT, .i = i };
}

#define PART(name, expression)                                                                     \
	void name(struct cel_eval *e, const struct cel_value *args, size_t n,                      \
		  struct cel_value *ret)                                                           \
	{                                                                                          \
		struct civil t;                                                                    \
                                                                                                   \
		if (civil(e, args, n, &t, ret))                                                    \
			*ret = integer(expression);                                                \
	}

PART(fn_full_year, t.year)
PART(fn_month, t.month - 1)
PART(fn_day_of_year, t.day_of_year)
PART(fn_day_of_month, t.day - 1)
PART(fn_date, t.day)
PART(fn_day_of_week, t.day_of_week)

/* The same of a duration is the whole of it in that unit. */
#define PART_OR_TOTAL(name, expression, unit)                                                      \
	void name(struct cel_eval *e, const struct cel_value *args, size_t n,                      \
		  struct cel_value *ret)                                                           \
	{                                                                                          \
		struct civil t;                                                                    \
                                                                                                   \
		if (args[0].kind == CEL_DURATION && n == 1)                                        \
			*ret = integer(args[0].i / (unit));                                        \
		else if (civil(e, args, n, &t, ret))                                               \
			*ret = integer(expression);                                                \
	}

PART_OR_TOTAL(fn_hours, t.hour, 3600LL * NANOSECONDS)
PART_OR_TOTAL(fn_minutes, t.minute, 60LL * NANOSECONDS)
PART_OR_TOTAL(fn_seconds, t.second, NANOSECONDS)

void fn_milliseconds(struct cel_eval *e, const struct cel_value *args, size_t n,
		     struct cel_value *ret)
{
	struct civil t;

	if (args[0].kind == CEL_DURATION && n == 1)
		*ret = integer(
			(e->program->env->as_specified ? args[0].i % NANOSECONDS : args[0].i) /
			1000000);
	else if (civil(e, args, n, &t, ret))
		*ret = integer(args[0].length / 1000000);
}
