/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dead-mirror PORT FILE: a mirror that is up and useless. Accepts on 127.0.0.1:PORT, counts, closes, and keeps the count in FILE
 * (replaced whole, "0" from before the first connection is possible on), until it is killed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"

static int write_count(const char *file, unsigned long count)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lu\n", count);

	return write_file_atomic_at(AT_FDCWD, file, text, (size_t)n, 0644);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	const int yes = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: dead-mirror PORT FILE\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (write_count(argv[2], 0) < 0 ||
	    bind(s, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(s, 128) < 0) {
		perror("dead-mirror");
		return 1;
	}
	for (unsigned long count = 0;;) {
		int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		if (c < 0)
			continue;
		if (write_count(argv[2], ++count) < 0)
			return 1;
		close_fd(c);
	}
}
