// SPDX-License-Identifier: MIT
#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/model/model_store.h"
#include "store/sqlite/sqlite_store.h"

const char *const ledger_kind_names[] = {"model", "sqlite"};

static struct instant clock_instant(struct clock *clock)
{
    struct ledger *ledger = CONTAINER_OF(clock, struct ledger, clock);
    return instant_from_ms(ledger->now_ms);
}

static struct mono clock_boot(struct clock *clock)
{
    struct ledger *ledger = CONTAINER_OF(clock, struct ledger, clock);
    return (struct mono){ledger->now_ms * 1000};
}

int64_t ledger_now(const struct ledger *ledger)
{
    return ledger->now_ms / 1000;
}

void ledger_wait(struct ledger *ledger, int64_t seconds)
{
    ledger->now_ms += seconds * 1000;
}

static struct uuid next_id(struct ledger *ledger)
{
    uint8_t random[10] = {0};
    uint64_t number = ++ledger->ids * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(random, &number, sizeof number);
    return uuid_v7(ledger->now_ms, random);
}

static void call(struct ledger *ledger, struct store_op *op)
{
    struct error err = ERROR_INIT;
    if (!store_call(ledger->store, op, &err)) {
        fail_msg("the store refused operation %d: %s", op->kind, err.text);
    }
    store_op_release(op);
}

// ---- the store ----------------------------------------------------------------------------------

static void remove_files(const struct ledger *ledger)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes) && ledger->path[0] != '\0'; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s%s", ledger->path, suffixes[i]);
        unlink(path);
    }
}

void ledger_reopen(struct ledger *ledger, bool read_only)
{
    struct error err = ERROR_INIT;
    store_close(ledger->store);
    if (!sqlite_store_open(ledger->path, read_only ? SQLITE_STORE_READ_ONLY : SQLITE_STORE_WRITE,
                           &ledger->clock, &ledger->store, &err)) {
        fail_msg("%s", err.text);
    }
}

void ledger_open(struct ledger *ledger, enum ledger_kind kind)
{
    *ledger = (struct ledger){.clock = {.now = clock_instant, .mono = clock_boot},
                              .now_ms = LEDGER_START * 1000};
    if (kind == LEDGER_MODEL) {
        ledger->store = model_store_new(&ledger->clock);
        return;
    }
    snprintf(ledger->path, sizeof ledger->path, "/tmp/ironcron-ledger-%ld.db", (long)getpid());
    remove_files(ledger); // of a test that failed
    ledger_reopen(ledger, false);
}

