/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_LOG_H
#define LARDER_BASE_LOG_H
/*
 * Messages to standard error, or to the journal when standard error is the journal's stream
 * (JOURNAL_STREAM, systemd.exec(5)); with their level when it is /dev/kmsg, which journald reads later. One failure
 * is one call. Modules log at debug level only; commands, the boot pipeline and the daemon's request boundary log
 * the rest.
 *
 * An event is a message with a MESSAGE_ID (base/events.h), so that journalctl finds it by what happened.
 */
#include <stdbool.h>
#include <syslog.h>

/* Once, before the first message. program is kept, not copied. */
void log_open(const char *program);

/* Messages less urgent than level (LOG_ERR … LOG_DEBUG) are dropped; LOG_INFO at the start. */
void log_set_level(int level);
bool log_enabled(int level);

void log_at(int level, const char *message_id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)	 log_at(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)	 log_at(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)	 (log_enabled(LOG_DEBUG) ? log_at(LOG_DEBUG, NULL, __VA_ARGS__) : (void)0)

#endif
