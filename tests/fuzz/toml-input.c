/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/config-input.h"
#include "runtime/hosts_toml.h"
#include "runtime/marked.h"
#include "runtime/toml.h"

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth))                                                                      \
			abort();                                                                   \
	} while (0)

#define BLOCK "[host.\"x\"]\n"

/* Statements follow each other, each inside the text, with a name; strings read back from their quoted form. */
static void check_document(const struct toml_document *d, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		_cleanup_free_ char *text = NULL;
		_cleanup_strv_ char **list = NULL;
		must(s->start >= at && s->end > s->start && s->end <= size);
		must(strv_length(s->path) > 0);
		at = s->end;
		if (s->kind != TOML_KEY)
			continue;
		must(s->value > s->start && s->value_end > s->value && s->value_end <= s->end);
		(void)toml_strings(d, s, &list);
		if (toml_string(d, s, &text) < 0)
			continue;
		_cleanup_free_ char *quoted = toml_quote(text), *back = NULL;
		const char *c = quoted;
		must(toml_read_string(&c, &back) == 0 && strcmp(back, text) == 0);
	}
}

static void check_merge(const char *text)
{
	_cleanup_free_ char *merged = NULL, *stripped = NULL, *before = NULL;
	_cleanup_toml_ struct toml_document d = { 0 };

	if (marked_strip(text, NULL, &before, NULL) < 0 || !before || strcmp(before, text) != 0)
		return; /* it has marks of its own */
	if (hosts_toml_merge(text, BLOCK, &merged, NULL) < 0 || !merged)
		return;
	must(toml_scan(merged, &d, NULL) == 0);
	must(marked_strip(merged, NULL, &stripped, NULL) == 0);
	size_t length = strlen(text);
	must(strncmp(stripped, text, length) == 0);
	must(stripped[length] == '\0' || strcmp(stripped + length, "\n") == 0);
}

void toml_input(const uint8_t *data, size_t size)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *text = strndup((const char *)data, size);

	must(text);
	int r = toml_scan(text, &d, &diag);
	must(r == 0 || (r == -EINVAL && diag.message && diag.line > 0));
	if (r == 0) {
		check_document(&d, strlen(text));
		check_merge(text);
	}
}
