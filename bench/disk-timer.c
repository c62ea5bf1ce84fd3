/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-timer [DISKS [ROUNDS]]: reading a captured machine with many disks, beside the bare system calls that read the same
 * attributes, interleaved in one run; and finding those that a selector matches, for several selectors. Half of the disks are
 * NVMe, half SATA; each has five names in /dev/disk.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/io.h"
#include "block/match.h"
#include "block/system_disk.h"
#include "lib/tree.h"

#define ROUNDS_MAX 1001

struct cost {
	double user, system, wall; /* ms */
};

static double ms_of(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static struct cost cost_now(void)
{
	struct rusage u;
	struct timespec t;

	getrusage(RUSAGE_SELF, &u);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct cost){ ms_of(u.ru_utime), ms_of(u.ru_stime),
			      (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6 };
}

static void write_nvme(FILE *f, unsigned i)
{
	fprintf(f,
		"[sys/devices/pci0000:00/p%u/nvme/nvme%u/nvme%un1]\ndev: 259:%u\nsize: 2000000000\nro: 0\n"
		"uevent: MAJOR=259\\nMINOR=%u\\nDEVNAME=nvme%un1\\nDEVTYPE=disk\nqueue/rotational: 0\n"
		"queue/logical_block_size: 512\nqueue/minimum_io_size: 512\nqueue/optimal_io_size: 0\n"
		"wwid: eui.00000000000000%08x\ndevice -> ../../nvme%u\nhidden: 0\n"
		"subsystem -> ../../../../../../class/block\n"
		"[sys/devices/pci0000:00/p%u/nvme/nvme%u]\nmodel: A model name of some length\n"
		"serial: S%010u\nfirmware_rev: 1.0\n"
		"[sys/block]\nnvme%un1 -> ../devices/pci0000:00/p%u/nvme/nvme%u/nvme%un1\n",
		i, i, i, i, i, i, i, i, i, i, i, i, i, i, i);
}

static void write_sata(FILE *f, unsigned i)
{
	fprintf(f,
		"[sys/devices/pci0000:00/ata%u/host%u/target%u:0:0/%u:0:0:0/block/sd%u]\ndev: 8:%u\n"
		"size: 4000000000\nro: 0\nhidden: 0\n"
		"uevent: MAJOR=8\\nMINOR=%u\\nDEVNAME=sd%u\\nDEVTYPE=disk\nqueue/rotational: 1\n"
		"queue/logical_block_size: 512\nqueue/minimum_io_size: 4096\nqueue/optimal_io_size: 0\n"
		"device -> ../../../%u:0:0:0\nsubsystem -> ../../../../../../../../../class/block\n"
		"[sys/devices/pci0000:00/ata%u/host%u/target%u:0:0/%u:0:0:0]\nmodel: Another model\n"
		"type: 0\nmodalias: scsi:t-0x00\nwwid: naa.%016x\n"
		"[sys/class/scsi_host/host%u]\nproc_name: ahci\n"
		"[run/udev/data]\nb8:%u: E:ID_BUS=ata\\nE:ID_SERIAL_SHORT=Z%u\n"
		"[sys/block]\nsd%u -> ../devices/pci0000:00/ata%u/host%u/target%u:0:0/%u:0:0:0/block/sd%u\n",
		i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i);
}

static void make_machine(const char *root, unsigned disks)
{
	char *text = NULL;
	size_t size = 0;
	unsigned line = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		exit(1);
	for (unsigned i = 0; i < disks; i++) {
		if (i % 2)
			write_sata(f, i);
		else
			write_nvme(f, i);
		fprintf(f, "[dev/disk]\n");
		for (unsigned k = 0; k < 5; k++)
			fprintf(f, "by-%u/name-of-a-disk-%u -> ../../%s%u%s\n", k, i,
				i % 2 ? "sd" : "nvme", i, i % 2 ? "" : "n1");
	}
	fprintf(f, "[proc/self]\nmountinfo: 1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw\n"
		   "[sys/dev/block]\n259:0 -> ../../devices/pci0000:00/p0/nvme/nvme0/nvme0n1\n");
	fclose(f);
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree_unpack(dir, text, size, 1, &line) < 0) {
		fprintf(stderr, "line %u of the machine is wrong\n", line);
		exit(1);
	}
	close_fd(dir);
	free(text);
}

