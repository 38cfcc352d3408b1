// SPDX-License-Identifier: MIT
// Facts in, cause, sentence and next command out: one row a situation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/why.h"

#define AT(seconds) ((struct instant){(int64_t)(seconds)*1000000})

static struct zone_cache *zones;
static const struct zone *utc;
static const struct job_retries retries = {
    .max = 2, .backoff = {10000000}, .factor = 2, .max_backoff = {60000000}};
static const struct job_retries no_retries = {.max = 0};
static struct job job = {.name = "j",
                         .retries = &retries,
                         .overlap = JOB_OVERLAP_SKIP,
                         .missed = JOB_MISSED_LAST,
                         .missed_within = {86400000000}};
static struct job other_job = {
    .name = "j", .retries = &no_retries, .overlap = JOB_OVERLAP_QUEUE, .missed = JOB_MISSED_SKIP};
static const struct job_variable mars[] = {{"region", "mars"}, {0}};
static struct job mars_job = {
    .name = "j", .retries = &no_retries, .missed = JOB_MISSED_SKIP, .nodes = mars};
static const struct store_run_row failed = {.job = "j",
                                            .attempt = 3,
                                            .state = RUN_FAILED,
                                            .failure = FAILURE_EXIT,
                                            .started_at = {0},
                                            .ended_at = {3000000},
                                            .duration = {3000000},
                                            .error = "exit code 3"};
static const struct store_run_row first_failed = {
    .job = "j", .attempt = 1, .state = RUN_FAILED, .ended_at = {3000000}, .error = "exit code 3"};
static const struct store_run_row spawn = {.job = "j",
                                           .attempt = 1,
                                           .state = RUN_FAILED,
                                           .failure = FAILURE_SPAWN,
                                           .ended_at = {3000000},
                                           .error = "no such program"};
static const struct store_run_row started = {
    .job = "j", .attempt = 1, .state = RUN_STARTED, .ended_at = {INT64_MIN}};
static const struct store_run_row replaced = {
    .job = "j", .attempt = 1, .state = RUN_CANCELLED, .error = "cancelled by overlap: replace"};
static const struct store_run_row cancelled = {.job = "j",
                                               .attempt = 1,
                                               .state = RUN_CANCELLED,
                                               .error = "cancelled by anna@host: wrong input"};
static const struct store_control_row paused = {.job = "j",
                                                .kind = CONTROL_PAUSE,
                                                .value = 1,
                                                .from = {0},
                                                .to = {INT64_MIN},
                                                .actor = "anna@host",
                                                .reason = "mail down"};
static const struct store_control_row all_paused = {
    .kind = CONTROL_PAUSE, .value = 1, .from = {0}, .to = {5000000}, .actor = "anna@host"};
static const struct store_control_row throttled = {.job = "j",
                                                   .kind = CONTROL_THROTTLE,
                                                   .value = 4,
                                                   .from = {0},
                                                   .to = {INT64_MIN},
                                                   .actor = "anna@host"};
static const struct store_control_row dry_run = {.job = "j",
                                                 .kind = CONTROL_DRY_RUN,
                                                 .value = 1,
                                                 .from = {0},
                                                 .to = {INT64_MIN},
                                                 .actor = "anna@host"};
static const struct store_run_row succeeded = {.job = "j",
                                               .attempt = 2,
                                               .state = RUN_SUCCESS,
                                               .trigger = TRIGGER_CATCHUP,
                                               .ended_at = {3000000},
                                               .duration = {3000000}};
static const struct store_run_row timed_out = {.job = "j",
                                               .attempt = 1,
                                               .state = RUN_TIMED_OUT,
                                               .failure = FAILURE_TIMEOUT,
                                               .ended_at = {3000000},
                                               .duration = {3000000},
                                               .error = "ended by its timeout of 3s"};
static const struct store_run_row lost = {
    .job = "j", .attempt = 1, .state = RUN_LOST, .failure = FAILURE_LOST, .ended_at = {3000000}};
static const struct store_run_row sql_failed = {.job = "j",
                                                .attempt = 1,
                                                .state = RUN_FAILED,
                                                .failure = FAILURE_SQL,
                                                .ended_at = {3000000},
                                                .error = "relation \"events\" does not exist"};
