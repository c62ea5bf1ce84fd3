/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_CRYPTSETUP_H
#define LARDER_BLOCK_CRYPTSETUP_H
/*
 * libcryptsetup, loaded when it is wanted and not before: most machines neither encrypt nor use dm-verity, and an initramfs need not
 * carry what they don't use. Who uses it has a table of the functions it calls, each by its own type.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct cryptsetup_symbol {
	const char *name;
	void **to; /* the function pointer to fill */
};

/*
 * Fills the pointers; the library stays loaded until the end, since it has state of its own. purpose begins the message: "encryption".
 * -EOPNOTSUPP with diag: it is not installed, or too old.
 */
int cryptsetup_load(const struct cryptsetup_symbol *symbols, size_t n, const char *purpose,
		    struct diag *diag);

/* Has this kernel device-mapper? Asking loads its module where there is one. */
bool device_mapper_is_there(void);

#endif
