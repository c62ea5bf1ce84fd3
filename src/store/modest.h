/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_MODEST_H
#define LARDER_STORE_MODEST_H
/*
 * Work that nobody waits for must not take the processor from those who have some to do. The scheduler's policy for that, SCHED_IDLE,
 * counts only among the threads of one control group. Where the controller for processors is on, which systemd does for a service with Delegate=yes (containerd's is one) or
 * CPUWeight= (larder-sync's), each service is a group, and a thread of the lowest priority gets as much as a whole runtime. So such a
 * thread also looks whether the processor was taken from it, and then rests for MODEST_REST times as long as it has worked. (cpu.idle of a group of its
 * own would do the same, and needs a control group that larderd may write to.)
 */
#include <stdbool.h>
#include <stdint.h>

#define MODEST_REST 10
#define MODEST_REST_MAX                                                                            \
	1000000000U /* ns: a processor that is taken from it now and then is no busy one */

/* Of one thread. */
struct modest {
	uint64_t used;	/* ns of processor time until the last look */
	long preempted; /* how often the processor was taken from it until then */
	uint64_t since; /* ns worked since it was taken last */
};

/* What the calling thread has used, and how often it was preempted (getrusage(2): ru_nivcsw). */
void modest_look(uint64_t *ret_used, long *ret_preempted);

/* At the start of the thread's work. */
void modest_begin(struct modest *m);

/* After a piece of work: how long to rest, in ns; 0: go on. used and preempted are as modest_look() says. */
uint64_t modest_rest(struct modest *m, uint64_t used, long preempted);

#endif