static const struct job_http callback = {.callback = true};
static struct job called_back = {.name = "j", .retries = &no_retries, .http = &callback};
static struct job follower = {.name = "j", .retries = &no_retries, .after_within = {21600000000}};
static struct job jittered = {.name = "j", .retries = &no_retries, .jitter = {3600000000}};
static const struct store_node_row stopped = {.host = "db1", .state = "stopped", .last_seen = {0}};
static const struct store_node_row next_node = {.host = "db1", .started_at = {90000000}};

#define ROW(result, why) .has_row = true, .is_slot = true, .outcome = (result), .reason = (why)
#define IN_FORCE         .is_published = true, .is_in_force = true
#define DUE              IN_FORCE, .is_slot = true, .node_is_live = true

static const struct example {
    const char *cause;
    const char *text; // a part of it
    const char *next;
    struct why_facts facts;
} examples[] = {
    {"failed",
     "failed after 3s: exit code 3. That was the last of 3 attempts.",
     "ironcron runs output 00000000",
     {.job = &job, ROW(SLOT_FAILED, 0), .run = &failed}},
    {"success",
     "succeeded after 3s at attempt 2; nothing could start it when it was due, so it was made up.",
     "ironcron runs show 00000000",
     {.job = &job, ROW(SLOT_SUCCESS, 0), .run = &succeeded}},
    {"timed_out",
     "was ended after 3s: ended by its timeout of 3s. No retries",
     "ironcron runs output 00000000",
     {.job = &other_job, ROW(SLOT_TIMED_OUT, 0), .run = &timed_out}},
    {"lost",
     "then lost: its node died while it ran. It was not tried again",
     "ironcron runs output 00000000",
     {.job = &other_job, ROW(SLOT_LOST, 0), .run = &lost}},
    {"failed",
     "relation \"events\" does not exist",
     "ironcron runs show 00000000",
     {.job = &other_job, ROW(SLOT_FAILED, 0), .run = &sql_failed}},
    {"failed",
     "could not be started: no such program. No retries",
     "ironcron validate",
     {.job = &other_job, ROW(SLOT_FAILED, 0), .run = &spawn}},
    {"pruned",
     "outcome is FAILED; its run has been pruned",
     "ironcron audit --job j",
     {.job = &job, ROW(SLOT_FAILED, 0)}},
    {"cancelled",
     "was cancelled by anna@host: wrong input.",
     "ironcron run j",
     {.job = &job, ROW(SLOT_CANCELLED, 0), .run = &cancelled}},
    {"replaced",
     "for a newer slot",
     "ironcron runs --job j",
     {.job = &job, ROW(SLOT_CANCELLED, 0), .run = &replaced}},
    {"dry_run", "started with --dry-run", "ironcron run j", {.job = &job, ROW(SLOT_DRY_RUN, 0)}},
    {"paused",
     "paused since 1970-01-01T00:00:00Z by anna@host (mail down)",
     "ironcron resume j",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_PAUSED), .pause = &paused}},
    {"paused",
     "by anna@host, with all jobs, until 1970-01-01T00:00:05Z",
     "ironcron run j",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_PAUSED), .pause = &all_paused}},
    {"paused",
     "not recorded any more",
     "ironcron audit --job j",
     {ROW(SLOT_SKIPPED, REASON_PAUSED)}},
    {"throttled",
     "throttled x4 since",
     "ironcron throttle j off",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_THROTTLED), .throttle = &throttled}},
    {"overlap",
     "of it still runs, since",
     "ironcron runs output 00000000",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_OVERLAP), .other = &started}},
    {"overlap",
     "was not over yet: it ran, or waited for its next attempt",
     "ironcron runs --job j",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_OVERLAP)}},
    {"superseded",
     "only one waits",
     "ironcron runs --job j",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_SUPERSEDED)}},
    {"changed",
     "changed before it could start, at 1970-01-01T00:00:09Z",
     "ironcron next j",
     {.job = &job, ROW(SLOT_SKIPPED, REASON_CHANGED), .in_to = {9000000}}},
    {"removed",
     "left the configuration",
     "ironcron audit --event CONFIG_PUBLISHED",
     {ROW(SLOT_MISSED, REASON_REMOVED)}},
    {"after",
     "one of them, rollup, had not succeeded in time: its slot of 1970-01-01T00:00:05Z is FAILED; "
     "it waited for 6h.",
     "ironcron why rollup --at 1970-01-01T00:00:05Z",
     {.job = &follower,
      ROW(SLOT_SKIPPED, REASON_AFTER),
      .upstream = "rollup",
      .upstream_at = {5000000},
      .upstream_outcome = "FAILED"}},
    {"after",
     "they had not all succeeded in time",
     "ironcron audit --job j",
     {ROW(SLOT_SKIPPED, REASON_AFTER)}},
    {"waits_after",
     "It waits for rollup to succeed (after): its slot of 1970-01-01T00:00:05Z is not decided. It "
     "waits until 1970-01-01T06:00:00Z, and is SKIPPED then.",
     "ironcron why rollup --at 1970-01-01T00:00:05Z",
     {.job = &follower,
      ROW(SLOT_OPEN, REASON_AFTER),
      .node_is_live = true,
      .upstream = "rollup",
      .upstream_at = {5000000},
      .upstream_outcome = "not decided"}},
    {"waits_after",
     "none of their slots stands in its way any more",
     "ironcron serve",
     {.job = &follower, ROW(SLOT_OPEN, REASON_AFTER)}},
    {"downtime",
     "on db1, was stopped and last seen at 1970-01-01T00:00:00Z; the next started at "
     "1970-01-01T00:01:30Z. It was not made up: the job has missed: skip.",
     "ironcron run j",
     {.job = &other_job,
      ROW(SLOT_MISSED, REASON_DOWNTIME),
      .node_before = &stopped,
      .node_after = &next_node}},
    {"too_old",
     "missed_within 1d",
     "ironcron run j",
     {.job = &job, ROW(SLOT_MISSED, REASON_TOO_OLD)}},
    {"limit",
     "only the newest 1,000",
     "ironcron run j",
     {.job = &job, ROW(SLOT_MISSED, REASON_LIMIT)}},
    {"busy",
     "a node lived but could not get to it",
     "ironcron doctor",
     {.job = &job, ROW(SLOT_MISSED, REASON_BUSY)}},
    {"running",
     "for 1m 40s, attempt 1, with 7 bytes of output",
     "ironcron runs output 00000000",
     {.job = &job,
      ROW(SLOT_OPEN, 0),
      .run = &started,
      .node_is_live = true,
      .run_is_with_node = true,
      .output_bytes = 7}},
    {"running",
     "It ends by the callback of its endpoint",
     "ironcron runs output 00000000",
     {.job = &called_back,
      ROW(SLOT_OPEN, 0),
      .run = &started,
      .node_is_live = true,
      .run_is_with_node = true}},
    {"cut_off",
     "The next node records it as LOST",
     "ironcron serve",
     {.job = &job, ROW(SLOT_OPEN, 0), .run = &started}},
    {"waits_retry",
     "waits for attempt 2 of 3, due at the latest at 1970-01-01T00:00:13Z",
     "ironcron runs output 00000000",
     {.job = &job, ROW(SLOT_OPEN, 0), .run = &first_failed, .node_is_live = true}},
    {"waits_retry",
     "No node is live",
     "ironcron serve",
     {.job = &job, ROW(SLOT_OPEN, 0), .run = &first_failed}},
    {"pruned",
     "may have been pruned",
     "ironcron audit --job j",
     {.job = &job, DUE, .pruned_before = {50000000}}},
    {"not_published",
     "no node has taken it over yet",
     "ironcron serve",
     {.job = &job, .is_slot = true}},
    {"not_configured",
     "it came into force at 1970-01-01T00:00:50Z",
     "ironcron audit --event CONFIG_PUBLISHED",
     {.job = &job, .is_published = true, .is_slot = true, .in_from = {50000000}}},
    {"not_due",
     "no clock change is the reason. The slot before is 1970-01-01T00:00:05Z",
     "ironcron why j --at 1970-01-01T00:00:05Z",
     {.job = &job, .is_published = true, .is_in_force = true, .before = {5000000}}},
    {"at_boot",
     "once for each boot",
     "ironcron runs --job j",
     {.job = &job, .is_published = true, .is_in_force = true, .is_reboot = true}},
    {"future",
     "comes in 1m 40s. It will be skipped",
     "ironcron resume j",
     {.job = &job, DUE, .at = {200000000}, .pause = &paused}},
    {"future",
     "recorded and not executed: the job is in dry-run",
     "ironcron dry-run off j",
     {.job = &job, DUE, .at = {200000000}, .dry_run = &dry_run}},
    {"future",
     "the node was started with --dry-run",
     "ironcron nodes",
     {.job = &job, DUE, .at = {200000000}, .node_is_dry_run = true}},
    {"future",
     "the one in 4 that is let through",
     "ironcron throttle j off",
     {.job = &job, DUE, .at = {200000000}, .throttle = &throttled}},
    {"future",
     "No node is live",
     "ironcron serve",
     {.job = &job, IN_FORCE, .is_slot = true, .at = {200000000}}},
    {"future",
     "comes in 1m 40s.",
     "ironcron next j --explain",
     {.job = &job, DUE, .at = {200000000}}},
    {"clock_back",
     "decided up to 1970-01-01T00:05:00Z, which lies ahead of the clock",
     "ironcron doctor",
     {.job = &job, DUE, .at = {200000000}, .high_water = {300000000}}},
    {"clock_gap",
     "was put forward by 60 min, and this wall time did not exist. The job has dst: skip",
     "ironcron next j --from",
     {.job = &job,
      IN_FORCE,
      .clock = {.role = WHY_CLOCK_GAP,
                .change = {.change = {.offset_after = 3600}, .effect = SCHEDULE_CHANGE_SKIPPED},
                .instead = {INT64_MIN}}}},
    {"clock_gap",
     "follows elapsed time",
     "ironcron next j --from",
     {.job = &job,
      IN_FORCE,
      .clock = {.role = WHY_CLOCK_GAP,
                .change = {.change = {.offset_after = 1800}, .effect = SCHEDULE_CHANGE_STRETCHED},
                .instead = {INT64_MIN}}}},
    {"clock_repeat",
     "was put back by 60 min, and this wall time came twice",
     "ironcron why j --at 1970-01-01T00:00:07Z",
     {.job = &job,
      IN_FORCE,
      .clock = {.role = WHY_CLOCK_AGAIN,
                .change = {.change = {.offset_before = 3600}},
                .instead = {7000000}}}},
    {"jitter",
     "waits for its jitter, which is up to 1h: it starts at",
     "ironcron jobs show j",
     {.job = &jittered, DUE, .at = {99000000}, .max_running = 4}},
    {"unrecorded",
     "must not have such a gap",
     "ironcron audit verify --since",
     {.job = &job, DUE, .high_water = {60000000}}},
    {"no_node",
     "no node is live; the last one, on db1",
     "ironcron serve",
     {.job = &job,
      .is_slot = true,
      .is_published = true,
      .is_in_force = true,
      .node_before = &stopped}},
    {"node_stopped",
     "process 42 is stopped",
     "kill -CONT 42",
     {.job = &job, DUE, .node_is_stopped = true, .node_pid = 42}},
    {"draining",
     "no node can take it: all live nodes are draining. One that takes jobs again",
     "ironcron nodes resume 07070707-0707-0707-0707-070707070707",
     {.job = &job,
      DUE,
      .nodes_drain = 2,
      .drain_node = {{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}},
      .max_running = 4}},
    {"draining",
     "all live nodes with the labels that the job demands (nodes: region=mars) are draining",
     "ironcron nodes resume 07070707-0707-0707-0707-070707070707",
     {.job = &mars_job,
      DUE,
      .nodes_drain = 1,
      .drain_node = {{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}},
      .max_running = 4}},
    {"no_labels",
     "demands (nodes: region=mars). The first one",
     "ironcron nodes",
     {.job = &mars_job, DUE, .max_running = 4}},
    {"waits_capacity",
     "2 runs go on, and node.max_running is 2",
     "ironcron runs --state started",
     {.job = &mars_job, DUE, .nodes_fit = 1, .running_fit = 2, .running_all = 9, .max_running = 2}},
    {"waits_capacity",
     "8 runs go on, and the 2 nodes that may run it have 8 places",
     "ironcron runs --state started",
     {.job = &job, DUE, .nodes_fit = 2, .running_all = 8, .max_running = 8}},
    {"waits_overlap",
     "(overlap: queue)",
     "ironcron runs output 00000000",
     {.job = &other_job, DUE, .other = &started, .max_running = 4}},
    {"waits_capacity",
     "4 runs go on, and node.max_running is 4",
     "ironcron runs --state started",
     {.job = &job, DUE, .running_all = 4, .max_running = 4}},
    {"starting",
     "has just become due",
     "ironcron why j",
     {.job = &job, DUE, .at = {99000000}, .max_running = 4}},
    {"undecided", "late by 1m 40s", "ironcron doctor", {.job = &job, DUE, .max_running = 4}},
};

