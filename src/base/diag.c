/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/diag.h"

#include <string.h>

#include "base/text.h"

void diag_done(struct diag *d)
{
	int saved = errno;

	free(d->source);
	free(d->message);
	free(d->excerpt);
	free(d->text);
	*d = DIAG_INIT;
	errno = saved;
}

/* Memory may be what is missing: a NULL message is read as strerror() later, never dereferenced. */
int diag_set(struct diag *d, int err, const char *format, ...)
{
	va_list ap;

	if (!d)
		return err;
	va_start(ap, format);
	char *message = text_vformat(format, ap);
	va_end(ap);
	diag_done(d);
	d->message = message;
	return err;
}

int diag_set_at(struct diag *d, int err, const char *source, unsigned line, unsigned column,
		const char *format, ...)
{
	va_list ap;

	if (!d)
		return err;
	va_start(ap, format);
	char *message = text_vformat(format, ap);
	va_end(ap);
	char *source_copy = source ? strdup(source) : NULL;
	diag_done(d);
	d->source = source_copy;
	d->line = line;
	d->column = column;
	d->message = message;
	return err;
}

static const char *find_line(const char *text, unsigned line)
{
	while (line > 1 && text) {
		text = strchr(text, '\n');
		if (text)
			text++;
		line--;
	}
	return text;
}

void diag_set_excerpt(struct diag *d, const char *text, unsigned line, unsigned column)
{
	if (!d || !text)
		return;
	const char *start = find_line(text, line);
	if (!start || column == 0)
		return;

	size_t length = strcspn(start, "\r\n");
	char *excerpt = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&excerpt, &size);
	if (!f)
		return;
	fprintf(f, "  %.*s\n  ", (int)length, start);
	/* Tabs are repeated so that the caret stands under its character; continuation bytes take no column. */
	for (size_t i = 0, at = 1; i < length && at < column; i++) {
		if (((unsigned char)start[i] & 0xc0) == 0x80)
			continue;
		fputc(start[i] == '\t' ? '\t' : ' ', f);
		at++;
	}
	fputc('^', f);
	if (fclose(f) != 0) {
		free(excerpt);
		return;
	}
	free(d->excerpt);
	d->excerpt = excerpt;
}

int diag_prefix(struct diag *d, int err, const char *format, ...)
{
	va_list ap;

	if (!d)
		return err;
	va_start(ap, format);
	_cleanup_free_ char *prefix = text_vformat(format, ap);
	va_end(ap);
	if (!prefix)
		return err;
	char *joined = text_format("%s: %s", prefix, d->message ? d->message : strerror(-err));
	if (joined) {
		free(d->message);
		d->message = joined;
	}
	return err;
}

/* The name of a file must not be able to make a line of its own. */
static void write_place(FILE *f, const struct diag *d)
{
	for (const char *c = d->source; *c; c++)
		fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, f);
	if (d->line)
		fprintf(f, ":%u", d->line);
	if (d->line && d->column)
		fprintf(f, ":%u", d->column);
	fputs(": ", f);
}

static void write_text(FILE *f, const struct diag *d)
{
	if (d->source)
		write_place(f, d);
	fputs(d->message ? d->message : "out of memory", f);
	if (d->excerpt)
		fprintf(f, "\n%s", d->excerpt);
}

const char *diag_text(struct diag *d)
{
	size_t size = 0;

	free(d->text);
	d->text = NULL;
	FILE *f = open_memstream(&d->text, &size);
	if (f) {
		write_text(f, d);
		if (fclose(f) == 0 && d->text)
			return d->text;
	}
	return d->message ? d->message : "out of memory";
}
