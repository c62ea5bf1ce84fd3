/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/command_line.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

static const char *const runners[] = { "podman", "docker", "nerdctl", "ctr", "crictl", NULL };
static const char *const composers[] = { "docker-compose", "podman-compose", NULL };
static const char *const shells[] = { "sh", "bash", "dash", "ash", "zsh", "su", "runuser", NULL };
/* They run the program that stands behind options and words of their own. */
static const char *const wrappers[] = { "k3s",
					"rke2",
					"chrt",
					"env",
					"exec",
					"flock",
					"ionice",
					"nice",
					"nohup",
					"runuser",
					"setpriv",
					"setsid",
					"stdbuf",
					"sudo",
					"taskset",
					"systemd-cat",
					"systemd-inhibit",
					"systemd-run",
					"timeout",
					NULL };

/* Options without a value. Every other one takes the next word, unless it has its value after "=". */
static const char *const flags[] = {
	"all-platforms",
	"all-tags",
	"cni",
	"debug",
	"debug-full",
	"detach",
	"disable-content-trust",
	"env-host",
	"experimental",
	"help",
	"http-proxy",
	"http-trace",
	"ignore",
	"infra",
	"init",
	"insecure-registry",
	"interactive",
	"local",
	"net-host",
	"no-healthcheck",
	"no-hostname",
	"no-hosts",
	"no-pivot",
	"noout",
	"null-io",
	"oom-kill-disable",
	"passwd",
	"plain-http",
	"print-chainid",
	"privileged",
	"publish-all",
	"quiet",
	"read-only",
	"read-only-tmpfs",
	"remote",
	"replace",
	"rm",
	"rmi",
	"rootfs",
	"share-parent",
	"sig-proxy",
	"skip-metadata",
	"skip-verify",
	"start",
	"syslog",
	"tls",
	"tls-verify",
	"tlsverify",
	"transient-store",
	"tty",
	"unsetenv-all",
	"use-api-socket",
	"version",
	"wait",
};
#define SHORT_FLAGS "DPdiqtk" /* not -h and -v: hostname and volume */

