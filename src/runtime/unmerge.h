/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_UNMERGE_H
#define LARDER_RUNTIME_UNMERGE_H
/*
 * Takes out of a text that was edited what larder had put into it before: what written has and original has not. Each piece
 * that stands in the edited text whole goes, and what it replaced comes back; a piece that was edited itself belongs to the
 * user now and stays.
 */
#define UNMERGE_CELLS_MAX                                                                          \
	16000000 /* lines × lines, or words × words, that are compared; larger pieces count as different */

/* original NULL: there was no file. *ret is owned by the caller. -ENOMEM. */
int unmerge(const char *original, const char *written, const char *edited, char **ret);

#endif
