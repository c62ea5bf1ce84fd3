/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/in_use.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/names.h"
#include "base/text.h"
#include "layers/find.h"
#include "layers/generation.h"
#include "layers/layer_open.h"
#include "layers/version.h"
#include "store/parts_inside.h"

static int set_reason(struct layer *layer, const char *reason)
{
	free(layer->reason);
	layer->reason = strdup(reason);
	return layer->reason ? 0 : -ENOMEM;
}

/* An active layer that is not mounted is read in place, or not in use as it is now. */
static int describe_unmounted(const struct layers_request *request, unsigned generation,
			      struct layer *layer)
{
	_cleanup_free_ char *link = NULL;
	int r = layer_link(layer, request->run_dir, &link);

	if (r < 0)
		return r;
	if (generation_has(request->run_dir, generation, link)) {
		layer->link = TAKE_PTR(link);
		layer->in_place = true;
		return layer->reason ? 0 : set_reason(layer, "read in place, not mounted");
	}
	if (layer->changed)
		return set_reason(layer,
				  "its file was written to since it was mounted; \"larder layers "
				  "verify\" tells whether it is sound, \"larder layers sync\" "
				  "mounts what it is now");
	if (generation == 0)
		return set_reason(layer, "no layer is served now; \"larder boot\", or a start of "
					 "larder-boot.service, changes that");
	return set_reason(layer, "what is in its file now is not served; \"larder layers sync\" "
				 "changes that");
}

/* Does the file of this layer stand for the part: is it what is mounted, or read, there? */
static int stands_for(const struct layers_request *request, const struct layer *layer,
		      const struct part *part, bool *ret)
{
	_cleanup_free_ char *link = NULL;

	if (layer->mount && strcmp(layer->mount, part->path) == 0) {
		*ret = true;
		return 0;
	}
	if (!layer->private_ || layer->tree || layer->state == LAYER_BROKEN)
		return 0;
	int r = layer_link(layer, request->run_dir, &link);
	if (r == 0)
		*ret |= strcmp(link, part->path) == 0;
	return r;
}

/* RUN/layers/<name>[-<version>]-<id8>[.sqsh]: the version, the caller's, or NULL. */
static int version_of_part(const struct part *part, char **ret)
{
	const char *file = strrchr(part->path, '/') + 1, *end = strrchr(file, '-');
	size_t name = strlen(part->name);

	if (!end || strncmp(file, part->name, name) != 0 || file + name >= end || file[name] != '-')
		return 0;
	*ret = strndup(file + name + 1, (size_t)(end - file) - name - 1);
	return *ret ? 0 : -ENOMEM;
}

/* A row says already that this version of the layer is another now than it was. */
static bool is_told(const struct layer *layer, const char *name, const char *version)
{
	bool differs = layer->state == LAYER_BROKEN ||
		       (layer->state == LAYER_ACTIVE && !layer->mount && !layer->link);
	const char *its = layer->manifest.version ? layer->manifest.version : "";

	return differs && strcmp(layer->manifest.name, name) == 0 &&
	       layer_version_compare(its, version ? version : "") == 0;
}

static int describe_gone(const struct part *part, struct layer *layer)
{
	_cleanup_free_ char *link =
		text_format("%s%s", part->path, part_in_place(part) ? "" : NAME_LAYER_SUFFIX);
	char file[PATH_MAX];
	struct stat st;

	if (!link)
		return -ENOMEM;
	ssize_t n = readlink(link, file, sizeof(file) - 1);
	file[n > 0 ? n : 0] = '\0';
	bool there = *file && stat(file, &st) == 0;
	bool same = there && st.st_ino == part->file.inode && st.st_dev == part->file.device;
	layer->reason =
		text_format("its file %s %s; \"larder layers sync\" goes by what is there", file,
			    !there ? "is gone, and it is served still"
			    : same ? "was written over with another layer"
				   : "was replaced, and it is served still");
	return layer->reason ? 0 : -ENOMEM;
}

/* Takes version. */
static int add_gone(const struct part *part, char *version, struct layers_result *result)
{
	struct layer *layer = layers_add(result);

	if (!layer) {
		free(version);
		return -ENOMEM;
	}
	layer->state = LAYER_GONE;
	layer->manifest.name = strdup(part->name);
	layer->manifest.version = version;
	layer->id = part->id;
	layer->size = part->file.size;
	if (!layer->manifest.name)
		return -ENOMEM;
	if (!part_in_place(part) && !(layer->mount = strdup(part->path)))
		return -ENOMEM;
	return describe_gone(part, layer);
}

static int look_for(const struct layers_request *request, const struct part *part,
		    struct layers_result *result)
{
	_cleanup_free_ char *version = NULL;
	bool found = false;
	int r = version_of_part(part, &version);

	for (size_t i = 0; r == 0 && !found && i < result->n_layers; i++) {
		found = is_told(&result->layers[i], part->name, version);
		r = found ? 0 : stands_for(request, &result->layers[i], part, &found);
	}
	return r < 0 || found ? r : add_gone(part, TAKE_PTR(version), result);
}

static int find_gone(const struct layers_request *request, struct layers_result *result)
{
	struct part *parts = NULL;
	size_t n = 0;
	int r = generation_read(request->run_dir, result->generation, &parts, &n);

	/* A generation that somebody mounted by hand has no list. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (parts[i].name && !parts[i].spare)
			r = look_for(request, &parts[i], result);
	parts_list_free(parts, n);
	return r;
}

int layers_describe_use(const struct layers_request *request, struct layers_result *result)
{
	int r = 0;

	result->generation = generation_current(request->run_dir);
	for (size_t i = 0; r == 0 && i < result->n_layers; i++)
		if (result->layers[i].state == LAYER_ACTIVE && !result->layers[i].mount)
			r = describe_unmounted(request, result->generation, &result->layers[i]);
	return r == 0 && result->generation ? find_gone(request, result) : r;
}
