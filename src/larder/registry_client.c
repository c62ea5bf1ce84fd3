/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/registry_client.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

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

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* To the end, all of it within the time limit: whoever listens there may send a byte now and then. */
static int read_answer(int s, char **ret)
{
	int64_t end = now_ms() + REGISTRY_CLIENT_TIMEOUT_MS;
	_cleanup_free_ char *answer = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		if (size + 1 >= room) {
			room = room ? room * 2 : 4096;
			char *larger = realloc(answer, room);
			if (!larger)
				return -ENOMEM;
			answer = larger;
		}
		ssize_t n = read(s, answer + size, room - size - 1);
		if (n < 0 && errno != EINTR)
			return -errno;
		size += n > 0 ? (size_t)n : 0;
		if (size > REGISTRY_CLIENT_BYTES_MAX)
			return -EFBIG;
		if (n == 0)
			break;
		if (now_ms() > end)
			return -EAGAIN;
	}
	answer[size] = '\0';
	*ret = TAKE_PTR(answer);
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
	return r < 0 ? r : read_answer(s, ret_answer);
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
