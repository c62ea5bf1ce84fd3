/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot/await.h"

#include "block/disk.h"
#include "block/system_disk.h"
#include "block/wait.h"
#include "layers/layers.h"
#include "volume/volume.h"

struct awaited {
	const struct boot_options *options;
	const char *config_root;
	const struct machine_config *config;
	bool have_volume;
};

static bool layer_is_there(const struct awaited *a)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_layers_result_ struct layers_result result = { 0 };
	struct layers_request request = {
		.config = a->config,
		.config_root = a->config_root,
		.root = a->options->root,
		.run_dir = a->options->run_dir,
	};

	if (layers_inspect(&request, &result, &diag) < 0)
		return false;
	for (size_t i = 0; i < result.n_layers; i++)
		if (result.layers[i].state == LAYER_ACTIVE)
			return true;
	for (size_t i = 0; i < result.n_media; i++)
		if (result.media[i].trusted)
			return true;
	return false;
}

static bool volume_is_there(const struct awaited *a, struct disk_list *disks)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_plan_ struct volume_plan plan = { 0 };
	struct volume_request request = {
		.config = &a->config->volume,
		.disks = disks,
		.run_dir = a->options->run_dir,
	};

	if (system_disk_find(a->options->root, disks, &a->config->install, NULL, &diag) < 0)
		return false;
	/* Two candidates, sizes that cannot be: no later disk makes it better, and provisioning says what is wrong. */
	if (volume_plan(&request, &plan, &diag) < 0)
		return true;
	switch (plan.action) {
	case VOLUME_USE:
		return true;
	case VOLUME_FINISH:
	case VOLUME_ADD:
	case VOLUME_CREATE:
		return !a->config->media;
	case VOLUME_NONE:
		break;
	}
	return false;
}

static int is_there(struct disk_list *disks, void *user)
{
	const struct awaited *a = user;

	return layer_is_there(a) || (!a->have_volume && volume_is_there(a, disks));
}

int boot_await(const struct boot_options *options, const char *config_root,
	       const struct machine_config *config, bool have_volume)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_disk_list_ struct disk_list disks = { 0 };
	struct awaited awaited = { options, config_root, config, have_volume };

	return disk_wait(config->volume.wait_timeout_ms, is_there, &awaited, &disks, &diag);
}
