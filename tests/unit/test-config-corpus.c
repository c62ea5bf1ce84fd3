/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every input that fuzzing has kept, through the checks of its fuzz target. */
#include "corpus.h"

#include "fuzz/config-input.h"

static void test_config(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/config", config_input);
}

static void test_toml(void **state)
{
	(void)state;
	corpus_replay("tests/fuzz/corpus/toml", toml_input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_toml),
	};

	return unit_main(tests);
}
