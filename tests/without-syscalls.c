/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * without-syscalls NAME[=ERRNO][,…] CMD…: runs a program for which these system calls fail: with ENOSYS, as on a kernel that does
 * not have them, or with another error, as where they are not allowed. "loop" stands for getting a loop device.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 32

static const struct call {
	const char *name;
	unsigned number;
	unsigned request; /* second argument; 0: any */
} calls[] = {
	{ "fsopen", SYS_fsopen, 0 },
	{ "fsconfig", SYS_fsconfig, 0 },
	{ "fsmount", SYS_fsmount, 0 },
	{ "move_mount", SYS_move_mount, 0 },
	{ "mount", SYS_mount, 0 },
	{ "loop", SYS_ioctl, LOOP_CTL_GET_FREE },
	{ "sched_setscheduler", SYS_sched_setscheduler, 0 },
	{ "ioprio_set", SYS_ioprio_set, 0 },
	{ "vmsplice", SYS_vmsplice, 0 },
};

static const struct {
	const char *name;
	unsigned number;
} errors[] = {
	{ "ENOSYS", ENOSYS }, { "EPERM", EPERM }, { "EACCES", EACCES },
	{ "ENODEV", ENODEV }, { "ENXIO", ENXIO },
};

static void unknown(const char *name)
{
	fprintf(stderr, "without-syscalls: %s is not known here\n", name);
	exit(125);
}

static const struct call *find_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	unknown(name);
	return NULL;
}

static unsigned find_error(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].number;
	unknown(name);
	return 0;
}

/* Four instructions, or two: is it this call, with this request? Then it fails. The accumulator holds the call's number before and after. */
static unsigned short refuse(struct sock_filter *filter, const struct call *call, unsigned error)
{
	unsigned short n = 0;

	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0,
						   call->request ? 4 : 1);
	if (call->request) {
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							   offsetof(struct seccomp_data, args[1]));
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->request,
							   0, 1);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
	if (call->request)
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							   offsetof(struct seccomp_data, nr));
	return n;
}

int main(int argc, char *argv[])
{
	struct sock_filter filter[5 * CALLS_MAX + 2];
	unsigned short n = 0;

	if (argc < 3)
		return 125;
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (char *rest = argv[1], *name; (name = strsep(&rest, ",")) && n < 5 * (CALLS_MAX - 1);) {
		const char *call = strsep(&name, "=");
		n += refuse(filter + n, find_call(call), name ? find_error(name) : ENOSYS);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = n, .filter = filter };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("without-syscalls");
		return 125;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
