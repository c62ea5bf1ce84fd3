/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDERD_LISTEN_H
#define LARDER_LARDERD_LISTEN_H
/* Listening sockets: from an address, and the address of one for people. */
#include <stdbool.h>

#include "base/diag.h"

#define LISTEN_NAME_MAX 192

/* "ADDR:PORT", "[ADDR]:PORT" or "unix:PATH". Returns a descriptor. -EINVAL with diag: not an address. */
int listen_on(const char *address, struct diag *diag);

/*
 * For a listening socket on a loopback address: its connections have congestion control "reno", which every kernel has and allows
 * everybody, instead of the machine's, which is chosen for its networks: BBR sets a pace with timers, also where no packet can
 * be lost. Any other socket is left as it is. A connection that a client has made before keeps what it has.
 */
void listen_without_pace(int fd);

/* "127.0.0.1:5000" or "unix:/path", as the socket says it itself. */
const char *listen_name(int fd, char buffer[static LISTEN_NAME_MAX]);

#endif
