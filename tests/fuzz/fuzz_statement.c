// SPDX-License-Identifier: MIT
// Any text as a job's SQL; the first byte chooses the dialect. What is accepted is the source but
// for its names, which lead back to where they were; what is refused says why.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz_target.h"
#include "statement/lexer.h"
#include "statement/statement.h"

static const char *const params[] = {"tenant", "e", "größe", NULL};

// The lexemes lie side by side and cover the text.
static void check_lexemes(const char *text, enum statement_dialect dialect)
{
    struct lexer lexer = {.text = text, .dialect = dialect};
    struct error err = ERROR_INIT;
    size_t end = 0;
    for (struct lexeme lexeme; lexer_next(&lexer, &lexeme, &err);) {
        CHECK(lexeme.start == end);
        end += lexeme.length;
        CHECK((lexeme.length == 0) == (lexeme.kind == LEXEME_END));
        if (lexeme.kind == LEXEME_END) {
            CHECK(end == strlen(text));
            return;
        }
    }
    CHECK(err.code == ERROR_CONFIG);
}

static void check_sites(const struct statement *statement)
{
    size_t source = 0;
    size_t text = 0;
    for (size_t i = 0; i < statement->site_count; i++) {
        const struct statement_site *site = &statement->sites[i];
        CHECK(site->source >= source && site->source - source == site->text - text);
        CHECK(memcmp(statement->source + source, statement->text + text, site->source - source) ==
              0);
        CHECK(statement->source[site->source] == '$' && statement->text[site->text] == '$');
        source = site->source + site->source_length;
        text = site->text + site->text_length;
        struct statement_place place = statement_place_of_byte(statement, site->text);
        struct statement_place written = lexer_place(statement->source, site->source);
        CHECK(place.line == written.line && place.column == written.column);
    }
    CHECK(strcmp(statement->source + source, statement->text + text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2000) {
        return 0;
    }
    char *text = calloc(1, size);
    CHECK(text != NULL);
    memcpy(text, data + 1, size - 1);
    enum statement_dialect dialect = data[0] % 2 != 0 ? STATEMENT_SQLITE : STATEMENT_POSTGRESQL;
    check_lexemes(text, dialect);
    struct statement statement;
    struct error err = ERROR_INIT;
    if (statement_parse(text, dialect, params, &statement, &err)) {
        CHECK(statement.is_single || statement.name_count == 0);
        CHECK(statement.name_count <= statement.site_count);
        check_sites(&statement);
        statement_release(&statement);
    } else {
        CHECK(err.code == ERROR_CONFIG && err.text[0] != '\0');
    }
    free(text);
    return 0;
}
