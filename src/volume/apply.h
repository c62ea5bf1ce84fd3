/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_APPLY_H
#define LARDER_VOLUME_APPLY_H
/*
 * Carries out exactly one plan, on one locked disk.
 */
#include "volume/volume.h"

/*
 * Writes what plan says to the disk open as fd (for reading and writing, locked) whose content was inspected as candidate
 * under that lock. -ESTALE: the table is not what the plan was made from; nothing was written. Fills the result's device,
 * table_written, formatted and grown. On a device the partition is known to the kernel afterwards.
 */
int volume_apply(const struct volume_request *request, const struct volume_candidate *candidate,
		 const struct volume_plan *plan, int fd, struct volume_result *result,
		 struct diag *diag);

/* Mounts the applied volume, repairing its filesystem first where that is needed, grows that, and makes its directories. */
int volume_bring_up(const struct volume_request *request, const struct volume_plan *plan,
		    struct volume_result *result, struct diag *diag);

/*
 * What place ("/dev/sda3", "partition 3 of /dev/sda") holds must be what the config says: encrypted or not (-EINVAL), and an ext4
 * (-EUCLEAN).
 */
int volume_check_encrypted(const struct encryption_config *config, bool encrypted,
			   const char *place, struct diag *diag);
int volume_check_ext4(const struct ext4_state *state, const char *place, struct diag *diag);

/* Tells the request's owner what is being done. */
void volume_say(const struct volume_request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