/* \x41, \101, \n… at the letter behind the backslash; returns how many bytes were read. */
static size_t write_escape(FILE *f, const char *at)
{
	static const char letters[] = "abfnrtvs\\\"'", meanings[] = "\a\b\f\n\r\t\v \\\"'";
	const char *found = strchr(letters, *at);
	int base = *at == 'x' ? 16 : 8, digits = *at == 'x' ? 2 : 3, value = 0, n = 0;

	if (!*at)
		return 0;
	if (found) {
		fputc(meanings[found - letters], f);
		return 1;
	}
	const char *digit = at + (base == 16);
	for (; n < digits && isxdigit((unsigned char)digit[n]) &&
	       (base == 16 || strchr("01234567", digit[n]));
	     n++) {
		int c = tolower((unsigned char)digit[n]);
		value = value * base + (isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	if (n == digits && value > 0 && value < 256) {
		fputc(value, f);
		return (size_t)(digit + n - at);
	}
	fprintf(f, "\\%c", *at);
	return 1;
}

static int read_word(const char **line, char **ret)
{
	size_t size;
	FILE *f = open_memstream(ret, &size);
	char quote = 0;

	if (!f)
		return -ENOMEM;
	for (; **line && (quote || !isspace((unsigned char)**line)); (*line)++) {
		if (**line == quote)
			quote = 0;
		else if (!quote && (**line == '"' || **line == '\''))
			quote = **line;
		else if (**line == '\\')
			*line += write_escape(f, *line + 1);
		else
			fputc(**line, f);
	}
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

int command_split(const char *line, char ***ret)
{
	_cleanup_strv_ char **words = NULL;
	int r = 0;

	for (;;) {
		char *word = NULL;
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || r < 0)
			break;
		r = read_word(&line, &word);
		if (r == 0)
			r = strv_take(&words, word);
		else
			free(word);
	}
	if (r == 0)
		*ret = TAKE_PTR(words);
	return r;
}

void found_images_done(struct found_images *images)
{
	strv_free(images->images);
	strv_free(images->objects);
	*images = (struct found_images){ 0 };
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *find_runner(const char *word)
{
	for (const char *const *runner = runners; *runner; runner++)
		if (strcmp(base_name(word), *runner) == 0)
			return *runner;
	return NULL;
}

static bool is_flag(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(name, flags[i]) == 0)
			return true;
	return false;
}

/* -it, -p80:80, -e X: does the word want the next one as its value? */
static bool short_takes_next(const char *letters, const char *short_flags)
{
	for (; *letters; letters++)
		if (!strchr(short_flags, *letters))
			return letters[1] == '\0';
	return false;
}

static bool is_option(const char *word)
{
	return word && *word == '-' && word[1];
}

/* Skips one option and its value; *local becomes true at --rootfs, after which there is no image. */
static char *const *skip_option(char *const *words, const char *short_flags, bool *local)
{
	const char *word = *words++;

	if (strcmp(word, "--rootfs") == 0 || strcmp(word, "--rootfs=true") == 0)
		*local = true;
	bool takes = text_starts_with(word, "--")
			     ? !strchr(word, '=') && !is_flag(word + 2)
			     : !strchr(word, '=') && short_takes_next(word + 1, short_flags);
	return takes && *words ? words + 1 : words;
}

static char *const *skip_options(char *const *words, const char *short_flags, bool *local)
{
	while (is_option(*words)) {
		if (strcmp(*words, "--") == 0)
			return words + 1;
		words = skip_option(words, short_flags, local);
	}
	return words;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; word && *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static int add_all(char *const *words, char ***list)
{
	int r = 0;

	for (; r == 0 && *words; words++)
		if (**words != '-')
			r = strv_add(list, *words);
	return r;
}

/* The image of a pod's own container; of several, podman takes the last. words: behind "pod create", options also after the name. */
static int read_pod(char *const *words, struct found_images *ret)
{
	static const char option[] = "--infra-image";
	const char *image = NULL;
	bool local = false;

	while (*words && strcmp(*words, "--") != 0) {
		const char *word = *words;
		char *const *next =
			is_option(word) ? skip_option(words, SHORT_FLAGS, &local) : words + 1;
		if (text_starts_with(word, option) && word[strlen(option)] == '=')
			image = word + strlen(option) + 1;
		else if (strcmp(word, option) == 0 && next == words + 2)
			image = words[1];
		words = next;
	}
	return image && *image ? strv_add(&ret->images, image) : 0;
}

/* The image that a volume is made of: "-o image=REF" of podman-volume-create(1). words: behind "volume create". */
static int read_volume(char *const *words, struct found_images *ret)
{
	static const char set[] = "image=";
	bool local = false;
	int r = 0;

	while (r == 0 && *words && strcmp(*words, "--") != 0) {
		const char *word = *words, *value = NULL;
		char *const *next = is_option(word) ? skip_option(words, "", &local) : words + 1;
		if (strcmp(word, "--opt") == 0 || strcmp(word, "-o") == 0)
			value = words[1];
		else if (text_starts_with(word, "--opt="))
			value = strchr(word, '=') + 1;
		else if (text_starts_with(word, "-o"))
			value = word + 2 + (word[2] == '=');
		if (value && text_starts_with(value, set) && value[strlen(set)])
			r = strv_add(&ret->images, value + strlen(set));
		words = next;
	}
	return r;
}

/* words: behind the program's name. */
static int read_runner(char *const *words, struct found_images *ret)
{
	static const char *const groups[] = { "container", "containers", "c",	 "image", "images",
					      "i",	   "kube",	 "play", NULL };
	static const char *const runs[] = { "run", "create", NULL };
	static const char *const creates[] = { "create", NULL };
	static const char *const pulls[] = { "pull", NULL };
	static const char *const plays[] = { "play", "kube", NULL };
	bool local = false, group_plays = false;

	words = skip_options(words, SHORT_FLAGS, &local);
	if (*words && strcmp(*words, "pod") == 0)
		return is_one_of(words[1], creates) ? read_pod(words + 2, ret) : 0;
	if (*words && strcmp(*words, "volume") == 0)
		return is_one_of(words[1], creates) ? read_volume(words + 2, ret) : 0;
	if (is_one_of(*words, groups)) {
		group_plays = is_one_of(*words, plays);
		words = skip_options(words + 1, SHORT_FLAGS, &local);
	}
	if (!*words)
		return 0;
	if (strcmp(*words, "compose") == 0 || strcmp(*words, "stack") == 0) {
		ret->hidden = true;
		return 0;
	}
	if (is_one_of(*words, pulls))
		return add_all(skip_options(words + 1, SHORT_FLAGS "a", &local), &ret->images);
	if (group_plays && is_one_of(*words, plays)) {
		words = skip_options(words + 1, SHORT_FLAGS, &local);
		return *words ? strv_add(&ret->objects, *words) : 0;
	}
	if (!is_one_of(*words, runs))
		return 0;
	words = skip_options(words + 1, SHORT_FLAGS, &local);
	return *words && !local ? strv_add(&ret->images, *words) : 0;
}

/* Does the text have the program's name, as a word with others behind it? */
static bool script_runs(const char *script, const char *program)
{
	for (const char *at = script; (at = strstr(at, program)); at++) {
		char after = at[strlen(program)];
		bool starts = at == script || strchr(" \t;&|(/", at[-1]);
		if (starts && (after == ' ' || after == '\t'))
			return true;
	}
	return false;
}

/* Behind a shell, a script is text: it is only looked for a program that it may run. */
static bool script_runs_one(char *const *words)
{
	for (; *words; words++) {
		for (const char *const *runner = runners; *runner; runner++)
			if (script_runs(*words, *runner))
				return true;
		for (const char *const *composer = composers; *composer; composer++)
			if (script_runs(*words, *composer))
				return true;
	}
	return false;
}

/* words: the program and what is behind it. */
static int read_program(char *const *words, struct found_images *ret)
{
	const char *name = base_name(*words), *runner = find_runner(*words);

	if (runner) {
		ret->program = runner;
		return read_runner(words + 1, ret);
	}
	ret->hidden = is_one_of(name, composers) ||
		      (is_one_of(name, shells) && script_runs_one(words + 1));
	return 0;
}

int command_find_images(char *const *words, struct found_images *ret)
{
	bool wrapped = words && *words && is_one_of(base_name(*words), wrappers), found = false;
	int r = 0;

	*ret = (struct found_images){ 0 };
	/* A word of the wrapper's may be called as a program is: a user "docker". */
	for (; r == 0 && !found && words && *words; words++) {
		r = read_program(words, ret);
		found = ret->images || ret->objects || ret->hidden || !wrapped;
	}
	if (r < 0)
		found_images_done(ret);
	return r;
}
