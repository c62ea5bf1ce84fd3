/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_SELECT_H
#define LARDER_LAYERS_SELECT_H
/*
 * Which layers are active: decided from what was read of them, without looking at anything else.
 *
 * Of one name exactly one version is active: the pinned one, else a signed one before any other (where there are trust keys),
 * else the highest. Of one version the copy on the volume counts, then the built-in one, then the medium's.
 *
 * A medium never replaces a tag that a layer of the machine holds, be that layer active or superseded. A layer on a medium that
 * gives such a tag another digest is refused, unless it is another version of the layer that holds it: the pinned one, or a signed newer
 * one. A cache tree on a medium lies below all layers; it is refused if such a tag is in it that no active layer serves.
 */
#include "config/machine_config.h"
#include "layers/layers.h"

/*
 * Sets state and reason of every layer that is not LAYER_BROKEN, adds a row for each configured layer that is not there, and
 * lists conflicts among the active ones. The layers are in the order of layers_find(). -ENOMEM.
 */
int layers_select(const struct layer_config *config, struct layers_result *result);

#endif
