/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_DOCKER_FLAGS_H
#define LARDER_RUNTIME_DOCKER_FLAGS_H
/*
 * Flags that dockerd is started with. It does not start at all where daemon.json says what a flag says too, so such a key must
 * stay out of the file.
 */

/*
 * The first file below root that gives the flag ("--registry-mirror"): docker.service, its drop-ins, and the environment
 * files that distributions bring for it. Owned by the caller; *ret NULL: none does. -ENOMEM.
 */
int docker_flag_find(int root, const char *flag, char **ret);

#endif
