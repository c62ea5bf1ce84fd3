/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * larder-port: has the sockets that it was started with until a signal ends it, for larder-port.service. It is no sleep(1), since the
 * unit gives it a name of its own, and what there is of that may be a program that goes by its name.
 */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
