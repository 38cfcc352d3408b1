// SPDX-License-Identifier: MIT
// pg_cron's schedules in our syntax, its commands, and the configuration that is made of its jobs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "import/pg_cron.h"
#include "schedule/schedule.h"

static void schedules_are_translated(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected; // NULL: refused
        bool has_note;
    } cases[] = {
        {"30 seconds", "@every 30s", true},
        {" 1  Second ", "@every 1s", true},
        {"0 3 $ * *", "0 3 L * *", false},
        {"0  3\t$ * *", "0 3 L * *", false},
        {"*/5 0-6 * * 1", "*/5 0-6 * * 1", false},
        {"@hourly", "@hourly", false},
        {"@reboot", "@reboot", true},
        {"30 minutes", NULL, false},
        {"0 3 1,$ * *", NULL, false},
        {"0 3 * *", NULL, false},
        {"0 3 * * * *", NULL, false},
        {"seconds", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char out[2048];
        const char *note;
        struct error err = ERROR_INIT;
        bool good = pg_cron_schedule(cases[i].text, out, sizeof out, &note, &err);
        if (good != (cases[i].expected != NULL)) {
            fail_msg("\"%s\": %s", cases[i].text, good ? out : err.text);
        }
        if (good) {
            assert_string_equal(out, cases[i].expected);
            assert_true((note != NULL) == cases[i].has_note);
        }
    }
}

static void what_refuses_a_transaction_gets_none(void **state)
{
    (void)state;
    static const char *const without[] = {
        "vacuum",
        "VACUUM (analyze) t",
        " -- why\n/* a /* nested */ one */ vacuum t",
        "call p()",
        "do $$begin commit; end$$",
        "create index concurrently i on t(a)",
        "create unique index concurrently i on t(a)",
        "drop index concurrently i",
        "REINDEX table concurrently t",
        "alter system set a = 1",
        "create database d",
        "begin; select 1; commit",
    };
    static const char *const with[] = {
        "select 1",
        "insert into vacuum values (1)",
        "create index i on t(a)",
        "create unique index i on t(a)",
        "drop table t",
        "create table database(a int)",
        "",
        "(select 1)",
        "delete from t; delete from u",
        "with a as (select 1) select * from a",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(without); i++) {
        if (pg_cron_wants_transaction(without[i])) {
            fail_msg("in a transaction: %s", without[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(with); i++) {
        if (!pg_cron_wants_transaction(with[i])) {
            fail_msg("without a transaction: %s", with[i]);
        }
    }
}

// ---- the whole ----------------------------------------------------------------------------------

struct told {
    struct buf text;
};

static void take_remark(void *context, const char *job, enum pg_cron_remark kind, const char *text)
{
    struct told *told = context;
    buf_printf(&told->text, "%s: %s: %s\n", job == NULL ? "all" : job,
               kind == PG_CRON_LOST ? "lost" : "note", text);
}

static void write_yaml(const struct pg_cron *source, struct buf *yaml, struct told *told,
                       struct pg_cron_counts *counts)
{
    struct pg_cron_sink sink = {.context = told, .remark = take_remark};
    buf_init(yaml, 1024 * 1024);
    buf_init(&told->text, 1024 * 1024);
    struct zone_cache *zones = zone_cache_new();
    pg_cron_yaml(source, zones, &sink, yaml, counts);
    zone_cache_free(zones);
}

static void names_and_urls_are_what_they_may_be(void **state)
{
    (void)state;
#define COMMON(job_id, job_name, job_host)                                                         \
    .id = (job_id), .name = (job_name), .host = (job_host), .port = "5432", .schedule = "@daily",  \
    .command = "select 1", .database = "app", .user = "me", .is_active = true, .may_be_user = true
    struct pg_cron_job jobs[] = {
        {COMMON(1, "same", "localhost")}, {COMMON(2, "same", "/run/postgresql")},
        {COMMON(3, " %% ", "127.0.0.1")}, {COMMON(4, "a/b", "")},
        {COMMON(5, NULL, "2001:db8::1")},
    };
    struct pg_cron source = {.jobs = jobs,
                             .count = ARRAY_LENGTH(jobs),
                             .timezone = "UTC",
                             .sees_all = true,
                             .user = "me@here",
                             .host = "/run/postgresql",
                             .port = "5433",
                             .options = "?sslmode=require"};
    struct buf yaml;
    struct told told;
    struct pg_cron_counts counts;
    write_yaml(&source, &yaml, &told, &counts);
    static const char *const parts[] = {
        "- name: same\n",
        "- name: same-2\n",
        "- name: pg-cron-3\n",
        "- name: a-b\n",
        "- name: pg-cron-5\n",
        "role: me\n",
        "\"postgresql://me%40here@/app?sslmode=require&host=%2Frun%2Fpostgresql&port=5433\"",
        "\"postgresql://me%40here@[2001:db8::1]:5432/app?sslmode=require\"",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (strstr(buf_string(&yaml), parts[i]) == NULL) {
            fail_msg("no %s in:\n%s", parts[i], buf_string(&yaml));
        }
    }
    assert_int_equal(counts.jobs, 5);
    assert_int_equal(counts.lost, 0);
    assert_null(strstr(buf_string(&told.text), "PGPASSWORD"));
    buf_release(&yaml);
    buf_release(&told.text);
}

static void an_unknown_zone_is_told_and_nothing_is_nothing(void **state)
{
    (void)state;
    struct pg_cron source = {.timezone = "Mars/Olympus", .sees_all = true};
    struct buf yaml;
    struct told told;
    struct pg_cron_counts counts;
    write_yaml(&source, &yaml, &told, &counts);
    assert_string_equal(buf_string(&yaml), "databases: []\njobs: []\n");
    assert_non_null(strstr(buf_string(&told.text), "all: lost: "));
    assert_int_equal(counts.lost, 1);
    buf_release(&yaml);
    buf_release(&told.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_translated),
        cmocka_unit_test(what_refuses_a_transaction_gets_none),
        cmocka_unit_test(names_and_urls_are_what_they_may_be),
        cmocka_unit_test(an_unknown_zone_is_told_and_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
