/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/candidates.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"
#include "block/match.h"

void candidates_done(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		inspection_done(&c->list[i].inspection);
	free(c->list);
	strv_free(c->reasons);
	*c = (struct candidates){ 0 };
}

/* Takes reason. */
static int not_matched(struct candidates *all, struct volume_candidate *c, char *reason)
{
	int r = strv_take(&all->reasons, reason);

	c->matched = false;
	c->no_match = r < 0 ? "out of memory" : reason;
	return r;
}

/* Sets matched, or no_match. */
static int judge_match(const struct disk_match *m, bool foreign, struct candidates *all,
		       struct volume_candidate *c)
{
	const struct disk_fields *f = &m->disk->fields;

	c->matched = m->answer == MATCH_YES;
	if (m->answer == MATCH_ERROR)
		return not_matched(all, c, strdup(m->reason));
	if (m->answer == MATCH_NO)
		return not_matched(all, c, strdup("the selector does not match"));
	if (f->cdrom)
		return not_matched(all, c, strdup("is a CD drive"));
	if (f->size == 0)
		return not_matched(all, c, strdup("has no medium"));
	if (foreign)
		return not_matched(all, c, strdup("is of another root (--root): it is not opened"));
	c->read_only = f->readonly;
	return 0;
}

/* Another disk may have the name by now, and the number, too. */
static bool is_same_disk(const struct disk *disk, int fd, const struct stat *st)
{
	uint64_t sequence;

	if (!S_ISBLK(st->st_mode) || st->st_rdev != makedev(disk->major, disk->minor))
		return false;
	return disk->sequence == 0 || ioctl(fd, BLKGETDISKSEQ, &sequence) < 0 ||
	       sequence == disk->sequence;
}

int candidate_open(const struct volume_request *request, const struct volume_candidate *c,
		   int flags, struct diag *diag)
{
	const struct disk *disk = request->image ? NULL : disk_list_find(request->disks, c->path);
	struct stat st;
	_cleanup_close_ int fd = open(c->path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", c->path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "cannot examine %s: %s", c->path, strerror(errno));
	if (disk && !is_same_disk(disk, fd, &st))
		return diag_set(diag, -ENODEV,
				"%s is another device now; nothing was written: try again",
				c->path);
	/* A disk and its partitions have caches of their own: what was read from the disk before may be old. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return TAKE_FD(fd);
}

/* Does the path still lead to the file that fd is open on? */
static bool leads_to(const char *path, int fd)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int lock(const struct volume_request *request, const struct volume_candidate *c, int mode,
		struct diag *diag)
{
	_cleanup_close_ int fd = candidate_open(request, c, mode, diag);

	if (fd < 0)
		return fd;
	int r = lock_within(fd, VOLUME_LOCK_TIMEOUT_MS);
	if (r == -ETIMEDOUT)
		return diag_set(
			diag, -EBUSY,
			"%s is locked by another program since %d s; end it, which lslocks(8) shows, and try again",
			c->path, VOLUME_LOCK_TIMEOUT_MS / 1000);
	if (r < 0)
		return diag_set(diag, r, "cannot lock %s: %s", c->path, strerror(-r));
	/* Programs that are started hold the lock, too: a mkfs.ext4 whose larder was killed must end before the next begins. */
	if (fcntl(fd, F_SETFD, 0) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int candidate_lock(const struct volume_request *request, const struct volume_candidate *c, int mode,
		   struct diag *diag)
{
	int fd = lock(request, c, mode, diag);

	/* Who had the lock may have grown the image: a copy has its name now. */
	while (fd >= 0 && request->image && !leads_to(c->path, fd)) {
		close_fd(fd);
		fd = lock(request, c, mode, diag);
	}
	return fd;
}

bool candidates_wait(const struct volume_request *request, const struct candidates *all)
{
	bool any = false;

	for (size_t i = 0; i < all->n; i++) {
		if (!all->list[i].matched)
			continue;
		_cleanup_close_ int fd = candidate_open(request, &all->list[i], O_RDONLY, NULL);
		any |= fd >= 0 && lock_within(fd, VOLUME_LOCK_TIMEOUT_MS) == 0;
	}
	return any;
}

static int inspect(const struct volume_request *request, const struct disk *disk,
		   struct volume_candidate *c, struct diag *diag)
{
	_cleanup_close_ int fd = candidate_open(request, c, O_RDONLY, diag);

	if (fd < 0)
		return fd;
	const struct inspection_target target = {
		.fd = fd,
		.image = request->image,
		.sector_size = request->image_sector_size ? request->image_sector_size : 512,
		.io_size = request->image ? request->image_grain : disk->fields.io_size,
		.grow = request->config->grow,
	};
	int r = inspect_disk(&target, &c->inspection, diag);
	return r < 0 && request->image ? diag_prefix(diag, r, "%s", c->path) : r;
}

/* What the selector asks for of the disk was read, and is true: now the rest. By now that name may be another disk's. */
static int match_whole(const struct volume_request *request, struct disk *disk,
		       struct disk_match *m)
{
	if (m->answer != MATCH_YES || request->foreign || disk_is_whole(disk))
		return 0;
	int r = disk_complete(NULL, disk);
	if (r < 0)
		return r;
	disk_match_done(m);
	return match_disk(request->config->disk_selector, disk, m);
}

static int read_disk(const struct volume_request *request, struct disk *disk, struct disk_match *m,
		     struct candidates *all)
{
	struct volume_candidate *c = &all->list[all->n++];
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int r = match_whole(request, disk, m);

	*c = (struct volume_candidate){ .path = disk->fields.dev_path };
	r = r < 0 ? r : judge_match(m, request->foreign, all, c);
	if (r < 0 || !c->matched)
		return r;
	r = inspect(request, disk, c, &d);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? not_matched(all, c, strdup(d.message ? d.message : strerror(-r))) : 0;
}

static int read_disks(const struct volume_request *request, struct candidates *all,
		      struct diag *diag)
{
	_cleanup_match_list_ struct match_list matches = { 0 };

	if (!request->config->disk_selector)
		return diag_set(diag, -EINVAL, "there is no disk selector");
	int r = match_disks(request->config->disk_selector, request->disks, &matches);
	for (size_t i = 0; r == 0 && i < matches.n_matches; i++)
		r = read_disk(request, &request->disks->disks[i], &matches.matches[i], all);
	return r;
}

static int read_image(const struct volume_request *request, struct candidates *all,
		      struct diag *diag)
{
	struct volume_candidate *c = &all->list[all->n++];

	*c = (struct volume_candidate){ .path = request->image, .matched = true };
	return inspect(request, NULL, c, diag);
}

int candidates_read(const struct volume_request *request, struct candidates *ret, struct diag *diag)
{
	_cleanup_candidates_ struct candidates all = { 0 };
	size_t n = request->image ? 1 : request->disks->n_disks;
	int r = 0;

	all.list = calloc(n + 1, sizeof(*all.list));
	if (!all.list)
		return -ENOMEM;
	if (request->image)
		r = read_image(request, &all, diag);
	else
		r = read_disks(request, &all, diag);
	if (r < 0)
		return r;
	*ret = all;
	all = (struct candidates){ 0 };
	return 0;
}
