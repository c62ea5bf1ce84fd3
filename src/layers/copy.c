/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/copy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/replace.h"
#include "store/side_hasher.h"

#define HEX_DIGITS 64

int copy_read_sum(const char *file, struct digest *ret, struct diag *diag)
{
	_cleanup_free_ char *text = NULL;
	char digest[sizeof("sha256:") + HEX_DIGITS];

	_cleanup_close_ int fd = beside_open(file, NAME_LAYER_SUM_SUFFIX, false);
	int r = fd < 0 ? fd : read_fd(fd, BESIDE_SMALL_MAX, &text, NULL);

	if (r < 0)
		return r == -ENOENT || r == -ENOMEM
			       ? r
			       : diag_set(diag, -EINVAL, "%s" NAME_LAYER_SUM_SUFFIX ": %s", file,
					  strerror(-r));
	snprintf(digest, sizeof(digest), "sha256:%.*s", HEX_DIGITS, text);
	if (strlen(text) < HEX_DIGITS || !strchr(" \t\r\n", text[HEX_DIGITS]) ||
	    digest_parse(digest, ret) < 0)
		return diag_set(diag, -EINVAL,
				"%s" NAME_LAYER_SUM_SUFFIX ": it does not begin with a SHA-256 sum",
				file);
	return 0;
}

struct copy {
	const struct copy_job *job;
	int from, to;
	uint64_t size, done;
	bool continued; /* there was something of it */
	struct long_write write;
	char *part; /* path of the unfinished copy */
	struct side_hasher *hasher;
	struct diag *diag;
};

static void copy_done(struct copy *c)
{
	(void)long_write_end(&c->write);
	close_fd(c->from);
	close_fd(c->to);
	free(c->part);
	side_hasher_freep(&c->hasher);
}

static void report(struct copy *c)
{
	if (c->job->progress)
		c->job->progress(c->done, c->size, c->job->name, c->job->user);
}

