/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * without-syscalls NAME[,NAME…] CMD…: runs a program for which these system calls fail with ENOSYS, as on a kernel that does not have
 * them.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 32

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	{ "fsopen", SYS_fsopen },	  { "fsconfig", SYS_fsconfig }, { "fsmount", SYS_fsmount },
	{ "move_mount", SYS_move_mount }, { "mount", SYS_mount },
};

static unsigned find_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	fprintf(stderr, "without-syscalls: %s is not known here\n", name);
	exit(125);
}

int main(int argc, char *argv[])
{
	struct sock_filter filter[2 * CALLS_MAX + 2];
	unsigned short n = 0;

	if (argc < 3)
		return 125;
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (char *rest = argv[1], *name; (name = strsep(&rest, ",")) && n < 2 * CALLS_MAX;) {
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   find_call(name), 0, 1);
		filter[n++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
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
