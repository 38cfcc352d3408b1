// SPDX-License-Identifier: MIT
#include "import/crontab_comment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "import/crontab_schedule.h"

void crontab_comment_clear(struct crontab_comment *comment)
{
    comment->text[0] = '\0';
}

static bool is_rule(const char *text)
{
    return text[strcspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "\200\201\202\203\204\205\206\207\303\304\305")] == '\0';
}

// A picture of the five fields, as /etc/crontab has one, or their short names.
static bool is_header(const char *text)
{
    bool is_picture = text[0] == '|' || (text[0] == '.' && text[1] == '-');
    return is_picture || (strstr(text, "dom") != NULL && strstr(text, "dow") != NULL);
}

static bool is_entry(const char *text)
{
    char schedule[CRONTAB_WORD_SIZE];
    const char *note;
    struct error err = ERROR_INIT;
    return crontab_schedule_read(&text, schedule, &note, &err);
}

static void add_words(struct crontab_comment *comment, const char *words)
{
    size_t used = strlen(comment->text);
    char *clean = alloc_zero(strlen(words) + 1, 1);
    utf8_sanitise(words, strlen(words), clean);
    if (used > 0 && used + 1 < CRONTAB_COMMENT_SIZE) {
        comment->text[used++] = ' ';
    }
    size_t length = utf8_cut(clean, strlen(clean), CRONTAB_COMMENT_SIZE - 1 - used);
    memcpy(comment->text + used, clean, length);
    comment->text[used + length] = '\0';
    for (char *c = comment->text + used; *c != '\0'; c++) {
        *c = *c == '\t' ? ' ' : *c;
    }
    free(clean);
}

void crontab_comment_add(struct crontab_comment *comment, const char *line)
{
    line += strspn(line, "# \t");
    if (is_header(line) || is_entry(line)) {
        crontab_comment_clear(comment);
    } else if (!is_rule(line)) {
        size_t length = strlen(line);
        while (length > 0 && strchr(" \t#", line[length - 1]) != NULL) {
            length--;
        }
        char *words = alloc_bytes(line, length);
        add_words(comment, words);
        free(words);
    }
}
