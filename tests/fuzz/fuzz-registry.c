/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuzz targets of http and registry; each is built with the INPUT that it is named after. */
#include "fuzz/registry-input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	INPUT(data, size);
	return 0;
}
