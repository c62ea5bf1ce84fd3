/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/needs.h"

#include <string.h>

#include "base/text.h"
#include "needs/collect.h"

/* Every kind of source; the order is that of the notes. */
static int (*const readers[])(struct collector *c) = {
	read_containerd, read_crio,    read_podman,   read_static_pods,
	read_kubeadm,	 read_rancher, read_quadlets, read_services,
};

static void need_done(struct need *need)
{
	free(need->reference);
	free(need->who);
	free(need->file);
}

void needs_done(struct needs *needs)
{
	for (size_t i = 0; i < needs->n_needs; i++)
		need_done(&needs->needs[i]);
	free(needs->needs);
	strv_free(needs->notes);
	*needs = (struct needs){ 0 };
}

static int compare(const void *a, const void *b)
{
	const struct need *x = a, *y = b;
	int order = natural_compare(x->reference, y->reference);

	order = order ? order : strcmp(x->reference, y->reference);
	order = order ? order : natural_compare(x->who, y->who);
	return order ? order : natural_compare(x->file, y->file);
}

static void sort(struct needs *needs)
{
	size_t kept = 0;

	if (needs->n_needs == 0)
		return;
	qsort(needs->needs, needs->n_needs, sizeof(*needs->needs), compare);
	for (size_t i = 0; i < needs->n_needs; i++) {
		if (kept > 0 && compare(&needs->needs[kept - 1], &needs->needs[i]) == 0)
			need_done(&needs->needs[i]);
		else
			needs->needs[kept++] = needs->needs[i];
	}
	needs->n_needs = kept;
}

int needs_read(const struct needs_options *options, struct needs *ret, struct diag *diag)
{
	_cleanup_close_ int root = rootfs_open(options->root);
	struct collector c = { .options = options, .root = root, .diag = diag };
	int r = 0;

	if (root < 0)
		return diag_set(diag, root, "cannot open the root directory %s: %s",
				options->root ? options->root : "/", strerror(-root));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readers); i++)
		r = readers[i](&c);
	if (r == 0 && c.left_out > 0)
		r = collect_note(&c, "more than %d images are needed: the last %zu are left out",
				 NEEDS_MAX, c.left_out);
	if (r == 0 && c.unsaid > 0)
		r = strv_addf(&c.needs.notes, "%zu more notes are left out", c.unsaid);
	if (r < 0) {
		needs_done(&c.needs);
		return r == -ENOMEM ? diag_set(diag, r, "out of memory") : r;
	}
	sort(&c.needs);
	*ret = c.needs;
	return 0;
}
