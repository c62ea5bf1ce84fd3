/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_VIEW_H
#define LARDER_STORE_VIEW_H
/*
 * A view: all sources that hold images at one moment, seen as one, in the order in which they are asked. Main sources first: the
 * volume's loose tree, then the current generation. Behind them, opened only when somebody needs them because bytes of a
 * main source proved wrong, each layer by itself.
 *
 * A view keeps the directories of its sources open, and so their file systems busy: hold it for as long as a request runs, and
 * no longer. Threads may share it; it counts its owners.
 */
#include "store/parts.h"
#include "store/source.h"

struct view;

#define VIEW_SOURCES_MAX 1024

/*
 * What lies below a run directory (base/names.h); what is not there is left out. Nothing while NAME_RUN_STOPPING is there. The
 * generation is one source where its overlay can be asked (store/parts.h), else its parts are sources one by one. *parts is what
 * the last call left there, or NULL; the caller's. NULL afterwards: the generation has no list.
 */
int view_new_run_dir(const char *run_dir, struct parts **parts, struct view **ret);

/* Exactly these sources, which are borrowed. */
int view_new(struct source *const sources[], size_t n, struct view **ret);

struct view *view_ref(struct view *view);
void view_unref(struct view *view);
DEFINE_CLEANUP(struct view *, view_unref);

size_t view_main_sources(const struct view *view);

/* The source at this position: the main ones, then the fallbacks. NULL: there are no more. Borrowed from the view. */
struct source *view_source(struct view *view, size_t position);

/* What its contents are parts of, borrowed; NULL: nothing is known of that. */
struct parts *view_parts(const struct view *view);

/* A number that is another one as soon as a blob was added to or removed from a main source, or the file of a layer changed. */
uint64_t view_stamp(struct view *view);

/* Is there any manifest in the main sources? */
bool view_has_images(struct view *view);

/*
 * The registry that has this repository, when exactly one of all has it; the caller's. -ENOENT: none has it; -ENOTUNIQ: more
 * than one.
 */
int view_find_registry(struct view *view, const char *repository, char **ret);

bool view_has_registry(struct view *view, const char *name);
bool view_has_repository(struct view *view, const char *registry, const char *repository);

#endif
