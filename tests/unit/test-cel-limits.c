/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits: what a hostile expression can take of memory, stack and steps. malloc() and its like are wrapped by the linker (-Wl,--wrap), so that
 * every byte counts.
 */
#include "unit.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "cel/cel.h"
#include "cel/selector_fields.h"

#define MEMORY_MAX (1024 * 1024) /* for an expression of 1,000 characters */
#define CHARACTERS 1000
/* As a distribution hardens its programs (stack protector) it takes more than 256 KiB. */
#define STACK_BYTES (512 * 1024)

/* What libc allocates for us, such as vasprintf(), is not seen, only its free(): a few hundred bytes of a message. */
static ptrdiff_t now, peak;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static void *counted(void *p)
{
	if (p)
		now += (ptrdiff_t)malloc_usable_size(p);
	if (now > peak)
		peak = now;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	ptrdiff_t before = p ? (ptrdiff_t)malloc_usable_size(p) : 0;

	p = __real_realloc(p, size);
	if (p)
		now -= before;
	return counted(p);
}

void __wrap_free(void *p)
{
	if (p)
		now -= (ptrdiff_t)malloc_usable_size(p);
	__real_free(p);
}

static const struct disk_fields disk = {
	.size = 1000,
	.dev_path = "",
	.pretty_size = "",
	.model = "x",
	.serial = "",
	.modalias = "",
	.wwid = "",
	.uuid = "",
	.bus_path = "",
	.sub_system = "",
	.transport = "",
	.firmware_version = "",
};

/* Compiles and evaluates; whatever comes out, it must come out. */
static void run(const char *text, size_t length)
{
	const struct cel_object object = { &selector_disk_type, &disk };
	const struct cel_value values[] = { cel_value_object(&object), cel_value_bool(false) };
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct cel_result result;

	if (cel_compile(selector_env(SELECTOR_DISK), text, length, NULL, &program, NULL, &d) == 0 &&
	    cel_eval(program, values, &result, &d) == 0)
		cel_result_done(&result);
}

/* begin, then middle as often as fits, then the same number of ends, then last: at most max characters. */
static char *build(const char *begin, const char *middle, const char *end, const char *last,
		   size_t max)
{
	size_t fixed = strlen(begin) + strlen(last), each = strlen(middle) + strlen(end);
	size_t times = (max - fixed) / each;
	char *text = calloc(1, max + 1), *to = text;

	assert_non_null(text);
	to = stpcpy(to, begin);
	for (size_t i = 0; i < times; i++)
		to = stpcpy(to, middle);
	for (size_t i = 0; i < times; i++)
		to = stpcpy(to, end);
	stpcpy(to, last);
	return text;
}

/* Shapes of expressions that grow: the text, the tree, the types, the values, the program of a pattern. */
static const struct {
	const char *begin, *middle, *end, *last;
} shapes[] = {
	{ "", "(", ")", "" },
	{ "", "[", "]", "" },
	{ "", "{1:", "}", "" },
	{ "", "!", "", "true" },
	{ "", "-", "", "x" },
	{ "1", "+1", "", "" },
	{ "true", "&&true", "", "" },
	{ "true", "?true:true", "", "" },
	{ "[1", ",1", "", "]" },
	{ "{0:0", ",1:1", "", "}" },
	{ "'", "\\n", "", "'" },
	{ "['aaaaaaaaaaaaaaaa']", ".map(x,x+x)", "", "" },
	{ "[[1]]", ".map(x,x+x)", "", "" },
	{ "[1]", ".map(x,[x,x])", "", "" },
	{ "[1]", ".map(x,{x:x})", "", "" },
	{ "[1,2,3,4,5,6,7,8,9]", ".map(x,[1,2,3,4,5,6,7,8,9]", ")", "" },
	{ "[1,2,3,4,5,6,7,8,9].map(x,", "[1,2,3,4,5,6,7,8,9].map(x,", ")", "x)" },
	{ "[1,2].all(x,", "[1,2].all(x,", ")", "true)" },
	{ "[1,2].exists(x,1/0>x)", "||[1,2].exists(x,1/0>x)", "", "" },
	{ "'a'.matches('", "a{1000}", "", "')" },
	{ "'a'.matches('", "[\\\\pL\\\\pN]{1000}", "", "')" },
	{ "'a'.matches('", "(", ")", "')" },
	{ "'a'.matches('", "((a*)*)*", "", "')" },
	{ "'a'.matches('", "(?i)", "", "')" },
	{ "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(", "a*a?|", "", "){1000}')" },
	{ "disk", ".size", "", "" },
	{ "disk.model", "+disk.model", "", "" },
	{ "talos.resource.definitions.block.DiskSpec{model:'a'", ",size:1u", "", "}" },
	{ "[", "talos.resource.definitions.block.DiskSpec{},", "", "]" },
	{ "dyn([])", ".map(x,x)", "", "" },
	{ "[]", "==[]", "", "" },
	{ "x", ".y", "", "" },
	{ "x", "[0]", "", "" },
	{ "", "a.all(a,", ")", "" },
	{ "", "!(false||true&&[", "][0])", "" },
	{ "", "[1].all(x,x<2&&(", "[2].exists(y,y>1)))", "" },
	{ "", "true?[", "]:[]", "" },
	{ "timestamp('2025-01-01T00:00:00Z').getHours('Europe/Berlin')", "+1", "", "" },
};

