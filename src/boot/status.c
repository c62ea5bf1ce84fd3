/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot/status.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/names.h"

static json_t *time_now(void)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	return json_string(text);
}

json_t *status_new(void)
{
	return json_pack("{s:i, s:s, s:o, s:[]}", "format", STATUS_FORMAT, "state", "ready",
			 "started", time_now(), "problems");
}

int status_set(json_t *status, const char *part, json_t *value)
{
	return json_object_set_new(status, part, value) < 0 ? -ENOMEM : 0;
}

int status_set_state(json_t *status, const char *state)
{
	return status_set(status, "state", json_string(state));
}

/* "disabled" and "failed" are decided by the pipeline; the rest follows from the problems. */
static int settle_state(json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));

	if (state && (strcmp(state, "disabled") == 0 || strcmp(state, "failed") == 0))
		return 0;
	bool sound = json_array_size(json_object_get(status, "problems")) == 0;
	return status_set_state(status, sound ? "ready" : "degraded");
}

int status_add_problem(json_t *status, const char *part, const char *message)
{
	json_t *problem = json_pack("{s:s, s:s}", "part", part, "message", message);

	/* What a device or a program said may be no UTF-8; a problem without words is better than none. */
	if (!problem)
		problem = json_pack("{s:s, s:s}", "part", part, "message",
				    "failed (its message is not valid UTF-8, see the journal)");
	if (json_array_append_new(json_object_get(status, "problems"), problem) < 0)
		return -ENOMEM;
	return settle_state(status);
}

void status_clear_problems(json_t *status, const char *part)
{
	json_t *problems = json_object_get(status, "problems");

	for (size_t i = json_array_size(problems); i-- > 0;) {
		const json_t *of = json_object_get(json_array_get(problems, i), "part");
		if (json_is_string(of) && strcmp(json_string_value(of), part) == 0)
			json_array_remove(problems, i);
	}
	(void)settle_state(status);
}

int status_write(const json_t *status, const char *run_dir, struct diag *diag)
{
	_cleanup_free_ char *text = json_dumps(status, JSON_INDENT(2));
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_STATUS);

	if (!text || !path)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = mkdir_parents_at(AT_FDCWD, path, 0755);
	if (r == 0)
		r = write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0644);
	if (r < 0)
		return diag_set(diag, r, "cannot write %s: %s", path, strerror(-r));
	return 0;
}

/* Without waiting for what is in its place (a FIFO). */
static int read_status_file(const char *path, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = open_rooted(NULL, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? read_fd(fd, STATUS_BYTES_MAX, ret, ret_size) : -EINVAL;
}

#define WRITTEN_ANEW "\"larder boot\" writes it anew"

int status_read(const char *run_dir, json_t **ret, struct diag *diag)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_STATUS);
	json_auto_t *status = NULL;
	json_error_t error;
	size_t size;

	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = read_status_file(path, &text, &size);
	if (r == -ENOENT)
		return diag_set(
			diag, r,
			"there is no %s: larder boot has not run, or larder stop took everything down",
			path);
	if (r == -EINVAL)
		return diag_set(diag, r, "cannot read %s: it is no regular file; " WRITTEN_ANEW,
				path);
	if (r < 0)
		return diag_set(diag, r, "cannot read %s: %s%s", path, strerror(-r),
				r == -EACCES ? "; run this as root" : "");
	status = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!status)
		return diag_set_at(diag, -EINVAL, path, (unsigned)error.line,
				   (unsigned)error.column, "%s; " WRITTEN_ANEW, error.text);
	if (json_integer_value(json_object_get(status, "format")) != STATUS_FORMAT ||
	    !json_is_string(json_object_get(status, "state")) ||
	    !json_is_array(json_object_get(status, "problems")))
		return diag_set(diag, -EINVAL,
				"%s is not a status file of format %d; " WRITTEN_ANEW, path,
				STATUS_FORMAT);
	*ret = TAKE_PTR(status);
	return 0;
}
