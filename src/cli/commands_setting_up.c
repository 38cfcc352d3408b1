// SPDX-License-Identifier: MIT
// Commands to set up with: from a first file to a node that runs.
#include "cli/commands.h"
#include "cli/run.h"

static const struct option serve_options[] = {
    FLAG("dry-run", 0, "claim, audit and log every slot, execute nothing"), END};
// Those that only a later version will know are understood, so that they are no slips.
static const struct option migrate_options[] = {
    FLAG("store", 0, "ironcron's own tables, in the database that `store` names"),
    {"dir", 0, VALUE_FILE, false, true, "DIR", "a folder of Prisma migrations"},
    {"database", 0, VALUE_TEXT, false, true, "NAME", "one of `databases`"},
    {"url", 0, VALUE_TEXT, false, true, "URL", "a database by its URL"},
    END};
static const struct option import_options[] = {
    FLAG("system", 0, "the sixth word of an entry is its user, as in /etc/crontab"),
    TAKES("user", 0, VALUE_TEXT, "NAME", "there is no such word; the entries are those of NAME"),
    TAKES("tz", 0, VALUE_ZONE, "ZONE", "the zone that cron followed (this machine's)"),
    TAKES("part", 0, VALUE_COUNT, "N", "of jobs that do not fit into one file, the Nth part (1)"),
    END};

const struct command commands_setting_up[] = {
    {
        .name = "init",
        .arguments = {{"FILE", VALUE_FILE, true, false, NULL}},
        .summary = "write a commented ironcron.yml to start from",
        .help = "Writes FILE (./ironcron.yml) and prints the two commands that go on from there. A "
                "file that is there already is never overwritten.",
        .examples = EXAMPLES("ironcron init", "ironcron.yml in this folder"),
        .run = command_init,
    },
    {
        .name = "validate",
        .summary = "check the configuration and this machine, without side effects",
        .help = "First the configuration by itself: every error at once, with file, line, column "
                "and remedy (exit 78). Then what it needs from this machine: store, time zones, "
                "commands and their users, disk space, ports, clock. `serve` runs the same checks "
                "and refuses to start on a failed one.",
        .examples = EXAMPLES("ironcron validate", "all checks as a table",
                             "ironcron -c /etc/ironcron/ironcron.yml --json validate",
                             "for a deployment pipeline"),
        .run = command_validate,
    },
    {
        .name = "migrate deploy",
        .options = migrate_options,
        .summary = "make the store's tables on PostgreSQL, or bring them up to date",
        .help =
            "Once before the first start, and after each upgrade that needs it: `serve` refuses a "
            "store that is behind or ahead. Under a lock, in one transaction: doing it twice, or "
            "at once on two hosts, is fine. Needs the right to create a schema in that database; "
            "the role that made the tables owns them. Exits 75 when the server cannot be reached, "
            "and 78 when the tables are newer than this program. Only --store is in this version.",
        .examples = EXAMPLES("ironcron migrate deploy --store", "then: ironcron validate"),
        .run = command_migrate_deploy,
    },
    {
        .name = "migrate status",
        .options = migrate_options,
        .summary = "are the store's tables those that this program wants?",
        .help = "Exits 0 when they are and 1 when there are none, or those of another version. "
                "Changes nothing.",
        .examples = EXAMPLES("ironcron migrate status --store", "for a deployment pipeline"),
        .run = command_migrate_status,
    },
    {
        .name = "import crontab",
        .arguments = ONE("FILE|DIR|-", VALUE_FILE),
        .options = import_options,
        .summary = "print the jobs of a crontab as YAML",
        .help =
            "Prints `jobs` for a configuration on stdout and, on stderr, each line that it could "
            "not carry over, with the reason. Writes nothing. Exits 0 when all was carried over, "
            "and 1 when something was not; notes name what is carried over with a difference.\n\n"
            "A file in a folder named cron.d, or named crontab, has the user column; --system and "
            "--user say otherwise. A file in a folder named crontabs belongs to the user whose "
            "name it has. Of a folder such as /etc: crontab, cron.d, and the programs of "
            "cron.hourly, cron.daily, cron.weekly and cron.monthly, at the times that its crontab "
            "says. The users' own crontabs lie in /var/spool/cron/crontabs. docs/moving-in.md "
            "tells what is different from cron.",
        .examples =
            EXAMPLES("ironcron import crontab /etc >ironcron.yml", "all of a machine's system jobs",
                     "ironcron import crontab /var/spool/cron/crontabs >jobs.d/users.yml",
                     "those of all users", "crontab -l | ironcron import crontab -", "one's own"),
        .run = command_import_crontab,
    },
    {
        .name = "import pg_cron",
        .arguments = ONE("URL", VALUE_TEXT),
        .summary = "print the jobs of pg_cron as YAML",
        .help =
            "Reads cron.job and cron.job_run_details of the database that URL names "
            "(postgresql://...; with $PGPASSWORD or a password file, so that no password stands in "
            "the list of processes), and prints `databases` and `jobs` for a configuration on "
            "stdout; passwords become references. On stderr stands what it could not carry over, "
            "and what is different. Writes nothing, and pg_cron goes on as it is. Exits 0 when all "
            "was carried over, and 1 when something was not. docs/moving-in.md tells the rest.",
        .examples = EXAMPLES(
            "ironcron import pg_cron postgresql://postgres@db.internal/postgres >ironcron.yml",
            "all jobs of a server; cron.database_name says where they lie"),
        .run = command_import_pg_cron,
    },
    {
        .name = "serve",
        .options = serve_options,
        .summary = "run the scheduler in the foreground",
        .help =
            "Runs the jobs and answers HTTP (/metrics, /livez, /readyz, /api/v1). Logs go to "
            "stderr.\n\n"
            "With --dry-run, or JOB_DRY_RUN set to 1, true, yes or on, every slot is claimed, "
            "audited as DRY_RUN and logged, and nothing is executed.\n\n"
            "TERM or INT: claims nothing more, lets running jobs finish within `node.drain`, then "
            "ends them; a second signal ends them at once. HUP: reads the configuration again, or "
            "keeps the old one and says why. A store on SQLite has one node: a second `serve` is "
            "refused and told who the first is; on PostgreSQL there may be many (docs/fleet.md).",
        .examples = EXAMPLES("ironcron serve", "in the foreground, until TERM",
                             "ironcron serve --dry-run", "watch what would run"),
        .run = command_serve,
    },
    {.name = NULL},
};
