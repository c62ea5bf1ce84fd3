/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_REGISTRY_ROUTE_H
#define LARDER_REGISTRY_ROUTE_H
/*
 * What a request asks for: path and query read as the end points of the OCI distribution specification 1.1, and the daemon's own.
 * Pure: nothing is looked up here.
 *
 *	/v2/<name>/manifests/<tag or digest>[?ns=<registry>]        /v2/                /healthz
 *	/v2/<name>/blobs/<digest>                                   /v2/_catalog        /readyz
 *	/v2/<name>/tags/list                                        /v2/<name>/referrers/<digest>   /metrics
 */
#include "http/request.h"
#include "store/digest.h"
#include "store/reference.h"

#define ROUTE_DOCKER_REGISTRY "docker.io" /* whose short names get "library/" before them */

#define ROUTE_NAME_MAX (REFERENCE_REGISTRY_MAX + 1 + REFERENCE_REPOSITORY_MAX)
#define ROUTE_PATH_MAX 2048 /* bytes of a decoded path */

/* The order is the order of metrics. */
enum route_kind {
	ROUTE_UNKNOWN,
	ROUTE_BASE,
	ROUTE_MANIFEST,
	ROUTE_BLOB,
	ROUTE_TAGS,
	ROUTE_CATALOG,
	ROUTE_REFERRERS,
	ROUTE_HEALTH,
	ROUTE_READY,
	ROUTE_METRICS,
	ROUTE_KINDS,
};

/* The handler label of metrics. */
const char *route_kind_name(enum route_kind kind);

enum route_flaw {
	ROUTE_SOUND,
	ROUTE_BAD_ENCODING, /* broken percent-encoding: 400 */
	ROUTE_BAD_NAME,
	ROUTE_BAD_NAMESPACE,
	ROUTE_BAD_TAG,
	ROUTE_BAD_DIGEST,
	ROUTE_BAD_NUMBER, /* n= is no number */
};

struct route {
	enum route_kind kind;
	enum route_flaw flaw;
	char name[ROUTE_NAME_MAX + 1];		   /* as it stands in the path */
	char registry[REFERENCE_REGISTRY_MAX + 1]; /* of ?ns=, canonical; "": none */
	char ns[REFERENCE_REGISTRY_MAX + 1];	   /* ?ns= as it was written */
	char tag[REFERENCE_TAG_MAX + 1];	   /* "": by digest */
	struct digest digest;
	bool has_n;
	unsigned n;
	char last[ROUTE_NAME_MAX + 1]; /* "": from the beginning */
	char artifact_type[256];       /* "": all */
};

void route_parse(const struct http_request *request, struct route *ret);

/*
 * "host/repository" taken apart, if the first component of name looks like a registry (it holds a dot or a colon, or is
 * localhost) and both parts are valid. Short names of docker.io get their "library/".
 */
bool route_split_name(const char *name, char registry[static REFERENCE_REGISTRY_MAX + 1],
		      char repository[static ROUTE_NAME_MAX + 1]);

/* The repository of a registry as it is stored: "busybox" of docker.io is "library/busybox". */
void route_repository(const char *registry, const char *name,
		      char repository[static ROUTE_NAME_MAX + 1]);

#endif
