/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/load_config.h"

#include <fcntl.h>

#include "base/io.h"

#define CMDLINE_BYTES_MAX (64 * 1024)

int load_config(const struct context *context, char *const *files, struct machine_config **ret,
		struct diag *diag)
{
	_cleanup_free_ char *path = path_join(context->config_root, "/proc/cmdline");
	_cleanup_free_ char *cmdline = NULL;

	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = read_file_at(AT_FDCWD, path, CMDLINE_BYTES_MAX, &cmdline, NULL);
	if (r < 0 && r != -ENOENT)
		return diag_set_at(diag, r, path, 0, 0, "cannot read the kernel's command line");
	if (!files)
		files = context->config_files;
	const struct config_sources sources = {
		.root = context->config_root,
		.run_dir = context->run_dir,
		.files = (const char *const *)files,
		.cmdline = cmdline,
	};
	return machine_config_load(&sources, ret, diag);
}
