// SPDX-License-Identifier: MIT
#include "cli/terminal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/utf8.h"

static bool has_colour;
static bool has_symbols;
static size_t width;

static const char *const codes[] = {
    [COLOUR_NONE] = "",         [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[1;31m",
    [COLOUR_WARN] = "\033[33m", [COLOUR_DIM] = "\033[2m",   [COLOUR_BOLD] = "\033[1m",
};

// The first that is set decides (POSIX.1-2017, XBD 8.2).
static bool is_utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

bool terminal_shows_symbols(void)
{
    return has_symbols;
}

size_t terminal_width(void)
{
    return width;
}

void terminal_init(bool no_colour)
{
    const char *wish = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool refused =
        no_colour || (wish != NULL && *wish != '\0') || (term != NULL && strcmp(term, "dumb") == 0);
    has_colour = !refused && isatty(STDOUT_FILENO) == 1;
    struct winsize size;
    bool is_told = isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    width = is_told ? size.ws_col : 0;
    has_symbols = isatty(STDOUT_FILENO) == 1 && is_utf8_locale();
}

// utf8_sanitise works on bytes below 0x80; the C1 controls are valid UTF-8 (0xC2 0x80 to 0x9F), and
// some terminals obey them.
static void drop_c1(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        unsigned char first = (unsigned char)c[0];
        unsigned char second = (unsigned char)c[1];
        if (first == 0xC2 && second >= 0x80 && second <= 0x9F) {
            c[0] = c[1] = '?';
        }
    }
}

char *terminal_clean_lines(const char *text, size_t length)
{
    char *clean = alloc_zero(length + 1, 1);
    utf8_sanitise(text, length, clean);
    drop_c1(clean);
    return clean;
}

char *terminal_clean(const char *text)
{
    if (text == NULL) {
        return alloc_string("");
    }
    char *clean = terminal_clean_lines(text, strlen(text));
    for (char *c = clean; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    }
    return clean;
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

// Good enough for names and messages: the blocks of UAX 11 that are wide as a whole. The C
// library's wcwidth would need a UTF-8 locale, which a server often lacks.
static size_t character_columns(uint32_t c)
{
    static const struct range none[] = {
        {0x300, 0x36F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
    static const struct range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},  {0x3041, 0xA4CF},
                                        {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},  {0xFE30, 0xFE6F},
                                        {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F},
                                        {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    if (is_in(none, ARRAY_LENGTH(none), c)) {
        return 0;
    }
    return is_in(wide, ARRAY_LENGTH(wide), c) ? 2 : 1;
}

// One character of valid UTF-8.
static size_t character_read(const char *text, uint32_t *c_out)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t c = length == 1 ? first : first & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if (text[i] == '\0') {
            *c_out = '?';
            return i;
        }
        c = (c << 6) | ((unsigned char)text[i] & 0x3FU);
    }
    *c_out = c;
    return length;
}

size_t terminal_columns(const char *text)
{
    size_t columns = 0;
    while (*text != '\0') {
        uint32_t c = 0;
        text += character_read(text, &c);
        columns += character_columns(c);
    }
    return columns;
}

void terminal_print(FILE *out, enum colour colour, const char *format, ...)
{
    bool coloured = has_colour && out == stdout && colour != COLOUR_NONE;
    if (coloured) {
        fputs(codes[colour], out);
    }
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    if (coloured) {
        fputs("\033[0m", out);
    }
}

void terminal_put(FILE *out, enum colour colour, const char *text)
{
    char *clean = terminal_clean(text);
    terminal_print(out, colour, "%s", clean);
    free(clean);
}
