/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/marked.h"

#include <string.h>

#include "base/text.h"
#include "runtime/unmerge.h"

#define MARK_EXPLANATION                                                                           \
	" (written by \"larder runtime configure\"; \"larder runtime restore\" takes it out)"

char *marked_insert(const char *text, size_t offset, const char *block)
{
	bool line_start = offset == 0 || text[offset - 1] == '\n';
	bool block_ends = text_ends_with(block, "\n");
	char *result = NULL;

	if (asprintf(&result, "%.*s%s" MARK_BEGIN MARK_EXPLANATION "\n%s%s" MARK_END "\n%s",
		     (int)offset, text, line_start ? "" : "\n", block, block_ends ? "" : "\n",
		     text + offset) < 0)
		return NULL;
	return result;
}

static bool line_begins(const char *line, const char *mark)
{
	line += strspn(line, " \t");
	return text_starts_with(line, mark);
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

int marked_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag)
{
	_cleanup_free_ char *rest = NULL, *unmerged = NULL;
	size_t size;
	bool inside = false;

	if (base && unmerge(base->original, base->written, text, &unmerged) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	FILE *f = open_memstream(&rest, &size);
	if (!f)
		return diag_set(diag, -ENOMEM, "out of memory");
	for (const char *line = unmerged ? unmerged : text, *next; *line; line = next) {
		next = next_line(line);
		if (line_begins(line, MARK_BEGIN))
			inside = true;
		else if (line_begins(line, MARK_END))
			inside = false;
		else if (!inside)
			fwrite(line, 1, (size_t)(next - line), f);
	}
	if (fclose(f) != 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (inside)
		return diag_set(diag, -EINVAL, "the line \"%s\" has no \"%s\" after it", MARK_BEGIN,
				MARK_END);
	*ret = rest[strspn(rest, " \t\r\n")] ? TAKE_PTR(rest) : NULL;
	return 0;
}
