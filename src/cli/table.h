// SPDX-License-Identifier: MIT
// Aligned tables for people. Cells are filled row by row, cleaned against control bytes as they
// come.
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "cli/terminal.h"

struct table;

// Headings separated by "|"; one that begins with ">" is aligned to the right, as numbers are.
struct table *table_new(const char *headings);
void table_free(struct table *table);
void table_cell(struct table *table, enum colour colour, const char *text); // NULL = "-"
void table_cellf(struct table *table, enum colour colour, const char *format, ...) PRINTF(3, 4);
size_t table_rows(const struct table *table);
// Each row gets `indent` spaces in front. On a terminal the last column is cut to its width.
void table_print(const struct table *table, FILE *out, size_t indent);

#define AUTO_TABLE AUTO(table_release) struct table *
void table_release(struct table **table);
