/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/collect.h"

#include <stdarg.h>
#include <string.h>

#include "base/run.h"
#include "base/text.h"
#include "store/reference.h"

#define RUN_ARGUMENTS_MAX 16

int collect_note(struct collector *c, const char *format, ...)
{
	char *note = NULL;
	va_list ap;

	va_start(ap, format);
	int length = vasprintf(&note, format, ap);
	va_end(ap);
	if (length < 0)
		return -ENOMEM;
	node_clean(note);
	/* What several lines of a file say is said once. */
	bool said = strv_contains(c->needs.notes, note);
	if (!said && strv_length(c->needs.notes) < NEEDS_NOTES_MAX)
		return strv_take(&c->needs.notes, note);
	c->unsaid += !said;
	free(note);
	return 0;
}

static int add_need(struct collector *c, const char *reference, const char *who, const char *file)
{
	struct needs *n = &c->needs;

	if (n->n_needs == NEEDS_MAX) {
		c->left_out++;
		return 0;
	}
	if ((n->n_needs & (n->n_needs - 1)) == 0) {
		struct need *larger =
			reallocarray(n->needs, n->n_needs ? n->n_needs * 2 : 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		n->needs = larger;
	}
	struct need *new = &n->needs[n->n_needs++];
	*new = (struct need){ strdup(reference), strdup(who), strdup(file) };
	return new->reference &&new->who &&new->file ? 0 : -ENOMEM;
}

/* Why no registry has it; NULL: one may. Podman's transports other than docker: are places on this machine. */
static const char *why_not_pulled(const char *text)
{
	static const char *const transports[] = { "oci:",	    "oci-archive:",
						  "dir:",	    "docker-archive:",
						  "docker-daemon:", "containers-storage:" };

	if (strpbrk(text, "$%") || strstr(text, "{{") || strchr(text, '<'))
		return "is a template or holds a variable, so it cannot be known here";
	if (text_starts_with(text, "localhost/"))
		return "is built on this machine, so no registry has it";
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (text_starts_with(text, transports[i]))
			return "is taken from this machine and not from a registry";
	return NULL;
}

int collect_image(struct collector *c, const char *who, const char *file, const char *text)
{
	_cleanup_reference_ struct reference reference = { 0 };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *canonical = NULL;

	if (strlen(text) > NEEDS_TEXT_MAX)
		return collect_note(c, "%s: the image of %s has a name of more than %d bytes", file,
				    who, NEEDS_TEXT_MAX);
	const char *reason = why_not_pulled(text);
	if (reason)
		return collect_note(c, "%s: the image \"%s\" of %s %s", file, text, who, reason);
	if (text_starts_with(text, "docker://"))
		text += strlen("docker://");
	int r = reference_parse(text, &reference, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return collect_note(c, "%s: the image of %s: %s", file, who,
				    why.message ? why.message : "is no reference");
	canonical = reference_format(&reference);
	return canonical ? add_need(c, canonical, who, file) : -ENOMEM;
}

int collect_read(struct collector *c, const char *path, struct rootfs_file *ret)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	int r = rootfs_read_linked(c->root, path, &file);

	*ret = (struct rootfs_file){ 0 };
	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG)
		return collect_note(c, "%s is not read: it is larger than %d bytes", path,
				    ROOTFS_FILE_MAX);
	if (r < 0)
		return collect_note(c, "%s cannot be read: %s", path, rootfs_why(r));
	if (file.text && strlen(file.text) != file.size)
		return collect_note(c, "%s is not read: it holds a NUL character", path);
	*ret = file;
	file = (struct rootfs_file){ 0 };
	return 0;
}

int collect_read_listed(struct collector *c, const char *path, struct rootfs_file *ret)
{
	int r = collect_read(c, path, ret);

	return r == 0 && !ret->text && !rootfs_exists(c->root, path)
		       ? collect_note(c, "%s cannot be read: it is a link that leads nowhere", path)
		       : r;
}

int collect_yaml(struct collector *c, const char *path, const struct rootfs_file *file,
		 struct pool *pool, struct node ***ret, size_t *ret_n)
{
	const struct config_file text = { .path = path, .text = file->text, .size = file->size };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	uint64_t nodes = 0;

	*ret = NULL;
	*ret_n = 0;
	if (!file->text)
		return 0;
	int r = node_parse(pool, &text, &nodes, ret, ret_n, &why);
	if (r < 0)
		*ret_n = 0;
	return r < 0 && r != -ENOMEM ? collect_note(c, "%s is not read: line %u: %s", path,
						    why.line, why.message ? why.message : "")
				     : r;
}

int collect_toml(struct collector *c, const char *path, struct rootfs_file *file,
		 struct toml_document *ret)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = collect_read(c, path, file);

	if (r < 0 || !file->text)
		return r;
	r = toml_scan(file->text, ret, &why);
	if (r != -EINVAL)
		return r;
	rootfs_file_done(file);
	return collect_note(c, "%s is not read: %s", path, why.message);
}

const char *collect_text(const struct node *node)
{
	return node && node->kind == NODE_SCALAR && *node->text ? node->text : NULL;
}

int collect_list(struct collector *c, const char *path, char ***ret)
{
	_cleanup_strv_ char **names = NULL;
	int r = rootfs_list(c->root, path, &names);

	*ret = NULL;
	if (r == -ENOMEM || r == -ENOTDIR)
		return r == -ENOTDIR ? 0 : r;
	if (r < 0)
		return collect_note(c, "%s cannot be read: %s", path, strerror(-r));
	size_t n = strv_length(names);
	if (n > NEEDS_FILES_MAX) {
		r = collect_note(c, "%s: only the first %d of %zu files are read", path,
				 NEEDS_FILES_MAX, n);
		for (size_t i = NEEDS_FILES_MAX; i < n; i++)
			free(names[i]);
		names[NEEDS_FILES_MAX] = NULL;
	}
	*ret = TAKE_PTR(names);
	return r;
}

const char *collect_first(const struct collector *c, const char *const *paths)
{
	for (; *paths; paths++)
		if (rootfs_exists(c->root, *paths))
			return *paths;
	return NULL;
}

int collect_run(struct collector *c, const char *what, const char *const argv[], char **ret)
{
	const struct run_options options = { .timeout_ms = NEEDS_PROGRAM_MS };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	const char *all[RUN_ARGUMENTS_MAX + 3] = { 0 };
	const char *root = c->options->root;
	bool elsewhere = root && root[strspn(root, "/")] != '\0';
	size_t n = 0;

	*ret = NULL;
	if (elsewhere && !c->options->run_in_root)
		return collect_note(c,
				    "%s: only %s could say, and programs of another root are run "
				    "with --run-in-root alone",
				    what, argv[0]);
	if (elsewhere) {
		all[n++] = "chroot";
		all[n++] = root;
	}
	for (; *argv && n < ARRAY_SIZE(all) - 1; argv++)
		all[n++] = *argv;
	int r = run_program(all, &options, ret, &why);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? collect_note(c, "%s: %s", what, diag_text(&why)) : 0;
}
