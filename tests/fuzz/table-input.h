/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_FUZZ_TABLE_INPUT_H
#define LARDER_TESTS_FUZZ_TABLE_INPUT_H
/*
 * One fuzz input as a disk: byte 0 chooses the sector size and which checksums are made right, so that what lies behind them is
 * reached; the rest is halved, one half at the start of the disk, the other at its end. It is read, judged, inspected and
 * planned for. Aborts if a plan would write where a partition is, or into the tables.
 */
#include <stddef.h>
#include <stdint.h>

void table_input(const uint8_t *data, size_t size);

#endif
