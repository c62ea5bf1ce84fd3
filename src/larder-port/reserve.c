/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder-port/reserve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, Linux 5.14 */
#endif

static const struct hook {
	enum bpf_attach_type type;
	const char *name; /* of the pin */
	const char *family;
} hooks[] = {
	{ BPF_CGROUP_INET4_BIND, "bind4", "IPv4" },
	{ BPF_CGROUP_INET6_BIND, "bind6", "IPv6" },
};

static int sys_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
	return r < 0 ? -errno : r;
}

/* Instructions, as linux/bpf.h and the kernel's Documentation/bpf/standardization/instruction-set.rst have them. */
#define COPY(to, from)                                                                             \
	{                                                                                          \
		BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0                                        \
	}
#define SET(to, value)                                                                             \
	{                                                                                          \
		BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value                                       \
	}
#define SET_LOW(to, value)                                                                         \
	{                                                                                          \
		BPF_LD | BPF_DW | BPF_IMM, to, 0, 0, (int)(uint32_t)(value)                        \
	}
#define SET_HIGH(value)                                                                            \
	{                                                                                          \
		0, 0, 0, 0, (int)(uint32_t)((value) >> 32)                                         \
	} /* right after SET_LOW */
#define LOAD(to, from, at)                                                                         \
	{                                                                                          \
		BPF_LDX | BPF_MEM | BPF_W, to, from, at, 0                                         \
	}
#define CALL(helper)                                                                               \
	{                                                                                          \
		BPF_JMP | BPF_CALL, 0, 0, 0, helper                                                \
	}
#define EXIT                                                                                       \
	{                                                                                          \
		BPF_JMP | BPF_EXIT, 0, 0, 0, 0                                                     \
	}
#define UNLESS(a, b, skip)                                                                         \
	{                                                                                          \
		BPF_JMP | BPF_JNE | BPF_X, a, b, skip, 0                                           \
	}
#define UNLESS_IS(a, v, skip)                                                                      \
	{                                                                                          \
		BPF_JMP | BPF_JNE | BPF_K, a, 0, skip, v                                           \
	}
#define IF_IS(a, v, skip)                                                                          \
	{                                                                                          \
		BPF_JMP32 | BPF_JEQ | BPF_K, a, 0, skip, v                                         \
	}
#define FIELD(name) offsetof(struct bpf_sock_addr, name)

/* What is asked is whether the caller may bind: 1 yes, 0 no. */
static int load_program(const struct hook *hook, const uint16_t *ports, size_t n_ports,
			uint64_t network)
{
	const struct bpf_insn begin[] = {
		COPY(BPF_REG_6, BPF_REG_1),
		LOAD(BPF_REG_2, BPF_REG_6, FIELD(user_port)),
	};
	const struct bpf_insn end[] = {
		/* another port */
		SET(BPF_REG_0, 1),
		EXIT,
		/* one of the ports */
		LOAD(BPF_REG_2, BPF_REG_6, FIELD(type)),
		UNLESS_IS(BPF_REG_2, SOCK_STREAM, 9),
		COPY(BPF_REG_1, BPF_REG_6),
		CALL(BPF_FUNC_get_netns_cookie),
		SET_LOW(BPF_REG_2, network),
		SET_HIGH(network),
		UNLESS(BPF_REG_0, BPF_REG_2, 4),
		CALL(BPF_FUNC_get_current_uid_gid), /* the user is the lower half */
		IF_IS(BPF_REG_0, 0, 2),
		SET(BPF_REG_0, 0),
		EXIT,
		/* not a matter of ours */
		SET(BPF_REG_0, 1),
		EXIT,
	};
	struct bpf_insn program[ARRAY_SIZE(begin) + RESERVE_PORTS_MAX + ARRAY_SIZE(end)];
	size_t n = ARRAY_SIZE(begin);

	memcpy(program, begin, sizeof(begin));
	for (size_t i = 0; i < n_ports; i++) {
		/* over the ports that are left, and over the answer for another port */
		const struct bpf_insn is_port =
			IF_IS(BPF_REG_2, htons(ports[i]), (int16_t)(n_ports - i - 1 + 2));
		program[n++] = is_port;
	}
	memcpy(program + n, end, sizeof(end));
	n += ARRAY_SIZE(end);

	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.expected_attach_type = hook->type,
		.insns = (uintptr_t)program,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t) "LGPL",
		.prog_name = "larder_port",
	};
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* A number that the kernel gives the caller's network namespace. */
static int network_namespace(uint64_t *ret, struct diag *diag)
{
	socklen_t size = sizeof(*ret);
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, ret, &size) < 0)
		return diag_set(
			diag, -errno,
			"cannot tell this network namespace from others (SO_NETNS_COOKIE, Linux 5.14): %m");
	return 0;
}

