// SPDX-License-Identifier: MIT
#include "cli/values.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/hint.h"
#include "document/job_view.h"
#include "job/job.h"
#include "job/run.h"
#include "time/format.h"

#define COUNT_MAX  1000000
#define FACTOR_MAX 1000

static const char *const switch_words[] = {"on", "off", NULL};
static const char *const shell_words[] = {"bash", "zsh", "fish", NULL};
static const char *const factor_words[] = {"x2", "x5", "x10", "off", NULL};
static const char *const state_words[] = {"started", "success",   "failed",  "timed_out",
                                          "lost",    "cancelled", "dry_run", NULL};

const char *const *value_words(enum value_kind kind)
{
    switch (kind) {
    case VALUE_SWITCH:
        return switch_words;
    case VALUE_SHELL:
        return shell_words;
    case VALUE_FACTOR:
        return factor_words;
    case VALUE_STATE:
        return state_words;
    case VALUE_JOB_STATE:
        return job_view_state_words;
    default:
        return NULL;
    }
}

static bool refuse(const char *what, const char *text, const char *wanted, const char *const *words,
                   struct error *err)
{
    struct nearest nearest;
    nearest_init(&nearest, text);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        nearest_offer(&nearest, words[i]);
    }
    char hint[HINT_SIZE];
    return error_set(err, ERROR_USAGE, "%s: \"%s\" is not %s%s", what, text, wanted,
                     hint_text(&nearest, "", hint));
}

static bool whole_number(const char *text, int64_t most, int64_t *number_out)
{
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 9) {
        return false;
    }
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    *number_out = number;
    return *end == '\0' && number <= most;
}

static bool check_count(const char *what, const char *text, struct option_use *use,
                        struct error *err)
{
    if (!whole_number(text, COUNT_MAX, &use->number) || use->number < 1) {
        return refuse(what, text, "a whole number from 1 to 1000000", NULL, err);
    }
    return true;
}

static bool check_factor(const char *what, const char *text, struct option_use *use,
                         struct error *err)
{
    if (strcasecmp(text, "off") == 0) {
        use->number = 0;
        return true;
    }
    if ((text[0] != 'x' && text[0] != 'X') || !whole_number(text + 1, FACTOR_MAX, &use->number) ||
        use->number < 2) {
        return refuse(what, text, "x2 to x1000 (one slot in so many runs), or off", NULL, err);
    }
    return true;
}

static bool check_switch(const char *what, const char *text, struct option_use *use,
                         struct error *err)
{
    use->number = strcmp(text, "on") == 0 ? 1 : 0;
    return use->number == 1 || strcmp(text, "off") == 0 ||
           refuse(what, text, "on or off", switch_words, err);
}

static bool check_state(const char *what, const char *text, struct option_use *use,
                        struct error *err)
{
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        if (strcasecmp(text, run_state_name((enum run_state)state)) == 0) {
            use->number = state;
            return true;
        }
    }
    return refuse(what, text,
                  "a state: started, success, failed, timed_out, lost, cancelled or dry_run",
                  state_words, err);
}

static bool check_job_state(const char *what, const char *text, struct error *err)
{
    for (size_t i = 0; job_view_state_words[i] != NULL; i++) {
        if (strcmp(text, job_view_state_words[i]) == 0) {
            return true;
        }
    }
    return refuse(what, text,
                  "a state of a job: ok, failing, running, cut_off, paused, dry-run, throttled, "
                  "never_ran, late or stale",
                  job_view_state_words, err);
}

static bool check_shell(const char *what, const char *text, struct error *err)
{
    for (size_t i = 0; shell_words[i] != NULL; i++) {
        if (strcmp(shell_words[i], text) == 0) {
            return true;
        }
    }
    return refuse(what, text, "bash, zsh or fish", shell_words, err);
}

static bool is_job_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > JOB_NAME_MAX || !isalnum((unsigned char)text[0])) {
        return false;
    }
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
           length;
}

// A param becomes an environment variable IRONCRON_PARAM_KEY, so its key has to be fit for one.
static bool is_param(const char *text)
{
    size_t length = strcspn(text, "=");
    if (length == 0 || length > JOB_NAME_MAX || text[length] != '=' ||
        isdigit((unsigned char)text[0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') {
            return false;
        }
    }
    return true;
}

static bool check_time(const char *what, const char *text, struct instant now,
                       struct option_use *use, struct error *err)
{
    if (format_parse_time(text, now, &use->time, err)) {
        return true;
    }
    error_wrap(err, "%s", what);
    err->code = ERROR_USAGE;
    return false;
}

static bool check_duration(const char *what, const char *text, struct option_use *use,
                           struct error *err)
{
    struct duration duration;
    if (format_parse_duration(text, &duration, err)) {
        use->number = duration.us;
        return true;
    }
    error_wrap(err, "%s", what);
    err->code = ERROR_USAGE;
    return false;
}

bool value_check(enum value_kind kind, const char *what, const char *text, struct instant now,
                 struct option_use *use, struct error *err)
{
    use->text = text;
    switch (kind) {
    case VALUE_TIME:
        return check_time(what, text, now, use, err);
    case VALUE_DURATION:
        return check_duration(what, text, use, err);
    case VALUE_COUNT:
        return check_count(what, text, use, err);
    case VALUE_FACTOR:
        return check_factor(what, text, use, err);
    case VALUE_SWITCH:
        return check_switch(what, text, use, err);
    case VALUE_STATE:
        return check_state(what, text, use, err);
    case VALUE_JOB_STATE:
        return check_job_state(what, text, err);
    case VALUE_SHELL:
        return check_shell(what, text, err);
    case VALUE_JOB:
        return is_job_name(text) ||
               refuse(what, text, "a job's name (letters, digits, \"_\", \".\" and \"-\")", NULL,
                      err);
    case VALUE_PARAM:
        return is_param(text) ||
               refuse(what, text, "KEY=VALUE with a key of letters, digits and \"_\"", NULL, err);
    default:
        return text[0] != '\0' || refuse(what, text, "anything: give a value", NULL, err);
    }
}
