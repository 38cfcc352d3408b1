// SPDX-License-Identifier: MIT
#include "statement/statement.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "statement/body.h"
#include "statement/lexer.h"

#define FACT_COUNT 3
#define TEXT_MAX   (64 << 20) // a configuration has 4 MB; a cast makes a name longer

static const struct {
    const char *name;
    const char *cast; // for PostgreSQL
} facts[FACT_COUNT] = {
    {"due_at", "::timestamptz"},
    {"run_id", "::uuid"},
    {"fence", "::bigint"},
};

struct parse {
    struct lexer lexer;
    const char *const *params;
    struct body body; // of the statement that is being read
    struct buf text;
    struct statement statement;
    size_t name_capacity, site_capacity;
    size_t statement_count;
    size_t second; // where the second statement begins
    struct error *err;
};

static bool refuse(const struct parse *parse, size_t at, const char *format, ...) PRINTF(3, 4);
static bool refuse(const struct parse *parse, size_t at, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct statement_place place = lexer_place(parse->lexer.text, at);
    return error_set(parse->err, ERROR_CONFIG, "line %zu, column %zu: %s", place.line, place.column,
                     text);
}

// ---- names --------------------------------------------------------------------------------------

static bool is_named(const char *candidate, const char *name, size_t length)
{
    return strlen(candidate) == length && memcmp(candidate, name, length) == 0;
}

// The valid name that this is, with its cast; NULL = none.
static const char *find_name(const struct parse *parse, const char *name, size_t length,
                             const char **cast_out)
{
    *cast_out = "";
    for (size_t i = 0; i < FACT_COUNT; i++) {
        if (is_named(facts[i].name, name, length)) {
            *cast_out = facts[i].cast;
            return facts[i].name;
        }
    }
    for (const char *const *param = parse->params; param != NULL && *param != NULL; param++) {
        if (is_named(*param, name, length)) {
            return *param;
        }
    }
    return NULL;
}

static bool refuse_unknown(const struct parse *parse, const struct lexeme *lexeme)
{
    char name[128];
    size_t length = lexeme->length - 1 < sizeof name ? lexeme->length - 1 : sizeof name - 1;
    memcpy(name, parse->lexer.text + lexeme->start + 1, length);
    name[length] = '\0';
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < FACT_COUNT; i++) {
        nearest_offer(&nearest, facts[i].name);
    }
    for (const char *const *param = parse->params; param != NULL && *param != NULL; param++) {
        nearest_offer(&nearest, *param);
    }
    if (nearest.best != NULL) {
        return refuse(parse, lexeme->start, "$%s is unknown, did you mean $%s?", name,
                      nearest.best);
    }
    return refuse(
        parse, lexeme->start,
        "$%s is unknown: there are $due_at, $run_id, $fence and the job's declared params", name);
}

// Its number, from 1; the same name is one parameter.
static size_t number_of(struct parse *parse, const char *name)
{
    struct statement *statement = &parse->statement;
    for (size_t i = 0; i < statement->name_count; i++) {
        if (statement->names[i] == name) {
            return i + 1;
        }
    }
    ARRAY_RESERVE(statement->names, statement->name_count, parse->name_capacity);
    statement->names[statement->name_count++] = name;
    return statement->name_count;
}

static void add_site(struct parse *parse, const struct lexeme *lexeme, size_t text)
{
    struct statement *statement = &parse->statement;
    ARRAY_RESERVE(statement->sites, statement->site_count, parse->site_capacity);
    statement->sites[statement->site_count++] =
        (struct statement_site){.source = lexeme->start,
                                .source_length = lexeme->length,
                                .text = text,
                                .text_length = parse->text.length - text};
}

// SQLite reads more into a name than we do: $a$b, $a::b and $a(b) are single names to it.
static bool is_glued(const struct parse *parse)
{
    const char *next = parse->lexer.text + parse->lexer.at;
    return parse->lexer.dialect == STATEMENT_SQLITE &&
           (*next == '$' || *next == '(' || (next[0] == ':' && next[1] == ':'));
}

static bool add_name(struct parse *parse, const struct lexeme *lexeme)
{
    const char *cast = NULL;
    const char *written = parse->lexer.text + lexeme->start;
    const char *name = find_name(parse, written + 1, lexeme->length - 1, &cast);
    if (name == NULL) {
        return refuse_unknown(parse, lexeme);
    }
    if (is_glued(parse)) {
        return refuse(parse, lexeme->start, "write a space behind $%s", name);
    }
    size_t number = number_of(parse, name);
    size_t text = parse->text.length;
    if (parse->lexer.dialect == STATEMENT_POSTGRESQL) {
        buf_printf(&parse->text, "$%zu%s", number, cast);
    } else {
        buf_add(&parse->text, written, lexeme->length);
    }
    add_site(parse, lexeme, text);
    return true;
}

static bool refuse_parameter(const struct parse *parse, const struct lexeme *lexeme)
{
    int length = lexeme->length < 64 ? (int)lexeme->length : 64;
    return refuse(parse, lexeme->start,
                  "%.*s is no parameter here: facts and params are written by name, such as "
                  "$due_at, $run_id, $fence",
                  length, parse->lexer.text + lexeme->start);
}

