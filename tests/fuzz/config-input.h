/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_FUZZ_CONFIG_INPUT_H
#define LARDER_TESTS_FUZZ_CONFIG_INPUT_H
/* What the fuzz targets of config and runtime do with one input, and what must hold for every input. */
#include <stddef.h>
#include <stdint.h>

/* A machine config: it is loaded and shown, or refused with a place inside it. */
void config_input(const uint8_t *data, size_t size);

/* A TOML file: what is put into it and taken out again leaves it as it was. */
void toml_input(const uint8_t *data, size_t size);

#endif
