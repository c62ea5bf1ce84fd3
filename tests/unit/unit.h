/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_UNIT_H
#define LARDER_TESTS_UNIT_H
/*
 * What every unit test includes: cmocka with the headers that it wants first, and TAP as its output.
 *
 *	int main(void)
 *	{
 *		const struct CMUnitTest tests[] = { cmocka_unit_test(test_one), … };
 *		return unit_main(tests);
 *	}
 *
 * The path of the source tree is in the environment as LARDER_SOURCE (tests/run sets it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define unit_main(tests)                                                                           \
	(cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests(tests, NULL, NULL))

static inline const char *unit_source_dir(void)
{
	const char *dir = getenv("LARDER_SOURCE");

	return dir ? dir : ".";
}

#endif
