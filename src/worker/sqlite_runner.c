// SPDX-License-Identifier: MIT
#include "worker/sqlite_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/order.h"
#include "worker/report.h"

// The program that runs, even where the file that it was started from has been replaced since.
#define OURSELVES "/proc/self/exe"

static struct sqlite_runner *from_port(struct runner *port)
{
    return CONTAINER_OF(port, struct sqlite_runner, port);
}

// ---- towards the processes ----------------------------------------------------------------------

static bool start_worker(struct sqlite_runner *runner, const struct runner_start *start,
                         char *input, struct error *err)
{
    const char *const argv[] = {OURSELVES, "worker", start->job->name, NULL};
    struct job_command command = *start->job->command;
    command.argv = argv;
    command.input = input;
    command.env = NULL;
    command.pass_env = NULL;
    struct job job = *start->job;
    job.command = &command;
    struct runner_start derived = *start;
    derived.job = &job;
    derived.params = NULL; // they are in the input
    return runner->processes->ops->start(runner->processes, &derived, err);
}

static bool start_sql(struct sqlite_runner *runner, const struct runner_start *start,
                      struct error *err)
{
    const char *name = start->job->sql->database;
    const struct database *database =
        database_find(runner->databases, runner->database_count, name);
    if (database == NULL || database->kind != DATABASE_SQLITE) {
        return error_set(err, ERROR_SPAWN,
                         "cannot start job %s: there is no SQLite database %s any more: define it "
                         "under `databases`",
                         start->job->name, name);
    }
    char *input = NULL;
    if (!order_encode(start, database, &runner->store, &input, err)) {
        return false;
    }
    bool started = start_worker(runner, start, input, err);
    free(input);
    return started;
}

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct sqlite_runner *runner = from_port(port);
    return start->job->kind == JOB_SQL
               ? start_sql(runner, start, err)
               : runner->processes->ops->start(runner->processes, start, err);
}

static void stop(struct runner *port, uint64_t run, bool at_once)
{
    struct runner *processes = from_port(port)->processes;
    processes->ops->stop(processes, run, at_once);
}

static void feed(struct runner *port, struct mono deadline)
{
    struct runner *processes = from_port(port)->processes;
    processes->ops->feed(processes, deadline);
}

// ---- towards the owner --------------------------------------------------------------------------

static void on_started(void *context, uint64_t run, int pid)
{
    const struct runner_events *events = &((struct sqlite_runner *)context)->port.events;
    events->on_started(events->context, run, pid);
}

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    const struct runner_events *events = &((struct sqlite_runner *)context)->port.events;
    events->on_output(events->context, run, bytes, length);
}

static const char *fate(enum report_stage stage)
{
    switch (stage) {
    case REPORT_COMMITTING:
        return "during its commit: whether its changes are kept is not known, look at the data";
    case REPORT_LOOSE:
        return "before it was done: without a transaction, what it did until then is kept";
    default:
        return "before its commit: nothing of it is kept";
    }
}

static void fail(struct runner_end *end, const char *error)
{
    end->kind = RUNNER_FAILED;
    end->failure = FAILURE_SQL;
    end->error = error;
}

// It ended without a last word.
static void judge_broken(struct runner_end *end, const struct report *report, char *text,
                         size_t size)
{
    switch (end->kind) {
    case RUNNER_SIGNALLED:
        snprintf(text, size, "its worker process was ended by signal %d (%s) %s", end->signal,
                 strsignal(end->signal), fate(report->stage));
        end->error = text;
        return;
    case RUNNER_EXITED:
        snprintf(text, size, "its worker process ended with exit code %d %s", end->exit_code,
                 fate(report->stage));
        fail(end, text);
        return;
    case RUNNER_TIMED_OUT:
        snprintf(text, size, "not done after its timeout, and killed %s", fate(report->stage));
        end->error = text;
        return;
    default:
        return;
    }
}

// A report of success counts whatever came after it: the changes are there.
static void judge(struct runner_end *end, const struct report *report, char *text, size_t size)
{
    switch (report->stage) {
    case REPORT_DONE:
        end->kind = RUNNER_SUCCEEDED;
        end->error = NULL;
        snprintf(text, size, "{\"rows\":%" PRId64 "}", report->rows);
        end->facts = text;
        return;
    case REPORT_FAILED:
        fail(end, report->error);
        return;
    case REPORT_STOPPED:
        end->error = report->error;
        if (end->kind == RUNNER_EXITED) { // neither by timeout nor by us
            fail(end, "its worker process was told to stop from outside (signal TERM)");
        }
        return;
    default:
        judge_broken(end, report, text, size);
    }
}

static void on_end(void *context, uint64_t run, const struct runner_end *end)
{
    const struct runner_events *events = &((struct sqlite_runner *)context)->port.events;
    if (end->report == NULL) { // a command, or it never ran
        events->on_end(events->context, run, end);
        return;
    }
    struct report report;
    char text[512];
    struct runner_end judged = *end;
    judged.report = NULL;
    report_parse(end->report, &report);
    judge(&judged, &report, text, sizeof text);
    events->on_end(events->context, run, &judged);
}

void sqlite_runner_init(struct sqlite_runner *runner)
{
    static const struct runner_ops ops = {.start = start, .stop = stop, .feed = feed};
    *runner = (struct sqlite_runner){.port = {.ops = &ops}};
}

void sqlite_runner_protect(struct sqlite_runner *runner, const char *store_path)
{
    struct stat status;
    // By name only: opening it would cost the node its locks.
    if (store_path != NULL && stat(store_path, &status) == 0) {
        runner->store = (struct order_store){.device = status.st_dev, .inode = status.st_ino};
    }
}

void sqlite_runner_set_processes(struct sqlite_runner *runner, struct runner *processes)
{
    runner->processes = processes;
    processes->events = (struct runner_events){
        .context = runner, .on_started = on_started, .on_output = on_output, .on_end = on_end};
}

void sqlite_runner_set_databases(struct sqlite_runner *runner, const struct database *databases,
                                 size_t count)
{
    runner->databases = databases;
    runner->database_count = count;
}
