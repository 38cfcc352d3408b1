// SPDX-License-Identifier: MIT
// What goes to a terminal: colours when there is one that wants them, and text from elsewhere made
// harmless (a job's name or error may hold escape sequences that would rewrite the screen).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_DIM, COLOUR_BOLD };

// Once, before anything is printed: decides from the option, NO_COLOR, TERM and isatty.
void terminal_init(bool no_colour);

// Does it show characters beyond ASCII? Only a terminal in a UTF-8 locale: what reads a pipe gets
// letters.
bool terminal_shows_symbols(void);

// Columns of the terminal; 0 where stdout is none, or does not say.
size_t terminal_width(void);

// Replaces control bytes and broken UTF-8; a newline becomes a space. The caller frees the result;
// NULL gives "".
char *terminal_clean(const char *text);
// The same but keeps newlines.
char *terminal_clean_lines(const char *text, size_t length);

// Columns that a text takes: combining marks none, wide East Asian characters and emoji two.
size_t terminal_columns(const char *text);

// printf in a colour. Arguments must be clean already.
void terminal_print(FILE *out, enum colour colour, const char *format, ...) PRINTF(3, 4);
// Writes a text from elsewhere, cleaned, in a colour.
void terminal_put(FILE *out, enum colour colour, const char *text);
