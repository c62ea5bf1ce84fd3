/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bench/layers measures with. Prints one line each:
 *
 *	layers-timer run CMD…      milliseconds and peak KiB of the program and its children
 *	layers-timer mount DIR FILE…  milliseconds for one loop device and one squashfs mount per file below DIR, the bare calls
 *	layers-timer read FILE     milliseconds to read it once, in pieces of 1 MiB
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int fail(const char *what)
{
	fprintf(stderr, "layers-timer: %s: %s\n", what, strerror(errno));
	return 1;
}

static int run(char *argv[])
{
	struct rusage usage;
	int status;
	double start = now();
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		return fail(argv[0]);
	printf("%.1f %ld\n", now() - start, usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int mount_one(int control, const char *dir, const char *file, int number)
{
	char device[32], target[4096];
	int backing = open(file, O_RDONLY | O_CLOEXEC);
	int free_number = ioctl(control, LOOP_CTL_GET_FREE);

	snprintf(device, sizeof(device), "/dev/loop%d", free_number);
	snprintf(target, sizeof(target), "%s/%d", dir, number);
	int loop = open(device, O_RDONLY | O_CLOEXEC);
	const struct loop_config config = {
		.fd = (unsigned)backing,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	if (backing < 0 || loop < 0)
		return fail(device);
	if (ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
		int busy = errno == EBUSY; /* somebody else took it: the next one */
		close(loop);
		close(backing);
		return busy ? mount_one(control, dir, file, number) : fail(device);
	}
	if (mkdir(target, 0755) < 0 ||
	    mount(device, target, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
		    0)
		return fail(target);
	close(loop);
	close(backing);
	return 0;
}

static int mount_all(const char *dir, char *files[])
{
	double start = now();
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return fail("/dev/loop-control");
	for (int i = 0; files[i]; i++)
		if (mount_one(control, dir, files[i], i) != 0)
			return 1;
	printf("%.1f\n", now() - start);
	close(control);
	return 0;
}

static int read_file(const char *path)
{
	double start = now();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer = malloc(1 << 20);
	ssize_t n;

	if (fd < 0 || !buffer)
		return fail(path);
	while ((n = read(fd, buffer, 1 << 20)) > 0)
		;
	printf("%.1f\n", now() - start);
	free(buffer);
	close(fd);
	return n < 0 ? fail(path) : 0;
}

int main(int argc, char *argv[])
{
	if (argc >= 3 && strcmp(argv[1], "run") == 0)
		return run(argv + 2);
	if (argc >= 4 && strcmp(argv[1], "mount") == 0)
		return mount_all(argv[2], argv + 3);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return read_file(argv[2]);
	return 2;
}
