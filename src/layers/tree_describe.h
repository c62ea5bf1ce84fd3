/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_TREE_DESCRIBE_H
#define LARDER_LAYERS_TREE_DESCRIBE_H
/* What a bare cache tree (Talos's, on a medium) would say in a layer manifest: its tags and what they point to. */
#include "base/diag.h"
#include "layers/layer_manifest.h"

/* Fills images; the name stays what it is. Tags whose manifest cannot be read are left out. -EINVAL with diag: it cannot be read. */
int tree_describe(int dir, struct layer_manifest *manifest, struct diag *diag);

#endif
