/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every input that fuzzing has kept through the checks of the fuzz target. */
#include "corpus.h"

#include "fuzz/units-input.h"

static void test_corpus(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/units", units_input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
	};

	return unit_main(tests);
}
