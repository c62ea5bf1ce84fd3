/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_REGISTRIES_CONF_H
#define LARDER_RUNTIME_REGISTRIES_CONF_H
/*
 * The [[registry]] tables of registries.conf and its drop-ins, as text, each prefix once: of tables with one prefix the last
 * that is read counts (containers-registries.conf.d(5)). What registries.conf itself says in the lists of version 1 is given
 * as the tables that the runtimes make of it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define CONTAINERS_CONF	   "/etc/containers/registries.conf"
#define CONTAINERS_DROP_IN "/etc/containers/registries.conf.d"

struct registries_table {
	char *prefix;  /* its own, else its location */
	char *head;    /* its own lines, without [[registry]] */
	char *mirrors; /* its [[registry.mirror]] tables */
	char *later;   /* the drop-in it is from, if that is read after ours; else NULL */
	bool blocked;  /* pulls are refused */
	bool listed; /* it stands for what version 1 lists: head is made of registries.block and registries.insecure */
	bool by_digest; /* mirror-by-digest-only: mirrors are asked for digests alone */
};

struct registries_conf {
	struct registries_table *tables;
	size_t n_tables;
};

/* ours: the name of the drop-in to leave out; NULL: none. root: see rootfs.h. -EINVAL with file and line: it is no TOML. */
int registries_conf_read(int root, const char *ours, struct registries_conf *ret,
			 struct diag *diag);
/* The table that counts for an image ("quay.io/a/b", or a host): the longest prefix. NULL: none. */
const struct registries_table *registries_conf_find(const struct registries_conf *conf,
						    const char *image);
void registries_conf_done(struct registries_conf *conf);

#endif
