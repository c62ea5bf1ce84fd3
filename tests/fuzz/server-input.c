/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole registry on a socket pair, made once, with a store of one image that has every kind of manifest. */
#include "fuzz/registry-input.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "lib/store.h"
#include "registry/registry.h"

#define demand(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static struct {
	struct event_base *base;
	struct registry *registry;
	char dir[32];
} world;

static void begin(void)
{
	char *caches[] = { world.dir, NULL };
	struct registry_options options = { .caches = caches, .workers = 1 };

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_EMERG);
	/* At exit it cleans up before we do. A thread of ours that was the first to need it would lose its state then: a leak of 904 bytes. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	strcpy(world.dir, "/tmp/larder-fuzz-XXXXXX");
	demand(mkdtemp(world.dir));
	store_make(world.dir);
	world.base = event_base_new();
	demand(registry_new(world.base, &options, &world.registry, NULL) == 0);
	atexit(input_server_end);
}

void input_server_end(void)
{
	if (!world.registry)
		return;
	registry_free(world.registry);
	event_base_free(world.base);
	(void)remove_tree_at(AT_FDCWD, world.dir);
	memset(&world, 0, sizeof(world));
}

/* The first line of every answer; answers to HEAD have no body, so only the first one is sure to begin where it is looked for. */
static void check_answer(const char *text, size_t size)
{
	static const char *const never[] = { "HTTP/1.1 401 ", "HTTP/1.1 408 ", "HTTP/1.1 429 ",
					     "HTTP/1.1 500 " };

	demand(size == 0 || (size > 13 && memcmp(text, "HTTP/1.1 ", 9) == 0));
	for (size_t i = 0; size > 0 && i < ARRAY_SIZE(never); i++)
		demand(memcmp(text, never[i], strlen(never[i])) != 0);
}

void input_server(const uint8_t *data, size_t size)
{
	static char answer[1 << 20];
	int pair[2], bytes = 1 << 20;
	size_t got = 0;

	if (!world.registry)
		begin();
	if (size > 65536)
		return;
	demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	demand(registry_adopt(world.registry, pair[0]) == 0);
	demand(size == 0 || write(pair[1], data, size) == (ssize_t)size);
	shutdown(pair[1], SHUT_WR);
	for (ssize_t n = 1; registry_connections(world.registry) > 0;) {
		event_base_loop(world.base, EVLOOP_ONCE);
		while ((n = read(pair[1], answer + got, sizeof(answer) - got)) > 0)
			got = got + (size_t)n < sizeof(answer) ? got + (size_t)n : 4096;
	}
	ssize_t n = read(pair[1], answer + got, sizeof(answer) - got);
	got += n > 0 ? (size_t)n : 0;
	check_answer(answer, got);
	close_fd(pair[1]);
}
