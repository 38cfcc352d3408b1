// SPDX-License-Identifier: MIT
// SQL as a sequence of what matters for finding names and the ends of statements. It follows
// PostgreSQL's scan.l (with standard_conforming_strings on, the default since 9.1) and SQLite's
// tokenize.c; text that they refuse may be split in any way, they will say so.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "statement/statement.h"

enum lexeme_kind {
    LEXEME_END,
    LEXEME_BLANK,    // white space, comments
    LEXEME_LITERAL,  // strings of every kind, quoted names
    LEXEME_WORD,     // keywords, names, numbers
    LEXEME_NAME,     // $name
    LEXEME_NUMBERED, // $1
    LEXEME_FOREIGN,  // what SQLite would take for a parameter as well: ?  ?1  :name  @name
    LEXEME_OTHER,    // one byte of anything else, such as ; ( )
};

struct lexeme {
    enum lexeme_kind kind;
    size_t start, length; // bytes in the text
};

struct lexer {
    const char *text;
    enum statement_dialect dialect;
    size_t at;
};

// False: a literal or comment is not closed; err says where.
bool lexer_next(struct lexer *lexer, struct lexeme *lexeme_out, struct error *err) MUST_USE;
// Byte offset to what people count.
struct statement_place lexer_place(const char *text, size_t offset);
