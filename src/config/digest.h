// SPDX-License-Identifier: MIT
// The version of a set of definitions, jobs and databases: SHA-256 over what was written, before
// substitution, in a canonical form. Comments, layout, quoting, the order of keys and of jobs, and
// which file a job stands in do not change it; `http`, `node`, `store` and the names of this
// installation are each node's own and not in it.
//
// Canonical form, bytes: a scalar is 's', its length in 8 bytes little-endian, its bytes; a list is
// 'l', its count, its items; a map is 'm', its count, then key (as a scalar) and value, sorted by
// key.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/yaml_tree.h"

#define DIGEST_SIZE 32

struct digest_job {
    const char *name;
    uint8_t hash[DIGEST_SIZE];
};

void digest_node(const struct yaml_tree_node *node, uint8_t hash_out[DIGEST_SIZE]);
// `root` is the main file's map. Sorts `jobs` by name.
void digest_config(const struct yaml_tree_node *root, struct digest_job *jobs, size_t count,
                   char hex_out[2 * DIGEST_SIZE + 1]);