// To PostgreSQL a dollar by itself is always a mistake, and mostly this one.
static bool is_lone_dollar(const struct parse *parse, const struct lexeme *lexeme)
{
    return lexeme->kind == LEXEME_OTHER && parse->lexer.text[lexeme->start] == '$' &&
           parse->lexer.dialect == STATEMENT_POSTGRESQL;
}

// ---- statements ---------------------------------------------------------------------------------

static bool ends_statement(const struct parse *parse, const struct lexeme *lexeme)
{
    return lexeme->kind == LEXEME_OTHER && parse->lexer.text[lexeme->start] == ';' &&
           !body_is_open(&parse->body);
}

// The first lexeme of a statement is what begins it: an empty one counts for nothing.
static void count_statement(struct parse *parse, const struct lexeme *lexeme, bool *inside)
{
    if (!*inside) {
        parse->statement_count++;
        parse->second = parse->statement_count == 2 ? lexeme->start : parse->second;
    }
    *inside = true;
    const char *text = parse->lexer.text + lexeme->start;
    if (lexeme->kind == LEXEME_WORD) {
        body_word(&parse->body, text, lexeme->length);
    } else if (lexeme->kind == LEXEME_OTHER) {
        body_other(&parse->body, *text);
    }
}

static bool add_lexeme(struct parse *parse, const struct lexeme *lexeme, bool *inside)
{
    if (ends_statement(parse, lexeme)) {
        *inside = false;
        parse->body = (struct body){.dialect = parse->lexer.dialect};
    } else if (lexeme->kind != LEXEME_BLANK) {
        count_statement(parse, lexeme, inside);
    }
    if (lexeme->kind == LEXEME_NAME) {
        return add_name(parse, lexeme);
    }
    if (lexeme->kind == LEXEME_NUMBERED || lexeme->kind == LEXEME_FOREIGN) {
        return refuse_parameter(parse, lexeme);
    }
    if (is_lone_dollar(parse, lexeme)) {
        return refuse(
            parse, lexeme->start,
            "a $ by itself: in the configuration $$ stands for one dollar, so write dollar "
            "quotes as $body$ ... $body$");
    }
    buf_add(&parse->text, parse->lexer.text + lexeme->start, lexeme->length);
    return true;
}

static bool read_all(struct parse *parse)
{
    bool inside = false;
    for (struct lexeme lexeme;;) {
        if (!lexer_next(&parse->lexer, &lexeme, parse->err)) {
            return false;
        }
        if (lexeme.kind == LEXEME_END) {
            return true;
        }
        if (!add_lexeme(parse, &lexeme, &inside)) {
            return false;
        }
    }
}

static bool judge(const struct parse *parse)
{
    if (parse->statement_count == 0) {
        return error_set(parse->err, ERROR_CONFIG, "there is no statement in it");
    }
    if (parse->statement_count > 1 && parse->statement.name_count > 0) {
        struct statement_place second = lexer_place(parse->lexer.text, parse->second);
        return refuse(parse, parse->statement.sites[0].source,
                      "$%s can be bound in a single statement only, and at line %zu, column %zu a "
                      "second one begins: make them one, or two jobs, the second with `after`",
                      parse->statement.names[0], second.line, second.column);
    }
    return true;
}

bool statement_parse(const char *text, enum statement_dialect dialect, const char *const *params,
                     struct statement *statement_out, struct error *err)
{
    struct parse parse = {.lexer = {.text = text, .dialect = dialect},
                          .params = params,
                          .body = {.dialect = dialect},
                          .err = err};
    buf_init(&parse.text, TEXT_MAX);
    bool ok = read_all(&parse) && judge(&parse);
    if (ok && parse.text.overflow) {
        ok = error_set(err, ERROR_LIMIT, "the statement is larger than %d MB", TEXT_MAX >> 20);
    }
    parse.statement.text = alloc_string(buf_string(&parse.text));
    parse.statement.source = alloc_string(text);
    parse.statement.is_single = parse.statement_count == 1;
    buf_release(&parse.text);
    if (!ok) {
        statement_release(&parse.statement);
        return false;
    }
    *statement_out = parse.statement;
    return true;
}

void statement_release(struct statement *statement)
{
    free(statement->text);
    free(statement->source);
    free(statement->names);
    free(statement->sites);
    *statement = (struct statement){0};
}

// ---- places -------------------------------------------------------------------------------------

// Inside of what replaced a name every place is the name's own.
struct statement_place statement_place_of_byte(const struct statement *statement, size_t byte)
{
    size_t source = byte;
    for (size_t i = 0; i < statement->site_count; i++) {
        const struct statement_site *site = &statement->sites[i];
        if (byte >= site->text + site->text_length) {
            source = byte - (site->text + site->text_length) + site->source + site->source_length;
        } else if (byte >= site->text) {
            source = site->source;
        }
    }
    return lexer_place(statement->source, source);
}

struct statement_place statement_place_of_character(const struct statement *statement,
                                                    size_t character)
{
    size_t byte = 0;
    for (const char *text = statement->text; text[byte] != '\0'; byte++) {
        bool first = ((unsigned char)text[byte] & 0xc0) != 0x80;
        if (first && character-- == 0) {
            break;
        }
    }
    return statement_place_of_byte(statement, byte);
}
