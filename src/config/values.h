/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_VALUES_H
#define LARDER_CONFIG_VALUES_H
/*
 * What single values of the config may look like. Each function returns 0, or -EINVAL with a message without position
 * that can stand behind the name of the key. None repeats a secret.
 */
#include "base/diag.h"

#define CONFIG_HOST_MAX 255
#define CONFIG_URL_MAX	2048

int value_check_host(const char *text, struct diag *diag);	    /* host[:port] */
int value_check_mirrored_host(const char *text, struct diag *diag); /* the same, or * */
int value_check_endpoint(const char *text, struct diag *diag);	    /* http:// or https:// URL */
int value_check_pem(const char *text, struct diag *diag);	    /* holds a PEM block */
int value_check_base64_pem(const char *text, struct diag *diag);    /* base64 of that */
int value_check_absolute_path(const char *text, struct diag *diag);
int value_check_device_path(const char *text, struct diag *diag); /* below /dev */
int value_check_layer_name(const char *text, struct diag *diag);
int value_check_layer_version(const char *text, struct diag *diag);
int value_check_root_hash(const char *text, struct diag *diag);	     /* 64 or 128 hex digits */
int value_check_digest(const char *text, struct diag *diag);	     /* sha256:… */
int value_check_image_pattern(const char *text, struct diag *diag);  /* reference, * for any text */
int value_check_size_condition(const char *text, struct diag *diag); /* ">= 100GB" */
int value_check_budget(const char *text, struct diag *diag);	     /* a size or a share */

/* Standard base64 (RFC 4648 4), white space between the digits is skipped. -EINVAL: it is none. The result is
 * NUL-terminated and the caller's. */
int base64_decode(const char *text, char **ret, size_t *ret_size);

#endif