static void or_none(struct instant *t)
{
    if (t->us == 0) {
        *t = INSTANT_NONE;
    }
}

static void test_examples(void **state)
{
    (void)state;
    bool seen[WHY_CAUSE_COUNT] = {false};
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        const struct example *example = &examples[i];
        struct why_facts facts = example->facts;
        facts.name = "j";
        facts.zone = utc;
        facts.now = AT(100);
        or_none(&facts.before);
        or_none(&facts.after);
        or_none(&facts.in_from);
        or_none(&facts.in_to);
        or_none(&facts.high_water);
        or_none(&facts.pruned_before);
        AUTO(why_release) struct why why;
        why_explain(&facts, &why);
        seen[why.cause] = true;
        if (strcmp(why_cause_name(why.cause), example->cause) != 0 ||
            strstr(buf_string(&why.text), example->text) == NULL ||
            strncmp(buf_string(&why.next), example->next, strlen(example->next)) != 0) {
            fail_msg("example %zu (%s): %s\n%s\n%s", i, example->cause, why_cause_name(why.cause),
                     buf_string(&why.text), buf_string(&why.next));
        }
    }
    for (int cause = 0; cause < WHY_CAUSE_COUNT; cause++) {
        if (!seen[cause]) {
            fail_msg("no example of the cause %s", why_cause_name((enum why_cause)cause));
        }
    }
}

