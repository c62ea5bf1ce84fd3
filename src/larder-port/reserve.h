/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_PORT_RESERVE_H
#define LARDER_PORT_RESERVE_H
/*
 * Ports that only root may bind. A socket of PID 1's keeps others from the registry's port as long as PID 1 has it: not while
 * larder.socket is restarted, and not in systemd's last step, where a process that ignores SIGTERM goes on until SIGKILL. So the kernel
 * itself is told, once: two programs of a few instructions (BPF_PROG_TYPE_CGROUP_SOCK_ADDR, linux/bpf.h, for bind(2) of IPv4 and IPv6),
 * linked to the root of the control groups. It holds for every process, without one of ours, until the link is taken away or the machine
 * is off.
 *
 * bind(2) fails with EPERM for a stream socket, in the network namespace of the caller of reserve_ports(), on one of the ports, whatever
 * the address, unless the real user (bpf_get_current_uid_gid()) is root of the whole machine: root of a user namespace is not, nor is a
 * program that has root's rights by its file's mode only. Other programs on the same hooks are not touched, each may refuse on its own. Ports that the kernel chooses by itself (net.ipv4.ip_local_port_range, by default from
 * 32768) do not pass bind(2)'s hook with their number.
 *
 * Needs Linux 5.14 (SO_NETNS_COOKIE) with CONFIG_CGROUP_BPF, control groups of version 2, also as systemd's "hybrid" has them, a mounted
 * BPF filesystem, CAP_BPF and CAP_NET_ADMIN.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define RESERVE_PORTS_MAX 16
#define RESERVE_PINS	  "/sys/fs/bpf/larder-port"

struct reserve_places {
	const char *cgroup; /* NULL: the root, where systemd mounts control groups of version 2 */
	const char *
		pins; /* a directory on a BPF filesystem, made here: one file for each link; NULL: RESERVE_PINS */
};

/*
 * Reserves exactly these ports, 1 to RESERVE_PORTS_MAX of them. What was reserved before is replaced in one step for each family: no
 * port that is in both is free meanwhile, and the control group is still that of before. On failure what was reserved before may still be, wholly or for one family.
 */
int reserve_ports(const struct reserve_places *places, const uint16_t *ports, size_t n_ports,
		  struct diag *diag);

/* Takes back what was reserved; it is no error that nothing was. */
int release_ports(const struct reserve_places *places, struct diag *diag);

#endif
