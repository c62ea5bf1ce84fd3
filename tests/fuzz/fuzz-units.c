/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/units-input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	units_input(data, size);
	return 0;
}
