// SPDX-License-Identifier: MIT
// Commands to look with: at what is, was and comes.
#include "cli/commands.h"
#include "cli/run.h"

static const struct option next_options[] = {
    TAKES("tz", 0, VALUE_ZONE, "ZONE", "time zone of the schedule (UTC, or the job's)"),
    TAKES("from", 0, VALUE_TIME, "TIME", "slots after this time (now)"),
    TAKES("count", 'n', VALUE_COUNT, "N", "how many (5; with --all 20)"),
    FLAG("all", 0, "of all jobs"),
    FLAG("explain", 0, "the schedule in plain words, and what the next two clock changes do to it"),
    END};
static const struct option jobs_options[] = {
    TAKES("state", 0, VALUE_JOB_STATE, "STATE",
          "only in this state: ok, failing, running, cut_off, paused, dry-run, throttled, "
          "never_ran, late, stale"),
    END};
static const struct option doctor_options[] = {
    FLAG("deep", 0, "read the whole store and look for damage"),
    FLAG("accept-rewind", 0,
         "this host goes on with a store on PostgreSQL that is another one than it has seen, or "
         "went back in time"),
    END};
static const struct option why_options[] = {
    TAKES("at", 0, VALUE_TIME, "TIME", "the slot of this time (the newest that is due)"), END};
static const struct option runs_options[] = {
    JOB,
    TAKES("state", 0, VALUE_STATE, "STATE",
          "only in this state: started, success, failed, timed_out, lost, cancelled, dry_run"),
    SINCE,
    UNTIL,
    LIMIT,
    END};
static const struct option output_options[] = {FLAG("follow", 'f', "go on until the run ends"),
                                               END};

