/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_REGISTRY_CLIENT_H
#define LARDER_LARDER_REGISTRY_CLIENT_H
/*
 * Asks the registry on this machine one question: a GET of a path of REGISTRY_ADDRESS, one connection, a short time limit.
 * Only for the answers of larderd itself, whose form is known: HTTP/1.1 with a Content-Length.
 */
#include "base/diag.h"

#define REGISTRY_CLIENT_TIMEOUT_MS 2000
#define REGISTRY_CLIENT_BYTES_MAX  (4 * 1024 * 1024)

/* *ret_body is owned by the caller and NUL-terminated. -ECONNREFUSED: nobody listens. -EPROTO: the answer is no HTTP. */
int registry_get(const char *path, int *ret_code, char **ret_body, struct diag *diag);

#endif