/* What any reader must at least do: list, read each link, open, read and close each attribute. */
static void read_bare(const char *root, const struct disk_list *list)
{
	static const char *const attributes[] = { "uevent",
						  "dev",
						  "size",
						  "hidden",
						  "ro",
						  "queue/logical_block_size",
						  "queue/optimal_io_size",
						  "queue/minimum_io_size",
						  "queue/rotational",
						  "device/model",
						  "device/firmware_rev",
						  "device/modalias",
						  "wwid",
						  "device/wwid",
						  "uuid",
						  "device/uuid",
						  "serial",
						  "device/serial" };
	char buffer[4096];
	_cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < list->n_disks; i++) {
		_cleanup_close_ int dir =
			openat(root_fd, disk_sys_path(&list->disks[i]) + 1, O_RDONLY | O_DIRECTORY);
		for (size_t k = 0; k < ARRAY_SIZE(attributes); k++) {
			_cleanup_close_ int fd = openat(dir, attributes[k], O_RDONLY | O_CLOEXEC);
			if (fd >= 0 && read(fd, buffer, sizeof(buffer)) < 0)
				exit(1);
		}
		for (unsigned k = 0; k < 7; k++)
			if (readlinkat(dir, k ? "device" : "subsystem", buffer, sizeof(buffer)) < 0)
				exit(1);
	}
}

static const char *const selectors[] = {
	"system_disk",
	"!system_disk && disk.size > 3u * TB",
	"disk.size > 3u * TB && !disk.rotational",
	"disk.wwid == 'naa.00000000000001f3'",
	"disk.transport == 'nvme' && !system_disk",
};

/* As "larder volume plan" does it, up to the disks that match. Processor time, ms. */
static double find(const char *root, const struct selector *selector, unsigned disks,
		   size_t *ret_matches)
{
	_cleanup_disk_list_ struct disk_list list = { 0 };
	_cleanup_match_list_ struct match_list matches = { 0 };
	struct cost start = cost_now();

	if (disk_list_read(root, selector_disk_fields(selector), &list, NULL) < 0 ||
	    list.n_disks != disks ||
	    (selector_uses_system_disk(selector) &&
	     system_disk_find(root, &list, NULL, NULL, NULL) < 0) ||
	    match_disks(selector, &list, &matches) < 0)
		exit(1);
	struct cost end = cost_now();
	*ret_matches = matches.n_yes;
	return end.user + end.system - start.user - start.system;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[n / 2];
}

static void time_selectors(const char *root, unsigned disks, unsigned rounds)
{
	static double times[ARRAY_SIZE(selectors)][ROUNDS_MAX];
	struct selector *compiled[ARRAY_SIZE(selectors)];
	size_t matches[ARRAY_SIZE(selectors)];

	for (size_t k = 0; k < ARRAY_SIZE(selectors); k++)
		if (selector_compile(SELECTOR_DISK, selectors[k], &compiled[k], NULL) < 0)
			exit(1);
	for (unsigned i = 0; i < rounds; i++)
		for (size_t k = 0; k < ARRAY_SIZE(selectors); k++)
			times[k][i] = find(root, compiled[k], disks, &matches[k]);
	for (size_t k = 0; k < ARRAY_SIZE(selectors); k++) {
		printf("disks: %s: %zu found among %u in %.1f ms of processor time\n", selectors[k],
		       matches[k], disks, median(times[k], rounds));
		selector_free(compiled[k]);
	}
}

int main(int argc, char *argv[])
{
	unsigned disks = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 21;
	static double ours[ROUNDS_MAX], user[ROUNDS_MAX], kernel[ROUNDS_MAX], bare[ROUNDS_MAX];
	char root[] = "/dev/shm/larder-bench-disks.XXXXXX";

	if (rounds < 1 || rounds > ROUNDS_MAX || !mkdtemp(root))
		return 1;
	make_machine(root, disks);
	for (unsigned i = 0; i < rounds; i++) {
		_cleanup_disk_list_ struct disk_list list = { 0 };
		struct cost start = cost_now();
		if (disk_list_read(root, DISK_FIELDS_ALL, &list, NULL) < 0 || list.n_disks != disks)
			return 1;
		struct cost middle = cost_now();
		read_bare(root, &list);
		struct cost end = cost_now();
		ours[i] = middle.wall - start.wall;
		user[i] = middle.user - start.user;
		kernel[i] = middle.system - start.system;
		bare[i] = end.wall - middle.wall;
	}
	double m = median(ours, rounds), b = median(bare, rounds);
	printf("disks: %u read in %.1f ms (processor time: %.1f ms user, %.1f ms system); the bare system calls "
	       "%.1f ms; ratio %.2f\n",
	       disks, m, median(user, rounds), median(kernel, rounds), b, m / b);
	time_selectors(root, disks, rounds);
	return remove_tree_at(AT_FDCWD, root) < 0;
}
