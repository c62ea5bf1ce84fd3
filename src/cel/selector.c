/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/selector.h"

#include <string.h>

#include "cel/selector_fields.h"

struct selector {
	struct cel_program *program;
};

int selector_compile(enum selector_kind kind, const char *text, struct selector **ret,
		     struct diag *diag)
{
	_cleanup_(selector_freep) struct selector *s = calloc(1, sizeof(*s));

	if (!s)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = cel_compile(selector_env(kind), text, strlen(text), &cel_bool, &s->program, NULL,
			    diag);
	/* The language wants it when it is evaluated; of a machine config it is to be known before. */
	if (r == 0)
		r = cel_program_check_patterns(s->program, diag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int selector_match(const struct selector *s, const struct disk_fields *disk,
		   const struct volume_fields *volume, bool system_disk, bool *ret,
		   struct diag *diag)
{
	const struct cel_object disk_object = { &selector_disk_type, disk };
	const struct cel_object volume_object = { &selector_volume_type, volume };
	struct cel_value values[SELECTOR_N_VARIABLES] = {
		[SELECTOR_VAR_DISK] = cel_value_object(&disk_object),
		[SELECTOR_VAR_SYSTEM_DISK] = cel_value_bool(system_disk),
	};
	struct cel_result result;

	if (volume)
		values[SELECTOR_VAR_VOLUME] = cel_value_object(&volume_object);
	int r = cel_eval(s->program, values, &result, diag);
	if (r < 0)
		return r;
	*ret = result.value.b;
	cel_result_done(&result);
	return 0;
}

const char *selector_text(const struct selector *s)
{
	return cel_program_text(s->program);
}

bool selector_uses_system_disk(const struct selector *s)
{
	return cel_program_uses(s->program, SELECTOR_VAR_SYSTEM_DISK);
}

uint64_t selector_disk_fields(const struct selector *s)
{
	return cel_program_fields(s->program, SELECTOR_VAR_DISK);
}

void selector_free(struct selector *s)
{
	if (!s)
		return;
	cel_program_free(s->program);
	free(s);
}
