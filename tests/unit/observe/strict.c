// SPDX-License-Identifier: MIT
#include "strict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

PRINTF(3, 4)
static bool bad(struct strict *strict, const char *line, const char *format, ...)
{
    char why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (strict->error[0] == '\0') {
        snprintf(strict->error, sizeof strict->error, "%s: %.200s", why, line);
    }
    return false;
}

static size_t name_length(const char *text, bool is_label)
{
    size_t length = 0;
    while ((text[length] >= 'a' && text[length] <= 'z') ||
           (text[length] >= 'A' && text[length] <= 'Z') || text[length] == '_' ||
           (text[length] == ':' && !is_label) ||
           (length > 0 && text[length] >= '0' && text[length] <= '9')) {
        length++;
    }
    return length;
}

static struct strict_family *family_of(struct strict *strict, const char *name, size_t length)
{
    char *copy = alloc_bytes(name, length);
    struct strict_family *family = map_get(&strict->families, copy);
    if (family != NULL) {
        free(copy);
        return family;
    }
    family = alloc_zero(1, sizeof *family);
    family->name = copy;
    map_put(&strict->families, family->name, family);
    return family;
}

// ---- metadata -----------------------------------------------------------------------------------

static bool read_help(struct strict *strict, struct strict_family *family, const char *line,
                      const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\\' && p[1] != 'n') {
            return bad(strict, line, "unknown escape in HELP");
        }
        p += *p == '\\';
    }
    if (family->has_help || *text == '\0') {
        return bad(strict, line, "second or empty HELP");
    }
    family->has_help = true;
    return true;
}

static bool read_type(struct strict *strict, struct strict_family *family, const char *line,
                      const char *text)
{
    static const char *const in_text[] = {"counter", "gauge", "histogram", "summary", "untyped"};
    static const char *const in_open[] = {"counter", "gauge", "histogram",      "summary",
                                          "unknown", "info",  "gaugehistogram", "stateset"};
    bool open = strict->format == EXPOSITION_OPENMETRICS;
    bool known = false;
    for (size_t i = 0; i < (open ? ARRAY_LENGTH(in_open) : ARRAY_LENGTH(in_text)); i++) {
        known |= strcmp(open ? in_open[i] : in_text[i], text) == 0;
    }
    if (!known || family->has_type || family->has_samples) {
        return bad(strict, line, "unknown, second or late TYPE");
    }
    family->has_type = true;
    family->type = alloc_string(text);
    return true;
}

static bool read_unit(struct strict *strict, const struct strict_family *family, const char *line,
                      const char *text)
{
    size_t name = strlen(family->name);
    size_t unit = strlen(text);
    if (strict->format != EXPOSITION_OPENMETRICS || unit + 1 >= name ||
        family->name[name - unit - 1] != '_' || strcmp(family->name + name - unit, text) != 0) {
        return bad(strict, line, "UNIT is not the end of the name");
    }
    return true;
}

static bool read_meta(struct strict *strict, const char *line)
{
    char word[8];
    if (sscanf(line, "# %7s ", word) != 1) {
        return bad(strict, line, "a comment that is neither HELP, TYPE nor UNIT");
    }
    const char *name = line + 2 + strlen(word) + 1;
    size_t length = name_length(name, false);
    if (length == 0 || name[length] != ' ') {
        return bad(strict, line, "no name");
    }
    struct strict_family *family = family_of(strict, name, length);
    if (family != strict->open && (family->has_help || family->has_type || family->has_samples)) {
        return bad(strict, line, "a family in two places");
    }
    strict->open = family;
    const char *text = name + length + 1;
    if (strcmp(word, "HELP") == 0) {
        return read_help(strict, family, line, text);
    }
    if (strcmp(word, "TYPE") == 0) {
        return read_type(strict, family, line, text);
    }
    return strcmp(word, "UNIT") == 0 ? read_unit(strict, family, line, text)
                                     : bad(strict, line, "unknown comment");
}

// ---- samples ------------------------------------------------------------------------------------

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);
    return length > n && strncmp(text + length - n, suffix, n) == 0;
}

