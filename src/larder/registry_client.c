/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/registry_client.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/io.h"
#include "base/names.h"

static int connect_to_registry(int *ret)
{
	const struct timeval limit = { .tv_sec = REGISTRY_CLIENT_TIMEOUT_MS / 1000 };
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(REGISTRY_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	_cleanup_close_ int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(s, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = TAKE_FD(s);
	return 0;
}

static int ask(const char *path, char **ret_answer)
{
	_cleanup_close_ int s = -1;
	_cleanup_free_ char *request = NULL;

	int r = connect_to_registry(&s);
	if (r < 0)
		return r;
	if (asprintf(&request,
		     "GET %s HTTP/1.1\r\nHost: " REGISTRY_ADDRESS "\r\nConnection: close\r\n\r\n",
		     path) < 0)
		return -ENOMEM;
	r = write_exact(s, request, strlen(request));
	return r < 0 ? r : read_fd(s, REGISTRY_CLIENT_BYTES_MAX, ret_answer, NULL);
}

int registry_get(const char *path, int *ret_code, char **ret_body, struct diag *diag)
{
	_cleanup_free_ char *answer = NULL;
	int code;

	int r = ask(path, &answer);
	if (r == -EAGAIN)
		return diag_set(diag, -ETIMEDOUT,
				"the registry at " REGISTRY_ADDRESS " did not answer within %d s",
				REGISTRY_CLIENT_TIMEOUT_MS / 1000);
	if (r < 0)
		return diag_set(diag, r, "the registry at " REGISTRY_ADDRESS " does not answer: %s",
				strerror(-r));
	const char *body = strstr(answer, "\r\n\r\n");
	if (sscanf(answer, "HTTP/1.%*1[01] %3d", &code) != 1 || !body)
		return diag_set(diag, -EPROTO,
				"what listens on " REGISTRY_ADDRESS " does not speak HTTP");
	char *copy = strdup(body + 4);
	if (!copy)
		return -ENOMEM;
	*ret_code = code;
	*ret_body = copy;
	return 0;
}
