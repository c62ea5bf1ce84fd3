/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define KMSG_MAJOR 1
#define KMSG_MINOR 11

#define KMSG_BYTES_MAX 960

static struct {
	const char *program;
	int level;
	bool journal, kernel;
	char *unit; /* that this is a service of: larder-boot.service, …; NULL: none, or not root */
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
	/* journald finds out the unit of a message from its sender's process, which may have ended. "journalctl --unit" takes root's word for it. */
	if (log_state.journal && !log_state.unit && geteuid() == 0 &&
	    sd_pid_get_unit(0, &log_state.unit) < 0)
		log_state.unit = NULL;
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
	const struct {
		const char *name, *value;
	} fields[] = {
		{ "MESSAGE", message },
		{ "PRIORITY", (const char[]){ (char)('0' + level), '\0' } },
		{ "SYSLOG_IDENTIFIER", log_state.program },
		{ "MESSAGE_ID", message_id },
		{ "OBJECT_SYSTEMD_UNIT", log_state.unit },
	};
	struct iovec iov[ARRAY_SIZE(fields)];
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char *field = fields[i].value
				      ? text_format("%s=%s", fields[i].name, fields[i].value)
				      : NULL;
		if (field)
			iov[n++] = (struct iovec){ field, strlen(field) };
	}
	(void)sd_journal_sendv(iov, n);
	while (n > 0)
		free(iov[--n].iov_base);
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

/* Bytes of the control character that text begins with, in UTF-8 (U+0080 to U+009F are some, too); 0: it begins with none. */
static unsigned control_bytes(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	return (c[0] < 0x20 && c[0] != '\t' && c[0] != '\n') || c[0] == 0x7f;
}

/* Names that others chose do not steer a terminal; lines stay lines. Takes the message. */
static char *show_controls(char *message)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (const char *c = message; f && *c;) {
		unsigned n = control_bytes(c);
		if (n == 0)
			fputc(*c++, f);
		for (; n > 0; n--)
			fprintf(f, "\\x%02x", (unsigned char)*c++);
	}
	if (!f || fclose(f) != 0) {
		free(text);
		return message;
	}
	free(message);
	return text;
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
	message = show_controls(message);
	if (log_state.journal)
		send_to_journal(level, message_id, message);
	else if (log_state.kernel)
		send_to_kernel(level, message);
	else
		fprintf(stderr, "%s: %s\n", log_state.program, message);
	errno = saved;
}
