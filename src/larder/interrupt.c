/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/interrupt.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/io.h"

#define CHILDREN_BYTES_MAX 65536

/* Shared by two threads: the one that works says what to remove, the other removes it. */
static struct {
	pthread_mutex_t lock;
	char path[PATH_MAX];
} work = { .lock = PTHREAD_MUTEX_INITIALIZER };

void interrupt_work_dir(const char *path, void *user)
{
	(void)user;
	pthread_mutex_lock(&work.lock);
	work.path[0] = '\0';
	if (path && strlen(path) < sizeof(work.path))
		memcpy(work.path, path, strlen(path) + 1);
	pthread_mutex_unlock(&work.lock);
}

/* Children of the main thread, which is the one that starts programs (proc(5), /proc/pid/task/tid/children). */
static void end_children(void)
{
	_cleanup_free_ char *list = NULL, *path = NULL;

	if (asprintf(&path, "/proc/self/task/%d/children", getpid()) < 0)
		return;
	if (read_file_at(AT_FDCWD, path, CHILDREN_BYTES_MAX, &list, NULL) < 0)
		return;
	for (char *at = list, *end;; at = end) {
		long pid = strtol(at, &end, 10);
		if (end == at || pid <= 1)
			return;
		kill((pid_t)pid, SIGKILL);
	}
}

static void *wait_for_signal(void *user)
{
	sigset_t signals;
	int number;

	(void)user;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	if (sigwait(&signals, &number) != 0)
		return NULL;
	/* Held until the end, so that the work cannot make a new directory after this. */
	pthread_mutex_lock(&work.lock);
	end_children();
	if (*work.path)
		(void)remove_tree_at(AT_FDCWD, work.path);
	signal(number, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	raise(number);
	_exit(128 + number);
}

/* When its children are killed, the thread that works fails and would end the program, with another status. The signal has precedence. */
static void give_way(void)
{
	pthread_mutex_lock(&work.lock);
}

int interrupt_guard(void)
{
	pthread_t thread;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	int r = atexit(give_way) == 0 ? -pthread_sigmask(SIG_BLOCK, &signals, NULL) : -ENOMEM;
	if (r == 0)
		r = -pthread_create(&thread, NULL, wait_for_signal, NULL);
	if (r == 0)
		pthread_detach(thread);
	return r;
}
