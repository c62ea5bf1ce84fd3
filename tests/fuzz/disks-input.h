/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_FUZZ_DISKS_INPUT_H
#define LARDER_TESTS_FUZZ_DISKS_INPUT_H
/*
 * One input of the fuzz target "disks", used by it and by the unit test that replays its corpus: a captured machine as
 * text (tests/lib/tree.h). It is unpacked into an empty directory in memory, read as disks, volumes and a system disk, and
 * what must always hold is checked. Aborts when it does not.
 */
#include <stddef.h>
#include <stdint.h>

void disks_input(const uint8_t *data, size_t size);

#endif
