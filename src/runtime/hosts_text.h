/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_HOSTS_TEXT_H
#define LARDER_RUNTIME_HOSTS_TEXT_H
/* The words of a hosts.toml. *ret is owned by the caller; *ret_secret: it holds credentials. -ENOMEM with diag. */
#include "runtime/endpoints.h"

/* A whole file. neighbours: names of the files beside it, whose certificates it must name. */
int hosts_text_file(const struct endpoint_list *list, char *const *neighbours, char **ret,
		    bool *ret_secret, struct diag *diag);

/* What goes before the hosts of a user's file: the cache, and mirrors that the file does not name. -EINVAL: it is no TOML. */
int hosts_text_block(const struct endpoint_list *list, const char *user, char **ret,
		     bool *ret_secret, struct diag *diag);

#endif