static int open_cgroup(const char *path, struct diag *diag)
{
	const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	const char *const *paths = path ? &path : usual;
	struct statfs fs;

	for (size_t i = 0; i < (path ? 1 : ARRAY_SIZE(usual)); i++) {
		_cleanup_close_ int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return TAKE_FD(fd);
	}
	return diag_set(diag, -ENOENT, "%s has no control groups of version 2 (cgroup2)", paths[0]);
}

static const char *pins_of(const struct reserve_places *places)
{
	return places->pins ? places->pins : RESERVE_PINS;
}

/* "PINS/NAME"; the caller's. */
static char *pin_path(const char *pins, const struct hook *hook)
{
	char *path;
	return asprintf(&path, "%s/%s", pins, hook->name) < 0 ? NULL : path;
}

/* Links a new program where none is, else puts it in the place of the one that is there. */
static int link_program(int cgroup, int program, const struct hook *hook, const char *pin)
{
	union bpf_attr get = { .pathname = (uintptr_t)pin };
	_cleanup_close_ int old = sys_bpf(BPF_OBJ_GET, &get);

	if (old >= 0) {
		union bpf_attr update = {
			.link_update = { .link_fd = (uint32_t)old,
					 .new_prog_fd = (uint32_t)program },
		};
		return sys_bpf(BPF_LINK_UPDATE, &update);
	}
	if (old != -ENOENT)
		return old;
	union bpf_attr create = {
		.link_create = { .prog_fd = (uint32_t)program,
				 .target_fd = (uint32_t)cgroup,
				 .attach_type = hook->type },
	};
	_cleanup_close_ int link = sys_bpf(BPF_LINK_CREATE, &create);
	if (link < 0)
		return link;
	union bpf_attr keep = { .pathname = (uintptr_t)pin, .bpf_fd = (uint32_t)link };
	return sys_bpf(BPF_OBJ_PIN, &keep);
}

int reserve_ports(const struct reserve_places *places, const uint16_t *ports, size_t n_ports,
		  struct diag *diag)
{
	const char *pins = pins_of(places);
	uint64_t network = 0;

	_cleanup_close_ int cgroup = open_cgroup(places->cgroup, diag);
	if (cgroup < 0)
		return cgroup;
	int r = network_namespace(&network, diag);
	if (r < 0)
		return r;
	if (mkdir(pins, 0700) < 0 && errno != EEXIST)
		return diag_set(diag, -errno,
				"cannot make %s (is a BPF filesystem mounted there?): %m", pins);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		_cleanup_free_ char *pin = pin_path(pins, &hooks[i]);
		if (!pin)
			return diag_set(diag, -ENOMEM, "out of memory");
		_cleanup_close_ int program = load_program(&hooks[i], ports, n_ports, network);
		if (program < 0)
			return diag_set(
				diag, program,
				"the kernel does not take a program for bind(2) of %s (CONFIG_CGROUP_BPF, CAP_BPF and CAP_NET_ADMIN): %s",
				hooks[i].family, strerror(-program));
		r = link_program(cgroup, program, &hooks[i], pin);
		if (r < 0)
			return diag_set(
				diag, r,
				"cannot link the program for bind(2) of %s to the control groups as %s: %s",
				hooks[i].family, pin, strerror(-r));
	}
	return 0;
}

int release_ports(const struct reserve_places *places, struct diag *diag)
{
	const char *pins = pins_of(places);

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		_cleanup_free_ char *pin = pin_path(pins, &hooks[i]);
		if (!pin)
			return diag_set(diag, -ENOMEM, "out of memory");
		if (unlink(pin) < 0 && errno != ENOENT)
			return diag_set(diag, -errno, "cannot remove %s: %m", pin);
	}
	if (rmdir(pins) < 0 && errno != ENOENT)
		return diag_set(diag, -errno, "cannot remove %s: %m", pins);
	return 0;
}
