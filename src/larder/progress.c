/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define QUIET_MS    1000
#define INTERVAL_MS 200
#define WHAT_MAX    36 /* bytes of a name that fit into a line with the figures */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void progress_start(struct progress *p, const char *verb)
{
	*p = (struct progress){
		.verb = verb,
		.terminal = isatty(STDERR_FILENO),
		.notify = getenv("NOTIFY_SOCKET") != NULL,
		.started_ms = now_ms(),
	};
}

bool progress_is_seen(const struct progress *p)
{
	return p->terminal || p->notify;
}

/* "12 %, 3.4 MiB/s, 20 s left", or what of it is known. */
static void format_rate(char *buffer, size_t size, uint64_t done, uint64_t total, int64_t ms)
{
	char rate[TEXT_SIZE_MAX];
	uint64_t per_second = ms > 0 ? done * 1000 / (uint64_t)ms : 0;

	text_size_iec(per_second, rate);
	if (total > 0 && per_second > 0 && done <= total)
		snprintf(buffer, size, "%" PRIu64 " %%, %s/s, %" PRIu64 " s left",
			 done * 100 / total, rate, (total - done) / per_second);
	else
		snprintf(buffer, size, "%s/s", rate);
}

/* The end of a name says more than its beginning. A character is not cut in two. */
static void shorten(const char *what, char ret[static WHAT_MAX + 4])
{
	size_t length = strlen(what);

	if (length <= WHAT_MAX) {
		memcpy(ret, what, length + 1);
		return;
	}
	what += length - WHAT_MAX;
	while (((unsigned char)*what & 0xc0) == 0x80)
		what++;
	snprintf(ret, WHAT_MAX + 4, "…%s", what);
}

void progress_update(uint64_t done, uint64_t total, const char *what, void *user)
{
	struct progress *p = user;
	char rate[96], name[WHAT_MAX + 4], have[TEXT_SIZE_MAX], all[TEXT_SIZE_MAX] = "";
	int64_t now = now_ms();

	if (!p->rate_ms || done < p->last_done)
		p->rate_ms = p->last_ms ? p->last_ms : now;
	p->last_done = done;
	if (!progress_is_seen(p) || now - p->started_ms < QUIET_MS ||
	    now - p->last_ms < INTERVAL_MS)
		return;
	p->last_ms = now;
	format_rate(rate, sizeof(rate), done, total, now - p->rate_ms);
	text_size_iec(done, have);
	if (total)
		text_size_iec(total, all);
	const char *of = total ? " of " : "";
	shorten(what, name);
	if (p->terminal) {
		fprintf(stderr, "\r\033[K%s %s: %s%s%s, %s", p->verb, name, have, of, all, rate);
		fflush(stderr);
		p->shown = true;
	}
	if (p->notify)
		(void)sd_notifyf(0, "STATUS=%s %s: %s%s%s, %s", p->verb, what, have, of, all, rate);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
