/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_CONTAINERS_ROUTE_H
#define LARDER_RUNTIME_CONTAINERS_ROUTE_H
#include "runtime/route.h"

/* What registries.conf and its drop-ins say now: of the table with the longest prefix, the mirrors, then the location. */
int containers_route(int root, const char *host, const char *repository,
		     struct runtime_route *route, struct diag *diag);

#endif
