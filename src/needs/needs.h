/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_NEEDS_H
#define LARDER_NEEDS_NEEDS_H
/*
 * The images that this machine needs to start, read from what is on it: settings of container runtimes, static pods, kubeadm,
 * lists of k3s and rke2, quadlets, units. Nobody is asked over a network, and nothing is written.
 *
 * What names an image in a way that cannot be known here (a variable, a template) or cannot be read is a note, and never
 * fails the rest.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define NEEDS_MAX                                                                                  \
	10000 /* images, with who needs them; as many as a list for "larder build" takes */
#define NEEDS_NOTES_MAX	 1000  /* and one that says how many more there were */
#define NEEDS_FILES_MAX	 4096  /* files of one directory tree */
#define NEEDS_DEPTH_MAX	 8     /* directories below each other, files that include files */
#define NEEDS_PROGRAM_MS 10000 /* time limit of a program that is asked */
#define NEEDS_TEXT_MAX	 1024  /* bytes of a reference as it is written somewhere */

struct need {
	char *reference; /* canonical */
	char *who;	 /* "containerd", "static pod", "quadlet web.container" */
	char *file; /* where it says so, below the root; for what a program said, the program */
};

struct needs {
	struct need *needs; /* by reference, then by who and file; none twice */
	size_t n_needs;
	char **notes; /* strv */
};

struct needs_options {
	const char *root;	    /* prefix of everything that is read; NULL: / */
	bool run_in_root;	    /* with a root: programs of it may be run, by chroot(8) */
	const char *kubeadm_config; /* below the root; NULL: the usual places */
};

/* -errno with diag: no memory, the root cannot be opened, or the file that an option names cannot be read. */
int needs_read(const struct needs_options *options, struct needs *ret, struct diag *diag);
void needs_done(struct needs *needs);
#define _cleanup_needs_ _cleanup_(needs_done)

#endif
