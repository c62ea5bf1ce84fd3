/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_WORK_DIR_H
#define LARDER_LAYERS_WORK_DIR_H
/*
 * Where a build works: ".larder-build.XXXXXX" beside its output, so that what is done can be renamed into place. Whoever made one holds
 * a lock (flock(2)) on it for as long as it lives; one that nobody holds was left by a build that was killed, and the next build in
 * that directory removes it.
 */
#include "base/diag.h"

/* *ret_path is owned by the caller, who removes the directory; *ret_lock is closed after that. The directory of output is made. */
int work_dir_make(const char *output, char **ret_path, int *ret_lock, struct diag *diag);

#endif
