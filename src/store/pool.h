/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_POOL_H
#define LARDER_STORE_POOL_H
/*
 * Threads that do what could make an event loop wait: hashing, reading directories. A job is done in steps; after each step the
 * job with the least work left comes next, so that a small one never waits for a large one to end. Urgent jobs have the
 * workers; jobs that nobody waits for have one thread of the lowest priority, which also rests where others want the processor (modest.h).
 *
 *	pool_submit() → step() on a thread, until it says that it has ended → done() on the loop's thread, in pool_collect()
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/cleanup.h"

struct pool;

struct job {
	/* On a thread of the pool. True: there is more to do. */
	bool (*step)(struct job *job);
	/* On the thread that calls pool_collect(); owns the job from here on. cancelled: it may not have ended. */
	void (*done)(struct job *job, bool cancelled);
	uint64_t
		left; /* how much work is left, in any unit that all jobs share (bytes); step keeps it true */

	/* The pool's own. */
	TAILQ_ENTRY(job) queue;
	bool urgent;
	bool queued;
};

/* workers: threads for urgent jobs; 0: as many as there are processors, at most POOL_WORKERS_MAX. */
#define POOL_WORKERS_MAX 4
int pool_new(unsigned workers, struct pool **ret);

/* Waits for the steps that are running; every job that has not been collected is done() as cancelled. */
void pool_free(struct pool *pool);
DEFINE_CLEANUP(struct pool *, pool_free);

void pool_submit(struct pool *pool, struct job *job, bool urgent);

/* Somebody waits for it now. A job that has ended already stays as it is. */
void pool_hurry(struct pool *pool, struct job *job);

/* Readable when there is something to collect. Borrowed. */
int pool_fd(const struct pool *pool);

void pool_collect(struct pool *pool);

#endif
