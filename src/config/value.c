// SPDX-License-Identifier: MIT
// Types come from the schema alone: `no` can be a name, `0600` is never octal and `1e3` never a
// number.
#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/nearest.h"
#include "job/job.h"
#include "time/format.h"

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define MILLION 1000000

bool value_is_variable_name(const char *text)
{
    return text[0] != '\0' && strchr(DIGITS, text[0]) == NULL &&
           text[strspn(text, LETTERS DIGITS "_")] == '\0';
}

static bool is_job_name(const char *text)
{
    return text[0] != '\0' && strchr("_.-", text[0]) == NULL && strlen(text) <= JOB_NAME_MAX &&
           text[strspn(text, LETTERS DIGITS "_.-")] == '\0';
}

bool value_is_secret(const char *name, const char *text)
{
    static const char *const words[] = {"pass",   "secret",  "token",   "credential", "pwd",
                                        "cookie", "private", "api_key", "apikey",     "access_key"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcasestr(name, words[i]) != NULL) {
            return true;
        }
    }
    // A URL with a user and a password in it.
    const char *scheme = strstr(text, "://");
    const char *at = scheme == NULL ? NULL : strchr(scheme, '@');
    return at != NULL && memchr(scheme + 3, ':', (size_t)(at - scheme - 3)) != NULL;
}

// Digits up to the first other byte; false when there are none or too many.
static bool read_digits(const char **text, int64_t *number_out)
{
    int64_t number = 0;
    const char *start = *text;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, **text - '0', &number)) {
            return false;
        }
    }
    *number_out = number;
    return *text > start;
}

static bool is_zero_led(const char *digits)
{
    return digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
}

static bool parse_integer(const char *text, const char *shown, int64_t *number_out,
                          struct error *err)
{
    bool negative = text[0] == '-';
    const char *at = text + (negative ? 1 : 0);
    if (is_zero_led(at)) {
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" begins with 0, which some read as octal; write it without",
                         shown);
    }
    int64_t number;
    if (!read_digits(&at, &number) || *at != '\0') {
        return error_set(err, ERROR_CONFIG, "\"%.80s\" is not a whole number such as 10", shown);
    }
    *number_out = negative ? -number : number;
    return true;
}

// Decimal point, six decimals at most: exact in millionths, and the same in every locale.
static bool parse_number(const char *text, const char *shown, int64_t *number_out,
                         struct error *err)
{
    const char *at = text;
    int64_t whole;
    int64_t fraction = 0;
    int64_t unit = MILLION;
    bool fine = read_digits(&at, &whole) && whole <= INT64_MAX / (2 * MILLION);
    if (fine && *at == '.') {
        at++;
        fine = *at != '\0';
        for (; fine && *at >= '0' && *at <= '9'; at++) {
            unit /= 10;
            fraction += (*at - '0') * unit;
            fine = unit > 0;
        }
    }
    if (!fine || *at != '\0') {
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" is not a number such as 2 or 0.2 (six decimals at most)",
                         shown);
    }
    *number_out = whole * MILLION + fraction;
    return true;
}

static bool parse_boolean(const char *text, const char *shown, int64_t *number_out,
                          struct error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *number_out = (int64_t)(i % 2);
            return true;
        }
    }
    return error_set(err, ERROR_CONFIG, "\"%.80s\" is neither true nor false", shown);
}

static bool parse_size(const char *text, const char *shown, int64_t *number_out, struct error *err)
{
    static const char units[] = "KMGT";
    const char *at = text;
    int64_t number;
    if (!read_digits(&at, &number) || is_zero_led(text)) {
        return error_set(err, ERROR_CONFIG, "\"%.80s\" is not a size such as 512K, 10M or 1G",
                         shown);
    }
    const char *unit = *at == '\0' ? NULL : strchr(units, *at);
    if (unit != NULL) {
        at++;
        if (__builtin_mul_overflow(number, (int64_t)1 << (10 * (unit - units + 1)), &number)) {
            return error_set(err, ERROR_CONFIG,
                             "\"%.80s\" is too large a size to be counted in bytes", shown);
        }
    }
    if (*at != '\0' && strcmp(at, "iB") != 0) {
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" is not a size such as 512K, 10M or 1G (K is 1,024 bytes)",
                         shown);
    }
    *number_out = number;
    return true;
}

