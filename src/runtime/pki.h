/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_PKI_H
#define LARDER_RUNTIME_PKI_H
/* Certificates and keys of the machine config as files, which the settings of all runtimes point at. */
#include "runtime/plan.h"

#define PKI_DIR		"/etc/larder/pki"
#define PKI_CA		"ca.pem"
#define PKI_CLIENT_CERT "client.pem"
#define PKI_CLIENT_KEY	"client-key.pem"

/* Path of a registry's file; owned by the caller; NULL: out of memory. */
char *pki_path(const char *host, const char *file);

/* Plans them all, as a report of their own if there are any. */
int pki_plan(struct runtime_plan *plan, struct diag *diag);

#endif