const struct command commands_looking[] = {
    {
        .name = "status",
        .summary = "one screen for three in the morning",
        .help = "Mode, store and node; what runs, what failed in the last 24 hours, what is late "
                "or had no success within its `must_succeed_within`, what was missed, what is "
                "paused or throttled and by whom, and what comes in the next hour. Each line names "
                "the command that goes on. Exits 0 when all is well and 1 when something is wrong.",
        .examples = EXAMPLES("ironcron status", "look", "ironcron status >/dev/null || page-me",
                             "in a script"),
        .run = command_status,
    },
    {
        .name = "next",
        .arguments = {{"SCHEDULE|JOB", VALUE_SCHEDULE, false, false, "all"}},
        .options = next_options,
        .summary = "the coming slots of a schedule or a job, and what clock changes do to them",
        .help = "One line a slot, RFC 3339 in the zone's offset. A word that is the name of a "
                "configured job means that job, with its zone and its `dst`; anything else is a "
                "schedule, which needs no configuration.\n\n"
                "--explain adds the schedule in plain words, and for the next two changes of the "
                "zone's clock what runs, is skipped or is repeated.\n\n"
                "--all gives the coming slots of all jobs in the order of time, each in its job's "
                "zone. With --explain it is instead the report of all clock changes of a year in "
                "the zones in use, from --from on: for each change the jobs whose slots do not "
                "exist, come together, are skipped or come twice, with the exact times; a job that "
                "is not touched is only counted.",
        .examples =
            EXAMPLES("ironcron next \"30 2 * * *\" --tz Europe/Berlin", "the next five nights",
                     "ironcron next rollup-daily --from 2027-03-27 --count 3 --explain",
                     "around a clock change", "ironcron next --all --explain",
                     "all jobs that a clock change of the coming year touches"),
        .run = command_next,
    },
    {
        .name = "jobs",
        .arguments = {{"PATTERN", VALUE_TEXT, true, false, NULL}},
        .options = jobs_options,
        .summary = "all jobs: state, schedule, next slot, last result",
        .help = "The next slot is in the job's own zone. States: ok, failing (the last run did not "
                "succeed), running, cut_off (its run's node is gone, which the next node records "
                "as LOST), paused, dry-run, throttled, never_ran. PATTERN picks jobs by their "
                "names, as a shell does; --state picks those in one state, or those that are late "
                "or stale (no success within `must_succeed_within`).",
        .examples = EXAMPLES(
            "ironcron jobs", "as a table", "ironcron jobs \"rollup-*\" --state failing",
            "of the roll-ups those that fail",
            "ironcron --json jobs --state paused | jq -r '.[].job'", "names of the paused ones"),
        .run = command_jobs,
    },
    {
        .name = "jobs show",
        .arguments = ONE("JOB", VALUE_JOB),
        .summary = "one job: definition, history as a strip, next slots, who paused it",
        .help = "Each control in force with its author and reason; the definition with all "
                "defaults filled in; what runs or waits now; the last sixty slots as one line of "
                "marks, oldest first, with the durations of their runs; the last success and "
                "failure; the next three slots.\n\n"
                "The marks, on a terminal that shows more than ASCII and elsewhere: ✔ S success, ✘ "
                "F failed, ◷ T timed out, ? L lost, ⊘ C cancelled, ○ D dry-run, – - skipped, ∅ M "
                "missed, ▶ R running, ↻ W waits, · . not decided yet, ! not kept any more. A "
                "manual run has no slot and no mark.",
        .examples = EXAMPLES("ironcron jobs show rollup-daily", "all about it"),
        .run = command_jobs_show,
    },
    {
        .name = "runs",
        .options = runs_options,
        .summary = "history of runs, newest first",
        .help = "One line a run. The id may be shortened wherever a command takes one, as long as "
                "it stays unique.",
        .examples =
            EXAMPLES("ironcron runs --state failed --since -24h", "what failed since yesterday",
                     "ironcron runs --job rollup-daily --limit 3", "the last three of a job"),
        .run = command_runs,
    },
    {
        .name = "runs show",
        .arguments = ONE("ID", VALUE_RUN),
        .summary = "one run, with its audit trail",
        .help = "Everything that is kept about a run: times, node, fence, exit code, error, what "
                "its runner told at the end (memory, rows, a status), the attempts at its slot, "
                "each audit event, the last lines of its output, and the command that goes on.",
        .examples = EXAMPLES("ironcron runs show 019a1b2c", "by the beginning of its id"),
        .run = command_runs_show,
    },
    {
        .name = "runs output",
        .arguments = ONE("ID", VALUE_RUN),
        .options = output_options,
        .summary = "what a run printed",
        .help = "Standard output and error as they came. On a terminal, control bytes are "
                "replaced; into a file or pipe the bytes go unchanged. With --json one document a "
                "piece: run_id, offset, text.",
        .examples = EXAMPLES("ironcron runs output 019a1b2c -f", "follow a run until it ends"),
        .run = command_runs_output,
    },
    {
        .name = "why",
        .arguments = ONE("JOB", VALUE_JOB),
        .options = why_options,
        .summary = "why a slot did or did not run",
        .help = "The cause in a sentence; the rows that prove it: slot, runs, audit, who paused or "
                "throttled it and why, whether a node was up, which schedule was in force; and the "
                "next command to type. For a time that is no slot: the slots around it, and "
                "whether a clock change is the reason. Exits 0 when there is an answer and 1 when "
                "nothing that is kept tells it.",
        .examples =
            EXAMPLES("ironcron why rollup-daily", "its newest slot",
                     "ironcron why rollup-daily --at 2027-03-28T02:30:00+01:00", "a certain one"),
        .run = command_why,
    },
    {
        .name = "doctor",
        .options = doctor_options,
        .summary = "what needs a hand, each with its remedy",
        .help = "A stuck lock, runs past their timeout, jobs that are late or were never taken "
                "over, open slots, an audit log that is not sealed, the store's file, the clock, "
                "the time zone data, the disk. Exits 0 when all is well, and 1 when there is "
                "something to do; notes do not count.",
        .examples = EXAMPLES("ironcron doctor", "look", "ironcron doctor --deep",
                             "and read the whole store"),
        .run = command_doctor,
    },
    {
        .name = "nodes",
        .summary = "the nodes that ran on this store",
        .help = "Newest first. On a store on SQLite a node is `live` while it holds the store's "
                "lock. On PostgreSQL it is while its lease lasts: `overdue` is past it, until a "
                "live node has declared it dead (`lost`); `gone` was killed on this host. Exits 1 "
                "when one is overdue.",
        .examples = EXAMPLES("ironcron nodes", "who runs, since when"),
        .run = command_nodes,
    },
    {.name = NULL},
};
