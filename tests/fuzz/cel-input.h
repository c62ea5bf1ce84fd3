/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_FUZZ_CEL_INPUT_H
#define LARDER_TESTS_FUZZ_CEL_INPUT_H
/*
 * One input of the fuzz target "cel", used by it and by the unit test that replays its corpus. The first byte says what the rest is: "d", "v", "e",
 * "s", "u", "n" an expression for disks, for volumes, without an environment, as specified, unchecked, without macros; "r" a
 * pattern, a line feed, and a text. What must always hold is checked; aborts when it does not.
 */
#include <stddef.h>
#include <stdint.h>

void cel_input(const uint8_t *data, size_t size);

#endif
