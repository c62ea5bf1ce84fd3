/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/modest.h"

#include <sys/resource.h>
#include <time.h>

void modest_look(uint64_t *ret_used, long *ret_preempted)
{
	struct timespec used = { 0 };
	struct rusage usage = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	getrusage(RUSAGE_THREAD, &usage);
	*ret_used = (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
	*ret_preempted = usage.ru_nivcsw;
}

void modest_begin(struct modest *m)
{
	m->since = 0;
	modest_look(&m->used, &m->preempted);
}

uint64_t modest_rest(struct modest *m, uint64_t used, long preempted)
{
	m->since += used - m->used;
	m->used = used;
	if (m->preempted == preempted)
		return 0;
	m->preempted = preempted;
	uint64_t rest =
		m->since < MODEST_REST_MAX / MODEST_REST ? m->since * MODEST_REST : MODEST_REST_MAX;
	m->since = 0;
	return rest;
}
