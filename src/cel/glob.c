/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/glob.h"

#include <stdint.h>

/* On a mismatch the last star takes one character more; earlier stars need never be tried again. */
bool glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t length)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;

	while (t < length) {
		if (p < pattern_length && pattern[p] == '*') {
			star = p++;
			star_text = t;
		} else if (p < pattern_length && pattern[p] == text[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern_length && pattern[p] == '*')
		p++;
	return p == pattern_length;
}
