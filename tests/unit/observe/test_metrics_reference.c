// SPDX-License-Identifier: MIT
// docs/metrics.md names each family that is rendered, with type and labels, and no other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_jobs.h"
#include "strict.h"

static void read_reference(struct buf *out)
{
    FILE *file = fopen(METRICS_REFERENCE, "re");
    if (file == NULL) {
        fail_msg("cannot read %s", METRICS_REFERENCE);
    }
    char bytes[4096];
    size_t length;
    buf_init(out, 1 << 20);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0) {
        buf_add(out, bytes, length);
    }
    fclose(file);
}

static struct metrics *one_job(struct fake_jobs *fake)
{
    fake_jobs_init(fake, (const char *const[]){"x"}, 1);
    struct metrics *metrics = metrics_new(&(struct metrics_options){.version = "1"});
    metrics_set_jobs(metrics, fake->jobs, 1);
    metrics_set_source(metrics, fake_jobs_each, fake);
    fake->views[0].next_due = instant_from_unix(1);
    const struct engine_events *e = metrics_events(metrics);
    struct engine_run run = fake_run(&fake->jobs[0]);
    e->on_started(e->context, &run, DURATION_MS(1));
    e->on_handed_over(e->context, &run, DURATION_MS(1));
    e->on_ended(e->context, &run, RUN_SUCCESS, FAILURE_NONE, DURATION_MS(1), NULL);
    metrics_store_statement(metrics, DURATION_MS(1));
    return metrics;
}

// The names of a series' labels in their order, without le: "job_name, status"; "–" for none.
static void label_names(const char *key, char *out, size_t size)
{
    out[0] = '\0';
    const char *p = strchr(key, '{');
    while (p != NULL && *p != '}') {
        size_t length = strcspn(p + 1, "=");
        if (strncmp(p + 1, "le=", 3) != 0) {
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s%.*s", used == 0 ? "" : ", ", (int)length, p + 1);
        }
        for (p += length + 3; *p != '"'; p++) {
            p += *p == '\\';
        }
        p++;
    }
    if (out[0] == '\0') {
        snprintf(out, size, "–");
    }
}

static const char *a_series_of(const struct strict *strict, const char *family)
{
    for (size_t i = 0; i < strict->series.count; i++) {
        const char *key = strict->series.entries[i].key;
        size_t length = strlen(family);
        if (strncmp(key, family, length) == 0 && (key[length] == '{' || key[length] == '\0' ||
                                                  strncmp(key + length, "_bucket", 7) == 0)) {
            return key;
        }
    }
    return NULL;
}

static void names_each_family(void **state)
{
    (void)state;
    struct fake_jobs fake;
    struct metrics *metrics = one_job(&fake);
    struct buf reference;
    struct buf text;
    struct strict strict;
    read_reference(&reference);
    buf_init(&text, 16 << 20);
    metrics_render(metrics, EXPOSITION_TEXT, &text);
    strict_read(&strict, EXPOSITION_TEXT, text.data, text.length);
    assert_string_equal(strict.error, "");
    for (size_t i = 0; i < strict.families.count; i++) {
        const struct strict_family *family = strict.families.entries[i].value;
        const char *series = a_series_of(&strict, family->name);
        char labels[200];
        char row[400];
        assert_non_null(series);
        label_names(series, labels, sizeof labels);
        snprintf(row, sizeof row, "\n| `%s` | %s | %s | ", family->name, family->type, labels);
        if (strstr(reference.data, row) == NULL) {
            fail_msg("docs/metrics.md has no row beginning with:%s", row);
        }
    }
    strict_release(&strict);
    buf_release(&text);
    buf_release(&reference);
    metrics_free(metrics);
    fake_jobs_release(&fake);
}

static void names_no_other(void **state)
{
    (void)state;
    struct fake_jobs fake;
    struct metrics *metrics = one_job(&fake);
    struct buf reference;
    struct buf text;
    read_reference(&reference);
    buf_init(&text, 16 << 20);
    metrics_render(metrics, EXPOSITION_TEXT, &text);
    int rows = 0;
    for (const char *p = strstr(reference.data, "\n| `"); p != NULL; p = strstr(p + 1, "\n| `")) {
        char type[200];
        snprintf(type, sizeof type, "\n# TYPE %.*s ", (int)strcspn(p + 4, "`"), p + 4);
        if (strstr(text.data, type) == NULL) {
            fail_msg("docs/metrics.md names `%.*s`, which is not rendered",
                     (int)strcspn(p + 4, "`"), p + 4);
        }
        rows++;
    }
    assert_true(rows > 20);
    buf_release(&text);
    buf_release(&reference);
    metrics_free(metrics);
    fake_jobs_release(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_family),
        cmocka_unit_test(names_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
