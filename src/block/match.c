/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/match.h"

#include <string.h>

static int set_error(struct disk_match *match, const char *reason)
{
	match->answer = MATCH_ERROR;
	match->reason = strdup(reason);
	return match->reason ? 0 : -ENOMEM;
}

int match_disk(const struct selector *selector, const struct disk *disk, struct disk_match *ret)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	bool yes = false;

	*ret = (struct disk_match){ .disk = disk };
	if (disk->error)
		return set_error(ret, disk->error);
	if (selector_disk_fields(selector) & ~disk->read)
		return set_error(ret, "not everything that the selector asks for was read");
	int r = selector_match(selector, &disk->fields, NULL, disk->system_disk, &yes, &diag);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return set_error(ret, diag.message ? diag.message : strerror(-r));
	ret->answer = yes ? MATCH_YES : MATCH_NO;
	return 0;
}

void disk_match_done(struct disk_match *match)
{
	free(match->reason);
	*match = (struct disk_match){ 0 };
}

int match_disks(const struct selector *selector, const struct disk_list *list,
		struct match_list *ret)
{
	struct match_list result = { calloc(list->n_disks + 1, sizeof(struct disk_match)),
				     list->n_disks, 0 };

	if (!result.matches)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_disks; i++) {
		int r = match_disk(selector, &list->disks[i], &result.matches[i]);
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
		disk_match_done(&list->matches[i]);
	free(list->matches);
	*list = (struct match_list){ 0 };
}

const char *match_text(const struct disk_match *match)
{
	static const char *const words[] = { [MATCH_NO] = "no", [MATCH_YES] = "yes" };

	return match->answer == MATCH_ERROR ? match->reason : words[match->answer];
}
