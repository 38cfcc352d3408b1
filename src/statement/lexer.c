// SPDX-License-Identifier: MIT
#include "statement/lexer.h"

#include <string.h>

// ---- classes of bytes ---------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Bytes over 127 are letters to both databases.
static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool continues_name(char c)
{
    return begins_name(c) || is_digit(c);
}

struct statement_place lexer_place(const char *text, size_t offset)
{
    struct statement_place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset && text[i] != '\0'; i++) {
        if (text[i] == '\n') {
            place = (struct statement_place){.line = place.line + 1, .column = 1};
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) { // the first byte of a character
            place.column++;
        }
    }
    return place;
}

static bool not_closed(const struct lexer *lexer, size_t start, const char *what, struct error *err)
{
    struct statement_place place = lexer_place(lexer->text, start);
    return error_set(err, ERROR_CONFIG, "line %zu, column %zu: this %s is never closed", place.line,
                     place.column, what);
}

// ---- comments -----------------------------------------------------------------------------------

static void skip_line_comment(struct lexer *lexer)
{
    const char *ends = lexer->dialect == STATEMENT_POSTGRESQL ? "\n\r" : "\n";
    lexer->at += strcspn(lexer->text + lexer->at, ends);
}

// PostgreSQL's nest, SQLite's do not.
static bool skip_block_comment(struct lexer *lexer, struct error *err)
{
    size_t start = lexer->at;
    size_t depth = 0;
    while (lexer->text[lexer->at] != '\0') {
        const char *at = lexer->text + lexer->at;
        if (at[0] == '*' && at[1] == '/') {
            lexer->at += 2;
            if (--depth == 0) {
                return true;
            }
        } else if (at[0] == '/' && at[1] == '*' &&
                   (depth == 0 || lexer->dialect == STATEMENT_POSTGRESQL)) {
            lexer->at += 2;
            depth++;
        } else {
            lexer->at++;
        }
    }
    return not_closed(lexer, start, "comment", err);
}

// ---- literals -----------------------------------------------------------------------------------

// From the opening quote on; the quote within is written twice, or behind a backslash.
static bool skip_quoted(struct lexer *lexer, bool backslashes, struct error *err)
{
    size_t start = lexer->at;
    char quote = lexer->text[lexer->at++];
    for (char c; (c = lexer->text[lexer->at]) != '\0'; lexer->at++) {
        if (backslashes && c == '\\' && lexer->text[lexer->at + 1] != '\0') {
            lexer->at++;
        } else if (c == quote && lexer->text[lexer->at + 1] == quote) {
            lexer->at++;
        } else if (c == quote) {
            lexer->at++;
            return true;
        }
    }
    return not_closed(lexer, start, quote == '\'' ? "string" : "quoted name", err);
}

// A string goes on behind a line break: 'a' -- comment \n 'b'. Only what begins with E cares, since
// its backslashes go on as well. Moves to the next quote if there is one.
static bool string_goes_on(struct lexer *lexer)
{
    bool line_break = false;
    const char *at = lexer->text + lexer->at;
    for (;; at++) {
        if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n\r");
        }
        if (*at == '\0' || (!is_blank(*at) && *at != '\'') || *at == '\v') {
            return false;
        }
        if (*at == '\'') {
            lexer->at = line_break ? (size_t)(at - lexer->text) : lexer->at;
            return line_break;
        }
        line_break = line_break || *at == '\n' || *at == '\r';
    }
}

static bool skip_escape_string(struct lexer *lexer, struct error *err)
{
    lexer->at++; // the E
    do {
        if (!skip_quoted(lexer, true, err)) {
            return false;
        }
    } while (string_goes_on(lexer));
    return true;
}

static bool skip_bracketed(struct lexer *lexer, struct error *err)
{
    const char *end = strchr(lexer->text + lexer->at, ']');
    if (end == NULL) {
        return not_closed(lexer, lexer->at, "quoted name", err);
    }
    lexer->at = (size_t)(end - lexer->text) + 1;
    return true;
}

// Length of $tag$ or $$ here, 0 when there is none.
static size_t dollar_quote(const char *at)
{
    size_t length = 1;
    if (begins_name(at[1])) {
        while (continues_name(at[length])) {
            length++;
        }
    }
    return at[length] == '$' ? length + 1 : 0;
}