// ---- clock changes ------------------------------------------------------------------------------

static void test_clock(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *schedule;
        enum schedule_dst dst;
        int64_t at;
        enum why_clock_role role;
        int64_t instead;
    } cases[] = {
        // Berlin: 2027-03-28T01:00:00Z and 2027-10-31T01:00:00Z.
        {"gap", "30 2 * * *", SCHEDULE_DST_RUN, 1806197400, WHY_CLOCK_GAP, 1806195600},
        {"gap, other offset", "30 2 * * *", SCHEDULE_DST_RUN, 1806193800, WHY_CLOCK_GAP,
         1806195600},
        {"made", "30 2 * * *", SCHEDULE_DST_RUN, 1806195600, WHY_CLOCK_MADE, 1806195600},
        {"skipped", "30 2 * * *", SCHEDULE_DST_SKIP, 1806197400, WHY_CLOCK_GAP, 0},
        {"elapsed", "30 * * * *", SCHEDULE_DST_RUN, 1806197400, WHY_CLOCK_NONE, 0},
        {"not a wall time of it", "31 2 * * *", SCHEDULE_DST_RUN, 1806197400, WHY_CLOCK_NONE, 0},
        {"second pass", "30 2 * * *", SCHEDULE_DST_RUN, 1824946200, WHY_CLOCK_AGAIN, 1824942600},
        {"first pass", "30 2 * * *", SCHEDULE_DST_RUN, 1824942600, WHY_CLOCK_NONE, 0},
        {"no change near", "30 2 * * *", SCHEDULE_DST_RUN, 1800000000, WHY_CLOCK_NONE, 0},
    };
    const struct zone *berlin;
    struct error err = ERROR_INIT;
    assert_true(zone_cache_get(zones, "Europe/Berlin", &berlin, &err));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schedule schedule;
        assert_true(schedule_parse(cases[i].schedule, berlin, cases[i].dst, "j", &schedule, &err));
        struct why_clock clock = why_clock_look(&schedule, instant_from_unix(cases[i].at));
        bool same = clock.role == cases[i].role;
        if (same && cases[i].instead != 0) {
            same = instant_equal(clock.instead, instant_from_unix(cases[i].instead));
        }
        if (!same) {
            fail_msg("%s: role %d, instead %lld", cases[i].line, (int)clock.role,
                     (long long)instant_unix(clock.instead));
        }
    }
}

int main(void)
{
    zones = zone_cache_new();
    struct error err = ERROR_INIT;
    if (!zone_cache_get(zones, "UTC", &utc, &err)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_clock),
    };
    int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
    zone_cache_free(zones);
    return failed_count;
}
