/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_map.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "layers/layer_verity.h"

#define CORRUPT_PREFIX ".corrupt-"

void layer_map_name(const struct layer_handle *h, char ret[static VERITY_NAME_MAX])
{
	snprintf(ret, VERITY_NAME_MAX, VERITY_NAME_PREFIX "%s", h->id);
}

int layer_map(const struct layer *layer, const char *root_hash, struct diag *diag)
{
	struct layer_handle *h = layer->private_;
	_cleanup_close_ int tree = verity_open_tree(layer->path, layer->origin == LAYER_BUILT_IN);
	_cleanup_close_ int tree_loop = -1, mapped = -1;
	char tree_device[LOOP_PATH_MAX], path[VERITY_PATH_MAX], name[VERITY_NAME_MAX];
	int r = tree < 0 ? tree : loop_attach(tree, &tree_loop, tree_device);

	if (r < 0)
		return diag_set(diag, r, "no loop device for its hash tree: %s", strerror(-r));
	layer_map_name(h, name);
	r = verity_open(h->device, tree_device, root_hash, name, &mapped, path, diag);
	if (r < 0)
		return r;
	close_fd(h->loop);
	h->loop = TAKE_FD(mapped);
	memcpy(h->device, path, sizeof(path));
	return 0;
}

/*
 * What was once found to be corrupted stays so: a new device would know nothing of it until the same block is read again. The
 * mark is empty and called like the file's id; a file that is mended has another.
 */
static int mark_path(const char *run_dir, const struct layer_handle *h, char ret[static PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/" NAME_RUN_LAYERS "/" CORRUPT_PREFIX "%s", run_dir,
			 h->id);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static bool is_corrupted(const char *run_dir, const struct layer_handle *h)
{
	char name[VERITY_NAME_MAX], mark[PATH_MAX];

	layer_map_name(h, name);
	if (mark_path(run_dir, h, mark) < 0)
		return verity_found_corruption(name);
	if (access(mark, F_OK) == 0)
		return true;
	if (!verity_found_corruption(name))
		return false;
	(void)write_file_atomic_at(AT_FDCWD, mark, "", 0, 0644);
	return true;
}

int layer_map_explain(const struct layer_handle *h, const char *run_dir, const char *root_hash,
		      int err, struct diag *diag)
{
	if (!is_corrupted(run_dir, h))
		return err;
	return diag_set(diag, -EINVAL,
			"its bytes are not those of the root hash %.16s… (dm-verity)", root_hash);
}
