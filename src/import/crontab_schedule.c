// SPDX-License-Identifier: MIT
#include "import/crontab_schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct field {
    const char *name;
    int lowest, highest;
    bool has_names;
    bool is_day; // a leading * decides between "and" and "or"
};

static const struct field fields[] = {
    {"minute", 0, 59, false, false},      {"hour", 0, 23, false, false},
    {"day of month", 1, 31, false, true}, {"month", 1, 12, true, false},
    {"day of week", 0, 6, true, true},
};

struct translation {
    const struct field *field;
    const char *at; // in the field
    size_t left;    // bytes of the field from there
    struct buf *out;
    const char *note;
};

static const char *const step_note =
    "a step behind a single value is carried over as \"from there to the end of the field\"; some "
    "crons take the value alone";
static const char *const pause_note =
    "@SECONDS is carried over as @every: counted from the Unix epoch, not from the end of a run";

// ---- words that begin with @ --------------------------------------------------------------------

static const char *const words[][2] = {
    {"@reboot", "@reboot"},           {"@yearly", "@yearly"}, {"@annually", "@annually"},
    {"@monthly", "@monthly"},         {"@weekly", "@weekly"}, {"@daily", "@daily"},
    {"@midnight", "@midnight"},       {"@hourly", "@hourly"}, {"@every_minute", "* * * * *"},
    {"@every_second", "* * * * * *"},
};

static bool read_word(const char **at, char out[CRONTAB_WORD_SIZE], const char **note_out,
                      struct error *err)
{
    const char *word = *at;
    size_t length = strcspn(word, " \t");
    size_t digits = strspn(word + 1, DIGITS);
    *at += length;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strlen(words[i][0]) == length && strncasecmp(words[i][0], word, length) == 0) {
            snprintf(out, CRONTAB_WORD_SIZE, "%s", words[i][1]);
            return true;
        }
    }
    if (digits > 0 && digits < 10 && digits + 1 == length) {
        *note_out = pause_note;
        snprintf(out, CRONTAB_WORD_SIZE, "@every %.*ss", (int)digits, word + 1);
        return true;
    }
    return error_set(err, ERROR_CONFIG,
                     "\"%.*s\" is none of cron's words, which are @reboot, @yearly, @annually, "
                     "@monthly, @weekly, @daily, @midnight, @hourly",
                     length > 40 ? 40 : (int)length, word);
}

// ---- fields -------------------------------------------------------------------------------------

static bool take(struct translation *t, char c)
{
    if (t->left == 0 || *t->at != c) {
        return false;
    }
    t->at++;
    t->left--;
    return true;
}

// The bytes from here on that are of the set, at most those of the field.
static size_t span(const struct translation *t, const char *set)
{
    size_t length = strspn(t->at, set);
    return length < t->left ? length : t->left;
}

struct value {
    const char *text;
    size_t length; // 0 = none
};

static struct value take_value(struct translation *t)
{
    size_t length = span(t, DIGITS);
    if (length == 0 && t->field->has_names && span(t, LETTERS) == 3) {
        length = 3;
    }
    struct value value = {t->at, length};
    t->at += length;
    t->left -= length;
    return value;
}

static void add_value(struct translation *t, struct value value, int otherwise)
{
    if (value.length > 0) {
        buf_add(t->out, value.text, value.length);
    } else {
        buf_printf(t->out, "%d", otherwise);
    }
}

static int number_of(struct value value)
{
    int number = 0;
    for (size_t i = 0; i < value.length && number < 100000; i++) {
        number = number * 10 + (value.text[i] - '0');
    }
    return number;
}

// "/n", or nothing. False: there is no number behind the stroke.
static bool take_step(struct translation *t, struct value *step_out)
{
    *step_out = (struct value){t->at, 0};
    if (!take(t, '/')) {
        return true;
    }
    size_t length = span(t, DIGITS);
    *step_out = (struct value){t->at, length};
    t->at += length;
    t->left -= length;
    return length > 0;
}

static void add_step(struct translation *t, struct value step)
{
    if (step.length > 0) {
        buf_printf(t->out, "/%.*s", (int)step.length, step.text);
    }
}

// A step beyond the field leaves its first value only, which we want to see written so. In the
// fields for days the star itself has a meaning that this would lose.
static bool translate_star(struct translation *t)
{
    struct value step;
    if (!take_step(t, &step)) {
        return false;
    }
    const struct field *field = t->field;
    if (!field->is_day && number_of(step) > field->highest - field->lowest) {
        buf_printf(t->out, "%d", field->lowest);
        return true;
    }
    buf_add_char(t->out, '*');
    add_step(t, step);
    return true;
}

static bool translate_random(struct translation *t, struct value first)
{
    struct value last = take_value(t);
    struct value step;
    if (!take_step(t, &step)) {
        return false;
    }
    buf_add_char(t->out, 'H');
    if (first.length > 0 || last.length > 0) {
        buf_add_char(t->out, '(');
        add_value(t, first, t->field->lowest);
        buf_add_char(t->out, '-');
        add_value(t, last, t->field->highest);
        buf_add_char(t->out, ')');
    }
    add_step(t, step);
    return true;
}

static bool translate_item(struct translation *t)
{
    if (take(t, '*')) {
        return translate_star(t);
    }
    struct value first = take_value(t);
    if (take(t, '~')) {
        return translate_random(t, first);
    }
    struct value step;
    if (first.length == 0) {
        return false;
    }
    buf_add(t->out, first.text, first.length);
    bool is_range = take(t, '-');
    if (is_range) {
        struct value last = take_value(t);
        buf_printf(t->out, "-%.*s", (int)last.length, last.text);
        if (last.length == 0) {
            return false;
        }
    }
    if (!take_step(t, &step)) {
        return false;
    }
    t->note = step.length > 0 && !is_range ? step_note : t->note;
    add_step(t, step);
    return true;
}

static bool translate_field(struct translation *t, struct error *err)
{
    const char *text = t->at;
    size_t length = t->left;
    bool fine;
    do {
        fine = translate_item(t);
    } while (fine && take(t, ',') && (buf_add_char(t->out, ','), true));
    if (!fine || t->left > 0) {
        return error_set(err, ERROR_CONFIG, "%s \"%.*s\" is not what cron understands",
                         t->field->name, length > 40 ? 40 : (int)length, text);
    }
    return true;
}

static bool read_fields(const char **at, struct buf *out, const char **note_out, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        *at += strspn(*at, " \t");
        size_t length = strcspn(*at, " \t");
        if (length == 0) {
            return error_set(err, ERROR_CONFIG, "the line ends before the %s", fields[i].name);
        }
        if (i > 0) {
            buf_add_char(out, ' ');
        }
        struct translation t = {&fields[i], *at, length, out, *note_out};
        if (!translate_field(&t, err)) {
            return false;
        }
        *note_out = t.note;
        *at += length;
    }
    return true;
}

bool crontab_schedule_read(const char **at, char out[CRONTAB_WORD_SIZE], const char **note_out,
                           struct error *err)
{
    *note_out = NULL;
    if (**at == '@') {
        return read_word(at, out, note_out, err);
    }
    AUTO(buf_release) struct buf text;
    buf_init(&text, CRONTAB_WORD_SIZE - 1);
    if (!read_fields(at, &text, note_out, err)) {
        return false;
    }
    if (text.overflow) {
        return error_set(err, ERROR_LIMIT, "a schedule of more than %d characters",
                         CRONTAB_WORD_SIZE - 1);
    }
    snprintf(out, CRONTAB_WORD_SIZE, "%s", buf_string(&text));
    return true;
}
