/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_STRAYS_H
#define LARDER_RUNTIME_STRAYS_H
/*
 * Files that hold what larder writes, while nothing is noted of them below SAVED_DIR: it was deleted, or the system was copied without
 * it. Nobody knows then what they were before, so they stay as they are, and are named.
 */
#include "runtime/plan.h"

/* Larder's marks; or JSON that is laid out as larder writes it, with the cache before all else in a list. */
bool strays_holds(const char *path, const char *text);

/* Names those of all runtimes, installed or not, that the plan has nothing of. */
int strays_hint(struct runtime_plan *plan, struct diag *diag);

#endif
