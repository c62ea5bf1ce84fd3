/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_INTERRUPT_H
#define LARDER_LARDER_INTERRUPT_H
/*
 * What an interrupted command leaves behind: nothing. While a guard is up, SIGINT, SIGTERM and SIGHUP end our children, remove the
 * work directory, and then end us by the same signal.
 */

/* Once, before any other thread is started. 0 or a negative errno. */
int interrupt_guard(void);

/* The directory to remove from now on; NULL: none. Copied. user is not used: it fits build_options.work_dir. */
void interrupt_work_dir(const char *path, void *user);

#endif
