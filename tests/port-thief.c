/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port-thief PORT [stays]: tries to listen on PORT of every loopback and wildcard address, without end, as somebody would who wants
 * to be asked in place of the registry. Says "port-thief: bound ADDRESS" for what it got, and how often it tried when it ends. SIGINT
 * ends it. SIGTERM, which is systemd-shutdown's last word before SIGKILL, does not at once: it tries LAST_TRIES times more or, if it
 * stays, until it is killed, and says from time to time how often by then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define PAUSE_MS   3
#define LAST_TRIES 200

static volatile sig_atomic_t ended, terminated;

static void on_signal(int signal)
{
	if (signal == SIGTERM)
		terminated = 1;
	else
		ended = 1;
}

static bool got(int family, const char *address, unsigned port)
{
	const int yes = 1;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	_cleanup_close_ int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	if (family == AF_INET) {
		inet_pton(family, address, &v4.sin_addr);
		return bind(s, (struct sockaddr *)&v4, sizeof(v4)) == 0 && listen(s, 1) == 0;
	}
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	inet_pton(family, address, &v6.sin6_addr);
	return bind(s, (struct sockaddr *)&v6, sizeof(v6)) == 0 && listen(s, 1) == 0;
}

int main(int argc, char *argv[])
{
	static const struct {
		int family;
		const char *address;
	} targets[] = {
		{ AF_INET, "127.0.0.1" },
		{ AF_INET6, "::1" },
		{ AF_INET, "0.0.0.0" },
		{ AF_INET6, "::" },
	};
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	const struct sigaction action = { .sa_handler = on_signal };
	unsigned long tries = 0, last_tries = 0;

	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "stays") != 0) ||
	    geteuid() == 0) {
		fprintf(stderr, "usage, as anybody but root: port-thief PORT [stays]\n");
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("port-thief: begins\n");
	for (; !ended; tries++) {
		size_t i = tries % (sizeof(targets) / sizeof(targets[0]));
		if (got(targets[i].family, targets[i].address, (unsigned)atoi(argv[1])))
			printf("port-thief: bound %s\n", targets[i].address);
		if (terminated && ++last_tries % LAST_TRIES == 0) {
			printf("port-thief: has tried %lu times since SIGTERM\n", last_tries);
			ended |= argc == 2;
		}
		nanosleep(&pause, NULL);
	}
	printf("port-thief: ends after %lu tries\n", tries);
	return 0;
}
