/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/blkid_probe.h"

#include <blkid.h>
#include <string.h>

#include "block/sysfs.h"

#define SECTOR 512 /* libblkid's unit for partitions, whatever the disk's sectors are */

DEFINE_CLEANUP(blkid_probe, blkid_free_probe);

#define BLKID_NOTHING	 1
#define BLKID_AMBIVALENT (-2)

/* A copy of a value, cleaned as attributes are: what is on a medium is anybody's text. */
static int copy_text(const char *text, char **ret)
{
	if (!text || *text == '\0')
		return 0;
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	sysfs_clean(copy, strlen(copy));
	free(*ret);
	*ret = copy;
	return 0;
}

static int copy_value(blkid_probe probe, const char *name, char **ret)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0)
		return 0;
	return copy_text(value, ret);
}

static uint64_t number_value(blkid_probe probe, const char *name)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0 || !value)
		return 0;
	return strtoull(value, NULL, 10);
}

static int copy_superblock(blkid_probe probe, struct probed *p)
{
	int r = copy_value(probe, "TYPE", &p->name);

	r = r < 0 ? r : copy_value(probe, "UUID", &p->uuid);
	r = r < 0 ? r : copy_value(probe, "LABEL", &p->label);
	p->block_size = number_value(probe, "BLOCK_SIZE");
	p->filesystem_block_size = number_value(probe, "FSBLOCKSIZE");
	p->filesystem_size = number_value(probe, "FSSIZE");
	if (p->filesystem_block_size == 0)
		p->filesystem_block_size = p->block_size;
	if (r < 0 || p->name)
		return r;
	r = copy_value(probe, "PTTYPE", &p->name);
	return r < 0 ? r : copy_value(probe, "PTUUID", &p->uuid);
}

static int copy_partition(blkid_partition part, struct probed *p)
{
	struct probed_partition *to = &p->partitions[p->n_partitions];

	/* Past the end of 64 bits lies nothing that could be read. */
	if (__builtin_mul_overflow((uint64_t)blkid_partition_get_start(part), SECTOR,
				   &to->offset) ||
	    __builtin_mul_overflow((uint64_t)blkid_partition_get_size(part), SECTOR, &to->size))
		return 0;
	to->number = (uint64_t)blkid_partition_get_partno(part);
	p->n_partitions++;
	int r = copy_text(blkid_partition_get_uuid(part), &to->uuid);
	r = r < 0 ? r : copy_text(blkid_partition_get_type_string(part), &to->type);
	return r < 0 ? r : copy_text(blkid_partition_get_name(part), &to->label);
}

static int compare_partitions(const void *a, const void *b)
{
	const struct probed_partition *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int copy_partitions(blkid_probe probe, struct probed *p)
{
	blkid_partlist list = blkid_probe_get_partitions(probe);
	int n = list ? blkid_partlist_numof_partitions(list) : 0, r = 0;

	if (n <= 0)
		return 0;
	if (n > PROBED_PARTITIONS_MAX)
		n = PROBED_PARTITIONS_MAX;
	p->partitions = calloc((size_t)n, sizeof(*p->partitions));
	if (!p->partitions)
		return -ENOMEM;
	for (int i = 0; i < n && r == 0; i++)
		r = copy_partition(blkid_partlist_get_partition(list, i), p);
	qsort(p->partitions, p->n_partitions, sizeof(*p->partitions), compare_partitions);
	return r;
}

static int set_up(blkid_probe probe, int fd, uint64_t offset, uint64_t size, int partitions)
{
	int flags = BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE;

#ifdef BLKID_SUBLKS_FSINFO
	flags |= BLKID_SUBLKS_FSINFO;
#endif
	errno = 0;
	if (blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, (blkid_loff_t)size) < 0)
		return errno ? -errno : -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, flags);
	blkid_probe_enable_partitions(probe, partitions);
	return 0;
}

static int look(blkid_probe probe, int partitions, struct probed *p)
{
	errno = 0;
	int found = blkid_do_safeprobe(probe);

	if (found == BLKID_NOTHING)
		return 0;
	if (found == BLKID_AMBIVALENT)
		return -EBADMSG;
	if (found < 0)
		return errno ? -errno : -EIO;
	int r = copy_superblock(probe, p);
	return r < 0 || !partitions ? r : copy_partitions(probe, p);
}

int blkid_look(int fd, uint64_t offset, uint64_t size, int partitions, struct probed *ret)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe();
	struct probed found = { 0 };

	if (!probe)
		return -ENOMEM;
	int r = set_up(probe, fd, offset, size, partitions);
	if (r == 0)
		r = look(probe, partitions, &found);
	if (r < 0) {
		probed_done(&found);
		return r;
	}
	*ret = found;
	return 0;
}

void probed_done(struct probed *p)
{
	for (size_t i = 0; i < p->n_partitions; i++) {
		free(p->partitions[i].uuid);
		free(p->partitions[i].type);
		free(p->partitions[i].label);
	}
	free(p->partitions);
	free(p->name);
	free(p->uuid);
	free(p->label);
	*p = (struct probed){ 0 };
}
