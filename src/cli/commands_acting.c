// SPDX-License-Identifier: MIT
// Commands to act with: what operators want of a node, or of all of them.
#include "cli/commands.h"
#include "cli/run.h"

static const struct option run_options[] = {
    {"param", 0, VALUE_PARAM, true, false, "KEY=VALUE",
     "a parameter: IRONCRON_PARAM_KEY in the job's environment; may be repeated"},
    FLAG("dry-run", 0, "claim and audit the run, execute nothing"),
    FLAG("wait", 0, "wait for the end and show the output (the default)"),
    FLAG("detach", 0, "return as soon as a live node was asked"),
    ACTOR,
    REASON,
    END};
static const struct option backfill_options[] = {
    TAKES("from", 0, VALUE_TIME, "TIME", "the first due time of the range, included"),
    TAKES("to", 0, VALUE_TIME, "TIME", "the last one, included"),
    FLAG("force", 0, "also slots that have succeeded"),
    TAKES("max-parallel", 0, VALUE_COUNT, "N",
          "so many at once, where the job says `overlap: allow` (1)"),
    FLAG("dry-run", 0, "claim and audit the runs, execute nothing; no outcome changes"),
    ACTOR,
    REASON,
    END};
static const struct option cancel_options[] = {
    TAKES("job", 0, VALUE_JOB, "JOB", "every running run of this job"), ACTOR, REASON, END};
static const struct option pause_options[] = {
    ALL, FLAG("cancel-running", 0, "also end what is running"), REASON, ACTOR, END};
static const struct option resume_options[] = {ALL, REASON, ACTOR, END};
static const struct option switch_options[] = {REASON, ACTOR, END};
static const struct option drain_options[] = {
    FLAG("wait", 0, "until nothing runs there any more"),
    TAKES("timeout", 0, VALUE_DURATION, "DURATION",
          "wait so long at most, such as 10m; then exit 75"),
    REASON, ACTOR, END};

