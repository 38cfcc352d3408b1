// SPDX-License-Identifier: MIT
// Somebody changes the rows of a good ledger behind ironcron's back, with nothing but SQLite and
// the knowledge of its tables: each change must be found, and called by its name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "ledger.h"

#define CHAIN    KIND(VERIFY_CHAIN_BROKEN)
#define NO_START KIND(VERIFY_RUN_WITHOUT_START)
#define TWO_ENDS KIND(VERIFY_RUN_TWO_ENDS)
#define NO_END   KIND(VERIFY_RUN_NOT_ENDED)
#define MISMATCH KIND(VERIFY_RUN_MISMATCH)
#define GAP      KIND(VERIFY_SLOT_GAP)
#define EXTRA    KIND(VERIFY_SLOT_EXTRA)
#define OPEN     KIND(VERIFY_SLOT_OPEN)
#define POLICY   KIND(VERIFY_SLOT_POLICY)

// Words of the statements below. The ledger is ledger_fill's.
#define JOB(name)          "(SELECT job_id FROM job WHERE name = '" name "')"
#define T(minute)          "((1774742400 + " #minute " * 60) * 1000)"
#define SLOT(name, minute) " WHERE job_id = " JOB(name) " AND due_at = " T(minute)
#define RUN(name, minute)                                                                          \
    "(SELECT run_id FROM run WHERE job_id = " JOB(name) " AND due_at = " T(minute) ")"
#define OUTCOME(outcome) "UPDATE slot SET outcome = " #outcome
#define ADD_AUDIT(at, event, run_id)                                                               \
    "INSERT INTO audit (id, at, event, job_id, run_id, node) SELECT max(id) + 1, " at ", '" event  \
    "', " JOB("minute") ", " run_id ", max(node) FROM audit"

#define LAST_SEAL "(SELECT max(seq) FROM audit_seal)"
#define CUT_OFF                                                                                    \
    "DELETE FROM audit WHERE id > " LAST_SEAL                                                      \
    " - 3; DELETE FROM audit_seal WHERE seq > " LAST_SEAL " - 3"

