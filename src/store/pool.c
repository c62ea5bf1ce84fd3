/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "store/modest.h"

#define STACK_BYTES (512U << 10)
#define NS_PER_S    1000000000U

/* ioprio_set(2) has no wrapper: class idle of this thread */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13)

TAILQ_HEAD(jobs, job);

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t urgent_there, idle_there;
	struct jobs urgent, idle, ended;
	pthread_t threads[POOL_WORKERS_MAX + 1];
	unsigned n_threads;
	bool stop;
	int fd;
};

/* The job with the least work left; taken from its queue. */
static struct job *take_smallest(struct jobs *jobs)
{
	struct job *smallest = TAILQ_FIRST(jobs), *job;

	TAILQ_FOREACH(job, jobs, queue)
	if (job->left < smallest->left)
		smallest = job;
	TAILQ_REMOVE(jobs, smallest, queue);
	smallest->queued = false;
	return smallest;
}

static void enqueue(struct pool *pool, struct job *job)
{
	TAILQ_INSERT_TAIL(job->urgent ? &pool->urgent : &pool->idle, job, queue);
	job->queued = true;
	pthread_cond_signal(job->urgent ? &pool->urgent_there : &pool->idle_there);
}

static void wake_loop(struct pool *pool)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	(void)!write(pool->fd, &one, sizeof(one));
}

/* Under the lock, which is free meanwhile. A job that becomes urgent does not wait: it is in the other queue then. */
static void rest(struct pool *pool, uint64_t ns)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	ns += (uint64_t)end.tv_nsec;
	end.tv_sec += (time_t)(ns / NS_PER_S);
	end.tv_nsec = (long)(ns % NS_PER_S);
	while (!pool->stop &&
	       pthread_cond_clockwait(&pool->idle_there, &pool->lock, CLOCK_MONOTONIC, &end) == 0)
		;
}

static void rest_if_needed(struct pool *pool, struct modest *modest)
{
	uint64_t used;
	long preempted;

	modest_look(&used, &preempted);
	used = modest_rest(modest, used, preempted);
	if (used > 0)
		rest(pool, used);
}

/* modest: NULL for jobs that somebody waits for. */
static void work(struct pool *pool, struct jobs *jobs, pthread_cond_t *there, struct modest *modest)
{
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->stop && TAILQ_EMPTY(jobs))
			pthread_cond_wait(there, &pool->lock);
		if (pool->stop)
			break;
		struct job *job = take_smallest(jobs);
		pthread_mutex_unlock(&pool->lock);
		bool more = job->step(job);
		pthread_mutex_lock(&pool->lock);
		if (more) {
			enqueue(pool, job);
		} else {
			TAILQ_INSERT_TAIL(&pool->ended, job, queue);
			wake_loop(pool);
		}
		if (modest)
			rest_if_needed(pool, modest);
	}
	pthread_mutex_unlock(&pool->lock);
}

static void *urgent_worker(void *user)
{
	struct pool *pool = user;

	work(pool, &pool->urgent, &pool->urgent_there, NULL);
	return NULL;
}

/* Failing to be modest is no reason not to work. */
static void *idle_worker(void *user)
{
	struct pool *pool = user;
	struct sched_param none = { 0 };
	struct modest modest;

	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	modest_begin(&modest);
	work(pool, &pool->idle, &pool->idle_there, &modest);
	return NULL;
}

static int start_thread(struct pool *pool, void *(*function)(void *))
{
	pthread_attr_t attributes;
	sigset_t all, before;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	/* Signals are for the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&pool->threads[pool->n_threads], &attributes, function, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (r == 0)
		pool->n_threads++;
	return -r;
}

int pool_new(unsigned workers, struct pool **ret)
{
	_cleanup_(pool_freep) struct pool *pool = calloc(1, sizeof(*pool));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->urgent_there, NULL);
	pthread_cond_init(&pool->idle_there, NULL);
	TAILQ_INIT(&pool->urgent);
	TAILQ_INIT(&pool->idle);
	TAILQ_INIT(&pool->ended);
	pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->fd < 0)
		return -errno;
	if (workers == 0)
		workers = processors > 0 ? (unsigned)processors : 1;
	if (workers > POOL_WORKERS_MAX)
		workers = POOL_WORKERS_MAX;
	int r = start_thread(pool, idle_worker);
	for (unsigned i = 0; r == 0 && i < workers; i++)
		r = start_thread(pool, urgent_worker);
	if (r == 0)
		*ret = TAKE_PTR(pool);
	return r;
}

static void cancel_all(struct jobs *jobs)
{
	struct job *job;

	while ((job = TAILQ_FIRST(jobs))) {
		TAILQ_REMOVE(jobs, job, queue);
		job->done(job, true);
	}
}

void pool_free(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->urgent_there);
	pthread_cond_broadcast(&pool->idle_there);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	cancel_all(&pool->ended);
	cancel_all(&pool->urgent);
	cancel_all(&pool->idle);
	close_fd(pool->fd);
	pthread_cond_destroy(&pool->urgent_there);
	pthread_cond_destroy(&pool->idle_there);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void pool_submit(struct pool *pool, struct job *job, bool urgent)
{
	pthread_mutex_lock(&pool->lock);
	job->urgent = urgent;
	enqueue(pool, job);
	pthread_mutex_unlock(&pool->lock);
}

void pool_hurry(struct pool *pool, struct job *job)
{
	pthread_mutex_lock(&pool->lock);
	if (!job->urgent) {
		job->urgent = true;
		if (job->queued) {
			TAILQ_REMOVE(&pool->idle, job, queue);
			enqueue(pool, job);
		}
	}
	pthread_mutex_unlock(&pool->lock);
}

int pool_fd(const struct pool *pool)
{
	return pool->fd;
}

void pool_collect(struct pool *pool)
{
	struct jobs ended = TAILQ_HEAD_INITIALIZER(ended);
	struct job *job;
	uint64_t count;

	(void)!read(pool->fd, &count, sizeof(count));
	pthread_mutex_lock(&pool->lock);
	TAILQ_CONCAT(&ended, &pool->ended, queue);
	pthread_mutex_unlock(&pool->lock);
	while ((job = TAILQ_FIRST(&ended))) {
		TAILQ_REMOVE(&ended, job, queue);
		job->done(job, false);
	}
}
