/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larderd(8): sockets, signals and the service manager around a registry. */
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "larderd/listen.h"
#include "larderd/options.h"

#define DEFAULT_ADDRESS_6 "[::1]:" REGISTRY_PORT_TEXT
#define DRAIN_TICK_MS	  20
/* Of a connection: itself, its blob, and that blob once more while it is hashed. */
#define DESCRIPTORS_EACH 3
/* Of larderd itself: what is open at rest, and what its threads open for a moment. */
#define DESCRIPTORS_OWN 32

struct daemon {
	struct options options;
	struct event_base *base;
	struct registry *registry;
	struct event *signals[4];
	struct event *watchdog, *drain_tick, *drain_end;
	bool draining;
	bool cut_off; /* answers were still running at the end */
};

static void on_status(const char *text, void *user)
{
	(void)user;
	log_debug("%s", text);
	sd_notifyf(0, "STATUS=%s", text);
}

static void on_drain_tick(evutil_socket_t fd, short what, void *user)
{
	struct daemon *d = user;

	(void)fd;
	(void)what;
	if (registry_connections(d->registry) == 0)
		event_base_loopbreak(d->base);
}

static void on_drain_end(evutil_socket_t fd, short what, void *user)
{
	struct daemon *d = user;

	(void)fd;
	(void)what;
	d->cut_off = registry_connections(d->registry) > 0;
	event_base_loopbreak(d->base);
}

static void on_stop(evutil_socket_t signal, short what, void *user)
{
	static const struct timeval tick = { 0, DRAIN_TICK_MS * 1000 };
	struct daemon *d = user;
	struct timeval limit = { d->options.drain_seconds, 0 };

	(void)signal;
	(void)what;
	if (d->draining) {
		event_base_loopbreak(d->base);
		return;
	}
	d->draining = true;
	sd_notify(0, "STOPPING=1\nSTATUS=Finishing running transfers");
	registry_drain(d->registry);
	d->drain_tick = event_new(d->base, -1, EV_PERSIST, on_drain_tick, d);
	d->drain_end = evtimer_new(d->base, on_drain_end, d);
	if (!d->drain_tick || !d->drain_end || event_add(d->drain_tick, &tick) < 0 ||
	    event_add(d->drain_end, &limit) < 0 || registry_connections(d->registry) == 0)
		event_base_loopbreak(d->base);
}

static void on_reload(evutil_socket_t signal, short what, void *user)
{
	struct daemon *d = user;
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	(void)signal;
	(void)what;
	sd_notify(0, "RELOADING=1");
	if (registry_reload(d->registry, &diag) < 0)
		log_error("not reloaded, what was served before goes on: %s", diag_text(&diag));
	else
		log_info("reloaded");
	sd_notify(0, "READY=1");
}

static void on_watchdog(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	(void)user;
	sd_notify(0, "WATCHDOG=1");
}

static int add_signal(struct daemon *d, size_t slot, int number, event_callback_fn callback)
{
	d->signals[slot] = evsignal_new(d->base, number, callback, d);
	return d->signals[slot] && event_add(d->signals[slot], NULL) == 0 ? 0 : -ENOMEM;
}

static int start_events(struct daemon *d)
{
	uint64_t interval;
	int r = add_signal(d, 0, SIGTERM, on_stop);

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = add_signal(d, 1, SIGINT, on_stop);
	if (r == 0)
		r = add_signal(d, 2, SIGHUP, on_reload);
	if (r == 0 && sd_watchdog_enabled(0, &interval) > 0) {
		interval /= 2;
		struct timeval half = { (time_t)(interval / 1000000),
					(suseconds_t)(interval % 1000000) };
		d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
		r = d->watchdog && event_add(d->watchdog, &half) == 0 ? 0 : -ENOMEM;
	}
	return r;
}

/* Announces and takes fd. */
static int serve_socket(struct daemon *d, int fd)
{
	char name[LISTEN_NAME_MAX];

	listen_without_pace(fd);
	printf("listening on %s\n", listen_name(fd, name));
	fflush(stdout);
	return registry_listen(d->registry, fd);
}

