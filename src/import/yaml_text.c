// SPDX-License-Identifier: MIT
#include "import/yaml_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

// Needs no quotes, not even for a reader that guesses types. Ours does not, but others may look at
// the file too.
static bool is_word(const char *text)
{
    static const char *const guessed[] = {"null", "true", "false", "yes", "no",
                                          "on",   "off",  "y",     "n"};
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/0123456789_.-";
    bool begins_well = text[0] != '\0' && strchr("0123456789_.-", text[0]) == NULL;
    if (!begins_well || text[strspn(text, allowed)] != '\0') {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(guessed); i++) {
        if (strcasecmp(text, guessed[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_plain_ascii(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return false;
        }
    }
    return true;
}

// The character at *at, which moves behind it.
static uint32_t next_character(const char **at)
{
    uint8_t first = (uint8_t) * (*at)++;
    int more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t character = more == 0 ? first : first & (0x3fu >> more);
    for (; more > 0 && **at != '\0'; more--) {
        character = character << 6 | ((uint8_t) * (*at)++ & 0x3f);
    }
    return character;
}

// What YAML 1.1 allows in a stream and does not take for a break or a byte order mark.
static bool is_printable(uint32_t c)
{
    return (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
           (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || (c >= 0x10000 && c <= 0x10ffff);
}

static void add_escaped(struct buf *out, uint32_t c)
{
    if (c == '\n') {
        buf_add_string(out, "\\n");
    } else if (c == '\t') {
        buf_add_string(out, "\\t");
    } else if (c <= 0xff) {
        buf_printf(out, "\\x%02x", (unsigned)c);
    } else {
        buf_printf(out, "\\u%04x", (unsigned)c);
    }
}

static void add_double(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    while (*text != '\0') {
        const char *start = text;
        uint32_t c = next_character(&text);
        if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", (char)c);
        } else if (c == '$') {
            buf_add_string(out, "$$");
        } else if ((c >= ' ' && c <= '~') || is_printable(c)) {
            buf_add(out, start, (size_t)(text - start));
        } else {
            add_escaped(out, c);
        }
    }
    buf_add_char(out, '"');
}

static void add_single(struct buf *out, const char *text)
{
    buf_add_char(out, '\'');
    for (; *text != '\0'; text++) {
        buf_add(out, "$", *text == '$');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '\'');
}

void yaml_text_add(struct buf *out, const char *text)
{
    if (is_word(text)) {
        buf_add_string(out, text);
        return;
    }
    bool has_double = strpbrk(text, "\"\\") != NULL;
    if (has_double && strchr(text, '\'') == NULL && is_plain_ascii(text)) {
        add_single(out, text);
    } else {
        add_double(out, text);
    }
}
