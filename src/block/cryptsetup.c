/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/cryptsetup.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#define LIBRARY "libcryptsetup.so.12"

int cryptsetup_load(const struct cryptsetup_symbol *symbols, size_t n, const char *purpose,
		    struct diag *diag)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_NODELETE);

	if (!handle)
		return diag_set(diag, -EOPNOTSUPP,
				"%s needs %s, which is not installed (Debian: libcryptsetup12): %s",
				purpose, LIBRARY, dlerror());
	for (size_t i = 0; i < n; i++) {
		*symbols[i].to = dlsym(handle, symbols[i].name);
		if (!*symbols[i].to)
			return diag_set(diag, -EOPNOTSUPP, "%s has no %s: install a newer one",
					LIBRARY, symbols[i].name);
	}
	return 0;
}

/* Opening the control node loads the kernel's module where there is one; a node alone proves nothing. */
bool device_mapper_is_there(void)
{
	_cleanup_close_ int fd = open("/dev/mapper/control", O_RDONLY | O_CLOEXEC);

	return fd >= 0 || access("/sys/class/misc/device-mapper", F_OK) == 0;
}
