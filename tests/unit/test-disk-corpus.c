/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every input that fuzzing has kept, and every captured machine, through the checks of the fuzz target. */
#include "corpus.h"

#include "fuzz/disks-input.h"

static void test_corpus(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/disks", disks_input);
}

static void test_machines(void **state)
{
	(void)state;
	corpus_replay("tests/machines", disks_input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_machines),
	};

	return unit_main(tests);
}
