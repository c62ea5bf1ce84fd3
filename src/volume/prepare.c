/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies in the volume's root directory (volume/mount.h). */
#include "volume/mount.h"

#include <fcntl.h>
#include <pwd.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "volume/volume.h"

#define FORMAT_FILE_BYTES_MAX 32
#define GIVEN_DEPTH_MAX	      256 /* of a store: manifests/<registry>/<repository>/… */

struct store_owner store_owner_find(void)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getpwnam_r(NAME_USER, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		return (struct store_owner){ found->pw_uid, found->pw_gid };
	return STORE_OWNER_ANY;
}

/* -ENOENT: no such file: a new volume, or one of Talos. */
static int read_format(int dir, unsigned long *ret)
{
	_cleanup_free_ char *text = NULL;
	char *end;
	int r = read_regular_at(dir, NAME_FORMAT_FILE, FORMAT_FILE_BYTES_MAX, &text, NULL);

	if (r < 0)
		return r;
	unsigned long format = strtoul(text, &end, 10);
	if (end == text || (*end && *end != '\n'))
		return -EBADMSG;
	*ret = format;
	return 0;
}

static int check_format(int dir, bool *ret_missing, struct diag *diag)
{
	unsigned long format;
	int r = read_format(dir, &format);

	*ret_missing = r == -ENOENT;
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return diag_set(diag, r,
				"cannot read the volume's file \"" NAME_FORMAT_FILE
				"\": %s; it is left alone: mend it, or run \"larder volume wipe\"",
				r == -EBADMSG ? "it does not begin with a number" : strerror(-r));
	if (format > VOLUME_FORMAT)
		return diag_set(
			diag, -EPROTO,
			"the volume has format %lu and this larder knows up to %d; it is left alone: use a newer larder",
			format, VOLUME_FORMAT);
	return 0;
}

int volume_check_format(int dir, struct diag *diag)
{
	bool missing;

	return check_format(dir, &missing, diag);
}

static bool is_foreign(const struct stat *st, struct store_owner owner)
{
	const struct store_owner any = STORE_OWNER_ANY;

	if (owner.uid == any.uid && owner.gid == any.gid)
		return false;
	return st->st_uid != owner.uid || st->st_gid != owner.gid;
}

static int give_away(int dir, struct store_owner owner, unsigned depth);

/* Gives one entry of dir to owner, and what is below it. */
static int give_entry(int dir, const char *name, struct store_owner owner, unsigned depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (is_foreign(&st, owner) &&
	    fchownat(dir, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	_cleanup_close_ int below =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return below < 0 ? -errno : give_away(below, owner, depth + 1);
}

static int give_away(int dir, struct store_owner owner, unsigned depth)
{
	_cleanup_closedir_ DIR *d = opendir_at(dir, ".", 0);

	if (!d)
		return -errno;
	if (depth > GIVEN_DEPTH_MAX)
		return -ELOOP;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (depth == 0 && strcmp(e->d_name, "lost+found") == 0))
			continue;
		int r = give_entry(dir, e->d_name, owner, depth);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_directories(int dir, struct store_owner owner, bool *ret_foreign)
{
	static const struct {
		const char *name;
		mode_t mode;
	} directories[] = {
		{ NAME_BLOB_DIR, 0755 },  { NAME_MANIFESTS_DIR, 0755 }, { NAME_LAYERS_DIR, 0755 },
		{ NAME_STATE_DIR, 0755 }, { NAME_INCOMING_DIR, 0700 },
	};
	struct stat st;

	*ret_foreign = false;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		int r = mkdir_all_at(dir, directories[i].name, directories[i].mode);
		if (r < 0)
			return r;
		if (fstatat(dir, directories[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode)) /* a link, which may lead out of the volume */
			return -ENOTDIR;
		*ret_foreign |= is_foreign(&st, owner);
	}
	return 0;
}

int volume_prepare(int dir, struct store_owner owner, struct diag *diag)
{
	char format[FORMAT_FILE_BYTES_MAX];
	bool missing, foreign;
	int r = check_format(dir, &missing, diag);

	if (r < 0)
		return r;
	r = make_directories(dir, owner, &foreign);
	if (r == 0 && foreign)
		r = give_away(dir, owner, 0);
	if (r == 0 && missing) {
		/* Last: what has a format is complete. */
		int n = snprintf(format, sizeof(format), "%d\n", VOLUME_FORMAT);
		r = write_file_durable_at(dir, NAME_FORMAT_FILE, format, (size_t)n, 0644);
	}
	if (r < 0)
		return diag_set(
			diag, r,
			"cannot prepare the volume's directories: %s; mend that, or run \"larder volume wipe\"",
			strerror(-r));
	return 0;
}
