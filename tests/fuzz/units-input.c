/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/units-input.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "needs/command_line.h"
#include "needs/unit_file.h"

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth))                                                                      \
			abort();                                                                   \
	} while (0)

/* An image is a word of the line, whole, and never an option. */
static void check_command(const char *line)
{
	_cleanup_found_images_ struct found_images found = { 0 };
	_cleanup_strv_ char **words = NULL;

	must(command_split(line, &words) == 0);
	must(command_find_images(words, &found) == 0);
	STRV_FOREACH (image, found.images)
		must(strv_contains(words, *image));
	STRV_FOREACH (object, found.objects)
		must(strv_contains(words, *object));
	must(!found.images || found.program);
}

/* Expanding leaves a text without % and $ as it is. */
static void check_value(const struct unit *unit, const char *value)
{
	_cleanup_free_ char *expanded = unit_expand(unit, value);

	must(expanded);
	must(strpbrk(value, "%$") || strcmp(expanded, value) == 0);
	check_command(value);
}

void units_input(const uint8_t *data, size_t size)
{
	_cleanup_(unit_done) struct unit unit = { 0 };
	_cleanup_free_ char *text = strndup((const char *)data, size);

	must(text);
	int r = unit_parse(&unit, text, NULL);
	must(r == 0 || r == -E2BIG);
	for (size_t i = 0; i < unit.n_settings && i < 100; i++) {
		const struct unit_setting *s = &unit.settings[i];
		_cleanup_strv_ char **values = NULL;
		must(s->section && s->key && s->value && !strpbrk(s->value, "\n"));
		must(unit_values(&unit, s->section, s->key, &values) == 0);
		must(!*s->value || strv_length(values) <= unit.n_settings);
		check_value(&unit, s->value);
	}
	check_command(text);
}