static void test_memory(void **state)
{
	ptrdiff_t most = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		_cleanup_free_ char *text = build(shapes[i].begin, shapes[i].middle, shapes[i].end,
						  shapes[i].last, CHARACTERS);
		ptrdiff_t before = now;
		peak = now;
		run(text, strlen(text));
		if (peak - before > MEMORY_MAX)
			fail_msg("%td bytes for %.40s…", peak - before, text);
		if (peak - before > most)
			most = peak - before;
	}
	print_message("at most %td KiB for an expression of %d characters\n", most / 1024,
		      CHARACTERS);
}

static void *run_shapes(void *data)
{
	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (size_t size = 1000; size <= 100000; size *= 10) {
			_cleanup_free_ char *text = build(shapes[i].begin, shapes[i].middle,
							  shapes[i].end, shapes[i].last, size);
			run(text, strlen(text));
		}
	}
	return NULL;
}

/* All of them, up to the longest, in a thread with a small stack; sanitizers take more of it. */
static void test_stack(void **state)
{
	size_t size = STACK_BYTES;
	pthread_attr_t attributes;
	pthread_t thread;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	size *= 16;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	size *= 16;
#endif
#endif
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, size), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_shapes, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

static int compile(const char *text, struct diag *d)
{
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;

	return cel_compile(selector_env(SELECTOR_DISK), text, strlen(text), NULL, &program, NULL,
			   d);
}

static char *nested(const char *open, unsigned times, const char *middle, const char *close)
{
	char *text = calloc(1, times * (strlen(open) + strlen(close)) + strlen(middle) + 1),
	     *to = text;

	assert_non_null(text);
	for (unsigned i = 0; i < times; i++)
		to = stpcpy(to, open);
	to = stpcpy(to, middle);
	for (unsigned i = 0; i < times; i++)
		to = stpcpy(to, close);
	return text;
}

/* The reference evaluator's limits, to the level. */
static void test_nesting(void **state)
{
	static const struct {
		const char *open, *middle, *close;
		unsigned most;
	} cases[] = {
		{ "(", "1", ")", CEL_NESTING_MAX - 1 },
		{ "[", "1", "]", CEL_NESTING_MAX - 1 },
		{ "1+(", "1", ")", (CEL_NESTING_MAX - 1) / 2 },
		{ "true?1:", "1", "", CEL_NESTING_MAX - 1 },
		{ "", "1", "+1", CEL_NESTING_MAX },
		{ "", "dyn(1)", ".a", CEL_NESTING_MAX },
		{ "", "dyn(1)", "[0]", CEL_NESTING_MAX },
		{ "!", "true", "", 5000 },
		{ "true&&", "true", "", 5000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		_cleanup_free_ char *fits =
			nested(cases[i].open, cases[i].most, cases[i].middle, cases[i].close);
		_cleanup_free_ char *too_deep =
			nested(cases[i].open, cases[i].most + 1, cases[i].middle, cases[i].close);
		if (compile(fits, &d) < 0)
			fail_msg("%.20s × %u: %s", cases[i].open, cases[i].most, d.message);
		if (cases[i].most > CEL_NESTING_MAX)
			continue;
		assert_int_equal(compile(too_deep, &d), -EINVAL);
		assert_non_null(strstr(d.message, "nested more than 250 levels"));
	}
}

static void test_length(void **state)
{
	_cleanup_free_ char *text = nested(" ", CEL_CODE_POINTS_MAX - 4, "true", "");
	_cleanup_free_ char *longer = nested(" ", CEL_CODE_POINTS_MAX - 3, "true", "");
	_cleanup_diag_ struct diag d = DIAG_INIT;

	(void)state;
	assert_int_equal(compile(text, &d), 0);
	assert_int_equal(compile(longer, &d), -EINVAL);
	assert_non_null(strstr(d.message, "longer than 100000 characters"));
}

/* A pattern that a backtracking matcher never finishes; steps are counted, not seconds. */
static void test_linear_regex(void **state)
{
	_cleanup_free_ char *as = nested("a", 10000, "", "");
	_cleanup_free_ char *text = NULL;
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	struct cel_result result;

	(void)state;
	assert_true(asprintf(&text, "'%s'.matches('((a+)+)+b')", as) > 0);
	assert_int_equal(cel_compile(selector_env(SELECTOR_DISK), text, strlen(text), &cel_bool,
				     &program, NULL, NULL),
			 0);
	assert_int_equal(cel_eval(program, (struct cel_value[2]){ 0 }, &result, NULL), 0);
	assert_false(result.value.b);
	cel_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_stack),
		cmocka_unit_test(test_nesting),	     cmocka_unit_test(test_length),
		cmocka_unit_test(test_linear_regex),
	};

	return unit_main(tests);
}
