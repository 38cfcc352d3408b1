// SPDX-License-Identifier: MIT
#include "store/chain.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "time/format.h"

// Gathered, since each piece by itself would cost as much as its hash.
struct lines {
    crypto_hash_sha256_state state;
    size_t length;
    char bytes[1024];
};

static void hash_gathered(struct lines *lines)
{
    crypto_hash_sha256_update(&lines->state, (const unsigned char *)lines->bytes, lines->length);
    lines->length = 0;
}

static void add(struct lines *lines, const char *bytes, size_t length)
{
    if (length > sizeof lines->bytes - lines->length) {
        hash_gathered(lines);
    }
    if (length > sizeof lines->bytes) {
        crypto_hash_sha256_update(&lines->state, (const unsigned char *)bytes, length);
        return;
    }
    memcpy(lines->bytes + lines->length, bytes, length);
    lines->length += length;
}

static void add_line(struct lines *lines, const char *text)
{
    if (text != NULL) {
        add(lines, text, strlen(text));
    }
    add(lines, "\n", 1);
}

static void add_uuid(struct lines *lines, struct uuid id)
{
    char text[UUID_TEXT_SIZE] = "";
    if (!uuid_is_nil(id)) {
        uuid_format(id, text);
    }
    add_line(lines, text);
}

void chain_hex(const uint8_t hash[CHAIN_HASH_SIZE], char out[CHAIN_HEX_SIZE])
{
    sodium_bin2hex(out, CHAIN_HEX_SIZE, hash, CHAIN_HASH_SIZE);
}

bool chain_parse(const char *text, uint8_t hash_out[CHAIN_HASH_SIZE])
{
    size_t length = 0;
    return strlen(text) == CHAIN_HEX_SIZE - 1 &&
           sodium_hex2bin(hash_out, CHAIN_HASH_SIZE, text, CHAIN_HEX_SIZE - 1, NULL, &length,
                          NULL) == 0 &&
           length == CHAIN_HASH_SIZE;
}

void chain_hash(const struct store_audit_row *row, uint8_t hash_out[CHAIN_HASH_SIZE])
{
    char prev[CHAIN_HEX_SIZE];
    char seq[24];
    char at[FORMAT_TIME_SIZE];
    chain_hex(row->prev_hash, prev);
    snprintf(seq, sizeof seq, "%" PRId64, row->seq);
    format_utc_ms(row->at, at);

    struct lines lines;
    lines.length = 0;
    crypto_hash_sha256_init(&lines.state);
    add_line(&lines, "ironcron-audit-1");
    add_line(&lines, prev);
    add_line(&lines, seq);
    add_line(&lines, at);
    add_line(&lines, row->event);
    add_line(&lines, row->job);
    add_uuid(&lines, row->run_id);
    add_uuid(&lines, row->node);
    add_line(&lines, row->actor);
    add_line(&lines, row->detail);
    hash_gathered(&lines);
    crypto_hash_sha256_final(&lines.state, hash_out);
}
