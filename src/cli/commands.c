// SPDX-License-Identifier: MIT
// The command line, whole: what is not in this table does not exist.
#include "cli/command.h"
#include "cli/run.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, VALUE_NONE, false, false, NULL, NULL                                              \
    }
#define FLAG(name, letter, summary)                                                                \
    {                                                                                              \
        name, letter, VALUE_NONE, false, false, NULL, summary                                      \
    }
#define TAKES(name, letter, kind, placeholder, summary)                                            \
    {                                                                                              \
        name, letter, kind, false, false, placeholder, summary                                     \
    }
#define EXAMPLES (const char *const[])

#define SINCE                                                                                      \
    TAKES("since", 0, VALUE_TIME, "TIME", "not before: RFC 3339, a date, or -2h for two hours ago")
#define UNTIL  TAKES("until", 0, VALUE_TIME, "TIME", "before this time")
#define LIMIT  TAKES("limit", 0, VALUE_COUNT, "N", "at most so many, newest first (20)")
#define JOB    TAKES("job", 0, VALUE_JOB, "JOB", "only of this job")
#define ALL    FLAG("all", 0, "all jobs, also those that are added later")
#define ACTOR  TAKES("as", 0, VALUE_TEXT, "NAME", "a name recorded beside user@host, never instead")
#define REASON TAKES("reason", 0, VALUE_TEXT, "TEXT", "why; shown to the next person who looks")

static const struct option serve_options[] = {
    FLAG("dry-run", 0, "claim, audit and log every slot, execute nothing"), END};
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
         "went "
         "back in time"),
    END};
static const struct option why_options[] = {
    TAKES("at", 0, VALUE_TIME, "TIME", "the slot of this time (the newest that is due)"), END};
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
static const struct option runs_options[] = {JOB,
                                             TAKES("state", 0, VALUE_STATE, "STATE",
                                                   "only in this state: started, success, failed, "
                                                   "timed_out, lost, cancelled, dry_run"),
                                             SINCE,
                                             UNTIL,
                                             LIMIT,
                                             END};
