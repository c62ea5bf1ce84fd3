/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_LUKS_SESSION_H
#define LARDER_BLOCK_LUKS_SESSION_H
/*
 * One encrypted device in libcryptsetup (block/cryptsetup.h), with the library's last words for the error message. Only luks.c and
 * luks_key.c know of it.
 */
#include <libcryptsetup.h>

#include "base/diag.h"

/* The functions that are used, by their own types. */
struct luks_library {
	__typeof__(crypt_init) *init;
	__typeof__(crypt_init_by_name) *init_by_name;
	__typeof__(crypt_free) *free;
	__typeof__(crypt_format) *format;
	__typeof__(crypt_load) *load;
	__typeof__(crypt_set_pbkdf_type) *set_pbkdf;
	__typeof__(crypt_keyslot_add_by_volume_key) *add_key;
	__typeof__(crypt_activate_by_passphrase) *activate;
	__typeof__(crypt_activate_by_token_pin) *activate_by_token;
	__typeof__(crypt_get_active_device) *get_active;
	__typeof__(crypt_get_device_name) *device_name;
	__typeof__(crypt_deactivate) *deactivate;
	__typeof__(crypt_resize) *resize;
	__typeof__(crypt_set_log_callback) *set_log;
};

struct luks_session {
	struct luks_library lib;
	struct crypt_device *device;
	char words[512]; /* libcryptsetup's last error */
};

/* -EOPNOTSUPP: there is no libcryptsetup, or an old one. */
int luks_library_load(struct luks_library *lib, struct diag *diag);

/* A session with the device or file at path; s must be at its place until luks_session_done(). */
int luks_session_open(struct luks_session *s, const char *path, struct diag *diag);

/* One with what is mapped as name. */
int luks_session_open_mapped(struct luks_session *s, const char *name, struct diag *diag);
void luks_session_done(struct luks_session *s);
#define _cleanup_luks_session_ _cleanup_(luks_session_done)

/* "path: cannot do this: the library's words" */
int luks_session_failed(const struct luks_session *s, int err, const char *path, const char *what,
			struct diag *diag);

#endif
