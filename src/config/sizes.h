/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_SIZES_H
#define LARDER_CONFIG_SIZES_H
/*
 * Sizes as the machine config writes them: "2.5GiB", "100MB", "1048576" (bytes), and where it is allowed "80%" of the
 * free range that will be used and "-10GiB", which leaves that much of it free.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

enum size_kind {
	SIZE_UNSET = 0,
	SIZE_BYTES,    /* value: bytes */
	SIZE_PERCENT,  /* value: hundredths of a percent, 0 … 10000 */
	SIZE_NEGATIVE, /* value: bytes to leave free */
};

struct size_spec {
	enum size_kind kind;
	uint64_t value;
};

/* Units, in any letter case as Talos reads them: none or B; k, kB, M, MB … EB (powers of 1000); Ki, KiB … EiB (powers of
 * 1024). A space before the unit is allowed. -EINVAL, -ERANGE with diag's message (no position). */
int size_parse(const char *text, bool relative_allowed, struct size_spec *ret, struct diag *diag);

/* Bytes that the spec means in a free range of available bytes; a SIZE_NEGATIVE larger than that is 0. */
uint64_t size_resolve(const struct size_spec *spec, uint64_t available);

/* "500 MiB", "80%", "all but 10 GiB"; owned by the caller. */
char *size_describe(const struct size_spec *spec);

/* "500ms", "10s", "1m30s", "30d" → milliseconds. */
int duration_parse(const char *text, uint64_t *ret_ms, struct diag *diag);

#endif