static const struct option output_options[] = {FLAG("follow", 'f', "go on until the run ends"),
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
static const struct option audit_options[] = {
    JOB,   TAKES("event", 0, VALUE_TEXT, "EVENT", "only this event: STARTED, FAILED, PAUSED, …"),
    SINCE, UNTIL,
    LIMIT, END};
// Those that only a later version will know are understood, so that they are no slips.
static const struct option migrate_options[] = {
    FLAG("store", 0, "ironcron's own tables, in the database that `store` names"),
    {"dir", 0, VALUE_FILE, false, true, "DIR", "a folder of Prisma migrations"},
    {"database", 0, VALUE_TEXT, false, true, "NAME", "one of `databases`"},
    {"url", 0, VALUE_TEXT, false, true, "URL", "a database by its URL"},
    END};
static const struct option verify_options[] = {SINCE, END};
static const struct option export_options[] = {JOB, SINCE, UNTIL, END};
static const struct option import_options[] = {
    FLAG("system", 0, "the sixth word of an entry is its user, as in /etc/crontab"),
    TAKES("user", 0, VALUE_TEXT, "NAME", "there is no such word; the entries are those of NAME"),
    TAKES("tz", 0, VALUE_ZONE, "ZONE", "the zone that cron followed (this machine's)"),
    TAKES("part", 0, VALUE_COUNT, "N", "of jobs that do not fit into one file, the Nth part (1)"),
    END};
static const struct option help_options[] = {
    {"markdown", 0, VALUE_NONE, false, true, NULL, "all commands, as docs/cli.md"},
    {"man", 0, VALUE_NONE, false, true, NULL, "ironcron(1); of the configuration: ironcron.yml(5)"},
    END};

#define NO_ARGUMENTS                                                                               \
    {                                                                                              \
        {                                                                                          \
            NULL, VALUE_NONE, false, false, NULL                                                   \
        }                                                                                          \
    }
#define JOB_OR_ALL                                                                                 \
    {                                                                                              \
        "JOB", VALUE_JOB, false, false, "all"                                                      \
    }
#define ONE(name, kind)                                                                            \
    {                                                                                              \
        {                                                                                          \
            name, kind, false, false, NULL                                                         \
        }                                                                                          \
    }

const struct command command_table[] = {
    {"init",
     "Setting up",
     false,
     {{"FILE", VALUE_FILE, true, false, NULL}},
     NULL,
     "write a commented ironcron.yml to start from",
     "Writes FILE (./ironcron.yml) and prints the two commands that go on from there. A file that "
     "is "
     "there already is never overwritten.",
     EXAMPLES{"ironcron init", "ironcron.yml in this folder", NULL},
     command_init},
    {"validate", "Setting up", false, NO_ARGUMENTS, NULL,
     "check the configuration and this machine, without side effects",
     "First the configuration by itself: every error at once, with file, line, column and remedy "
     "(exit "
     "78). Then what it needs from this machine: store, time zones, commands and their users, disk "
     "space, ports, clock. `serve` runs the same checks and refuses to start on a failed one.",
     EXAMPLES{"ironcron validate", "all checks as a table",
              "ironcron -c /etc/ironcron/ironcron.yml --json validate", "for a deployment pipeline",
              NULL},
     command_validate},
    {"migrate deploy", "Setting up", false, NO_ARGUMENTS, migrate_options,
     "make the store's tables on PostgreSQL, or bring them up to date",
     "Once before the first start, and after each upgrade that needs it: `serve` refuses a store "
     "that "
     "is behind or ahead. Under a lock, in one transaction: doing it twice, or at once on two "
     "hosts, "
     "is fine. Needs the right to create a schema in that database; the role that made the tables "
     "owns them. Exits 75 when the server cannot be reached, and 78 when the tables are newer than "
     "this program. Only --store is in this version.",
     EXAMPLES{"ironcron migrate deploy --store", "then: ironcron validate", NULL},
     command_migrate_deploy},
    {"migrate status", "Setting up", false, NO_ARGUMENTS, migrate_options,
     "are the store's tables those that this program wants?",
     "Exits 0 when they are and 1 when there are none, or those of another version. Changes "
     "nothing.",
     EXAMPLES{"ironcron migrate status --store", "for a deployment pipeline", NULL},
     command_migrate_status},
    {"import crontab", "Setting up", false, ONE("FILE|DIR|-", VALUE_FILE), import_options,
     "print the jobs of a crontab as YAML",
     "Prints `jobs` for a configuration on stdout and, on stderr, each line that it could not "
     "carry "
     "over, with the reason. Writes nothing. Exits 0 when all was carried over, and 1 when "
     "something "
     "was not; notes name what is carried over with a difference.\n\n"
     "A file in a folder named cron.d, or named crontab, has the user column; --system and --user "
     "say otherwise. A file in a folder named crontabs belongs to the user whose name it has. Of a "
     "folder such as /etc: crontab, cron.d, and the programs of cron.hourly, cron.daily, "
     "cron.weekly and cron.monthly, at the times that its crontab says. The users' own crontabs "
     "lie "
     "in /var/spool/cron/crontabs. docs/moving-in.md tells what is different from cron.",
     EXAMPLES{"ironcron import crontab /etc >ironcron.yml", "all of a machine's system jobs",
              "ironcron import crontab /var/spool/cron/crontabs >jobs.d/users.yml",
              "those of all users", "crontab -l | ironcron import crontab -", "one's own", NULL},
     command_import_crontab},
    {"import pg_cron", "Setting up", false, ONE("URL", VALUE_TEXT), NULL,
     "print the jobs of pg_cron as YAML",
     "Reads cron.job and cron.job_run_details of the database that URL names (postgresql://...; "
     "with $PGPASSWORD or a password file, so that no password stands in the list of processes), "
     "and prints `databases` and `jobs` for a configuration on stdout; passwords become "
     "references. On stderr stands what it could not carry over, and what is different. Writes "
     "nothing, and pg_cron goes on as it is. Exits 0 when all was carried over, and 1 when "
     "something was not. docs/moving-in.md tells the rest.",
     EXAMPLES{"ironcron import pg_cron postgresql://postgres@db.internal/postgres >ironcron.yml",
              "all jobs of a server; cron.database_name says where they lie", NULL},
     command_import_pg_cron},
    {"serve", "Setting up", false, NO_ARGUMENTS, serve_options,
     "run the scheduler in the foreground",
     "Runs the jobs and answers HTTP (/metrics, /livez, /readyz, /api/v1). Logs go to stderr.\n\n"
     "With --dry-run, or JOB_DRY_RUN set to 1, true, yes or on, every slot is claimed, audited as "
     "DRY_RUN and logged, and nothing is executed.\n\n"
     "TERM or INT: claims nothing more, lets running jobs finish within `node.drain`, then ends "
     "them; "
     "a second signal ends them at once. HUP: reads the configuration again, or keeps the old one "
     "and "
     "says why. A store on SQLite has one node: a second `serve` is refused and told who the first "
     "is; on PostgreSQL there may be many (docs/fleet.md).",
     EXAMPLES{"ironcron serve", "in the foreground, until TERM", "ironcron serve --dry-run",
              "watch what would run", NULL},
     command_serve},

    {"status", "Looking", false, NO_ARGUMENTS, NULL, "one screen for three in the morning",
     "Mode, store and node; what runs, what failed in the last 24 hours, what is late or had no "
     "success within its `must_succeed_within`, what was missed, what is paused or "
     "throttled and by whom, and what comes in the next hour. Each line names the command that "
     "goes on. "
     "Exits 0 when all is well and 1 when something is wrong.",
     EXAMPLES{"ironcron status", "look", "ironcron status >/dev/null || page-me", "in a script",
              NULL},
     command_status},
    {"next",
     "Looking",
     false,
     {{"SCHEDULE|JOB", VALUE_SCHEDULE, false, false, "all"}},
     next_options,
     "the coming slots of a schedule or a job, and what clock changes do to them",
     "One line a slot, RFC 3339 in the zone's offset. A word that is the name of a configured job "
     "means "
     "that job, with its zone and its `dst`; anything else is a schedule, which needs no "
     "configuration.\n\n"
     "--explain adds the schedule in plain words, and for the next two changes of the zone's clock "
     "what "
     "runs, is skipped or is repeated.\n\n"
     "--all gives the coming slots of all jobs in the order of time, each in its job's zone. With "
     "--explain it is instead the report of all clock changes of a year in the zones in use, from "
     "--from on: for each change the jobs whose slots do not exist, come together, are skipped or "
     "come twice, with the exact times; a job that is not touched is only counted.",
     EXAMPLES{"ironcron next \"30 2 * * *\" --tz Europe/Berlin", "the next five nights",
              "ironcron next rollup-daily --from 2027-03-27 --count 3 --explain",
              "around a clock change", "ironcron next --all --explain",
              "all jobs that a clock change of the coming year touches", NULL},
     command_next},
    {"jobs",
     "Looking",
     false,
     {{"PATTERN", VALUE_TEXT, true, false, NULL}},
     jobs_options,
     "all jobs: state, schedule, next slot, last result",
     "The next slot is in the job's own zone. States: ok, failing (the last run did not succeed), "
     "running, cut_off (its run's node is gone, which the next node records as LOST), paused, "
     "dry-run, throttled, never_ran. PATTERN picks jobs by their names, as a shell does; --state "
     "picks those in one state, or those that are late or stale (no success within "
     "`must_succeed_within`).",
     EXAMPLES{"ironcron jobs", "as a table", "ironcron jobs \"rollup-*\" --state failing",
              "of the roll-ups those that fail",
              "ironcron --json jobs --state paused | jq -r '.[].job'", "names of the paused ones",
              NULL},
     command_jobs},
    {"jobs show", "Looking", false, ONE("JOB", VALUE_JOB), NULL,
     "one job: definition, history as a strip, next slots, who paused it",
     "Each control in force with its author and reason; the definition with all defaults filled "
     "in; what runs or waits now; the last sixty slots as one line of marks, oldest first, with "
     "the durations of their runs; the last success and failure; the next three slots.\n\n"
     "The marks, on a terminal that shows more than ASCII and elsewhere: ✔ S success, ✘ F failed, "
     "◷ T timed out, ? L lost, ⊘ C cancelled, ○ D dry-run, – - skipped, ∅ M missed, ▶ R running, "
     "↻ W waits, · . not decided yet, ! not kept any more. A manual run has "
     "no "
     "slot and no mark.",
     EXAMPLES{"ironcron jobs show rollup-daily", "all about it", NULL}, command_jobs_show},
    {"runs", "Looking", false, NO_ARGUMENTS, runs_options, "history of runs, newest first",
     "One line a run. The id may be shortened wherever a command takes one, as long as it stays "
     "unique.",
     EXAMPLES{"ironcron runs --state failed --since -24h", "what failed since yesterday",
              "ironcron runs --job rollup-daily --limit 3", "the last three of a job", NULL},
     command_runs},
    {"runs show", "Looking", false, ONE("ID", VALUE_RUN), NULL, "one run, with its audit trail",
     "Everything that is kept about a run: times, node, fence, exit code, error, what its runner "
     "told at the end (memory, rows, a status), the attempts at its slot, each audit event, the "
     "last lines of its output, and the command that goes on.",
     EXAMPLES{"ironcron runs show 019a1b2c", "by the beginning of its id", NULL},
     command_runs_show},
    {"runs output", "Looking", false, ONE("ID", VALUE_RUN), output_options, "what a run printed",
     "Standard output and error as they came. On a terminal, control bytes are replaced; into a "
     "file or "
     "pipe the bytes go unchanged. With --json one document a piece: run_id, offset, text.",
     EXAMPLES{"ironcron runs output 019a1b2c -f", "follow a run until it ends", NULL},
     command_runs_output},
    {"why", "Looking", false, ONE("JOB", VALUE_JOB), why_options, "why a slot did or did not run",
     "The cause in a sentence; the rows that prove it: slot, runs, audit, who paused or throttled "
     "it and why, whether a node was up, which schedule was in force; and the next command to "
     "type. For a time that is no slot: the slots around it, and whether a clock change is the "
     "reason. Exits 0 when there is an answer and 1 when nothing that is kept tells it.",
     EXAMPLES{"ironcron why rollup-daily", "its newest slot",
              "ironcron why rollup-daily --at 2027-03-28T02:30:00+01:00", "a certain one", NULL},
     command_why},
    {"doctor", "Looking", false, NO_ARGUMENTS, doctor_options,
     "what needs a hand, each with its remedy",
     "A stuck lock, runs past their timeout, jobs that are late or were never taken over, open "
     "slots, an audit log that is not sealed, the store's file, the clock, the time zone data, the "
     "disk. Exits 0 when all is well, and 1 when there is something to do; notes do not "
     "count.",
     EXAMPLES{"ironcron doctor", "look", "ironcron doctor --deep", "and read the whole store",
              NULL},
     command_doctor},
    {"nodes", "Looking", false, NO_ARGUMENTS, NULL, "the nodes that ran on this store",
     "Newest first. On a store on SQLite a node is `live` while it holds the store's lock. On "
     "PostgreSQL it is while its lease lasts: `overdue` is past it, until a live node has declared "
     "it "
     "dead (`lost`); `gone` was killed on this host. Exits 1 when one is overdue.",
     EXAMPLES{"ironcron nodes", "who runs, since when", NULL}, command_nodes},

    {"run", "Acting", false, ONE("JOB", VALUE_JOB), run_options, "run a job once, now",
     "One manual run through the same lock, audit and metrics as a scheduled one. A live node "
     "carries it "
     "out; where none lives, this command becomes a short-lived node itself. Shows the output and "
     "exits 0 "
     "when the run succeeded, 1 otherwise. Ctrl-C stops the waiting, not a run on a live node.\n\n"
     "A pause or throttle does not hold it back, a dry-run does. While the job runs it is refused, "
     "unless the job says `overlap: allow`.",
     EXAMPLES{"ironcron run rollup-daily", "and wait for the end",
              "ironcron run rollup-daily --param day=2026-11-23 --reason \"ticket 4711\"",
              "with a parameter and a reason", NULL},
     command_run},
    {"backfill", "Acting", false, ONE("JOB", VALUE_JOB), backfill_options,
     "run the slots of a past range that have no success",
     "Oldest first, each once: 10,000 slots at most, none that the schedule has not come to yet. "
     "For "
     "the time before the job was in force its schedule says what would have been due. Prints how "
     "far it is, and exits 0 when every slot succeeded, 1 otherwise.\n\n"
     "A live node carries it out beside the schedule, which goes first: a slot that becomes due "
     "waits for the run at hand and is not lost. Where no node lives, this command becomes a "
     "short-lived node itself. Should the node die, the next one goes on where it was. A pause of "
     "the "
     "job holds it. Ctrl-C leaves it going at a live node; `ironcron runs cancel --job JOB` ends "
     "it.\n\n"
     "A date alone is its midnight in UTC: `--to 2026-11-23` ends before the slots of that day, "
     "`--to 2026-11-23T23:59:59Z` with them.\n\n"
     "A failed run is counted and not tried again by itself: the same command does that. Runs of a "
     "backfill wait for no other job (`after`).",
     EXAMPLES{"ironcron backfill rollup-daily --from 2026-11-01 --to 2026-11-24",
              "what was missed or failed until the end of the 23rd",
              "ironcron backfill rollup-daily --from -7d --to -1d --force --reason \"new rates\"",
              "a week once more", NULL},
     command_backfill},
    {"runs retry", "Acting", false, ONE("ID", VALUE_RUN), switch_options,
     "another attempt at the slot of a run that ended badly",
     "The slot must have ended FAILED, TIMED_OUT, LOST or CANCELLED; its outcome becomes that of "
     "the "
     "new attempt. Also of a paused job, but not in a dry-run. A manual run has no slot: its retry "
     "is "
     "a new manual run, with the default parameters, since those given are not kept. Shows the "
     "output "
     "and exits 0 when the run succeeded, 1 otherwise.",
     EXAMPLES{"ironcron runs retry 019a1b2c --reason \"disk was full\"", "after it was mended",
              NULL},
     command_runs_retry},
    {"runs cancel",
     "Acting",
     false,
     {{"ID", VALUE_RUN, false, false, "job"}},
     cancel_options,
     "end a run, or all running runs of a job",
     "The run's processes get TERM, and KILL after the job's `kill_after`; it ends as CANCELLED. "
     "With "
     "--job a backfill of the job is given up, too.",
     EXAMPLES{"ironcron runs cancel 019a1b2c --reason \"wrong input\"", "one run",
              "ironcron runs cancel --job rollup-daily", "all of a job", NULL},
     command_runs_cancel},
    {"pause",
     "Acting",
     false,
     {JOB_OR_ALL},
     pause_options,
     "let a job's slots pass",
     "Slots of a paused job are recorded as SKIPPED and never made up. What runs goes on, unless "
     "--cancel-running is given. Takes effect within two seconds, outlives restarts.",
     EXAMPLES{"ironcron pause send-digest --reason \"mail server down\"", "one job",
              "ironcron pause --all --cancel-running", "everything, at once", NULL},
     command_pause},
    {"resume",
     "Acting",
     false,
     {JOB_OR_ALL},
     resume_options,
     "lift a pause",
     "--all lifts the pause of all jobs; a job that was paused by its own name stays paused until "
     "it is "
     "resumed by its own name.",
     EXAMPLES{"ironcron resume send-digest", "slots count again from now", NULL},
     command_resume},
    {"dry-run",
     "Acting",
     false,
     {{"on|off", VALUE_SWITCH, false, false, NULL}, {"JOB", VALUE_JOB, true, false, NULL}},
     switch_options,
     "claim and audit slots without executing them",
     "Of one job, or of all when no job is named. A node started with --dry-run stays in it "
     "whatever is "
     "said here: the strictest wins.",
     EXAMPLES{"ironcron dry-run on --reason \"migration\"", "all jobs",
              "ironcron dry-run off rollup-daily", "one job", NULL},
     command_dry_run},
    {"throttle",
     "Acting",
     false,
     {JOB_OR_ALL, {"xN|off", VALUE_FACTOR, false, false, NULL}},
     resume_options,
     "run only one slot in N",
     "With x4 each fourth slot runs, the others are recorded as SKIPPED. Takes effect within two "
     "seconds, "
     "outlives restarts.",
     EXAMPLES{"ironcron throttle warm-cache x4 --reason \"database slow\"",
              "a quarter of the slots", "ironcron throttle --all off", "back to all of them", NULL},
     command_throttle},
    {"nodes drain", "Acting", false, ONE("NODE", VALUE_NODE), drain_options,
     "let a node begin nothing new, as before maintenance of its host",
     "NODE is its host, its id, or the beginning of that. What it runs goes on to its end, and it "
     "stays "
     "up; the other nodes take its jobs at once, with the attempts that wait there. So until it is "
     "resumed, or started anew. Where no other node is live nothing starts meanwhile, and what was "
     "due is "
     "a case for each job's `missed`.\n\n"
     "With --wait it exits 0 once nothing runs there any more; Ctrl-C ends the waiting only.",
     EXAMPLES{"ironcron nodes drain alpha --wait --reason \"new kernel\"",
              "then stop it and restart the host", NULL},
     command_nodes_drain},
    {"nodes resume", "Acting", false, ONE("NODE", VALUE_NODE), switch_options,
     "let a node that drains take jobs again", "It has its share of the jobs again at once.",
     EXAMPLES{"ironcron nodes resume alpha", "after the maintenance", NULL}, command_nodes_resume},
    {"reload", "Acting", false, NO_ARGUMENTS, switch_options,
     "have the live node read its configuration",
     "Checks the configuration first and changes nothing when it has an error. The same as a HUP "
     "signal to "
     "`serve`, but says how it went.",
     EXAMPLES{"ironcron reload", "after an edit", NULL}, command_reload},

    {"audit", "Audit", false, NO_ARGUMENTS, audit_options, "newest events of the audit log",
     "Who did what, and what became of each slot. Rows are sealed into a chain of hashes about "
     "each second; "
     "one that is not sealed yet has no number.",
     EXAMPLES{"ironcron audit --event PAUSED --since -7d", "who paused what",
              "ironcron audit --job rollup-daily --limit 50", "all about a job", NULL},
     command_audit},
    {"audit verify", "Audit", false, NO_ARGUMENTS, verify_options,
     "prove that the ledger is whole and agrees with the schedules",
     "Checks the chain of hashes, that each STARTED has exactly one end, and that the slots "
     "recomputed from "
     "the schedules in force equal the slots in the ledger, up to each job's high-water mark. "
     "Names every "
     "gap. The last line is PASS (exit 0) or FAIL (exit 1).",
     EXAMPLES{"ironcron audit verify", "everything that is kept",
              "ironcron audit verify --since -7d", "the last week", NULL},
     command_audit_verify},
    {"audit export", "Audit", false, NO_ARGUMENTS, export_options,
     "sealed audit rows as JSON lines, oldest first",
     "One document a row, with prev_hash and hash, so that anybody can check the chain; "
     "docs/audit-format.md gives the exact bytes.",
     EXAMPLES{"ironcron audit export --since 2026-11-01 >november.jsonl", "a month", NULL},
     command_audit_export},

    {"completion", "About", false, ONE("SHELL", VALUE_SHELL), NULL,
     "a completion script for your shell",
     "bash: source <(ironcron completion bash)\n\nzsh: ironcron completion zsh "
     ">\"${fpath[1]}/_ironcron\"\n\n"
     "fish: ironcron completion fish >~/.config/fish/completions/ironcron.fish",
     EXAMPLES{"source <(ironcron completion bash)", "in this shell", NULL}, command_completion},
    {"version", "About", false, NO_ARGUMENTS, NULL, "version of ironcron and of the time zone data",
     "", EXAMPLES{"ironcron version", "also: ironcron --version", NULL}, command_version},
    {"help",
     "About",
     false,
     {{"COMMAND", VALUE_COMMAND, true, true, NULL}},
     help_options,
     "this overview, or all about one command",
     "`ironcron help configuration` prints the reference of ironcron.yml.",
     EXAMPLES{"ironcron help runs output", "one command", NULL},
     command_help},
    {"worker",
     "About",
     true,
     {{"JOB", VALUE_TEXT, true, false, NULL}},
     NULL,
     "what ironcron starts for a SQL job on a SQLite database",
     "",
     NULL,
     command_worker},
    {"__complete",
     "About",
     true,
     {{"WORD", VALUE_TEXT, true, true, NULL}},
     NULL,
     "what the completion scripts ask",
     "",
     NULL,
     command_complete},
};
const size_t command_count = sizeof command_table / sizeof command_table[0];
