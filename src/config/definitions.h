// SPDX-License-Identifier: MIT
// What all nodes of a fleet execute, as the store keeps it by version: the files as they were read,
// not interpolated, without comments, and the main one without http, node and store. A document of
// JSON with sorted keys: {"files":[{"path":"ironcron.yml","text":"…"},…]}, the main file first,
// paths relative to the folder of the configuration. Kept where the store is PostgreSQL.
#pragma once

#include "config/load.h"

struct json_t;

// What the store takes.
#define DEFINITIONS_MAX ((size_t)512 * 1024 * 1024)

// The included file that has begun last.
void definitions_add(struct load *load, const char *bytes, size_t length);
// The main file, after all others: sets config->definitions and config->own.
void definitions_keep(struct load *load, const struct buf *bytes);

struct definitions_file {
    const char *path, *text;
};
// The files of a document; NULL when it is none. The caller frees it with json_decref.
struct json_t *definitions_read(const char *document);
size_t definitions_count(const struct json_t *files);
struct definitions_file definitions_file(const struct json_t *files, size_t index);
