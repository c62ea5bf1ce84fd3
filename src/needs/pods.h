/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_PODS_H
#define LARDER_NEEDS_PODS_H
/* Kubernetes objects in YAML or JSON, of which those that run pods name images. */
#include "needs/collect.h"

/* Every image of every document of a file: Pod, what has a template of one, CronJob, and lists of them. */
int pods_read(struct collector *c, const char *who, const char *path);

#endif
