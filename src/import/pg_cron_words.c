// SPDX-License-Identifier: MIT
// pg_cron's own words: its schedules in our syntax, and what its commands want of a transaction.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import/crontab_schedule.h"
#include "import/pg_cron.h"

// ---- schedules ----------------------------------------------------------------------------------

// "30 seconds": whole seconds, 1 to 59.
static bool read_seconds(const char *text, long *seconds_out)
{
    char *end;
    *seconds_out = strtol(text, &end, 10);
    bool is_number = end > text;
    size_t gap = strspn(end, " \t");
    const char *word = end + gap;
    size_t length = strcspn(word, " \t");
    bool is_word = (length == 6 && strncasecmp(word, "second", 6) == 0) ||
                   (length == 7 && strncasecmp(word, "seconds", 7) == 0);
    return is_number && gap > 0 && is_word && word[length + strspn(word + length, " \t")] == '\0';
}

static char *day_of_month(char *text)
{
    for (int field = 0; field < 2; field++) {
        text += strspn(text, " \t");
        text += strcspn(text, " \t");
    }
    return text + strspn(text, " \t");
}

// "$" is the last day of the month, as "L" is ours: cron knows neither.
static bool take_last_day(char *text)
{
    char *day = day_of_month(text);
    bool is_last = day[0] == '$' && (day[1] == ' ' || day[1] == '\t');
    if (is_last) {
        day[0] = '*';
    }
    return is_last;
}

bool pg_cron_schedule(const char *text, char *out, size_t size, const char **note_out,
                      struct error *err)
{
    char translated[CRONTAB_WORD_SIZE];
    char copy[CRONTAB_WORD_SIZE];
    long seconds;
    *note_out = NULL;
    text += strspn(text, " \t");
    if (read_seconds(text, &seconds)) {
        *note_out = "pg_cron counts the seconds from its own start, ironcron from the Unix epoch";
        snprintf(out, size, "@every %lds", seconds);
        return true;
    }
    if (strlen(text) >= sizeof copy) {
        return error_set(err, ERROR_CONFIG, "the schedule is too long");
    }
    snprintf(copy, sizeof copy, "%s", text);
    bool is_last_day = take_last_day(copy);
    const char *at = copy;
    // A crontab's line goes on behind its schedule, pg_cron's does not.
    if (!crontab_schedule_read(&at, translated, note_out, err)) {
        return false;
    }
    if (at[strspn(at, " \t")] != '\0') {
        return error_set(err, ERROR_CONFIG, "\"%.80s\" has more than a schedule", text);
    }
    if (is_last_day) {
        *day_of_month(translated) = 'L';
    }
    snprintf(out, size, "%s", translated);
    if (strcmp(translated, "@reboot") == 0) {
        *note_out = "pg_cron runs it when the server starts; ironcron once for each boot of its "
                    "own host";
    }
    return true;
}

// ---- commands -----------------------------------------------------------------------------------

static const char *skip_comment(const char *at)
{
    if (strncmp(at, "--", 2) == 0) {
        return at + strcspn(at, "\n");
    }
    int depth = 0;
    do {
        if (strncmp(at, "/*", 2) == 0) {
            depth++;
            at += 2;
        } else if (strncmp(at, "*/", 2) == 0) {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

// The next word in small letters; "" where something else stands.
static const char *next_word(const char *at, char word[32])
{
    while (isspace((unsigned char)*at) || *at == ';' || strncmp(at, "--", 2) == 0 ||
           strncmp(at, "/*", 2) == 0) {
        at = isspace((unsigned char)*at) || *at == ';' ? at + 1 : skip_comment(at);
    }
    size_t length = 0;
    for (; isalpha((unsigned char)*at) && length < 31; at++) {
        word[length++] = (char)tolower((unsigned char)*at);
    }
    word[length] = '\0';
    return at;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0) {
        words++;
    }
    return *words != NULL;
}

bool pg_cron_wants_transaction(const char *command)
{
    static const char *const never[] = {"vacuum", "call",   "do",    "cluster", "reindex",  "begin",
                                        "start",  "commit", "abort", "end",     "rollback", NULL};
    static const char *const objects[] = {"database", "tablespace", "system", "subscription", NULL};
    static const char *const changes[] = {"create", "drop", "alter", NULL};
    char first[32];
    char second[32];
    char third[32];
    const char *at = next_word(next_word(command, first), second);
    if (is_one_of(first, never) || (is_one_of(first, changes) && is_one_of(second, objects))) {
        return false;
    }
    // CREATE [UNIQUE] INDEX CONCURRENTLY
    at = next_word(at, third);
    if (strcmp(third, "index") == 0) {
        next_word(at, third);
    }
    return strcmp(third, "concurrently") != 0;
}
