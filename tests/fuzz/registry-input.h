/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_REGISTRY_INPUT_H
#define LARDER_TESTS_REGISTRY_INPUT_H
/* What the fuzz targets of http and registry do with one input; a unit test replays their corpora through the same. */
#include <stddef.h>
#include <stdint.h>

/* A request from its first byte: scanned whole and in pieces, parsed, its fields read. */
void input_http(const uint8_t *data, size_t size);

/* One thing each, as it stands in a request, a command line or a file. */
void input_route(const uint8_t *data, size_t size); /* a path with its query */
void input_reference(const uint8_t *data, size_t size);
void input_range(const uint8_t *data, size_t size); /* Range, If-Range or If-None-Match */
void input_accept(const uint8_t *data, size_t size);
void input_manifest(const uint8_t *data, size_t size);

/* Everything that a client sends over one connection to a whole server with a small store. */
void input_server(const uint8_t *data, size_t size);
void input_server_end(void);

#endif
