/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services that run or pull a container by a command line. Whether they are enabled counts nothing: they may be started. */
#include <string.h>

#include "base/text.h"
#include "needs/command_line.h"
#include "needs/environment_file.h"
#include "needs/pods.h"
#include "needs/unit_file.h"

static const char *const unit_directories[] = {
	"/etc/systemd/system",	   "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system", NULL,
};
static const char *const unit_suffixes[] = { ".service", NULL };
static const char *const commands[] = { "ExecStartPre", "ExecStart", "ExecStartPost" };

struct service {
	struct collector *c;
	struct unit *unit;
	const char *who;
};

static int take_images(const struct service *s, const struct found_images *found)
{
	int r = 0;

	STRV_FOREACH (word, found->images) {
		if (r == 0 && strchr(*word, '$'))
			r = environment_files_read(s->c, s->unit);
		_cleanup_free_ char *image = unit_expand(s->unit, *word);
		if (r == 0)
			r = image ? collect_image(s->c, s->who, s->unit->path, image) : -ENOMEM;
	}
	STRV_FOREACH (file, found->objects) {
		if (r < 0)
			break;
		/* A template stands for nothing by itself: podman-kube@.service is on every machine with podman. */
		if (strchr(*file, '%') && strstr(s->unit->name, "@."))
			continue;
		if (**file == '/' && rootfs_exists(s->c->root, *file))
			r = pods_read(s->c, s->who, *file);
		else
			r = collect_note(s->c, "%s: the file %s that %s plays cannot be found",
					 s->unit->path, *file, found->program);
	}
	if (r == 0 && found->hidden)
		r = collect_note(s->c,
				 "%s runs containers through a shell or compose, which is not "
				 "followed: add their images to the list",
				 s->unit->path);
	return r;
}

/* One command: the words up to a word ";". Prefixes of the program (@, -, :, +, !, |) are no part of its name. */
static int read_command(const struct service *s, char *const *words)
{
	_cleanup_found_images_ struct found_images found = { 0 };
	_cleanup_strv_ char **own = NULL;
	int r = 0;

	for (; r == 0 && *words && strcmp(*words, ";") != 0; words++)
		r = strv_add(&own, own ? *words : *words + strspn(*words, "@-:+!|"));
	if (r == 0)
		r = command_find_images(own, &found);
	return r == 0 ? take_images(s, &found) : r;
}

static int read_line(const struct service *s, const char *line)
{
	_cleanup_strv_ char **words = NULL;
	int r = command_split(line, &words);

	for (char *const *word = words; r == 0 && word && *word;) {
		r = read_command(s, word);
		while (*word && strcmp(*word, ";") != 0)
			word++;
		if (*word)
			word++;
	}
	return r;
}

static int read_service(struct collector *c, struct unit *unit)
{
	_cleanup_free_ char *who = NULL;
	int r = asprintf(&who, "unit %s", unit->name) < 0 ? -ENOMEM : 0;
	const struct service s = { c, unit, who };

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(commands); i++) {
		_cleanup_strv_ char **lines = NULL;
		r = unit_values(unit, "Service", commands[i], &lines);
		STRV_FOREACH (line, lines)
			if (r == 0)
				r = read_line(&s, *line);
	}
	return r;
}

int read_services(struct collector *c)
{
	_cleanup_units_ struct unit_list list = { 0 };
	int r = units_read(c, unit_directories, unit_suffixes, false, &list);

	for (size_t i = 0; r == 0 && i < list.n_units; i++)
		r = read_service(c, &list.units[i]);
	return r;
}
