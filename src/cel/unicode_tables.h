/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_UNICODE_TABLES_H
#define LARDER_CEL_UNICODE_TABLES_H
/*
 * What regular expressions need of the Unicode character database. A run is a code point shifted left by 8, with the number of the
 * category or script that holds from there to the next run; the number after the last name stands for none. Folds are pairs: a code
 * point, and the next one that differs from it by case alone, in a ring.
 */
#include <stddef.h>
#include <stdint.h>

extern const char *const unicode_category_names[];
extern const size_t unicode_category_names_n;
extern const char *const unicode_script_names[];
extern const size_t unicode_script_names_n;
extern const uint32_t unicode_category_runs[];
extern const size_t unicode_category_runs_n;
extern const uint32_t unicode_script_runs[];
extern const size_t unicode_script_runs_n;
extern const uint32_t unicode_folds[];
extern const size_t unicode_folds_n;

#endif
