/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine_config_load(): files → documents → the structs of machine_config.h. */
#include "config/machine_config.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "config/fill.h"
#include "config/sources.h"

static int cannot_read(const struct config_source *source, int err, struct diag *diag)
{
	if (err == -EFBIG)
		return diag_set_at(diag, -EINVAL, source->path, 0, 0,
				   "the file is larger than %d KiB", CONFIG_FILE_BYTES_MAX / 1024);
	return diag_set_at(diag, err, source->path, 0, 0, "cannot read the file: %s",
			   strerror(-err));
}

static int add_source(struct document_set *set, const struct config_source *source,
		      struct diag *diag)
{
	_cleanup_close_ int fd = config_source_open(source, O_RDONLY, diag);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0)
		return cannot_read(source, -errno, diag);
	if (!S_ISREG(st.st_mode))
		return diag_set_at(diag, -EINVAL, source->path, 0, 0, "this is no regular file");
	int r = read_fd(fd, CONFIG_FILE_BYTES_MAX, &text, &size);
	if (r < 0)
		return cannot_read(source, r, diag);
	r = strv_add(&set->files, source->path);
	if (r == 0)
		r = documents_add_file(set, source->path, text, size, st.st_mode, diag);
	explicit_bzero(text, size);
	return r;
}

int config_cmdline_read(const char *root, char **ret, struct diag *diag)
{
	_cleanup_free_ char *path = path_join(root, "/proc/cmdline");

	if (!path)
		return diag_set(diag, -ENOMEM, "out of memory");
	_cleanup_close_ int fd = open_rooted(root, "/proc/cmdline", O_RDONLY | O_NONBLOCK);
	int r = fd < 0 ? fd : read_fd(fd, CONFIG_CMDLINE_BYTES_MAX, ret, NULL);
	if (r < 0 && r != -ENOENT)
		return diag_set_at(diag, r, path, 0, 0, "cannot read the kernel's command line: %s",
				   strerror(-r));
	return 0;
}

static int read_documents(const struct config_sources *sources, struct document_set *set,
			  struct diag *diag)
{
	struct config_source_list list = { 0 };
	int r = config_sources_list(sources, &list, diag);

	for (size_t i = 0; r == 0 && i < list.n_sources; i++)
		r = add_source(set, &list.sources[i], diag);
	config_source_list_done(&list);
	return r;
}

static struct machine_config *new_config(struct diag *diag)
{
	struct machine_config *c = calloc(1, sizeof(*c));

	if (c)
		c->private_ = calloc(1, sizeof(struct document_set));
	if (c && c->private_)
		return c;
	free(c);
	diag_set(diag, -ENOMEM, "out of memory");
	return NULL;
}

/* From documents that were read to the config. */
static int finish(struct machine_config *c, struct diag *diag)
{
	struct document_set *set = c->private_;
	int r = documents_check_complete(set, diag);

	if (r == 0)
		r = fill_machine_config(c, set, diag);
	if (r < 0)
		return r;
	c->found = set->found;
	c->notes = set->notes;
	c->files = set->files;
	return 0;
}

/* A mistyped root has no config either, which would pass for a machine that has none. */
static int check_root(const char *root, struct diag *diag)
{
	if (!root || access(root, F_OK) == 0)
		return 0;
	return diag_set(diag, -EINVAL, "there is no directory %s to read the machine config from",
			root);
}

int machine_config_load(const struct config_sources *sources, struct machine_config **ret,
			struct diag *diag)
{
	_cleanup_(machine_config_freep) struct machine_config *c = new_config(diag);

	if (!c)
		return -ENOMEM;
	int r = check_root(sources->root, diag);
	if (r == 0)
		r = read_documents(sources, c->private_, diag);
	if (r == 0)
		r = finish(c, diag);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

int machine_config_parse(const char *path, const char *text, size_t size,
			 struct machine_config **ret, struct diag *diag)
{
	_cleanup_(machine_config_freep) struct machine_config *c = new_config(diag);

	if (!c)
		return -ENOMEM;
	int r = documents_add_file(c->private_, path, text, size, 0600, diag);
	if (r == 0)
		r = finish(c, diag);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

void machine_config_free(struct machine_config *c)
{
	if (!c)
		return;
	selector_free(c->volume.disk_selector);
	selector_free(c->media);
	selector_free(c->install.disk_selector);
	documents_done(c->private_);
	free(c->private_);
	free(c);
}
