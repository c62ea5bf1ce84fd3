/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/load_config.h"

int load_config(const struct context *context, char *const *files, struct machine_config **ret,
		struct diag *diag)
{
	_cleanup_free_ char *cmdline = NULL;

	int r = config_cmdline_read(context->root, &cmdline, diag);
	if (r < 0)
		return r;
	if (!files)
		files = context->config_files;
	const struct config_sources sources = {
		.root = context->config_root,
		.run_dir = context->run_dir,
		.run_root = context->root,
		.files = (const char *const *)files,
		.cmdline = cmdline,
	};
	return machine_config_load(&sources, ret, diag);
}
