// SPDX-License-Identifier: MIT
#include "base/roff.h"

#include <string.h>

// A backslash is a command, a hyphen would become a typographic one that nobody can paste, and a
// point or an apostrophe at the start of a line would be a request.
static void add_char(struct buf *out, char c, bool starts_line)
{
    if (c == '\\') {
        buf_add_string(out, "\\e");
    } else if (c == '-') {
        buf_add_string(out, "\\-");
    } else if (c == '\'') {
        buf_add_string(out, "\\(aq");
    } else if (c == '^') {
        buf_add_string(out, "\\(ha");
    } else if (c == '~') {
        buf_add_string(out, "\\(ti");
    } else if (c == '`') {
        buf_add_string(out, "\\(ga");
    } else {
        buf_add_string(out, starts_line && c == '.' ? "\\&" : "");
        buf_add_char(out, c);
    }
}

static void add_range(struct buf *out, const char *text, size_t length, bool marks)
{
    bool bold = false;
    for (size_t i = 0; i < length; i++) {
        if (marks && text[i] == '`') {
            bold = !bold;
            buf_add_string(out, bold ? "\\fB" : "\\fR");
        } else {
            add_char(out, text[i] == '\n' ? ' ' : text[i], i == 0);
        }
    }
    buf_add_string(out, bold ? "\\fR" : "");
}

void roff_text(struct buf *out, const char *text)
{
    add_range(out, text, strlen(text), true);
}

void roff_verbatim(struct buf *out, const char *text)
{
    add_range(out, text, strlen(text), false);
}

void roff_bold(struct buf *out, const char *text)
{
    buf_add_string(out, "\\fB");
    add_range(out, text, strlen(text), false);
    buf_add_string(out, "\\fR");
}

void roff_paragraphs(struct buf *out, const char *text, const char *macro, bool first)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
        if (first) {
            buf_printf(out, "%s\n", macro);
        }
        first = true;
        add_range(out, text, length, true);
        buf_add_char(out, '\n');
        text += length;
        text += strspn(text, "\n");
    }
}
