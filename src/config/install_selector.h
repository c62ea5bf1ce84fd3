/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_INSTALL_SELECTOR_H
#define LARDER_CONFIG_INSTALL_SELECTOR_H
/*
 * machine.install.diskSelector of Talos's machine document, written as a disk selector. As Talos does: every field given
 * must match, texts are globs, and disks without a transport (loop, dm), read-only disks and CD drives never match.
 */
#include <stdint.h>

#include "base/diag.h"
#include "config/pool.h"
#include "config/node.h"

/*
 * ">= 100GB" → the operator as an expression writes it (a literal) and bytes; without an operator it is ==. -EINVAL with
 * a message.
 */
int size_condition_parse(const char *text, const char **ret_operator, uint64_t *ret_bytes,
			 struct diag *diag);

/* selector: the map, already checked by its schema. NULL: out of memory. Belongs to the pool. */
char *install_selector_expression(struct pool *pool, const struct node *selector);

#endif
