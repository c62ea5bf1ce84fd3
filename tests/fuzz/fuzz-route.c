/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/registry-input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_route(data, size);
	return 0;
}
