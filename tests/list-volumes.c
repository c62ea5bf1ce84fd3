/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list-volumes [ROOT]: what volume_list_read() finds, one line each, for tests. */
#include <stdio.h>

#include "block/probe.h"

static void print(const struct volume *v)
{
	const struct volume_fields *f = &v->fields;

	printf("%s type=%s kernel=%d offset=%llu size=%llu parent=%s name=%s label=%s uuid=%s "
	       "index=%llu plabel=%s ptype=%s puuid=%s path=%s error=%s\n",
	       f->dev_path, f->type, v->in_kernel, (unsigned long long)f->offset,
	       (unsigned long long)f->size, f->parent_dev_path, f->name, f->label, f->uuid,
	       (unsigned long long)f->partition_index, f->partition_label, f->partition_type,
	       f->partition_uuid, f->device_path, v->error ? v->error : "");
}

int main(int argc, char *argv[])
{
	const char *root = argc > 1 ? argv[1] : NULL;
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_disk_list_ struct disk_list disks = { 0 };
	_cleanup_volume_list_ struct volume_list volumes = { 0 };

	if (disk_list_read(root, DISK_FIELDS_ALL, &disks, &diag) < 0 ||
	    volume_list_read(root, &disks, &volumes, &diag) < 0) {
		fprintf(stderr, "%s\n", diag_text(&diag));
		return 1;
	}
	for (size_t i = 0; i < volumes.n_volumes; i++)
		print(&volumes.volumes[i]);
	return 0;
}
