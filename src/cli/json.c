// SPDX-License-Identifier: MIT
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"

static void dump(json_t *document, size_t flags)
{
    CHECK(document != NULL);
    char *text = json_dumps(document, flags);
    CHECK(text != NULL);
    puts(text);
    free(text);
    json_decref(document);
}

void json_print(json_t *document)
{
    dump(document, isatty(STDOUT_FILENO) == 1 ? JSON_INDENT(2) : JSON_COMPACT);
}

void json_print_line(json_t *document)
{
    dump(document, JSON_COMPACT);
}