// Whether a sample of that name may stand in the open family.
static bool name_fits(const struct strict *strict, const char *name, size_t length)
{
    const struct strict_family *family = strict->open;
    size_t base = strlen(family->name);
    bool open = strict->format == EXPOSITION_OPENMETRICS;
    if (length < base || strncmp(name, family->name, base) != 0 || !family->has_type) {
        return false;
    }
    char suffix[64];
    snprintf(suffix, sizeof suffix, "%.*s", (int)(length - base), name + base);
    if (strcmp(family->type, "histogram") == 0) {
        return strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 ||
               strcmp(suffix, "_count") == 0;
    }
    if (strcmp(family->type, "counter") == 0) {
        return open ? strcmp(suffix, "_total") == 0
                    : suffix[0] == '\0' && ends_with(name, length, "_total");
    }
    if (strcmp(family->type, "info") == 0) {
        return strcmp(suffix, "_info") == 0;
    }
    return suffix[0] == '\0' && !ends_with(name, length, "_total");
}

// Behind the closing brace, or NULL.
static const char *skip_labels(struct strict *strict, const char *line, const char *p)
{
    char seen[1024] = ",";
    do {
        p++; // { or ,
        size_t length = name_length(p, true);
        char name[80];
        snprintf(name, sizeof name, ",%.*s,", (int)length, p);
        if (length == 0 || strstr(seen, name) != NULL || strncmp(p + length, "=\"", 2) != 0) {
            bad(strict, line, "bad or second label");
            return NULL;
        }
        strncat(seen, name + 1, sizeof seen - strlen(seen) - 1);
        for (p += length + 2; *p != '"'; p++) {
            if (*p == '\0' || (*p == '\\' && strchr("\\\"n", p[1]) == NULL)) {
                bad(strict, line, "unclosed label or unknown escape");
                return NULL;
            }
            p += *p == '\\';
        }
        p++;
    } while (*p == ',');
    if (*p != '}') {
        bad(strict, line, "labels do not end");
        return NULL;
    }
    return p + 1;
}

static bool read_value(const char *text, double *value_out)
{
    static const char *const words[] = {"+Inf", "-Inf", "NaN"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *value_out = i == 0 ? INFINITY : i == 1 ? -INFINITY : NAN;
            return true;
        }
    }
    char *end;
    *value_out = strtod(text, &end);
    return text[0] != '\0' && strspn(text, "0123456789.eE+-") == strlen(text) && *end == '\0';
}

static bool read_sample(struct strict *strict, const char *line)
{
    size_t length = name_length(line, false);
    if (length == 0 || strict->open == NULL || !name_fits(strict, line, length)) {
        return bad(strict, line, "a sample outside its family");
    }
    const char *p = line[length] == '{' ? skip_labels(strict, line, line + length) : line + length;
    double value;
    if (p == NULL || *p != ' ' || !read_value(p + 1, &value)) {
        return bad(strict, line, "bad value (or a timestamp)");
    }
    bool counts = strcmp(strict->open->type, "counter") == 0 || ends_with(line, length, "_bucket");
    if (counts && !(value >= 0)) {
        return bad(strict, line, "a counter below zero");
    }
    struct strict_series *series = alloc_zero(1, sizeof *series);
    series->key = alloc_bytes(line, (size_t)(p - line));
    series->value = alloc_string(p + 1);
    bool twice = map_get(&strict->series, series->key) != NULL;
    if (twice) {
        free(series->key);
        free(series->value);
        free(series);
        return bad(strict, line, "a series twice");
    }
    map_put(&strict->series, series->key, series);
    strict->open->has_samples = true;
    return true;
}

// ---- histograms ---------------------------------------------------------------------------------

// Buckets of one histogram follow each other: the state of the one that is being read.
struct curve {
    char labels[768]; // name_bucket{…, up to le
    double bound;
    double count;
};

static bool end_curve(struct strict *strict, struct curve *curve)
{
    if (curve->labels[0] == '\0') {
        return true;
    }
    char key[900];
    const char *brace = strchr(curve->labels, '{');
    int name = (int)(brace - curve->labels) - (int)strlen("_bucket");
    size_t inner = strlen(brace + 1);
    snprintf(key, sizeof key, inner == 0 ? "%.*s_count" : "%.*s_count{%.*s}", name, curve->labels,
             inner == 0 ? 0 : (int)inner - 1, brace + 1);
    const char *count = strict_value(strict, key);
    if (!isinf(curve->bound) || count == NULL || strtod(count, NULL) != curve->count) {
        return bad(strict, key, "no +Inf bucket or it is not the count");
    }
    memcpy(strstr(key, "_count"), "_sum", 4);
    memmove(strstr(key, "_sum") + 4, strstr(key, "_sum") + 6, strlen(strstr(key, "_sum") + 6) + 1);
    if (strict_value(strict, key) == NULL) {
        return bad(strict, key, "no sum");
    }
    curve->labels[0] = '\0';
    return true;
}

