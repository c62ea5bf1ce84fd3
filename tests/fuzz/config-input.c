/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/config-input.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/machine_config.h"
#include "config/show.h"

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth))                                                                      \
			abort();                                                                   \
	} while (0)

#define NAME "f"

static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t n = 1;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80;
	return n;
}

/* One line, with a place in the file. */
static void check_error(const struct diag *d, int r, const uint8_t *data, size_t size)
{
	must(r == -EINVAL);
	must(d->message && *d->message);
	must(d->source && strcmp(d->source, NAME) == 0);
	must(d->line > 0 && d->line <= count_lines(data, size) + 1 && d->column > 0);
	for (const char *c = d->message; *c; c++)
		must((unsigned char)*c >= 0x20);
}

static void check_config(const struct machine_config *c)
{
	struct config_values values;

	must(c->volume.disk_selector);
	must(c->volume.min_size.kind == SIZE_BYTES && c->volume.min_size.value > 0);
	must(c->volume.max_size.kind != SIZE_UNSET);
	must(!c->volume.encryption.enabled || c->volume.encryption.n_keys > 0);
	for (size_t i = 1; i < c->n_mirrors; i++)
		must(strcmp(c->mirrors[i - 1].host, c->mirrors[i].host) < 0);
	for (size_t i = 1; i < c->n_access; i++)
		must(strcmp(c->access[i - 1].host, c->access[i].host) < 0);
	must(machine_config_values(c, &values) == 0);
	for (size_t i = 0; i < values.n_values; i++)
		if (text_ends_with(values.values[i].key, ".password") ||
		    text_ends_with(values.values[i].key, ".passphrase"))
			must(strcmp(values.values[i].value, CONFIG_REDACTED) == 0);
	config_values_done(&values);
}

void config_input(const uint8_t *data, size_t size)
{
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int r = machine_config_parse(NAME, (const char *)data, size, &c, &d);

	if (r < 0)
		check_error(&d, r, data, size);
	else
		check_config(c);
}
