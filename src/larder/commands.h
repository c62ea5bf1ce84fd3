/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_COMMANDS_H
#define LARDER_LARDER_COMMANDS_H
/* Every command, each defined in its cmd_*.c; main.c lists them in the order of the help text. */
#include "larder/command.h"

extern const struct command command_boot;
extern const struct command command_build;
extern const struct command command_config_check;
extern const struct command command_config_show;
extern const struct command command_disks;
extern const struct command command_images;
extern const struct command command_images_default;
extern const struct command command_images_list;
extern const struct command command_images_missing;
extern const struct command command_images_verify;
extern const struct command command_layers;
extern const struct command command_layers_add;
extern const struct command command_layers_check;
extern const struct command command_layers_list;
extern const struct command command_layers_prune;
extern const struct command command_layers_sync;
extern const struct command command_layers_verify;
extern const struct command command_runtime_configure;
extern const struct command command_runtime_restore;
extern const struct command command_runtime_status;
extern const struct command command_status;
extern const struct command command_stop;
extern const struct command command_volume_plan;
extern const struct command command_volume_provision;
extern const struct command command_volume_status;
extern const struct command command_volume_wipe;

#endif