static bool skip_dollar_quoted(struct lexer *lexer, size_t tag_length, struct error *err)
{
    const char *tag = lexer->text + lexer->at;
    const char *end = tag + tag_length;
    while ((end = strchr(end, '$')) != NULL && strncmp(end, tag, tag_length) != 0) {
        end++;
    }
    if (end == NULL) {
        return not_closed(lexer, lexer->at, "dollar quote", err);
    }
    lexer->at = (size_t)(end - lexer->text) + tag_length;
    return true;
}

// ---- words and names ----------------------------------------------------------------------------

// A dollar goes on in a name but does not begin one: foo$bar is one name.
static void skip_word(struct lexer *lexer)
{
    bool number = is_digit(lexer->text[lexer->at]) && lexer->dialect == STATEMENT_POSTGRESQL;
    while (continues_name(lexer->text[lexer->at]) || (lexer->text[lexer->at] == '$' && !number)) {
        lexer->at++;
    }
}

static bool is_foreign(const struct lexer *lexer)
{
    const char *at = lexer->text + lexer->at;
    bool named = continues_name(at[1]) || at[1] == '$';
    return lexer->dialect == STATEMENT_SQLITE &&
           (*at == '?' || ((*at == ':' || *at == '@' || *at == '#') && named) ||
            (at[0] == '$' && at[1] == '$'));
}

static enum lexeme_kind take_foreign(struct lexer *lexer)
{
    do {
        lexer->at++;
    } while (continues_name(lexer->text[lexer->at]) || lexer->text[lexer->at] == '$');
    return LEXEME_FOREIGN;
}

static enum lexeme_kind take_dollar(struct lexer *lexer)
{
    const char *at = lexer->text + ++lexer->at;
    enum lexeme_kind kind = begins_name(*at) ? LEXEME_NAME : LEXEME_NUMBERED;
    if (kind == LEXEME_NUMBERED && !is_digit(*at)) {
        return LEXEME_OTHER;
    }
    while (continues_name(lexer->text[lexer->at])) {
        lexer->at++;
    }
    return kind;
}

// ---- one lexeme ---------------------------------------------------------------------------------

static bool take_literal(struct lexer *lexer, bool *taken, struct error *err)
{
    const char *at = lexer->text + lexer->at;
    bool postgresql = lexer->dialect == STATEMENT_POSTGRESQL;
    *taken = true;
    if (*at == '\'' || *at == '"' || (*at == '`' && !postgresql)) {
        return skip_quoted(lexer, false, err);
    }
    if (postgresql && (*at == 'e' || *at == 'E') && at[1] == '\'') {
        return skip_escape_string(lexer, err);
    }
    if (!postgresql && *at == '[') {
        return skip_bracketed(lexer, err);
    }
    size_t tag_length = postgresql && *at == '$' ? dollar_quote(at) : 0;
    if (tag_length > 0) {
        return skip_dollar_quoted(lexer, tag_length, err);
    }
    *taken = false;
    return true;
}

static bool take_blank(struct lexer *lexer, bool *taken, struct error *err)
{
    const char *at = lexer->text + lexer->at;
    *taken = true;
    if (at[0] == '-' && at[1] == '-') {
        skip_line_comment(lexer);
    } else if (at[0] == '/' && at[1] == '*') {
        return skip_block_comment(lexer, err);
    } else if (is_blank(*at)) {
        lexer->at++;
    } else {
        *taken = false;
    }
    return true;
}

static enum lexeme_kind take_other(struct lexer *lexer)
{
    char c = lexer->text[lexer->at];
    if (c == '\0') {
        return LEXEME_END;
    }
    if (continues_name(c)) {
        skip_word(lexer);
        return LEXEME_WORD;
    }
    if (is_foreign(lexer)) {
        return take_foreign(lexer);
    }
    if (c == '$') {
        return take_dollar(lexer);
    }
    lexer->at++;
    return LEXEME_OTHER;
}

bool lexer_next(struct lexer *lexer, struct lexeme *lexeme_out, struct error *err)
{
    bool taken = false;
    *lexeme_out = (struct lexeme){.kind = LEXEME_BLANK, .start = lexer->at};
    if (!take_blank(lexer, &taken, err)) {
        return false;
    }
    if (!taken) {
        lexeme_out->kind = LEXEME_LITERAL;
        if (!take_literal(lexer, &taken, err)) {
            return false;
        }
    }
    if (!taken) {
        lexeme_out->kind = take_other(lexer);
    }
    lexeme_out->length = lexer->at - lexeme_out->start;
    return true;
}
