// SPDX-License-Identifier: MIT
#include "store/chain.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "time/format.h"

static void add_line(crypto_hash_sha256_state *state, const char *text)
{
    if (text != NULL) {
        crypto_hash_sha256_update(state, (const unsigned char *)text, strlen(text));
    }
    crypto_hash_sha256_update(state, (const unsigned char *)"\n", 1);
}

static void add_uuid(crypto_hash_sha256_state *state, struct uuid id)
{
    char text[UUID_TEXT_SIZE] = "";
    if (!uuid_is_nil(id)) {
        uuid_format(id, text);
    }
    add_line(state, text);
}

void chain_hex(const uint8_t hash[CHAIN_HASH_SIZE], char out[CHAIN_HEX_SIZE])
{
    sodium_bin2hex(out, CHAIN_HEX_SIZE, hash, CHAIN_HASH_SIZE);
}

void chain_hash(const struct store_audit_row *row, uint8_t hash_out[CHAIN_HASH_SIZE])
{
    char prev[CHAIN_HEX_SIZE];
    char seq[24];
    char at[FORMAT_TIME_SIZE];
    chain_hex(row->prev_hash, prev);
    snprintf(seq, sizeof seq, "%" PRId64, row->seq);
    format_utc_ms(row->at, at);

    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_line(&state, "ironcron-audit-1");
    add_line(&state, prev);
    add_line(&state, seq);
    add_line(&state, at);
    add_line(&state, row->event);
    add_line(&state, row->job);
    add_uuid(&state, row->run_id);
    add_uuid(&state, row->node);
    add_line(&state, row->actor);
    add_line(&state, row->detail);
    crypto_hash_sha256_final(&state, hash_out);
}
