/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/match.h"

#include <string.h>

static int match_one(const struct selector *selector, struct disk_match *match)
{
	const struct disk *disk = match->disk;
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	bool yes = false;

	if (disk->error) {
		match->answer = MATCH_ERROR;
		match->reason = strdup(disk->error);
		return match->reason ? 0 : -ENOMEM;
	}
	int r = selector_match(selector, &disk->fields, NULL, disk->system_disk, &yes, &diag);
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		match->answer = yes ? MATCH_YES : MATCH_NO;
		return 0;
	}
	match->answer = MATCH_ERROR;
	match->reason = strdup(diag.message ? diag.message : strerror(-r));
	return match->reason ? 0 : -ENOMEM;
}

int match_disks(const struct selector *selector, const struct disk_list *list,
		struct match_list *ret)
{
	struct match_list result = { calloc(list->n_disks + 1, sizeof(struct disk_match)),
				     list->n_disks, 0 };

	if (!result.matches)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_disks; i++) {
		result.matches[i].disk = &list->disks[i];
		int r = match_one(selector, &result.matches[i]);
		if (r < 0) {
			match_list_done(&result);
			return r;
		}
		result.n_yes += result.matches[i].answer == MATCH_YES;
	}
	*ret = result;
	return 0;
}

void match_list_done(struct match_list *list)
{
	for (size_t i = 0; i < list->n_matches; i++)
		free(list->matches[i].reason);
	free(list->matches);
	*list = (struct match_list){ 0 };
}

const char *match_text(const struct disk_match *match)
{
	static const char *const words[] = { [MATCH_NO] = "no", [MATCH_YES] = "yes" };

	return match->answer == MATCH_ERROR ? match->reason : words[match->answer];
}
