/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_FUZZ_UNITS_INPUT_H
#define LARDER_TESTS_FUZZ_UNITS_INPUT_H
/*
 * One input of the fuzz target "units", used by it and by the unit test that replays its corpus: a unit file. It is read, its commands
 * are split and searched for images, and what must always hold is checked. Aborts when it does not.
 */
#include <stddef.h>
#include <stdint.h>

void units_input(const uint8_t *data, size_t size);

#endif
