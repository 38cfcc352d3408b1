// SPDX-License-Identifier: MIT
// libyaml's tokens, one after the other: their bytes are copied, and what is between them is space.
#include "config/yaml_keep.h"

#include <string.h>
#include <yaml.h>

#include "base/check.h"

struct keeper {
    bool (*keeps)(const char *key);
    const char *at;   // the next byte that is not looked at yet …
    size_t character; // … and which character it is: libyaml counts those
    const char *end;
    struct buf *out;
    size_t lines;  // not written yet: what only blanks follow is not written
    size_t spaces; // after them
    int depth;     // 1 = in the map at the top
    bool at_key;   // the next token is a key at the top
    bool dropping;
    yaml_mark_t key_start, key_end; // of its "?"
};

static void add_blank(struct keeper *keeper, char c)
{
    if (c == '\n') {
        keeper->lines++;
        keeper->spaces = 0;
    } else if (((unsigned char)c & 0xC0) != 0x80) {
        keeper->spaces++;
    }
}

static void add_bytes(struct keeper *keeper, const char *bytes, size_t length)
{
    for (; keeper->lines > 0; keeper->lines--) {
        buf_add_char(keeper->out, '\n');
    }
    for (; keeper->spaces > 0; keeper->spaces--) {
        buf_add_char(keeper->out, ' ');
    }
    buf_add(keeper->out, bytes, length);
}

static const char *skip_character(const char *at, const char *end)
{
    do {
        at++;
    } while (at < end && ((unsigned char)*at & 0xC0) == 0x80);
    return at;
}

// Blanks up to a character.
static void blank_until(struct keeper *keeper, size_t character)
{
    for (; keeper->character < character && keeper->at < keeper->end; keeper->character++) {
        add_blank(keeper, *keeper->at);
        keeper->at = skip_character(keeper->at, keeper->end);
    }
}

static const char *byte_of(const struct keeper *keeper, size_t character)
{
    const char *at = keeper->at;
    for (size_t i = keeper->character; i < character && at < keeper->end; i++) {
        at = skip_character(at, keeper->end);
    }
    return at;
}

static void copy(struct keeper *keeper, yaml_mark_t start, yaml_mark_t end)
{
    blank_until(keeper, start.index);
    const char *behind = byte_of(keeper, end.index);
    if (behind > keeper->at) {
        add_bytes(keeper, keeper->at, (size_t)(behind - keeper->at));
        keeper->at = behind;
        keeper->character = end.index;
    }
}

// "|2-  # a comment" belongs to the token of the text below it.
static void copy_block(struct keeper *keeper, yaml_mark_t start, yaml_mark_t end)
{
    blank_until(keeper, start.index);
    yaml_mark_t head = start;
    head.index += strspn(keeper->at, "|>+-0123456789");
    copy(keeper, start, head);
    const char *line = memchr(keeper->at, '\n', (size_t)(keeper->end - keeper->at));
    while (keeper->at < (line == NULL ? keeper->end : line)) {
        blank_until(keeper, keeper->character + 1);
    }
    keeper->spaces = 0;
    copy(keeper, head, end);
}

static void keep_token(struct keeper *keeper, const yaml_token_t *token)
{
    bool is_block = token->type == YAML_SCALAR_TOKEN &&
                    (token->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                     token->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);
    (is_block ? copy_block : copy)(keeper, token->start_mark, token->end_mark);
}

// Whether a key at the top is kept is known with its name, the token after it.
static bool is_top_key(struct keeper *keeper, const yaml_token_t *token)
{
    if (token->type == YAML_KEY_TOKEN && keeper->depth == 1) {
        keeper->at_key = true;
        keeper->key_start = token->start_mark;
        keeper->key_end = token->end_mark;
        return true;
    }
    if (!keeper->at_key || token->type != YAML_SCALAR_TOKEN) {
        return false;
    }
    keeper->at_key = false;
    keeper->dropping = !keeper->keeps((const char *)token->data.scalar.value);
    if (!keeper->dropping) {
        copy(keeper, keeper->key_start, keeper->key_end);
        keep_token(keeper, token);
    }
    return true;
}

static void take_token(struct keeper *keeper, const yaml_token_t *token)
{
    if (is_top_key(keeper, token)) {
        return;
    }
    switch (token->type) {
    case YAML_BLOCK_MAPPING_START_TOKEN:
    case YAML_BLOCK_SEQUENCE_START_TOKEN:
    case YAML_FLOW_MAPPING_START_TOKEN:
    case YAML_FLOW_SEQUENCE_START_TOKEN:
        keeper->depth++;
        break;
    case YAML_BLOCK_END_TOKEN:
    case YAML_FLOW_MAPPING_END_TOKEN:
    case YAML_FLOW_SEQUENCE_END_TOKEN:
        keeper->depth--;
        keeper->dropping = keeper->dropping && keeper->depth > 0;
        break;
    default:
        break;
    }
    if (!keeper->dropping) {
        keep_token(keeper, token);
    }
}

void yaml_keep(const char *bytes, size_t length, bool (*keeps)(const char *key), struct buf *out)
{
    size_t mark = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    struct keeper keeper = {.keeps = keeps, .at = bytes + mark, .end = bytes + length, .out = out};
    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser));
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)keeper.at, length - mark);
    bool more = true;
    while (more) {
        yaml_token_t token;
        CHECK(yaml_parser_scan(&parser, &token));
        more = token.type != YAML_STREAM_END_TOKEN;
        take_token(&keeper, &token);
        yaml_token_delete(&token);
    }
    yaml_parser_delete(&parser);
    if (out->length > 0 && out->data[out->length - 1] != '\n') {
        buf_add_char(out, '\n');
    }
}
