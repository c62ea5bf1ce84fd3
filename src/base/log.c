/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/text.h"

#define KMSG_MAJOR 1
#define KMSG_MINOR 11

#define KMSG_BYTES_MAX 960

static struct {
	const char *program;
	int level;
	bool journal, kernel;
} log_state = { .program = "larder", .level = LOG_INFO };

/* JOURNAL_STREAM is "device:inode" of the socket that systemd made standard error. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* /dev/kmsg: before there is a journal, which reads it later. */
static bool stderr_is_kernel_log(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(KMSG_MAJOR, KMSG_MINOR);
}

void log_open(const char *program)
{
	log_state.program = program;
	log_state.journal = stderr_is_journal();
	log_state.kernel = stderr_is_kernel_log();
}

void log_set_level(int level)
{
	log_state.level = level;
}

bool log_enabled(int level)
{
	return level <= log_state.level;
}

static void send_to_journal(int level, const char *message_id, const char *message)
{
	if (message_id)
		(void)sd_journal_send("MESSAGE=%s", message, "PRIORITY=%i", level, "MESSAGE_ID=%s",
				      message_id, "SYSLOG_IDENTIFIER=%s", log_state.program, NULL);
	else
		(void)sd_journal_send("MESSAGE=%s", message, "PRIORITY=%i", level,
				      "SYSLOG_IDENTIFIER=%s", log_state.program, NULL);
}

/* One write is one message (Documentation/ABI/testing/dev-kmsg); the kernel refuses those that are longer. */
static void send_to_kernel(int level, const char *message)
{
	char line[KMSG_BYTES_MAX];
	int n = snprintf(line, sizeof(line), "<%d>%s: %s", level, log_state.program, message);

	if (n > 0)
		(void)!write(STDERR_FILENO, line,
			     (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void log_at(int level, const char *message_id, const char *format, ...)
{
	int saved = errno;
	va_list ap;
	_cleanup_free_ char *message = NULL;

	if (!log_enabled(level))
		return;
	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	if (!message)
		return;
	if (log_state.journal)
		send_to_journal(level, message_id, message);
	else if (log_state.kernel)
		send_to_kernel(level, message);
	else
		fprintf(stderr, "%s: %s\n", log_state.program, message);
	errno = saved;
}
