// SPDX-License-Identifier: MIT
#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/utf8.h"

#define TEXT_SIZE 4096

void config_problems_init(struct config_problems *problems)
{
    *problems = (struct config_problems){0};
    arena_init(&problems->arena, (size_t)64 * 1024 * 1024);
}

void config_problems_release(struct config_problems *problems)
{
    arena_release(&problems->arena);
    free(problems->list);
    problems->list = NULL;
    problems->count = problems->capacity = 0;
}

// One copy of each file's name, so that sorting can compare pointers.
static const char *file_of(struct config_problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->list[i].file, file) == 0) {
            return problems->list[i].file;
        }
    }
    return arena_string(&problems->arena, file);
}

// A complaint may quote what stood in the file: it goes to a terminal, so it must be clean there.
static const char *clean_text(struct config_problems *problems, const char *raw)
{
    char *masked = log_mask(raw);
    size_t length = strlen(masked);
    char *text = arena_alloc(&problems->arena, length + 1, 1);
    utf8_sanitise(masked, length, text);
    free(masked);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\t') {
            *c = ' ';
        }
    }
    return text;
}

void config_problems_add(struct config_problems *problems, const char *file, int line, int column,
                         const char *format, ...)
{
    if (problems->count > CONFIG_PROBLEMS_MAX) {
        return;
    }
    char text[TEXT_SIZE];
    if (problems->count == CONFIG_PROBLEMS_MAX) {
        snprintf(text, sizeof text, "there are more than %d problems; mend these first",
                 CONFIG_PROBLEMS_MAX);
    } else {
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        utf8_trim_partial(text);
    }
    struct config_problem problem = {file_of(problems, file), line, column,
                                     clean_text(problems, text)};
    ARRAY_RESERVE(problems->list, problems->count, problems->capacity);
    problems->list[problems->count++] = problem;
}

static size_t first_of_file(const struct config_problem *list, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].file == file) {
            return i;
        }
    }
    return count;
}

static bool comes_before(const struct config_problem *a, const struct config_problem *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

// Insertion sort, stable: the list is short. The last entry stays last when it tells of more.
void config_problems_sort(struct config_problems *problems)
{
    size_t count = problems->count > CONFIG_PROBLEMS_MAX ? CONFIG_PROBLEMS_MAX : problems->count;
    if (count == 0) {
        return;
    }
    struct config_problem *list = problems->list;
    struct config_problem *sorted = alloc_zero(count, sizeof *sorted);
    size_t used = 0;
    for (size_t start = 0; start < count; start++) {
        if (first_of_file(list, count, list[start].file) != start) {
            continue;
        }
        size_t group = used;
        for (size_t i = start; i < count; i++) {
            if (list[i].file != list[start].file) {
                continue;
            }
            size_t at = used++;
            for (; at > group && comes_before(&list[i], &sorted[at - 1]); at--) {
                sorted[at] = sorted[at - 1];
            }
            sorted[at] = list[i];
        }
    }
    memcpy(list, sorted, count * sizeof *list);
    free(sorted);
}

void config_problems_print(const struct config_problems *problems, struct buf *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->list[i];
        buf_add_string(out, problem->file);
        if (problem->line > 0) {
            buf_printf(out, ":%d:%d", problem->line, problem->column);
        }
        buf_printf(out, ": %s\n", problem->text);
    }
}