const struct command commands_acting[] = {
    {
        .name = "run",
        .arguments = ONE("JOB", VALUE_JOB),
        .options = run_options,
        .summary = "run a job once, now",
        .help = "One manual run through the same lock, audit and metrics as a scheduled one. A "
                "live node carries it out; where none lives, this command becomes a short-lived "
                "node itself. Shows the output and exits 0 when the run succeeded, 1 otherwise. "
                "Ctrl-C stops the waiting, not a run on a live node.\n\n"
                "A pause or throttle does not hold it back, a dry-run does. While the job runs it "
                "is refused, unless the job says `overlap: allow`.",
        .examples =
            EXAMPLES("ironcron run rollup-daily", "and wait for the end",
                     "ironcron run rollup-daily --param day=2026-11-23 --reason \"ticket 4711\"",
                     "with a parameter and a reason"),
        .run = command_run,
    },
    {
        .name = "backfill",
        .arguments = ONE("JOB", VALUE_JOB),
        .options = backfill_options,
        .summary = "run the slots of a past range that have no success",
        .help =
            "Oldest first, each once: 10,000 slots at most, none that the schedule has not come to "
            "yet. For the time before the job was in force its schedule says what would have been "
            "due. Prints how far it is, and exits 0 when every slot succeeded, 1 otherwise.\n\n"
            "A live node carries it out beside the schedule, which goes first: a slot that becomes "
            "due waits for the run at hand and is not lost. Where no node lives, this command "
            "becomes a short-lived node itself. Should the node die, the next one goes on where it "
            "was. A pause of the job holds it. Ctrl-C leaves it going at a live node; `ironcron "
            "runs cancel --job JOB` ends it.\n\n"
            "A date alone is its midnight in UTC: `--to 2026-11-23` ends before the slots of that "
            "day, `--to 2026-11-23T23:59:59Z` with them.\n\n"
            "A failed run is counted and not tried again by itself: the same command does that. "
            "Runs of a backfill wait for no other job (`after`).",
        .examples = EXAMPLES(
            "ironcron backfill rollup-daily --from 2026-11-01 --to 2026-11-24",
            "what was missed or failed until the end of the 23rd",
            "ironcron backfill rollup-daily --from -7d --to -1d --force --reason \"new rates\"",
            "a week once more"),
        .run = command_backfill,
    },
    {
        .name = "runs retry",
        .arguments = ONE("ID", VALUE_RUN),
        .options = switch_options,
        .summary = "another attempt at the slot of a run that ended badly",
        .help =
            "The slot must have ended FAILED, TIMED_OUT, LOST or CANCELLED; its outcome becomes "
            "that of the new attempt. Also of a paused job, but not in a dry-run. A manual run has "
            "no slot: its retry is a new manual run, with the default parameters, since those "
            "given are not kept. Shows the output and exits 0 when the run succeeded, 1 otherwise.",
        .examples = EXAMPLES("ironcron runs retry 019a1b2c --reason \"disk was full\"",
                             "after it was mended"),
        .run = command_runs_retry,
    },
    {
        .name = "runs cancel",
        .arguments = {{"ID", VALUE_RUN, false, false, "job"}},
        .options = cancel_options,
        .summary = "end a run, or all running runs of a job",
        .help = "The run's processes get TERM, and KILL after the job's `kill_after`; it ends as "
                "CANCELLED. With --job a backfill of the job is given up, too.",
        .examples = EXAMPLES("ironcron runs cancel 019a1b2c --reason \"wrong input\"", "one run",
                             "ironcron runs cancel --job rollup-daily", "all of a job"),
        .run = command_runs_cancel,
    },
    {
        .name = "pause",
        .arguments = {JOB_OR_ALL},
        .options = pause_options,
        .summary = "let a job's slots pass",
        .help =
            "Slots of a paused job are recorded as SKIPPED and never made up. What runs goes on, "
            "unless --cancel-running is given. Takes effect within two seconds, outlives restarts.",
        .examples = EXAMPLES("ironcron pause send-digest --reason \"mail server down\"", "one job",
                             "ironcron pause --all --cancel-running", "everything, at once"),
        .run = command_pause,
    },
    {
        .name = "resume",
        .arguments = {JOB_OR_ALL},
        .options = resume_options,
        .summary = "lift a pause",
        .help = "--all lifts the pause of all jobs; a job that was paused by its own name stays "
                "paused until it is resumed by its own name.",
        .examples = EXAMPLES("ironcron resume send-digest", "slots count again from now"),
        .run = command_resume,
    },
    {
        .name = "dry-run",
        .arguments = {{"on|off", VALUE_SWITCH, false, false, NULL},
                      {"JOB", VALUE_JOB, true, false, NULL}},
        .options = switch_options,
        .summary = "claim and audit slots without executing them",
        .help = "Of one job, or of all when no job is named. A node started with --dry-run stays "
                "in it whatever is said here: the strictest wins.",
        .examples = EXAMPLES("ironcron dry-run on --reason \"migration\"", "all jobs",
                             "ironcron dry-run off rollup-daily", "one job"),
        .run = command_dry_run,
    },
    {
        .name = "throttle",
        .arguments = {JOB_OR_ALL, {"xN|off", VALUE_FACTOR, false, false, NULL}},
        .options = resume_options,
        .summary = "run only one slot in N",
        .help = "With x4 each fourth slot runs, the others are recorded as SKIPPED. Takes effect "
                "within two seconds, outlives restarts.",
        .examples = EXAMPLES("ironcron throttle warm-cache x4 --reason \"database slow\"",
                             "a quarter of the slots", "ironcron throttle --all off",
                             "back to all of them"),
        .run = command_throttle,
    },
    {
        .name = "nodes drain",
        .arguments = ONE("NODE", VALUE_NODE),
        .options = drain_options,
        .summary = "let a node begin nothing new, as before maintenance of its host",
        .help =
            "NODE is its host, its id, or the beginning of that. What it runs goes on to its end, "
            "and it stays up; the other nodes take its jobs at once, with the attempts that wait "
            "there. So until it is resumed, or started anew. Where no other node is live nothing "
            "starts meanwhile, and what was due is a case for each job's `missed`.\n\n"
            "With --wait it exits 0 once nothing runs there any more; Ctrl-C ends the waiting "
            "only.",
        .examples = EXAMPLES("ironcron nodes drain alpha --wait --reason \"new kernel\"",
                             "then stop it and restart the host"),
        .run = command_nodes_drain,
    },
    {
        .name = "nodes resume",
        .arguments = ONE("NODE", VALUE_NODE),
        .options = switch_options,
        .summary = "let a node that drains take jobs again",
        .help = "It has its share of the jobs again at once.",
        .examples = EXAMPLES("ironcron nodes resume alpha", "after the maintenance"),
        .run = command_nodes_resume,
    },
    {
        .name = "reload",
        .options = switch_options,
        .summary = "have the live node read its configuration",
        .help = "Checks the configuration first and changes nothing when it has an error. The same "
                "as a HUP signal to `serve`, but says how it went.",
        .examples = EXAMPLES("ironcron reload", "after an edit"),
        .run = command_reload,
    },
    {.name = NULL},
};
