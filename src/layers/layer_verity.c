/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_verity.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/version.h"

void verity_plan_done(struct verity_plan *plan)
{
	free(plan->note);
	*plan = (struct verity_plan){ 0 };
}

static int set_note(struct verity_plan *plan, const char *format, const char *text)
{
	free(plan->note);
	plan->note = text_format(format, text);
	return plan->note ? 0 : -ENOMEM;
}

static int refuse(const struct verity_facts *facts, const char *why, struct diag *diag)
{
	return diag_set(diag, -EINVAL,
			"CacheLayerConfig wants it through dm-verity with the root hash %.16s…, "
			"and %s",
			facts->configured, why);
}

static void use(struct verity_plan *plan, const char *root_hash, bool required)
{
	snprintf(plan->root_hash, sizeof(plan->root_hash), "%s", root_hash);
	plan->required = required;
}

static int decide_configured(const struct verity_facts *facts, struct verity_plan *ret,
			     struct diag *diag)
{
	if (facts->beside && strcmp(facts->configured, facts->beside) != 0)
		return diag_set(diag, -EINVAL,
				"its root hash is %.16s… by CacheLayerConfig and %.16s… by the "
				"file beside it",
				facts->configured, facts->beside);
	if (!facts->tree)
		return refuse(facts, "no " NAME_LAYER_TREE_SUFFIX " file lies beside it", diag);
	if (facts->unavailable)
		return refuse(facts, facts->unavailable, diag);
	use(ret, facts->configured, true);
	return 0;
}

int verity_decide(const struct verity_facts *facts, struct verity_plan *ret, struct diag *diag)
{
	_cleanup_verity_plan_ struct verity_plan plan = { 0 };
	int r = 0;

	if (facts->beside && !verity_root_hash_is_valid(facts->beside))
		return diag_set(diag, -EINVAL,
				"what lies beside it in " NAME_LAYER_ROOT_SUFFIX
				" is no root hash: 64 or 128 hex digits");
	if (facts->configured)
		r = decide_configured(facts, &plan, diag);
	else if (!facts->beside && facts->tree)
		r = set_note(&plan, "mounted without dm-verity: there is no %s file",
			     NAME_LAYER_ROOT_SUFFIX);
	else if (facts->beside && !facts->tree)
		r = set_note(&plan, "mounted without dm-verity: there is no %s file",
			     NAME_LAYER_TREE_SUFFIX);
	else if (facts->beside && facts->unavailable)
		r = set_note(&plan, "mounted without dm-verity: %s", facts->unavailable);
	else if (facts->beside)
		use(&plan, facts->beside, false);
	if (r < 0)
		return r;
	*ret = plan;
	plan = (struct verity_plan){ 0 };
	return 0;
}

int verity_plan_drop(struct verity_plan *plan, const char *reason)
{
	plan->root_hash[0] = '\0';
	return set_note(plan, "mounted without dm-verity: %s", reason);
}

const char *verity_configured(const struct layer_config *config, const char *name,
			      const char *version)
{
	for (size_t i = 0; config && name && i < config->n_layers; i++) {
		const struct wanted_layer *w = &config->layers[i];
		if (strcmp(w->name, name) == 0)
			return !w->version || (version &&
					       layer_version_compare(w->version, version) == 0)
				       ? w->root_hash
				       : NULL;
	}
	return NULL;
}

/* The first line, whatever it is. -ENOENT: there is no such file. */
static int read_root_hash(const char *layer_file, bool follow, char **ret)
{
	_cleanup_close_ int fd = beside_open(layer_file, NAME_LAYER_ROOT_SUFFIX, follow);
	int r = fd < 0 ? fd : read_fd(fd, BESIDE_SMALL_MAX, ret, NULL);

	if (r == 0)
		(*ret)[strcspn(*ret, "\r\n")] = '\0';
	return r;
}

int verity_open_tree(const char *layer_file, bool follow)
{
	_cleanup_close_ int fd = beside_open(layer_file, NAME_LAYER_TREE_SUFFIX, follow);
	struct stat st;

	if (fd < 0)
		return fd;
	return fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

int verity_plan_read(const char *layer_file, bool follow, const char *configured,
		     struct verity_plan *ret, struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *beside = NULL;
	_cleanup_close_ int tree = -1;
	struct stat st;
	int r = read_root_hash(layer_file, follow, &beside);

	if (r < 0 && r != -ENOENT)
		return diag_set(diag, r == -ENOMEM ? r : -EINVAL,
				NAME_LAYER_ROOT_SUFFIX " beside it cannot be read: %s",
				strerror(-r));
	tree = verity_open_tree(layer_file, follow);
	if (tree < 0 && tree != -ENOENT)
		return diag_set(diag, tree == -ENOMEM ? tree : -EINVAL,
				NAME_LAYER_TREE_SUFFIX " beside it cannot be read: %s",
				tree == -EINVAL ? "it is no regular file" : strerror(-tree));
	struct verity_facts facts = { .configured = configured,
				      .beside = beside,
				      .tree = tree >= 0 };
	if ((configured || beside) && facts.tree && verity_available(&why) < 0)
		facts.unavailable = diag_text(&why);
	r = verity_decide(&facts, ret, diag);
	if (r == 0 && tree >= 0 && fstat(tree, &st) == 0)
		ret->changed = st.st_ctim;
	return r;
}
