/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot-timer ROUNDS PARTITION LAYER TARGET LARDER LARDERD: one round of each, in turn:
 *
 *	bare    mount PARTITION (ext4), attach LAYER (a path below it) to a loop device, mount it (squashfs), mount an
 *	        overlay over it and an empty directory, bind, listen, accept one connection
 *	larder  "LARDER boot", LARDERD with the bound socket, GET TARGET answered with 200
 *
 * and prints the medians and their ratio. Must be root, in mount and network namespaces of its own.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/names.h"

#define ROUNDS_MAX 1000

struct bench {
	const char *partition, *layer, *target, *larder, *larderd;
};

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(REGISTRY_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int listen_socket(void)
{
	struct sockaddr_in address = loopback();
	const int yes = 1;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	must(bind(s, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	must(listen(s, 16) == 0, "listen");
	return s;
}

static int connect_socket(void)
{
	struct sockaddr_in address = loopback();
	const struct timeval limit = { .tv_sec = 30 };
	int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	must(connect(c, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	return c;
}

static void make_directories(void)
{
	static const char *const paths[] = { "/run/bare", "/run/bare/volume", "/run/bare/layer",
					     "/run/bare/empty", "/run/bare/merged" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		must(mkdir(paths[i], 0755) == 0 || errno == EEXIST, paths[i]);
}

/* Somebody else may take the free device first. */
static int attach_loop(const struct loop_config *config, char device[static 32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	for (int tries = 0; tries < 64; tries++) {
		snprintf(device, 32, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		int loop = open(device, O_RDONLY | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, config) == 0) {
			close(control);
			return loop;
		}
		close_fd(loop);
		usleep(1000);
	}
	must(0, "LOOP_CONFIGURE");
	return -1;
}

static double bare_round(const struct bench *b)
{
	char path[4096], device[32];
	struct loop_config config = { .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };

	make_directories();
	double start = now_ms();
	must(mount(b->partition, "/run/bare/volume", "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   NULL) == 0,
	     "mount ext4");
	snprintf(path, sizeof(path), "/run/bare/volume/%s", b->layer);
	config.fd = (unsigned)open(path, O_RDONLY | O_CLOEXEC);
	int loop = attach_loop(&config, device);
	must(mount(device, "/run/bare/layer", "squashfs", MS_RDONLY, NULL) == 0, "mount squashfs");
	must(mount("overlay", "/run/bare/merged", "overlay", MS_RDONLY,
		   "lowerdir=/run/bare/layer:/run/bare/empty") == 0,
	     "mount overlay");
	int s = listen_socket();
	int c = connect_socket();
	int a = accept(s, NULL, NULL);
	must(a >= 0, "accept");
	double end = now_ms();

	close(a), close(c), close(s), close(loop), close((int)config.fd);
	must(umount("/run/bare/merged") == 0 && umount("/run/bare/layer") == 0 &&
		     umount("/run/bare/volume") == 0,
	     "umount");
	return end - start;
}

static pid_t start(const char *program, const char *argument, int socket)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (socket >= 0) {
		char text[32];
		dup2(socket, 3);
		fcntl(3, F_SETFD, 0); /* dup2() changes nothing where socket is 3 already */
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDS", "1", 1);
	}
	execl(program, program, argument, NULL);
	_exit(127);
}

static void run(const char *program, const char *argument)
{
	int status;

	must(waitpid(start(program, argument, -1), &status, 0) > 0, "waitpid");
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, argument);
}

static void get_manifest(const char *target)
{
	char request[4096], answer[4096];
	int c = connect_socket();
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: " REGISTRY_ADDRESS "\r\n\r\n", target);

	must(write(c, request, (size_t)n) == n, "write");
	ssize_t got = read(c, answer, sizeof(answer) - 1);
	must(got > 0, "read");
	answer[got] = '\0';
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "boot-timer: %s\n", answer);
		exit(1);
	}
	close(c);
}

static double larder_round(const struct bench *b)
{
	int s = listen_socket(), status;
	double start_time = now_ms();

	run(b->larder, "boot");
	pid_t daemon = start(b->larderd, NULL, s);
	get_manifest(b->target);
	double end = now_ms();
	kill(daemon, SIGTERM);
	must(waitpid(daemon, &status, 0) == daemon, "waitpid");
	close(s);
	run(b->larder, "stop");
	return end - start_time;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[n / 2];
}

int main(int argc, char *argv[])
{
	static double bare[ROUNDS_MAX], larder[ROUNDS_MAX];

	if (argc != 7 || atoi(argv[1]) < 1 || atoi(argv[1]) > ROUNDS_MAX) {
		fprintf(stderr, "usage: boot-timer ROUNDS PARTITION LAYER TARGET LARDER LARDERD\n");
		return 2;
	}
	struct bench b = { argv[2], argv[3], argv[4], argv[5], argv[6] };
	int rounds = atoi(argv[1]);
	for (int i = 0; i < rounds; i++) {
		bare[i] = bare_round(&b);
		larder[i] = larder_round(&b);
	}
	double m = median(bare, rounds), l = median(larder, rounds);
	printf("boot: bare system calls %.1f ms, larder boot to the first manifest %.1f ms, ratio %.2f (medians of %d)\n",
	       m, l, l / m, rounds);
	return 0;
}
