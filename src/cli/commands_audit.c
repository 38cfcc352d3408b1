// SPDX-License-Identifier: MIT
// Commands about the audit log.
#include "cli/commands.h"
#include "cli/run.h"

static const struct option audit_options[] = {
    JOB,   TAKES("event", 0, VALUE_TEXT, "EVENT", "only this event: STARTED, FAILED, PAUSED, …"),
    SINCE, UNTIL,
    LIMIT, END};
static const struct option verify_options[] = {
    SINCE,
    TAKES("expect", 0, VALUE_TEXT, "SEQ:HASH",
          "a chain head that was printed before: the chain must still go through it"),
    END};
static const struct option export_options[] = {JOB, SINCE, UNTIL, END};

const struct command commands_audit[] = {
    {
        .name = "audit",
        .options = audit_options,
        .summary = "newest events of the audit log",
        .help = "Who did what, and what became of each slot. Rows are sealed into a chain of "
                "hashes about each second; one that is not sealed yet has no number.",
        .examples = EXAMPLES("ironcron audit --event PAUSED --since -7d", "who paused what",
                             "ironcron audit --job rollup-daily --limit 50", "all about a job"),
        .run = command_audit,
    },
    {
        .name = "audit verify",
        .options = verify_options,
        .summary = "prove that the ledger is whole and agrees with the schedules",
        .help = "Checks the chain of hashes, that each STARTED has exactly one end, and that the "
                "slots recomputed from the schedules in force equal the slots in the ledger, up to "
                "each job's high-water mark. Names every gap. The chain's end must be the one that "
                "the store has noted and, on PostgreSQL, go through what this host's node has "
                "seen. Who may write to the store can forge all of that; a chain head that was "
                "kept elsewhere, and is given with --expect, not. The last line is PASS (exit 0) "
                "or FAIL (exit 1).",
        .examples = EXAMPLES("ironcron audit verify", "everything that is kept",
                             "ironcron audit verify --since -7d", "the last week",
                             "ironcron audit verify --expect \"$(cat head.txt)\"",
                             "and what was seen then is as it was"),
        .run = command_audit_verify,
    },
    {
        .name = "audit export",
        .options = export_options,
        .summary = "sealed audit rows as JSON lines, oldest first",
        .help = "One document a row, with prev_hash and hash, so that anybody can check the chain; "
                "docs/audit-format.md gives the exact bytes.",
        .examples = EXAMPLES("ironcron audit export --since 2026-11-01 >november.jsonl", "a month"),
        .run = command_audit_export,
    },
    {.name = NULL},
};
