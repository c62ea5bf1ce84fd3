/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larderd/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 4096

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int parse_port(const char *text, in_port_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || port > 65535)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

static int parse_inet(const char *text, union address *ret, socklen_t *ret_size)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	in_port_t port;

	if (n == 0 || n >= sizeof(host) || parse_port(colon + 1, &port) < 0)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = port;
		*ret_size = sizeof(ret->in);
		return 0;
	}
	if (host[0] != '[' || host[n - 1] != ']')
		return -EINVAL;
	host[n - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) != 1)
		return -EINVAL;
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = port;
	*ret_size = sizeof(ret->in6);
	return 0;
}

static int parse_unix(const char *path, union address *ret, socklen_t *ret_size)
{
	memset(ret, 0, sizeof(*ret));
	ret->un.sun_family = AF_UNIX;
	if (*path == '\0' || strlen(path) >= sizeof(ret->un.sun_path))
		return -EINVAL;
	memcpy(ret->un.sun_path, path, strlen(path) + 1);
	*ret_size = sizeof(ret->un);
	return 0;
}

/* A socket that a dead process left behind would keep a new one from listening. */
static void remove_dead_socket(const union address *a, socklen_t size)
{
	struct stat st;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (lstat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && fd >= 0 &&
	    connect(fd, &a->any, size) < 0 && errno == ECONNREFUSED)
		(void)unlink(a->un.sun_path);
}

int listen_on(const char *text, struct diag *diag)
{
	static const char unix_prefix[] = "unix:";
	union address address;
	socklen_t size;
	int one = 1;
	bool local = strncmp(text, unix_prefix, sizeof(unix_prefix) - 1) == 0;

	if ((local ? parse_unix(text + sizeof(unix_prefix) - 1, &address, &size)
		   : parse_inet(text, &address, &size)) < 0)
		return diag_set(
			diag, -EINVAL,
			"\"%s\" is no address to listen on; write 127.0.0.1:5000, [::1]:5000 or "
			"unix:/run/some.sock",
			text);
	_cleanup_close_ int fd =
		socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diag_set(diag, -errno, "cannot listen on %s: %s", text, strerror(errno));
	if (local) {
		remove_dead_socket(&address, size);
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (address.any.sa_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (bind(fd, &address.any, size) < 0 || listen(fd, BACKLOG) < 0)
		return diag_set(diag, -errno, "cannot listen on %s: %s", text, strerror(errno));
	return TAKE_FD(fd);
}

static bool is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

void listen_without_pace(int fd)
{
	static const char reno[] = "reno";
	union address address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) == 0 && is_loopback(&address))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof(reno) - 1);
}

const char *listen_name(int fd, char buffer[static LISTEN_NAME_MAX])
{
	union address address;
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &size) < 0)
		address.any.sa_family = AF_UNSPEC;
	switch (address.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof(host));
		snprintf(buffer, LISTEN_NAME_MAX, "%s:%u", host, ntohs(address.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
		snprintf(buffer, LISTEN_NAME_MAX, "[%s]:%u", host, ntohs(address.in6.sin6_port));
		break;
	case AF_UNIX:
		snprintf(buffer, LISTEN_NAME_MAX, "unix:%.*s", (int)sizeof(address.un.sun_path),
			 address.un.sun_path);
		break;
	default:
		snprintf(buffer, LISTEN_NAME_MAX, "an unknown socket");
	}
	return buffer;
}
