/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/luks_session.h"

#include <string.h>

#include "block/cryptsetup.h"

void luks_session_done(struct luks_session *s)
{
	if (s->device)
		s->lib.free(s->device);
	s->device = NULL;
}

static void keep_words(int level, const char *message, void *user)
{
	struct luks_session *s = user;

	if (level != CRYPT_LOG_ERROR)
		return;
	snprintf(s->words, sizeof(s->words), "%s", message);
	s->words[strcspn(s->words, "\n")] = '\0';
}

int luks_library_load(struct luks_library *lib, struct diag *diag)
{
	const struct cryptsetup_symbol symbols[] = {
		{ "crypt_init", (void **)&lib->init },
		{ "crypt_init_by_name", (void **)&lib->init_by_name },
		{ "crypt_free", (void **)&lib->free },
		{ "crypt_format", (void **)&lib->format },
		{ "crypt_load", (void **)&lib->load },
		{ "crypt_set_pbkdf_type", (void **)&lib->set_pbkdf },
		{ "crypt_keyslot_add_by_volume_key", (void **)&lib->add_key },
		{ "crypt_activate_by_passphrase", (void **)&lib->activate },
		{ "crypt_activate_by_token_pin", (void **)&lib->activate_by_token },
		{ "crypt_get_active_device", (void **)&lib->get_active },
		{ "crypt_get_device_name", (void **)&lib->device_name },
		{ "crypt_deactivate", (void **)&lib->deactivate },
		{ "crypt_resize", (void **)&lib->resize },
		{ "crypt_set_log_callback", (void **)&lib->set_log },
	};

	return cryptsetup_load(symbols, ARRAY_SIZE(symbols), "encryption", diag);
}

int luks_session_failed(const struct luks_session *s, int err, const char *path, const char *what,
			struct diag *diag)
{
	return diag_set(diag, err, "%s: cannot %s: %s", path, what,
			*s->words ? s->words : strerror(-err));
}

int luks_session_open(struct luks_session *s, const char *path, struct diag *diag)
{
	int r = luks_library_load(&s->lib, diag);

	if (r < 0)
		return r;
	r = s->lib.init(&s->device, path);
	if (r < 0)
		return luks_session_failed(s, r, path, "examine it for encryption", diag);
	s->lib.set_log(s->device, keep_words, s);
	return 0;
}

int luks_session_open_mapped(struct luks_session *s, const char *name, struct diag *diag)
{
	int r = luks_library_load(&s->lib, diag);

	if (r < 0)
		return r;
	r = s->lib.init_by_name(&s->device, name);
	if (r < 0)
		return luks_session_failed(s, r, name, "examine what is mapped", diag);
	s->lib.set_log(s->device, keep_words, s);
	return 0;
}
