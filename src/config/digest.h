// SPDX-License-Identifier: MIT
// The version of a set of definitions: SHA-256 over what was written, before substitution, in a
// canonical form. Comments, layout, quoting, the order of keys and of jobs, and which file a job
// stands in do not change it; `http`, `node` and `store` are each node's own and not in it.
//
// Canonical form, bytes: a scalar is 's', its length in 8 bytes little-endian, its bytes; a list is
// 'l', its count, its items; a map is 'm', its count, then key (as a scalar) and value, sorted by
// key.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/yaml_tree.h"

#define DIGEST_SIZE 32

// Enough for any file: 4 MB of texts, and at most 500,000 values with their keys, each 18 bytes
// more.
#define DIGEST_FORM_MAX ((size_t)64 * 1024 * 1024)

// `scratch` (of DIGEST_FORM_MAX) is only there to be used again for the next job.
void digest_node(const struct yaml_tree_node *node, struct buf *scratch,
                 uint8_t hash_out[DIGEST_SIZE]);
// `root` is the main file's map; `jobs` in the order of their names.
void digest_config(const struct yaml_tree_node *root, const uint8_t (*jobs)[DIGEST_SIZE],
                   size_t count, char hex_out[2 * DIGEST_SIZE + 1]);
