/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan-timer DISKS ROUNDS: processor time of matching and planning with so many disks, all matched and inspected before, of which
 * only the last has room: the longest way through the plan.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block/match.h"
#include "volume/plan.h"

#define GIB (1024ULL * 1024 * 1024)

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Disk i: foreign, or a full GPT; the last one blank. */
static void fill(size_t i, size_t n, char path[32], struct disk *disk, struct volume_candidate *c)
{
	static char words[] = "ext4 filesystem \"data\"";
	static struct gpt_entry entry = {
		.number = 1, .first = 2048, .last = 1 << 20, .name = "data"
	};
	static struct free_range room = { .range = { 1 << 20, 100 * GIB } };
	struct inspection *in = &c->inspection;

	snprintf(path, 32, "/dev/sd%zu", i);
	disk->fields = (struct disk_fields){
		.size = 100 * GIB,
		.dev_path = path,
		.pretty_size = "107 GB",
		.model = "A DISK",
		.serial = "X",
		.modalias = "",
		.wwid = "",
		.uuid = "",
		.bus_path = "/pci",
		.sub_system = "/sys/class/block",
		.transport = "sata",
		.firmware_version = "1",
	};
	disk->read = DISK_FIELDS_ALL;
	*c = (struct volume_candidate){ .path = path, .matched = true };
	in->size = 100 * GIB;
	in->sector_size = 512;
	in->grain = 1 << 20;
	if (i == n - 1) {
		in->content = DISK_BLANK;
		in->ranges = &room;
		in->n_ranges = 1;
	} else if (i % 2) {
		in->content = DISK_FOREIGN;
		in->words = words;
	} else {
		in->content = DISK_GPT;
		in->can_add = true;
		in->gpt.primary = (struct gpt_copy){
			.valid = true, .n_slots = 128, .entries = &entry, .n_entries = 1
		};
	}
}

static int one_round(const struct volume_config *config, const struct disk_list *disks,
		     const struct volume_candidate *candidates, double *ret)
{
	_cleanup_match_list_ struct match_list matches = { 0 };
	_cleanup_plan_ struct volume_plan plan = { 0 };
	double start = cpu_ms();
	int r = match_disks(config->disk_selector, disks, &matches);

	if (r == 0)
		r = volume_plan_make(config, candidates, disks->n_disks, NULL, &plan, NULL);
	*ret = cpu_ms() - start;
	return r < 0 || plan.disk != disks->n_disks - 1 || matches.n_yes != disks->n_disks ? -EIO
											   : 0;
}

int main(int argc, char *argv[])
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0,
	       rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	_cleanup_free_ struct disk *disks = calloc(n + 1, sizeof(*disks));
	_cleanup_free_ struct volume_candidate *candidates = calloc(n + 1, sizeof(*candidates));
	_cleanup_free_ char(*paths)[32] = calloc(n + 1, 32);
	_cleanup_free_ double *times = calloc(rounds + 1, sizeof(*times));
	_cleanup_(selector_freep) struct selector *selector = NULL;
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (n == 0 || rounds == 0 || !disks || !candidates || !paths || !times)
		return EXIT_FAILURE;
	if (selector_compile(SELECTOR_DISK,
			     "disk.size > 10u * GiB && !disk.rotational && !system_disk", &selector,
			     &diag) < 0) {
		fprintf(stderr, "plan-timer: %s\n", diag_text(&diag));
		return EXIT_FAILURE;
	}
	const struct volume_config config = {
		.disk_selector = selector,
		.min_size = { SIZE_BYTES, GIB },
		.max_size = { SIZE_PERCENT, 5000 },
	};
	for (size_t i = 0; i < n; i++)
		fill(i, n, paths[i], &disks[i], &candidates[i]);
	const struct disk_list list = { disks, n };
	for (size_t i = 0; i < rounds; i++)
		if (one_round(&config, &list, candidates, &times[i]) < 0)
			return EXIT_FAILURE;
	qsort(times, rounds, sizeof(*times), by_value);
	printf("match and plan %zu disks: %.2f ms of processor time (median of %zu)\n", n,
	       times[rounds / 2], rounds);
	return EXIT_SUCCESS;
}
