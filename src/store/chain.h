// SPDX-License-Identifier: MIT
// The audit chain's exact bytes (docs/audit-format.md): hash = SHA-256 of these lines, each ended
// by one LF, absent values empty:
//   ironcron-audit-1, prev_hash (64 hex digits), seq, at (RFC 3339 UTC, 3 decimals), event, job,
//   run_id, node, actor, detail
// The first row's prev_hash is 64 zeros.
#pragma once

#include "store/store.h"

#define CHAIN_HASH_SIZE 32
#define CHAIN_HEX_SIZE  65

// Hashes the row's content with row->seq and row->prev_hash.
void chain_hash(const struct store_audit_row *row, uint8_t hash_out[CHAIN_HASH_SIZE]);
void chain_hex(const uint8_t hash[CHAIN_HASH_SIZE], char out[CHAIN_HEX_SIZE]);
// False: the text is not 64 hexadecimal digits.
bool chain_parse(const char *text, uint8_t hash_out[CHAIN_HASH_SIZE]) MUST_USE;
