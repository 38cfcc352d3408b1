// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

// Length of the valid character at text, 0 when there is none. Refuses overlong forms, surrogates
// and what lies above U+10FFFF (RFC 3629 section 4).
static size_t character_length(const unsigned char *t, size_t left)
{
    if (t[0] < 0x80) {
        return 1;
    }
    size_t need = t[0] >= 0xF0 ? 4 : t[0] >= 0xE0 ? 3 : 2;
    if (t[0] < 0xC2 || t[0] > 0xF4 || left < need) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((t[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((t[0] == 0xE0 && t[1] < 0xA0) || (t[0] == 0xED && t[1] > 0x9F) ||
        (t[0] == 0xF0 && t[1] < 0x90) || (t[0] == 0xF4 && t[1] > 0x8F)) {
        return 0;
    }
    return need;
}

bool utf8_is_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = character_length((const unsigned char *)text + i, length - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

size_t utf8_cut(const char *text, size_t length, size_t maximum)
{
    if (length <= maximum) {
        return length;
    }
    size_t cut = maximum;
    while (cut > 0 && maximum - cut < 3 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    return ((unsigned char)text[cut] & 0xC0) == 0x80 ? maximum : cut;
}

void utf8_trim_partial(char *text)
{
    size_t length = strlen(text);
    for (size_t back = 1; back <= 4 && back <= length; back++) {
        unsigned char c = (unsigned char)text[length - back];
        if ((c & 0xC0) == 0x80) {
            continue;
        }
        if (c >= 0xC0 && character_length((unsigned char *)text + length - back, back) == 0) {
            text[length - back] = '\0';
        }
        return;
    }
}

void utf8_sanitise(const char *text, size_t length, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t n = character_length((const unsigned char *)text + i, length - i);
        unsigned char c = (unsigned char)text[i];
        if (n == 0 || (c < 0x20 && c != '\t' && c != '\n') || c == 0x7F) {
            out[used++] = '?';
            i++;
            continue;
        }
        memcpy(out + used, text + i, n);
        used += n;
        i += n;
    }
    out[used] = '\0';
}