static bool check_bucket(struct strict *strict, struct curve *curve,
                         const struct strict_series *series)
{
    const char *le = strstr(series->key, "le=\"");
    char labels[768];
    if (le == NULL) {
        return bad(strict, series->key, "a bucket without le");
    }
    snprintf(labels, sizeof labels, "%.*s", (int)(le - series->key), series->key);
    double bound = strncmp(le + 4, "+Inf\"", 5) == 0 ? INFINITY : strtod(le + 4, NULL);
    double count = strtod(series->value, NULL);
    if (strict->format == EXPOSITION_OPENMETRICS && !isinf(bound) &&
        memchr(le, '.', strcspn(le + 4, "\"") + 4) == NULL) {
        return bad(strict, series->key, "le is not a float");
    }
    if (strcmp(labels, curve->labels) != 0) {
        if (!end_curve(strict, curve)) {
            return false;
        }
        *curve = (struct curve){.bound = -INFINITY};
        memcpy(curve->labels, labels, sizeof labels);
    }
    if (bound <= curve->bound || count < curve->count) {
        return bad(strict, series->key, "buckets do not rise");
    }
    curve->bound = bound;
    curve->count = count;
    return true;
}

static bool check_histograms(struct strict *strict)
{
    struct curve curve = {.labels = ""};
    for (size_t i = 0; i < strict->series.count; i++) {
        const struct strict_series *series = strict->series.entries[i].value;
        size_t name = name_length(series->key, false);
        bool ok = ends_with(series->key, name, "_bucket") ? check_bucket(strict, &curve, series)
                                                          : end_curve(strict, &curve);
        if (!ok) {
            return false;
        }
    }
    return end_curve(strict, &curve);
}

// ---- the whole ----------------------------------------------------------------------------------

static bool check_families(struct strict *strict)
{
    for (size_t i = 0; i < strict->families.count; i++) {
        const struct strict_family *family = strict->families.entries[i].value;
        if (!family->has_help || !family->has_type) {
            return bad(strict, family->name, "HELP or TYPE is missing");
        }
    }
    return true;
}

static bool read_lines(struct strict *strict, char *text)
{
    bool ended = false;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        *end = '\0';
        if (ended) {
            return bad(strict, line, "something behind # EOF");
        }
        if (strict->format == EXPOSITION_OPENMETRICS && strcmp(line, "# EOF") == 0) {
            ended = true;
        } else if (*line == '\0') {
            return bad(strict, line, "an empty line");
        } else if (!(*line == '#' ? read_meta(strict, line) : read_sample(strict, line))) {
            return false;
        }
        line = end + 1;
    }
    if (strict->format == EXPOSITION_OPENMETRICS && !ended) {
        return bad(strict, "", "no # EOF");
    }
    return true;
}

void strict_read(struct strict *strict, enum exposition_format format, const char *text,
                 size_t length)
{
    *strict = (struct strict){.format = format};
    map_init(&strict->series);
    map_init(&strict->families);
    if (length == 0 || text[length - 1] != '\n' || memchr(text, '\r', length) != NULL ||
        memchr(text, '\0', length) != NULL || !utf8_is_valid(text, length)) {
        bad(strict, "", "not lines of UTF-8 that end in LF");
        return;
    }
    char *copy = alloc_bytes(text, length);
    if (read_lines(strict, copy) && check_families(strict)) {
        check_histograms(strict);
    }
    free(copy);
}

void strict_release(struct strict *strict)
{
    for (size_t i = 0; i < strict->series.count; i++) {
        struct strict_series *series = strict->series.entries[i].value;
        free(series->key);
        free(series->value);
        free(series);
    }
    for (size_t i = 0; i < strict->families.count; i++) {
        struct strict_family *family = strict->families.entries[i].value;
        free(family->name);
        free(family->type);
        free(family);
    }
    map_release(&strict->series);
    map_release(&strict->families);
}

const char *strict_value(const struct strict *strict, const char *key)
{
    const struct strict_series *series = map_get(&strict->series, key);
    return series == NULL ? NULL : series->value;
}
