/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_UNIT_FILE_H
#define LARDER_NEEDS_UNIT_FILE_H
/*
 * Files of systemd's unit syntax (systemd.syntax(7)), which quadlets share: sections, "Key=value", lines that a backslash
 * continues. A unit is its file and then its drop-ins, one list of settings in the order in which they count.
 */
#include "needs/collect.h"

#define UNIT_SETTINGS_MAX 10000

struct unit_setting {
	char *section, *key, *value;
};

struct unit {
	char *name; /* "web.container" */
	char *path; /* of the main file */
	struct unit_setting *settings;
	size_t n_settings;
	bool loaded;	       /* its main file was read: it is not masked, and drop-ins count */
	char **file_variables; /* strv, "NAME=value": of EnvironmentFile=; see needs/environment_file.h */
	bool files_read;
};

struct unit_list {
	struct unit *units; /* in natural order of the name */
	size_t n_units;
};

/*
 * Adds the settings of text. *ret_ignored (may be NULL): lines that are neither a section nor a setting in one, which systemd
 * ignores, too. -E2BIG: more than UNIT_SETTINGS_MAX. -ENOMEM.
 */
int unit_parse(struct unit *unit, const char *text, size_t *ret_ignored);
void unit_done(struct unit *unit);

/*
 * Every unit below the directories (ends with NULL; the first that has a name wins) whose name ends with one of the suffixes.
 * deep: also in directories below. Links to /dev/null and empty files hide what comes later, as for systemd.
 */
int units_read(struct collector *c, const char *const *directories, const char *const *suffixes,
	       bool deep, struct unit_list *ret);
void unit_list_done(struct unit_list *list);
#define _cleanup_units_ _cleanup_(unit_list_done)

/* The last value of a key; NULL: none. */
const char *unit_value(const struct unit *unit, const char *section, const char *key);

/* Values of a key that is a list: an empty value empties it. strv of texts that the caller owns. -ENOMEM. */
int unit_values(const struct unit *unit, const char *section, const char *key, char ***ret);

/*
 * text with %% and with what Environment= of [Service], and the files that were read, say about $NAME and ${NAME}; what is not
 * known stays as it is.
 * Owned by the caller; NULL: out of memory.
 */
char *unit_expand(const struct unit *unit, const char *text);

#endif
