// SPDX-License-Identifier: MIT
// Aligned tables for people. Cells are filled row by row, cleaned against control bytes as they
// come.
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "cli/terminal.h"

struct text_table;

// Headings separated by "|"; one that begins with ">" is aligned to the right, as numbers are.
struct text_table *text_table_new(const char *headings);
void text_table_cell(struct text_table *table, enum colour colour, const char *text); // NULL = "-"
void text_table_cellf(struct text_table *table, enum colour colour, const char *format, ...)
    PRINTF(3, 4);
size_t text_table_rows(const struct text_table *table);
// Each row gets `indent` spaces in front. Nothing is cut. Where a terminal is too narrow for all
// columns, the last one, when it is "GO ON", has a line of its own below its row, so that a command
// can still be copied; anything else goes on in the terminal's next line.
void text_table_print(const struct text_table *table, FILE *out, size_t indent);

// A table is released at the end of its block.
#define AUTO_TEXT_TABLE AUTO(text_table_release) struct text_table *
void text_table_release(struct text_table **table);
