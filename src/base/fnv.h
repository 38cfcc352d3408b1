// SPDX-License-Identifier: MIT
// FNV-1a, 64 bits: quick, without a key, the same on every machine and in every version. For tables
// of names out of the operator's own configuration, and where documented formulas say so (H,
// jitter). Not against anybody who chooses the bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(14695981039346656037)

static inline uint64_t fnv_add(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

// Brings the upper half into the lower one: what is taken of a hash is its lowest bits.
static inline uint64_t fnv_fold(uint64_t hash)
{
    return hash ^ hash >> 32;
}