static int open_source(struct copy *c)
{
	struct stat st;

	c->from = open(c->job->from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (c->from < 0 || fstat(c->from, &st) < 0)
		return diag_set(c->diag, -errno, "%s: %s", c->job->from, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_set(c->diag, -EINVAL, "%s: it is no regular file", c->job->from);
	c->size = (uint64_t)st.st_size;
	(void)posix_fadvise(c->from, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* ".tmp/<first digits of the sum>-<name>.part"; a copy without a sum is never continued. */
#define PART_DIGITS 16

bool copy_part_is_of(const char *part, const char *name)
{
	if (strspn(part, "0123456789abcdef") != PART_DIGITS || part[PART_DIGITS] != '-')
		return false;
	size_t length = name ? strlen(name) : 0;
	return !name || (strncmp(part + PART_DIGITS + 1, name, length) == 0 &&
			 strcmp(part + PART_DIGITS + 1 + length, PART_SUFFIX) == 0);
}

static int open_part(struct copy *c, const struct digest *sum)
{
	char text[DIGEST_STRING_MAX] = "sha256:unsummed";

	if (sum)
		digest_format(sum, text);
	c->part = text_format("%s/%.*s-%s" PART_SUFFIX, c->job->incoming, PART_DIGITS,
			      strchr(text, ':') + 1, c->job->name);
	if (!c->part)
		return -ENOMEM;
	c->to = open(c->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (sum ? 0 : O_TRUNC),
		     0644);
	return c->to < 0 ? diag_set(c->diag, -errno, "cannot copy %s to %s: %s", c->job->from,
				    c->part, strerror(errno))
			 : 0;
}

static size_t next_part(const struct copy *c, uint64_t end)
{
	return end - c->done < SIDE_HASHER_PIECE ? (size_t)(end - c->done) : SIDE_HASHER_PIECE;
}

/* What is there already counts as copied once it is hashed; what is longer than the source is cut. */
static int take_up(struct copy *c)
{
	struct stat st;

	if (fstat(c->to, &st) < 0)
		return -errno;
	uint64_t have = (uint64_t)st.st_size;
	if (have > c->size && ftruncate(c->to, 0) < 0)
		return -errno;
	if (have > c->size)
		have = 0;
	have -= have % LONG_WRITE_ALIGNMENT; /* a write may have been cut off anywhere */
	int r = 0;
	while (r == 0 && c->done < have) {
		size_t part = next_part(c, have);
		r = pread_exact(c->to, side_hasher_piece(c->hasher), part, c->done);
		if (r == 0)
			side_hasher_push(c->hasher, part);
		c->done += part;
		report(c);
	}
	c->continued = c->done > 0;
	long_write_begin(&c->write, c->to, c->done);
	return r;
}

static int pump(struct copy *c)
{
	int r = 0;

	while (r == 0 && c->done < c->size) {
		size_t part = next_part(c, c->size);
		void *piece = side_hasher_piece(c->hasher);
		r = pread_exact(c->from, piece, part, c->done);
		if (r < 0)
			return diag_set(c->diag, r, "%s: cannot read at byte %" PRIu64 ": %s",
					c->job->from, c->done, strerror(-r));
		side_hasher_push(c->hasher, part);
		r = long_write(&c->write, piece, part);
		c->done += part;
		report(c);
	}
	return r;
}

static int fill(struct copy *c)
{
	int r = side_hasher_new(&c->hasher);

	if (r == 0)
		r = side_hasher_begin(c->hasher, DIGEST_SHA256);
	if (r < 0)
		return diag_set(c->diag, r, "cannot start a thread that hashes: %s", strerror(-r));
	r = take_up(c);
	if (r == 0)
		r = pump(c);
	if (r == 0)
		r = long_write_end(&c->write);
	if (r == 0 && fsync(c->to) < 0)
		r = -errno;
	if (r < 0 && c->diag && c->diag->message)
		return r;
	if (r < 0 && r != -ENOSPC && r != -EDQUOT)
		return diag_set(c->diag, r, "cannot copy %s to %s: %s", c->job->from, c->part,
				strerror(-r));
	if (r < 0)
		return diag_set(c->diag, -ENOSPC,
				"%s does not fit into %s: %" PRIu64 " of %" PRIu64
				" bytes could be written",
				c->job->name, c->job->to, c->write.at, c->size);
	return r;
}

static int check(struct copy *c, const struct digest *sum, struct digest *ret)
{
	char want[DIGEST_STRING_MAX], got[DIGEST_STRING_MAX];
	int r = side_hasher_finish(c->hasher, ret);

	if (r < 0 || !sum || digest_equal(sum, ret))
		return r;
	return diag_set(c->diag, -EBADMSG,
			"%s: its content is %s, but " NAME_LAYER_SUM_SUFFIX " says %s",
			c->job->from, digest_format(ret, got), digest_format(sum, want));
}

static int write_sum(const struct copy_job *job, const char *to, const struct digest *digest)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char hex[DIGEST_STRING_MAX];

	path = text_format("%s/%s" NAME_LAYER_SUM_SUFFIX, to, job->name);
	text = text_format("%s  %s\n", strchr(digest_format(digest, hex), ':') + 1, job->name);
	if (!path || !text)
		return -ENOMEM;
	return write_file_durable_at(AT_FDCWD, path, text, strlen(text), 0644);
}

/* What goes along with the image, and then the image itself, into a directory: where it is, its sum and signature are. */
static int place_in(struct copy *c, const char *to, const struct digest *digest)
{
	static const char *const suffixes[] = { NAME_LAYER_SIG_SUFFIX, NAME_LAYER_TREE_SUFFIX,
						NAME_LAYER_ROOT_SUFFIX };
	const struct copy_job *job = c->job;
	const struct beside b = { job->from, to, job->incoming, job->name, c->size };
	_cleanup_free_ char *target = path_join(to, job->name);
	int r = target ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(suffixes); i++)
		r = beside_copy(&b, suffixes[i], c->diag);
	if (r == 0)
		r = write_sum(job, to, digest);
	if (r == 0 && rename(c->part, target) < 0)
		r = -errno;
	return r < 0 ? r : fsync_parent_at(AT_FDCWD, target);
}

static int publish_new(struct copy *c, const char *target, const struct digest *digest)
{
	int r = place_in(c, c->job->to, digest);

	if (r < 0)
		(void)beside_remove_all(target);
	return r;
}

/* Where another has that name, a power cut leaves the one or the other, with what is beside it. */
static int publish_instead(struct copy *c, const struct digest *digest)
{
	const struct copy_job *job = c->job;
	const struct replacement replacement = { job->incoming, job->to, job->name };
	_cleanup_free_ char *dir = NULL;
	int r = replace_begin(&replacement, &dir);

	if (r == 0)
		r = place_in(c, dir, digest);
	if (r == 0)
		return replace_commit(&replacement);
	replace_abandon(&replacement);
	return r;
}

static int publish(struct copy *c, const struct digest *digest)
{
	_cleanup_free_ char *target = path_join(c->job->to, c->job->name);

	if (!target)
		return -ENOMEM;
	int r = access(target, F_OK) == 0 ? publish_instead(c, digest)
					  : publish_new(c, target, digest);
	return r < 0 && !(c->diag && c->diag->message)
		       ? diag_set(c->diag, r == -EDQUOT ? -ENOSPC : r, "%s: %s", target,
				  strerror(-r))
		       : r;
}

/* ret_continued: it went on from what an interrupted copy had left. */
static int copy_once(const struct copy_job *job,
		     int (*verify)(const char *path, void *user, struct diag *diag),
		     void *verify_user, bool *ret_continued, struct diag *diag)
{
	_cleanup_(copy_done) struct copy c = { .job = job, .from = -1, .to = -1, .diag = diag };
	struct digest sum, digest;
	int has_sum = copy_read_sum(job->from, &sum, diag);

	if (has_sum < 0 && has_sum != -ENOENT)
		return has_sum;
	int r = open_source(&c);
	if (r == 0)
		r = open_part(&c, has_sum == 0 ? &sum : NULL);
	if (r == 0)
		r = fill(&c);
	if (r == 0)
		r = check(&c, has_sum == 0 ? &sum : NULL, &digest);
	if (r == 0 && has_sum == -ENOENT && verify)
		r = verify(c.part, verify_user, diag);
	if (r == 0)
		r = publish(&c, &digest);
	/* A part that is wrong or too long is of no use; one that merely was interrupted is. */
	if (c.part && (r == -EBADMSG || r == -ENOSPC || r == -EINVAL))
		(void)unlink(c.part);
	*ret_continued = c.continued;
	return r;
}

int copy_layer(const struct copy_job *job,
	       int (*verify)(const char *path, void *user, struct diag *diag), void *verify_user,
	       struct diag *diag)
{
	_cleanup_diag_ struct diag first = DIAG_INIT;
	bool continued = false;
	int r = copy_once(job, verify, verify_user, &continued, &first);

	/* Then what an interrupted copy left may be what is wrong: a power cut can leave anything. */
	if (r == -EBADMSG && continued)
		return copy_once(job, verify, verify_user, &continued, diag);
	return r < 0 && first.message ? diag_set(diag, r, "%s", diag_text(&first)) : r;
}