static int listen_to(struct daemon *d, const char *address, struct diag *diag)
{
	int fd = listen_on(address, diag);

	return fd < 0 ? fd : serve_socket(d, fd);
}

/* Sockets that systemd bound before, else those of the command line, else the well-known ones. */
static int start_listening(struct daemon *d, struct diag *diag)
{
	int n = sd_listen_fds(1), r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			return diag_set(
				diag, -EINVAL,
				"descriptor %d was passed, and is no listening stream socket", fd);
		r = serve_socket(d, fd);
	}
	for (char **address = d->options.listen; r == 0 && address && *address; address++)
		r = listen_to(d, *address, diag);
	if (n > 0 || d->options.listen || r < 0)
		return r;
	r = listen_to(d, REGISTRY_ADDRESS, diag);
	/* Not every machine has IPv6. */
	if (r == 0 && listen_to(d, DEFAULT_ADDRESS_6, NULL) < 0)
		log_debug("not listening on " DEFAULT_ADDRESS_6);
	return r;
}

/* As many descriptors as may be; and no more connections than can have their blobs open, else a blob that is there would be a miss. */
static void settle_descriptors(struct http_limits *limits)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	rlim_t own = limit.rlim_cur < DESCRIPTORS_OWN ? limit.rlim_cur : DESCRIPTORS_OWN;
	rlim_t enough = (limit.rlim_cur - own) / DESCRIPTORS_EACH;
	unsigned wanted = limits->connections ? limits->connections : HTTP_CONNECTIONS;
	if (limit.rlim_cur == RLIM_INFINITY || wanted <= enough)
		return;
	if (limits->connections)
		log_notice(
			"at most %llu connections, not %u: the limit of open files (LimitNOFILE=) is %llu",
			(unsigned long long)enough, wanted, (unsigned long long)limit.rlim_cur);
	limits->connections = enough ? (unsigned)enough : 1;
}

static void daemon_done(struct daemon *d)
{
	if (d->registry)
		registry_free(d->registry);
	for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->drain_tick)
		event_free(d->drain_tick);
	if (d->drain_end)
		event_free(d->drain_end);
	if (d->base)
		event_base_free(d->base);
	options_done(&d->options);
}

static int start(struct daemon *d, struct diag *diag)
{
	settle_descriptors(&d->options.registry.limits);
	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	int r = start_events(d);
	if (r == 0)
		r = registry_new(d->base, &d->options.registry, &d->registry, diag);
	if (r == 0)
		r = start_listening(d, diag);
	return r;
}

static int serve(struct daemon *d)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	int r = start(d, &diag);

	if (r < 0) {
		log_error("%s", diag.message ? diag_text(&diag) : strerror(-r));
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	}
	sd_notify(0, "READY=1");
	event_base_dispatch(d->base);
	if (d->cut_off)
		log_warning("%u transfers had not ended after %u s and were cut off",
			    registry_connections(d->registry), d->options.drain_seconds);
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct daemon daemon = {
		.options = { .registry = { .run_dir = DIR_RUN,
					   .verify_ahead = true,
					   .status = on_status },
			     .drain_seconds = DRAIN_SECONDS },
	};
	_cleanup_free_ char *record = NULL;

	log_open("larderd");
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like any other */
	/* Few threads allocate: one arena for them saves memory. */
	mallopt(M_ARENA_MAX, 1);
	int status = options_parse(&daemon.options, argc, argv);
	if (status == OPTIONS_GO_ON) {
		struct registry_options *o = &daemon.options.registry;
		const char *own = getenv("RUNTIME_DIRECTORY"); /* systemd.exec(5) */
		if (!o->record && (own || !o->caches))
			o->record = record = path_join(own ? own : o->run_dir, NAME_RUN_VERIFIED);
		status = serve(&daemon);
	}
	daemon_done(&daemon);
	return status;
}