static bool parse_duration(const char *text, const char *shown, int64_t *number_out,
                           struct error *err)
{
    struct duration duration;
    struct error reason = ERROR_INIT;
    if (!format_parse_duration(text, &duration, &reason)) {
        return error_set(err, ERROR_CONFIG,
                         "\"%.80s\" is not a duration such as 90s, 5m, 1h30m or 7d", shown);
    }
    *number_out = duration.us;
    return true;
}

static bool parse_choice(const struct schema_key *key, const char *text, const char *shown,
                         int64_t *number_out, struct error *err)
{
    char words[256];
    CHECK(strlen(key->choices) < sizeof words);
    snprintf(words, sizeof words, "%s", key->choices);
    struct nearest nearest;
    nearest_init(&nearest, text);
    char *rest = words;
    int64_t index = 0;
    for (char *word = strsep(&rest, "|"); word != NULL; word = strsep(&rest, "|"), index++) {
        if (strcmp(word, text) == 0) {
            *number_out = index;
            return true;
        }
        nearest_offer(&nearest, word);
    }
    if (nearest.best != NULL) {
        return error_set(err, ERROR_CONFIG, "\"%.80s\" is not one of %s; did you mean \"%s\"?",
                         shown, key->choices, nearest.best);
    }
    return error_set(err, ERROR_CONFIG, "\"%.80s\" is not one of %s", shown, key->choices);
}

void value_format(enum schema_type type, int64_t number, char out[VALUE_TEXT_SIZE])
{
    static const char units[] = " KMGT";
    size_t unit = 0;
    switch (type) {
    case TYPE_DURATION:
        format_duration(DURATION_US(number), out);
        return;
    case TYPE_NUMBER:
        snprintf(out, VALUE_TEXT_SIZE, "%g", (double)number / MILLION);
        return;
    case TYPE_SIZE:
        for (; unit < 4 && number >= 1024 && number % 1024 == 0; unit++) {
            number /= 1024;
        }
        snprintf(out, VALUE_TEXT_SIZE, "%" PRId64 "%.*s", number, unit > 0 ? 1 : 0, &units[unit]);
        return;
    default:
        snprintf(out, VALUE_TEXT_SIZE, "%" PRId64, number);
        return;
    }
}

static bool check_bounds(const struct schema_key *key, int64_t number, const char *shown,
                         struct error *err)
{
    if ((key->min == 0 && key->max == 0) || (number >= key->min && number <= key->max)) {
        return true;
    }
    char min[VALUE_TEXT_SIZE];
    char max[VALUE_TEXT_SIZE];
    value_format(key->type, key->min, min);
    value_format(key->type, key->max, max);
    return error_set(err, ERROR_CONFIG, "%.80s is out of bounds: from %s to %s", shown, min, max);
}

static bool check_text(const struct schema_key *key, const char *text, struct error *err)
{
    int64_t length = (int64_t)strlen(text);
    if (key->max > 0 && length > key->max) {
        return error_set(err, ERROR_CONFIG, "the text is longer than %" PRId64 " bytes", key->max);
    }
    if (length == 0 && key->min > 0) {
        return error_set(err, ERROR_CONFIG, "the text is empty");
    }
    if (length < key->min) {
        return error_set(err, ERROR_CONFIG, "the text is shorter than %" PRId64 " bytes", key->min);
    }
    return true;
}

bool value_parse(const struct schema_key *key, const char *text, const char *shown,
                 int64_t *number_out, struct error *err)
{
    *number_out = 0;
    switch (key->type) {
    case TYPE_INTEGER:
        return parse_integer(text, shown, number_out, err) &&
               check_bounds(key, *number_out, shown, err);
    case TYPE_NUMBER:
        return parse_number(text, shown, number_out, err) &&
               check_bounds(key, *number_out, shown, err);
    case TYPE_BOOLEAN:
        return parse_boolean(text, shown, number_out, err);
    case TYPE_DURATION:
        return parse_duration(text, shown, number_out, err) &&
               check_bounds(key, *number_out, shown, err);
    case TYPE_SIZE:
        return parse_size(text, shown, number_out, err) &&
               check_bounds(key, *number_out, shown, err);
    case TYPE_CHOICE:
        return parse_choice(key, text, shown, number_out, err);
    case TYPE_JOB_NAME:
        return is_job_name(text) ||
               error_set(err, ERROR_CONFIG,
                         "\"%.140s\" is not a job name: a letter or digit, then letters, digits, "
                         "\"_\", \".\" and \"-\", %d at most",
                         shown, JOB_NAME_MAX);
    case TYPE_TEXT:
        return check_text(key, text, err);
    default:
        return true;
    }
}