void ledger_copy(struct ledger *ledger, struct ledger *copy_out)
{
    *copy_out = *ledger;
    copy_out->store = NULL;
    snprintf(copy_out->path, sizeof copy_out->path, "/tmp/ironcron-copy-%ld.db", (long)getpid());
    remove_files(copy_out);
    char sql[192];
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy_out->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(ledger->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

void ledger_close(struct ledger *ledger)
{
    store_close(ledger->store);
    remove_files(ledger);
}

// ---- operations ---------------------------------------------------------------------------------

void ledger_join(struct ledger *ledger, bool dry_run)
{
    ledger->node = next_id(ledger);
    struct store_op_join join = {
        .op = {.kind = STORE_JOIN},
        .alone = true,
        .node = ledger->node,
        .host = "night.example",
        .version = "1",
        .detail = dry_run ? "{\"dry_run\":true,\"host\":\"night.example\",\"version\":\"1\"}"
                          : "{\"dry_run\":false,\"host\":\"night.example\",\"version\":\"1\"}"};
    call(ledger, &join.op);
}

void ledger_publish(struct ledger *ledger)
{
    struct store_publish_item items[] = {
        {.name = "minute",
         .spec = "{\"dst\":\"run\",\"schedule\":\"@every 1m\",\"timezone\":\"UTC\"}"},
        {.name = "five",
         .spec = "{\"dst\":\"run\",\"schedule\":\"*/5 * * * *\",\"timezone\":\"UTC\"}"},
        {.name = "night",
         .spec = "{\"dst\":\"run\",\"schedule\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\"}"},
        {.name = "boot",
         .spec = "{\"dst\":\"run\",\"schedule\":\"@reboot\",\"timezone\":\"UTC\"}"}};
    struct store_op_publish publish = {.op = {.kind = STORE_PUBLISH},
                                       .node = ledger->node,
                                       .actor = "night@example",
                                       .detail = "{\"added\":4}",
                                       .at = instant_from_ms(ledger->now_ms),
                                       .items = items,
                                       .item_count = ARRAY_LENGTH(items)};
    call(ledger, &publish.op);
    ledger->minute_job = items[0].job_id;
    ledger->five_job = items[1].job_id;
    ledger->night_job = items[2].job_id;
    ledger->boot_job = items[3].job_id;
}

void ledger_control(struct ledger *ledger, enum store_control_kind kind, const char *job, int value)
{
    struct store_op_control control = {.op = {.kind = STORE_CONTROL},
                                       .job = job,
                                       .kind = kind,
                                       .value = value,
                                       .actor = "night@example"};
    call(ledger, &control.op);
}

void ledger_seal(struct ledger *ledger)
{
    struct store_op_seal seal = {.op = {.kind = STORE_SEAL}, .limit = 10000};
    do {
        call(ledger, &seal.op);
    } while (seal.more);
}

void ledger_prune(struct ledger *ledger, int64_t runs_before, int64_t audit_before)
{
    struct store_op_prune prune = {.op = {.kind = STORE_PRUNE},
                                   .runs_before = instant_from_unix(runs_before),
                                   .output_before = instant_from_unix(runs_before),
                                   .audit_before = instant_from_unix(audit_before),
                                   .limit = 10};
    do {
        call(ledger, &prune.op);
    } while (prune.more);
}

struct store_slot ledger_decide(struct ledger *ledger, int64_t job_id, int64_t due,
                                enum store_decision decision, enum run_trigger trigger, int attempt,
                                enum slot_reason reason)
{
    bool runs = decision == DECIDE_RUN || decision == DECIDE_DRY_RUN;
    struct store_slot slot = {.job_id = job_id,
                              .due_at = instant_from_unix(due),
                              .decision = decision,
                              .trigger = trigger,
                              .attempt = attempt,
                              .reason = reason};
    if (runs) {
        slot.run_id = next_id(ledger);
    }
    struct store_op_decide decide = {
        .op = {.kind = STORE_DECIDE}, .node = ledger->node, .slots = &slot, .slot_count = 1};
    call(ledger, &decide.op);
    enum store_verdict expected = decision == DECIDE_RUN ? VERDICT_CLAIMED : VERDICT_WRITTEN;
    assert_int_equal(slot.verdict, expected);
    return slot;
}

void ledger_end(struct ledger *ledger, const struct store_slot *slot, enum run_state state,
                int64_t retry_at)
{
    struct store_end end = {.run_id = slot->run_id,
                            .fence = slot->fence,
                            .state = state,
                            .failure = state == RUN_SUCCESS ? FAILURE_NONE : FAILURE_EXIT,
                            .duration = DURATION_S(1),
                            .retry_at = retry_at == 0 ? INSTANT_NONE : instant_from_unix(retry_at)};
    struct store_op_finish finish = {
        .op = {.kind = STORE_FINISH}, .node = ledger->node, .ends = &end, .end_count = 1};
    call(ledger, &finish.op);
    assert_false(end.stale);
}

void ledger_run(struct ledger *ledger, int64_t job_id, int64_t due, enum run_state state)
{
    struct store_slot slot =
        ledger_decide(ledger, job_id, due, DECIDE_RUN, TRIGGER_SCHEDULE, 1, REASON_NONE);
    ledger->now_ms += 250;
    ledger_end(ledger, &slot, state, 0);
}

void ledger_skip(struct ledger *ledger, int64_t job_id, int64_t due, enum slot_reason reason)
{
    (void)ledger_decide(ledger, job_id, due, DECIDE_SKIP, TRIGGER_SCHEDULE, 1, reason);
}

// ---- a night ------------------------------------------------------------------------------------

static void sleep_until(struct ledger *ledger, int64_t due)
{
    if (ledger->now_ms < due * 1000 + 3) {
        ledger->now_ms = due * 1000 + 3; // a scheduler is never quite on time
    }
}

void ledger_pass(struct ledger *ledger, int64_t to)
{
    int64_t minute = (ledger_now(ledger) - LEDGER_START) / 60;
    while (++minute <= to) {
        int64_t due = LEDGER_START + minute * 60;
        sleep_until(ledger, due);
        ledger_run(ledger, ledger->minute_job, due, RUN_SUCCESS);
        if (minute % 5 == 0) {
            ledger_run(ledger, ledger->five_job, due, RUN_FAILED);
        }
        if (minute == 60) {
            ledger_run(ledger, ledger->night_job, due, RUN_TIMED_OUT);
        }
    }
}

// A slot that fails twice and then succeeds, with its job's next slot skipped meanwhile.
static void fill_retries(struct ledger *ledger, int64_t minute)
{
    int64_t due = LEDGER_START + minute * 60;
    sleep_until(ledger, due);
    struct store_slot slot = ledger_decide(ledger, ledger->minute_job, due, DECIDE_RUN,
                                           TRIGGER_SCHEDULE, 1, REASON_NONE);
    ledger_wait(ledger, 61);
    ledger_skip(ledger, ledger->minute_job, due + 60, REASON_OVERLAP);
    ledger_end(ledger, &slot, RUN_FAILED, ledger_now(ledger) + 5);
    ledger_wait(ledger, 6);
    slot =
        ledger_decide(ledger, ledger->minute_job, due, DECIDE_RUN, TRIGGER_RETRY, 2, REASON_NONE);
    ledger_end(ledger, &slot, RUN_TIMED_OUT, ledger_now(ledger) + 5);
    ledger_wait(ledger, 6);
    slot =
        ledger_decide(ledger, ledger->minute_job, due, DECIDE_RUN, TRIGGER_RETRY, 3, REASON_NONE);
    ledger_end(ledger, &slot, RUN_SUCCESS, 0);
}

// Three slots of one job under one control each, the other job going on.
static void fill_controls(struct ledger *ledger, int64_t minute)
{
    static const struct {
        enum store_control_kind kind;
        int value;
        enum store_decision decision;
        enum slot_reason reason;
    } steps[] = {{CONTROL_PAUSE, 1, DECIDE_SKIP, REASON_PAUSED},
                 {CONTROL_DRY_RUN, 1, DECIDE_DRY_RUN, REASON_NONE},
                 {CONTROL_THROTTLE, 4, DECIDE_SKIP, REASON_THROTTLED}};
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        const char *job = i == 1 ? NULL : "minute";
        ledger_wait(ledger, 20);
        ledger_control(ledger, steps[i].kind, job, steps[i].value);
        for (int j = 0; j < 3; j++, minute++) {
            int64_t due = LEDGER_START + minute * 60;
            sleep_until(ledger, due);
            (void)ledger_decide(ledger, ledger->minute_job, due, steps[i].decision,
                                TRIGGER_SCHEDULE, 1, steps[i].reason);
        }
        ledger_wait(ledger, 20);
        ledger_control(ledger, steps[i].kind, job, 0);
    }
}

// The node dies with a run, and comes back late: one slot is made up, those before it are missed.
static void fill_downtime(struct ledger *ledger, int64_t minute)
{
    int64_t due = LEDGER_START + minute * 60;
    sleep_until(ledger, due);
    (void)ledger_decide(ledger, ledger->minute_job, due, DECIDE_RUN, TRIGGER_SCHEDULE, 1,
                        REASON_NONE);
    ledger_wait(ledger, 250);
    ledger_join(ledger, false);
    for (int i = 1; i <= 3; i++) {
        (void)ledger_decide(ledger, ledger->minute_job, due + i * 60, DECIDE_MISS, TRIGGER_SCHEDULE,
                            1, REASON_DOWNTIME);
    }
    struct store_slot slot = ledger_decide(ledger, ledger->minute_job, due + 240, DECIDE_RUN,
                                           TRIGGER_CATCHUP, 1, REASON_NONE);
    ledger_end(ledger, &slot, RUN_CANCELLED, 0);
    // What was missed is run by hand afterwards, and so is something that was never due.
    slot = ledger_decide(ledger, ledger->minute_job, due + 60, DECIDE_RUN, TRIGGER_BACKFILL, 1,
                         REASON_NONE);
    ledger_end(ledger, &slot, RUN_SUCCESS, 0);
    slot = ledger_decide(ledger, ledger->minute_job, LEDGER_START - 600, DECIDE_RUN,
                         TRIGGER_BACKFILL, 1, REASON_NONE);
    ledger_end(ledger, &slot, RUN_SUCCESS, 0);
    slot = ledger_decide(ledger, ledger->five_job, ledger_now(ledger), DECIDE_RUN, TRIGGER_MANUAL,
                         1, REASON_NONE);
    ledger_end(ledger, &slot, RUN_FAILED, 0);
}

void ledger_fill(struct ledger *ledger)
{
    ledger_join(ledger, false);
    ledger_publish(ledger);
    ledger_wait(ledger, 1);
    ledger_run(ledger, ledger->boot_job, ledger_now(ledger), RUN_SUCCESS);
    ledger_pass(ledger, 10);
    fill_retries(ledger, 11); // decides 11 and 12
    ledger_pass(ledger, 15);
    fill_controls(ledger, 16); // 16 to 24
    ledger_run(ledger, ledger->five_job, LEDGER_START + 20 * 60, RUN_SUCCESS);
    ledger_pass(ledger, 30);
    fill_downtime(ledger, 31); // 31 to 35
    ledger_run(ledger, ledger->five_job, LEDGER_START + 35 * 60, RUN_SUCCESS);
    ledger_pass(ledger, 120);
    ledger_seal(ledger);
}

// ---- what the verification says -----------------------------------------------------------------

static void describe(const struct verify_report *report, struct buf *out)
{
    buf_init(out, 8192);
    buf_printf(out, "%zu findings", report->finding_total);
    for (size_t i = 0; i < report->finding_count && i < 6; i++) {
        buf_printf(out, "\n  %s: %s", verify_kind_name(report->findings[i].kind),
                   report->findings[i].text);
    }
}

void ledger_expect_since(struct ledger *ledger, const char *label, unsigned kinds, bool live,
                         struct instant since)
{
    struct verify_options options = {.since = since, .node_is_live = live};
    struct verify_report report;
    struct error err = ERROR_INIT;
    if (!verify_store(ledger->store, &options, &report, &err)) {
        fail_msg("%s: %s", label, err.text);
    }
    unsigned found = 0;
    for (size_t i = 0; i < report.finding_count; i++) {
        found |= KIND(report.findings[i].kind);
        assert_non_null(report.findings[i].text);
    }
    if (found != kinds) {
        struct buf text;
        describe(&report, &text);
        fail_msg("%s: expected kinds %#x, found %#x: %s", label, kinds, found, buf_string(&text));
    }
    verify_report_release(&report);
}

void ledger_expect(struct ledger *ledger, const char *label, unsigned kinds)
{
    ledger_expect_since(ledger, label, kinds, false, INSTANT_NONE);
}