static const struct tampering {
    const char *label;
    const char *sql;
    unsigned kinds;
    size_t findings; // 0 = any number
    bool reseal;     // rows that were added take their place in the chain
} cases[] = {
    {"nothing", "SELECT 1", 0, 0, false},
    // The chain
    {"an actor changed", "UPDATE audit SET actor = 'mallory' WHERE id = 5", CHAIN, 1, false},
    {"a time changed", "UPDATE audit SET at = at + 1 WHERE id = 1", CHAIN, 1, false},
    {"a detail changed", "UPDATE audit SET detail = detail || ' ' WHERE event = 'CONFIG_PUBLISHED'",
     CHAIN, 1, false},
    {"a row deleted", "DELETE FROM audit WHERE event = 'CONFIG_PUBLISHED'", CHAIN, 1, false},
    {"a row and its seal deleted",
     "DELETE FROM audit_seal WHERE seq = (SELECT id FROM audit WHERE event = 'CONFIG_PUBLISHED');"
     "DELETE FROM audit WHERE event = 'CONFIG_PUBLISHED'",
     CHAIN, 2, false},
    {"the first row deleted with its seal",
     "DELETE FROM audit_seal WHERE seq = 1; DELETE FROM audit WHERE id = 1", CHAIN, 0, false},
    {"a hash changed", "UPDATE audit_seal SET hash = zeroblob(32) WHERE seq = 9", CHAIN, 2, false},
    {"a seal removed", "DELETE FROM audit_seal WHERE seq = 9", CHAIN, 0, false},
    {"two rows exchanged",
     "UPDATE audit SET id = -1 WHERE id = 7; UPDATE audit SET id = 7 WHERE id = 8;"
     "UPDATE audit SET id = 8 WHERE id = -1",
     CHAIN, 2, false},
    {"the anchor moved",
     "INSERT INTO meta VALUES ('anchor_seq', 3) ON CONFLICT (key) DO UPDATE SET value = 3", CHAIN,
     0, false},
    // Its end: the store has noted it apart from the chain
    {"the last seal removed", "DELETE FROM audit_seal WHERE seq = " LAST_SEAL, CHAIN, 1, false},
    {"the last rows cut off", CUT_OFF, CHAIN | NO_END | MISMATCH, 0, false},
    {"the last rows cut off, and the log gone on", CUT_OFF ";" ADD_AUDIT(T(121), "X", "NULL"),
     CHAIN | NO_END | MISMATCH, 0, true},
    {"rows changed and sealed anew",
     "DELETE FROM audit_seal WHERE seq > 20; UPDATE audit SET actor = 'mallory' WHERE id = 21",
     CHAIN, 0, true},
    {"the note of the end lowered", "UPDATE meta SET value = value - 1 WHERE key = 'head_seq'",
     CHAIN, 1, false},
    {"the note of the end raised", "UPDATE meta SET value = value + 1 WHERE key = 'head_seq'",
     CHAIN, 1, false},
    {"another hash in the note of the end",
     "UPDATE meta SET value = zeroblob(32) WHERE key = 'head_hash'", CHAIN, 1, false},
    {"the note of the end removed", "DELETE FROM meta WHERE key = 'head_seq'", CHAIN, 1, false},
    // Runs
    {"a run's start moved",
     "UPDATE run SET started_at = started_at - 1 WHERE run_id = " RUN("minute", 50), MISMATCH, 1,
     false},
    {"a run's end moved before its start",
     "UPDATE run SET ended_at = started_at - 1 WHERE run_id = " RUN("minute", 50), MISMATCH, 1,
     false},
    {"a run's end moved beyond its record",
     "UPDATE run SET ended_at = ended_at + 86400000 WHERE run_id = " RUN("minute", 50), MISMATCH, 1,
     false},
    {"a run of a state whose last byte is a success",
     "UPDATE run SET state = 257 WHERE run_id = " RUN("minute", 50), MISMATCH, 0, false},
    {"an end removed", "DELETE FROM audit WHERE event = 'SUCCESS' AND run_id = " RUN("minute", 50),
     CHAIN | NO_END, 2, false},
    {"a start removed", "DELETE FROM audit WHERE event = 'STARTED' AND run_id = " RUN("minute", 50),
     CHAIN | NO_START, 2, false},
    {"a second end added", ADD_AUDIT(T(121), "SUCCESS", RUN("minute", 50)), TWO_ENDS, 1, true},
    {"a second end of another kind added", ADD_AUDIT(T(121), "FAILED", RUN("minute", 50)),
     TWO_ENDS | MISMATCH, 0, true},
    {"an end of nothing added", ADD_AUDIT(T(121), "SUCCESS", "randomblob(16)"), NO_START | MISMATCH,
     0, true},
    {"a start of nothing added", ADD_AUDIT(T(121), "STARTED", "randomblob(16)"), NO_END, 1, true},
    {"a second start added", ADD_AUDIT(T(121), "STARTED", RUN("minute", 50)), MISMATCH, 1, true},
    {"a failed run made a success", "UPDATE run SET state = 1 WHERE run_id = " RUN("five", 45),
     MISMATCH, 0, false},
    {"a failed run and its slot made a success",
     "UPDATE run SET state = 1 WHERE run_id = " RUN("five", 45) ";" OUTCOME(1) SLOT("five", 45),
     MISMATCH, 1, false},
    {"a run reopened",
     "UPDATE run SET state = 0, ended_at = NULL WHERE run_id = " RUN("minute", 50), MISMATCH, 0,
     false},
    {"a run removed", "DELETE FROM run WHERE run_id = " RUN("minute", 50), MISMATCH, 0, false},
    {"a run given to another job",
     "UPDATE run SET job_id = " JOB("five") " WHERE run_id = " RUN("minute", 50), MISMATCH, 1,
     false},
    {"a run of no known state", "UPDATE run SET state = 77 WHERE run_id = " RUN("minute", 50),
     MISMATCH, 0, false},
    {"an open run added",
     "INSERT INTO run (fence, run_id, job_id, due_at, attempt, trigger, state, node_no, "
     "started_at) "
     "VALUES (9999, randomblob(16), " JOB("minute") ", " T(120) ", 1, 3, 0, 1, " T(120) ")",
     NO_END, 1, false},
    {"a finished run added",
     "INSERT INTO run (fence, run_id, job_id, due_at, attempt, trigger, state, node_no, "
     "started_at, "
     "ended_at) VALUES (9999, randomblob(16), " JOB("minute") ", " T(120) ", 1, 3, 1, 1, " T(
         120) ", " T(120) ")",
     MISMATCH, 1, false},
    // Slots
    {"a slot removed", "DELETE FROM slot" SLOT("minute", 50), GAP, 1, false},
    {"the made-up slot of the night removed", "DELETE FROM slot" SLOT("night", 60), GAP, 1, false},
    {"all slots removed", "DELETE FROM slot", GAP, 145, false},
    {"a slot added",
     "INSERT INTO slot (due_at, job_id, outcome, reason, attempt, node_no) VALUES (" T(
         50) " + 1000, " JOB("minute") ", 7, 1, 1, 1)",
     EXTRA | MISMATCH, 2, false},
    {"a slot moved by a second", "UPDATE slot SET due_at = due_at + 1000" SLOT("minute", 50),
     GAP | EXTRA, 2, false},
    {"a failure made a success", OUTCOME(1) SLOT("five", 45), MISMATCH, 1, false},
    {"a failure made a skip", "UPDATE slot SET outcome = 7, reason = 1" SLOT("five", 45), MISMATCH,
     1, false},
    {"a miss made a skip", OUTCOME(7) SLOT("minute", 33), MISMATCH, 1, false},
    {"a reason changed", "UPDATE slot SET reason = 1" SLOT("minute", 33), MISMATCH, 1, false},
    {"a skip made a success", OUTCOME(1) SLOT("minute", 12), MISMATCH, 1, false},
    {"an outcome that nobody knows", OUTCOME(77) SLOT("minute", 50), MISMATCH, 1, false},
    {"a slot reopened", OUTCOME(0) SLOT("minute", 50), OPEN, 1, false},
    {"a skipped slot reopened", OUTCOME(0) SLOT("minute", 12), OPEN, 1, false},
    {"the mark raised", "UPDATE job SET high_water = " T(125) " WHERE name = 'minute'", GAP, 5,
     false},
    {"the mark raised beyond the end of time",
     "UPDATE job SET high_water = 9000000000000000 WHERE name = 'night'", GAP, 2, false},
    {"a schedule in force since before time",
     "UPDATE in_force SET from_ms = -9000000000000000 WHERE job_id = " JOB("night"), GAP, 0, false},
    {"the mark lowered", "UPDATE job SET high_water = " T(115) " WHERE name = 'minute'", EXTRA, 5,
     false},
    // What was in force
    {"fewer slots were due, it says",
     "UPDATE in_force SET spec = replace(spec, '*/5', '*/10') WHERE job_id = " JOB("five"), EXTRA,
     12, false},
    {"more slots were due, it says",
     "UPDATE in_force SET spec = replace(spec, '*/5', '*/2') WHERE job_id = " JOB("five"),
     GAP | EXTRA, 0, false},
    {"the gap's slots vanish, it says",
     "UPDATE in_force SET spec = replace(spec, '\"run\"', '\"skip\"') WHERE job_id = " JOB("night"),
     EXTRA, 1, false},
    {"another zone, it says",
     "UPDATE in_force SET spec = replace(spec, 'Europe/Berlin', 'UTC') WHERE job_id = " JOB(
         "night"),
     EXTRA, 1, false},
    {"a schedule that cannot be read",
     "UPDATE in_force SET spec = replace(spec, '*/5', '*/x') WHERE job_id = " JOB("five"), GAP, 1,
     false},
    {"more slots were due than anybody can count, it says",
     "UPDATE in_force SET from_ms = 0, spec = replace(spec, '*/5 * * * *', '@every 1s') WHERE "
     "job_id = " JOB("five"),
     GAP, 100001, false},
    {"a schedule out of force",
     "UPDATE in_force SET to_ms = " T(100) " WHERE job_id = " JOB("minute"), EXTRA, 20, false},
    // Controls
    {"the controls removed", "DELETE FROM control", POLICY, 9, false},
    {"a pause that was never there",
     "INSERT INTO control (job, kind, value, from_ms, to_ms, actor) VALUES ('minute', 0, 1, " T(
         50) " - 6000, " T(52) " + 6000, 'x')",
     POLICY, 3, false},
    {"a dry-run that was never there",
     "INSERT INTO control (job, kind, value, from_ms, to_ms, actor) VALUES (NULL, 1, 1, " T(
         50) " - 6000, " T(52) " + 6000, 'x')",
     POLICY, 4, false},
    {"a pause too short to tell",
     "INSERT INTO control (job, kind, value, from_ms, to_ms, actor) VALUES ('minute', 0, 1, " T(
         50) " - 4000, " T(50) " + 4000, 'x')",
     0, 0, false},
};

