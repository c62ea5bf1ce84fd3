/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-writes FILE LOG CMD…: runs a command and writes down everything that it and its children write to FILE, with every
 * flush, in order. The power-cut tests replay this. Each record of LOG is "W OFFSET SIZE\n" and SIZE bytes, "Z OFFSET SIZE\n" for a
 * punched or zeroed range, "T SIZE\n" for a truncation, or "F\n" for a flush.
 *
 * It traces system calls (ptrace(2)), so that nothing in the traced programs has to know of it. A way of writing that it does not
 * know (a shared mapping, copy_file_range, io_uring) ends it with an error: a record with holes would prove nothing.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/cleanup.h"

#define TASKS_MAX      64
#define STATUS_TROUBLE 125

struct task {
	pid_t pid;
	bool inside; /* between entry and exit of a system call */
	uint64_t number, args[6];
	uint64_t position; /* of the descriptor at entry */
};

static struct task tasks[TASKS_MAX];
static struct stat target;
static FILE *record;

static void __attribute__((noreturn, format(printf, 1, 2))) trouble(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("record-writes: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(STATUS_TROUBLE);
}

static struct task *task_of(pid_t pid)
{
	struct task *empty = NULL;

	for (size_t i = 0; i < TASKS_MAX; i++) {
		if (tasks[i].pid == pid)
			return &tasks[i];
		if (!empty && tasks[i].pid == 0)
			empty = &tasks[i];
	}
	if (!empty)
		trouble("more than %d tasks", TASKS_MAX);
	*empty = (struct task){ .pid = pid };
	return empty;
}

static bool is_target(pid_t pid, uint64_t fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	return stat(path, &st) == 0 && st.st_dev == target.st_dev && st.st_ino == target.st_ino;
}

static uint64_t position_of(pid_t pid, uint64_t fd)
{
	char path[64];
	uint64_t position = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, (int)fd);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	if (!f || fscanf(f, "pos: %" SCNu64, &position) != 1)
		trouble("cannot read %s", path);
	return position;
}

static void record_write(pid_t pid, uint64_t address, uint64_t size, uint64_t offset)
{
	_cleanup_free_ char *data = malloc(size);
	struct iovec here = { data, size }, there = { (void *)(uintptr_t)address, size };

	if (!data || process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)size)
		trouble("cannot read what was written");
	fprintf(record, "W %" PRIu64 " %" PRIu64 "\n", offset, size);
	fwrite(data, 1, size, record);
}

static void record_fallocate(const struct task *t)
{
	uint64_t mode = t->args[1];

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		fprintf(record, "Z %" PRIu64 " %" PRIu64 "\n", t->args[2], t->args[3]);
	else if (mode & ~(uint64_t)FALLOC_FL_KEEP_SIZE)
		trouble("fallocate with mode %#" PRIx64, mode);
}

static bool known(uint64_t number)
{
	switch (number) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sync_file_range:
		return true;
	default:
		return false;
	}
}

static void at_entry(struct task *t, const struct __ptrace_syscall_info *info)
{
	t->number = info->entry.nr;
	memcpy(t->args, info->entry.args, sizeof(t->args));
	if (t->number == SYS_write && is_target(t->pid, t->args[0]))
		t->position = position_of(t->pid, t->args[0]);
	if (t->number == SYS_mmap && (t->args[2] & PROT_WRITE) && (t->args[3] & MAP_SHARED) &&
	    !(t->args[3] & MAP_ANONYMOUS) && is_target(t->pid, t->args[4]))
		trouble("the file is mapped");
	if ((t->number == SYS_copy_file_range || t->number == SYS_sendfile) &&
	    (is_target(t->pid, t->args[t->number == SYS_sendfile ? 0 : 2])))
		trouble("the file is written by the kernel");
}

static void at_exit_of(struct task *t, const struct __ptrace_syscall_info *info)
{
	int64_t result = info->exit.rval;

	if (result < 0 || !known(t->number) || !is_target(t->pid, t->args[0]))
		return;
	switch (t->number) {
	case SYS_write:
		record_write(t->pid, t->args[1], (uint64_t)result, t->position);
		break;
	case SYS_pwrite64:
		record_write(t->pid, t->args[1], (uint64_t)result, t->args[3]);
		break;
	case SYS_fsync:
	case SYS_fdatasync:
		fputs("F\n", record);
		break;
	case SYS_ftruncate:
		fprintf(record, "T %" PRIu64 "\n", t->args[1]);
		break;
	case SYS_fallocate:
		record_fallocate(t);
		break;
	default:
		trouble("system call %" PRIu64 " writes to the file", t->number);
	}
}

static void at_syscall(struct task *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		at_entry(t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		at_exit_of(t, &info);
}

/* Which signal the task gets when it goes on. */
static int at_stop(struct task *t, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		at_syscall(t);
		return 0;
	}
	/* Events of ptrace, and the first stop of a new task. */
	if (status >> 16 || sig == SIGTRAP || sig == SIGSTOP)
		return 0;
	return sig;
}

static int trace(pid_t first)
{
	int exit_status = STATUS_TROUBLE;

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			return exit_status;
		struct task *t = task_of(pid);
		if (WIFSTOPPED(status)) {
			int sig = at_stop(t, status);
			(void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)sig);
			continue;
		}
		t->pid = 0;
		if (pid == first)
			exit_status =
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

int main(int argc, char *argv[])
{
	if (argc < 4)
		trouble("record-writes FILE LOG CMD…");
	if (stat(argv[1], &target) < 0)
		trouble("%s: %s", argv[1], strerror(errno));
	record = fopen(argv[2], "we");
	if (!record)
		trouble("%s: %s", argv[2], strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		trouble("cannot trace: %s", strerror(errno));
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0)
		trouble("cannot trace: %s", strerror(errno));
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	int result = trace(pid);
	if (fclose(record) != 0)
		trouble("%s: %s", argv[2], strerror(errno));
	return result;
}
