// SPDX-License-Identifier: MIT
#include "statement/body.h"

#include <string.h>
#include <strings.h>

static bool is_word(const char *word, size_t length, const char *expected)
{
    return strlen(expected) == length && strncasecmp(word, expected, length) == 0;
}

// What stands between CREATE and what is created.
static bool is_filler(const char *word, size_t length)
{
    return is_word(word, length, "or") || is_word(word, length, "replace") ||
           is_word(word, length, "temp") || is_word(word, length, "temporary");
}

static bool creates_body(const struct body *body, const char *word, size_t length)
{
    if (body->dialect == STATEMENT_SQLITE) {
        return is_word(word, length, "trigger");
    }
    return is_word(word, length, "function") || is_word(word, length, "procedure");
}

void body_word(struct body *body, const char *word, size_t length)
{
    if (body->words == 0) {
        body->is_create = is_word(word, length, "create");
    } else if (body->is_create && !body->has_body && !is_filler(word, length)) {
        body->has_body = creates_body(body, word, length);
        body->is_create = body->has_body;
    }
    body->words++;
    if (!body->has_body || body->parentheses > 0) {
        return;
    }
    if (is_word(word, length, "begin")) {
        body->blocks++;
    } else if (body->blocks > 0 && is_word(word, length, "case")) {
        body->blocks++;
    } else if (body->blocks > 0 && is_word(word, length, "end")) {
        body->blocks--;
    }
}

void body_other(struct body *body, char c)
{
    if (c == '(') {
        body->parentheses++;
    } else if (c == ')' && body->parentheses > 0) {
        body->parentheses--;
    }
}

bool body_is_open(const struct body *body)
{
    return body->blocks > 0 || (body->parentheses > 0 && body->dialect == STATEMENT_POSTGRESQL);
}