static void execute(const struct ledger *ledger, const char *label, const char *sql)
{
    static const char open_doors[] = "DROP TRIGGER IF EXISTS audit_no_update;"
                                     "DROP TRIGGER IF EXISTS audit_no_delete;"
                                     "DROP TRIGGER IF EXISTS seal_no_update;"
                                     "DROP TRIGGER IF EXISTS seal_no_delete;";
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(ledger->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, open_doors, NULL, NULL, &message) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", label, message);
    }
    sqlite3_close(db);
}

static size_t count_findings(struct ledger *ledger)
{
    struct verify_options options = {.since = INSTANT_NONE};
    struct verify_report report;
    struct error err = ERROR_INIT;
    assert_true(verify_store(ledger->store, &options, &report, &err));
    size_t total = report.finding_total;
    verify_report_release(&report);
    return total;
}

static void test_each_is_found(void **state)
{
    (void)state;
    struct ledger ledger;
    ledger_open(&ledger, LEDGER_SQLITE);
    ledger_fill(&ledger);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tampering *c = &cases[i];
        struct ledger copy;
        ledger_copy(&ledger, &copy);
        execute(&copy, c->label, c->sql);
        if (c->reseal) {
            ledger_reopen(&copy, false);
            ledger_seal(&copy);
        }
        ledger_reopen(&copy, true);
        ledger_expect(&copy, c->label, c->kinds);
        size_t findings = count_findings(&copy);
        if (c->findings != 0 && findings != c->findings) {
            fail_msg("%s: expected %zu findings, got %zu", c->label, c->findings, findings);
        }
        ledger_close(&copy);
    }
    ledger_close(&ledger);
}

// Every kind that there is must have been found by some case.
static void test_all_kinds_occur(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seen |= cases[i].kinds;
    }
    assert_int_equal(seen, KIND(VERIFY_KIND_COUNT) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found),
        cmocka_unit_test(test_all_kinds_occur),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
