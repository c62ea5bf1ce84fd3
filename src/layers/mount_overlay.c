/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The overlay: "lowerdir+" one by one (kernel 6.7), else one option string of mount(2). The string is limited to a page, so the
 * directories get names of one to three letters, links in a directory that a child makes its working directory.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/mount_api.h"

#define OPTION_STRING_MAX 4095
/* What a layer's extended attributes say must not lead anywhere else. */
#define OVERLAY_OPTIONS "redirect_dir=nofollow,metacopy=off"

static int fsconfig_string(int fs, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

/* *ret: the mount, not attached. Any failure here may be the kernel's age, so the caller tries the other way after it. */
static int create_new(const char *const *lower, size_t n, int *ret)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	int r = fs < 0 ? -errno : fsconfig_string(fs, "source", "larder");

	if (r == 0)
		r = fsconfig_string(fs, "redirect_dir", "nofollow");
	if (r == 0)
		r = fsconfig_string(fs, "metacopy", "off");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = fsconfig_string(fs, "lowerdir+", lower[i]);
	if (r == 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = -errno;
	if (r < 0)
		return r;
	long mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				     MOUNT_ATTR_NOEXEC);
	if (mount < 0)
		return -errno;
	*ret = (int)mount;
	return 0;
}

/* 0 → "0", 35 → "z", 36 → "10": short and without anything that overlay would take for a separator. */
static void short_name(size_t number, char name[static 8])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char reversed[8];
	size_t n = 0;

	do {
		reversed[n++] = digits[number % 36];
		number /= 36;
	} while (number > 0 && n < sizeof(reversed) - 1);
	for (size_t i = 0; i < n; i++)
		name[i] = reversed[n - 1 - i];
	name[n] = '\0';
}

static int make_links(const char *dir, const char *const *lower, size_t n)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		char name[8];
		short_name(i, name);
		if (symlinkat(lower[i], fd, name) < 0)
			return -errno;
	}
	return 0;
}

static char *option_string(size_t n)
{
	char *text = NULL, name[8];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs(OVERLAY_OPTIONS ",lowerdir=", f);
	for (size_t i = 0; i < n; i++) {
		short_name(i, name);
		fprintf(f, "%s%s", i ? ":" : "", name);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* In a child, since a working directory belongs to the whole process. */
static int mount_from(const char *dir, const char *target, const char *options)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (chdir(dir) < 0 ||
		    mount("larder", target, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  options) < 0)
			_exit(errno < 255 ? errno : 255);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int mount_old(const char *const *lower, size_t n, const char *target)
{
	_cleanup_free_ char *options = option_string(n);
	_cleanup_free_ char *dir = text_format("%s" OVERLAY_LINKS_SUFFIX, target);

	if (!options || !dir)
		return -ENOMEM;
	if (strlen(options) > OPTION_STRING_MAX)
		return -E2BIG;
	(void)remove_tree_at(AT_FDCWD, dir);
	if (mkdir(dir, 0700) < 0)
		return -errno;
	int r = make_links(dir, lower, n);
	if (r == 0)
		r = mount_from(dir, target, options);
	(void)remove_tree_at(AT_FDCWD, dir);
	return r;
}

int mount_overlay(const char *const *lower, size_t n, const char *target, struct diag *diag)
{
	_cleanup_close_ int mount = -1;
	int r = create_new(lower, n, &mount);

	if (r == 0)
		return mount_attach(mount, target, diag);
	r = mount_old(lower, n, target);
	if (r < 0)
		return diag_set(diag, r, "%s: cannot merge %zu layers by overlay: %s", target,
				n - 1, strerror(-r));
	return 0;
}
