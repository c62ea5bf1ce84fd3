/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_GLOB_H
#define LARDER_CEL_GLOB_H
/*
 * Patterns in which "*" alone is special: it stands for any text, "/" included. The whole text must match.
 */
#include <stdbool.h>
#include <stddef.h>

bool glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t length);

#endif
