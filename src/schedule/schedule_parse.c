// SPDX-License-Identifier: MIT
// The text of a schedule: a cron expression, or a word that begins with @.
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "schedule/schedule.h"
#include "time/format.h"

#define EVERY_LOWEST  ((int64_t)1000000)
#define EVERY_HIGHEST ((int64_t)366 * 86400 * 1000000)

struct alias {
    const char *name;
    const char *expression;
};

static const struct alias aliases[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Copies without the blanks at both ends; false when it does not fit.
static bool copy_trimmed(const char *text, char *out, size_t size)
{
    while (is_blank(*text)) {
        text++;
    }
    size_t length = strnlen(text, size);
    if (length == size) {
        return false;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

// The argument behind a word such as "@every", or NULL when the text is another word.
static const char *argument_of(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncasecmp(text, word, length) != 0 || (text[length] != '\0' && !is_blank(text[length]))) {
        return NULL;
    }
    text += length;
    while (is_blank(*text)) {
        text++;
    }
    return text;
}

static bool parse_every(const char *argument, struct schedule *schedule, struct error *err)
{
    if (!format_parse_duration(argument, &schedule->every, err)) {
        return error_wrap(err, "@every");
    }
    bool has_fractions = strstr(argument, "ms") != NULL || strstr(argument, "us") != NULL;
    if (has_fractions || schedule->every.us < EVERY_LOWEST || schedule->every.us > EVERY_HIGHEST) {
        return error_set(err, ERROR_CONFIG, "@every %s: whole seconds from 1s to 366d are possible",
                         argument);
    }
    schedule->kind = SCHEDULE_EVERY;
    return true;
}

static bool parse_once(const char *argument, struct schedule *schedule, struct error *err)
{
    // "-2h" is a time, too, but a schedule that depends on when it was read is none.
    if (argument[0] == '-') {
        return error_set(err, ERROR_CONFIG,
                         "@once %s: write the time itself, like @once 2026-11-24T03:36:23+01:00",
                         argument);
    }
    if (!format_parse_time(argument, INSTANT_NONE, &schedule->once, err)) {
        return error_wrap(err, "@once");
    }
    if (schedule->once.us % 1000000 != 0) {
        return error_set(err, ERROR_CONFIG,
                         "@once %s: slots are whole seconds; leave the decimals out", argument);
    }
    schedule->kind = SCHEDULE_ONCE;
    return true;
}

static bool parse_word(const char *text, const char *hash_name, struct schedule *schedule,
                       struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(aliases); i++) {
        if (strcasecmp(text, aliases[i].name) == 0) {
            schedule->kind = SCHEDULE_CRON;
            return cron_parse(aliases[i].expression, hash_name, &schedule->cron, err);
        }
    }
    if (strcasecmp(text, "@reboot") == 0) {
        schedule->kind = SCHEDULE_REBOOT;
        return true;
    }
    const char *argument = argument_of(text, "@every");
    if (argument != NULL) {
        return parse_every(argument, schedule, err);
    }
    argument = argument_of(text, "@once");
    if (argument != NULL) {
        return parse_once(argument, schedule, err);
    }
    return error_set(
        err, ERROR_CONFIG,
        "%.40s is no schedule; the words are @hourly, @daily, @midnight, @weekly, @monthly, "
        "@yearly, @annually, @reboot, @every 30s, @once TIME",
        text);
}

bool schedule_parse(const char *text, const struct zone *zone, enum schedule_dst dst,
                    const char *hash_name, struct schedule *schedule_out, struct error *err)
{
    CHECK(zone != NULL);
    struct schedule schedule;
    memset(&schedule, 0, sizeof schedule);
    schedule.zone = zone;
    schedule.dst = dst;
    char trimmed[CRON_TEXT_MAX + 1];
    bool fits = copy_trimmed(text, trimmed, sizeof trimmed);
    bool is_word = fits && trimmed[0] == '@';
    if (is_word ? !parse_word(trimmed, hash_name, &schedule, err)
                : !cron_parse(text, hash_name, &schedule.cron, err)) {
        return false;
    }
    *schedule_out = schedule;
    return true;
}
