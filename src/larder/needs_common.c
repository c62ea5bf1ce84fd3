/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/needs_common.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum {
	OPT_RUN_IN_ROOT = 256,
	OPT_KUBEADM_CONFIG,
};

const struct command_option needs_command_options[] = {
	{ "run-in-root", NULL, "with --root: programs there may be run to ask them, by chroot",
	  OPT_RUN_IN_ROOT },
	{ "kubeadm-config", "FILE", "kubeadm's config, below the root (default: the usual places)",
	  OPT_KUBEADM_CONFIG },
	{ 0 },
};

int needs_parse_options(struct context *context, const struct command *self, int argc, char *argv[],
			struct needs_options *ret)
{
	*ret = (struct needs_options){ 0 };
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o == OPT_RUN_IN_ROOT)
			ret->run_in_root = true;
		else if (o == OPT_KUBEADM_CONFIG)
			ret->kubeadm_config = optarg;
		else
			return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	}
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	if (ret->kubeadm_config && *ret->kubeadm_config != '/')
		return command_usage(self, "--kubeadm-config is an absolute path, not \"%s\"",
				     ret->kubeadm_config);
	ret->root = context->root;
	return COMMAND_OPTIONS_END;
}

int needs_read_noted(const struct needs_options *options, struct needs *ret, struct diag *diag)
{
	int r = needs_read(options, ret, diag);

	if (r == 0)
		STRV_FOREACH (note, ret->notes)
			log_notice("%s", *note);
	return r;
}

json_t *needs_json(const struct needs *needs, size_t first, size_t *ret_next)
{
	json_t *list = json_array();
	size_t i = first;

	for (; i < needs->n_needs &&
	       strcmp(needs->needs[i].reference, needs->needs[first].reference) == 0;
	     i++) {
		/* A path may be anything; what is no UTF-8 is left out. */
		json_t *who = json_pack("{s:s, s:o*}", "who", needs->needs[i].who, "file",
					json_string(needs->needs[i].file));
		(void)json_array_append_new(list, who);
	}
	*ret_next = i;
	return list;
}
