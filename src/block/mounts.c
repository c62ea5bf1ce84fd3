/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"

#define MOUNTINFO "proc/self/mountinfo"

/* Takes the next word, cut at a space; NULL: the line is over. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " ");

	if (*word == '\0')
		return NULL;
	*line = word + strcspn(word, " ");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* "\040" is a space: what the kernel writes for white space and backslashes. In place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) &&
		    is_octal(from[3])) {
			int c = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			*to = c > 0 && c < 256 ? (char)c : '?';
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static int copy_word(const char *word, char **ret)
{
	*ret = strdup(word);
	if (!*ret)
		return -ENOMEM;
	unescape(*ret);
	return 0;
}

static void mount_entry_done(struct mount_entry *e)
{
	free(e->point);
	free(e->fstype);
	free(e->source);
	free(e->options);
	*e = (struct mount_entry){ 0 };
}

static int copy_entry(const char *point, const char *fstype, const char *source,
		      const char *options, struct mount_entry *e)
{
	int r = copy_word(point, &e->point);

	r = r < 0 ? r : copy_word(fstype, &e->fstype);
	r = r < 0 ? r : copy_word(source, &e->source);
	return r < 0 ? r : copy_word(options, &e->options);
}

/* 36 35 98:0 /subtree /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue. Returns 1 for a mount, 0 for none. */
static int parse_line(char *line, struct mount_entry *e)
{
	char *words[6], *word;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!(words[i] = next_word(&line)))
			return 0;
	if (sscanf(words[2], "%u:%u", &e->major, &e->minor) != 2)
		return 0;
	do
		word = next_word(&line);
	while (word && strcmp(word, "-") != 0);
	char *fstype = next_word(&line), *source = fstype ? next_word(&line) : NULL;
	char *options = source ? next_word(&line) : NULL;
	if (!source)
		return 0;
	int r = copy_entry(words[4], fstype, source, options ? options : "", e);
	return r < 0 ? r : 1;
}

static int add_entry(struct mounts *mounts, struct mount_entry *e)
{
	if ((mounts->n_entries & (mounts->n_entries - 1)) == 0) {
		size_t room = mounts->n_entries ? mounts->n_entries * 2 : 1;
		struct mount_entry *larger = realloc(mounts->entries, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		mounts->entries = larger;
	}
	mounts->entries[mounts->n_entries++] = *e;
	return 0;
}

static int parse_lines(char *text, struct mounts *mounts)
{
	while (*text && mounts->n_entries < MOUNTS_MAX) {
		struct mount_entry e = { 0 };
		char *line = text;
		text += strcspn(text, "\n");
		if (*text)
			*text++ = '\0';
		int r = parse_line(line, &e);
		if (r > 0)
			r = add_entry(mounts, &e);
		if (r < 0) {
			mount_entry_done(&e);
			return r;
		}
	}
	return 0;
}

int mounts_parse(const char *text, struct mounts *ret)
{
	_cleanup_free_ char *copy = strdup(text);
	struct mounts mounts = { 0 };

	if (!copy)
		return -ENOMEM;
	int r = parse_lines(copy, &mounts);
	if (r < 0) {
		mounts_done(&mounts);
		return r;
	}
	*ret = mounts;
	return 0;
}

int mounts_read(int root, struct mounts *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = read_regular_at(root, MOUNTINFO, MOUNTS_BYTES_MAX, &text, NULL);

	if (r == -ENOMEM)
		return r;
	return mounts_parse(text ? text : "", ret);
}

void mounts_done(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->n_entries; i++)
		mount_entry_done(&mounts->entries[i]);
	free(mounts->entries);
	*mounts = (struct mounts){ 0 };
}

dev_t mount_device(const struct mount_entry *mount)
{
	struct stat st;

	if (mount->major != 0)
		return makedev(mount->major, mount->minor);
	/* Nowhere else: a source may be a path on a server that does not answer. */
	return text_starts_with(mount->source, "/dev/") && stat(mount->source, &st) == 0 &&
			       S_ISBLK(st.st_mode)
		       ? st.st_rdev
		       : 0;
}

const struct mount_entry *mounts_at(const struct mounts *mounts, const char *point)
{
	for (size_t i = mounts->n_entries; i > 0; i--)
		if (strcmp(mounts->entries[i - 1].point, point) == 0)
			return &mounts->entries[i - 1];
	return NULL;
}

static bool is_below(const char *path, const char *point)
{
	size_t length = strlen(point);

	if (length > 0 && point[length - 1] == '/')
		length--;
	return strncmp(path, point, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

const struct mount_entry *mounts_holding(const struct mounts *mounts, const char *path)
{
	const struct mount_entry *best = NULL;

	for (size_t i = 0; i < mounts->n_entries; i++) {
		const struct mount_entry *e = &mounts->entries[i];
		if (is_below(path, e->point) && (!best || strlen(e->point) >= strlen(best->point)))
			best = e;
	}
	return best;
}

/* Splits at unescaped separators; a backslash takes the next character as it is. Consumes text. */
static int split(char *text, char separator, char ***list)
{
	char *to = text, *start = text;

	for (const char *from = text;; from++) {
		if (from[0] == '\\' && from[1]) {
			*to++ = *++from;
			continue;
		}
		if (*from && *from != separator) {
			*to++ = *from;
			continue;
		}
		bool last = *from == '\0';
		*to++ = '\0';
		if (*start) {
			int r = strv_add(list, start);
			if (r < 0)
				return r;
		}
		if (last)
			return 0;
		start = to;
	}
}

/* The value of an option that names directories. */
static char *overlay_dirs_of(char *option)
{
	static const char *const keys[] = { "lowerdir=", "lowerdir+=", "datadir+=", "upperdir=" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (text_starts_with(option, keys[i]))
			return option + strlen(keys[i]);
	return NULL;
}

int mount_overlay_dirs(const struct mount_entry *overlay, char ***ret)
{
	_cleanup_free_ char *options = strdup(overlay->options);
	_cleanup_strv_ char **dirs = NULL;

	if (!options)
		return -ENOMEM;
	for (char *option = options; *option;) {
		char *end = option;
		while (*end && *end != ',')
			end += end[0] == '\\' && end[1] ? 2 : 1;
		bool last = *end == '\0';
		*end = '\0';
		char *value = overlay_dirs_of(option);
		int r = value ? split(value, ':', &dirs) : 0;
		if (r < 0)
			return r;
		option = last ? end : end + 1;
	}
	*ret = TAKE_PTR(dirs);
	return 0;
}
