/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image of the infra container of Podman's pods: engine.infra_image of containers.conf(5). Where it is not set, Podman makes that
 * image itself, of what is on the machine.
 */
#include "needs/toml_setting.h"

static const char *const podman_configs[] = {
	"/usr/share/containers/containers.conf",
	"/etc/containers/containers.conf",
	NULL,
};
#define PODMAN_DROP_IN "/etc/containers/containers.conf.d"

int read_podman(struct collector *c)
{
	static const char *const key[] = { "engine", "infra_image", NULL };
	_cleanup_toml_setting_ struct toml_setting s = { .key = key };
	int r = 0;

	for (const char *const *path = podman_configs; r == 0 && *path; path++)
		r = toml_setting_read(c, *path, &s);
	if (r == 0)
		r = toml_setting_read_all(c, PODMAN_DROP_IN, ".conf", &s);
	return r == 0 && s.value && *s.value ? collect_image(c, "pods of Podman", s.file, s.value)
					     : r;
}
