// SPDX-License-Identifier: MIT
// `next`: what a schedule means. Where the store keeps the jobs of a fleet it is asked for them.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/change_text.h"
#include "cli/clock_report.h"
#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "schedule/schedule.h"
#include "time/format.h"

#define COUNT_DEFAULT   5
#define COUNT_OF_ALL    20
#define CHANGES_SHOWN   2
#define EXPLANATION_MAX 8192

// The schedule in question, from a job or from the command line.
struct question {
    struct session session; // config NULL when none was found
    struct zone_cache *zones;
    const struct zone *zone;
    const struct job *job; // NULL for a bare schedule
    const char *text;
    struct schedule schedule;
};

static void question_release(struct question *question)
{
    zone_cache_free(question->zones);
    session_release(&question->session);
}

static bool is_name(const char *word)
{
    return strpbrk(word, " \t@*") == NULL;
}

// Only a word without blanks can be a job's name; only then is the configuration looked for, and
// one that is broken or absent is no obstacle unless it was named.
static bool find_job(struct question *question, struct invocation *invocation, struct error *err)
{
    const char *word = invocation->arguments[0];
    if (!is_name(word)) {
        return true;
    }
    if (invocation->config_path != NULL) {
        if (!session_config(&question->session, invocation, err)) {
            return false;
        }
    } else if (!session_config_quietly(&question->session, invocation)) {
        return true;
    }
    session_definitions_or_file(&question->session);
    question->job = config_job(question->session.config, word);
    return true;
}

static bool parse(struct question *question, const struct invocation *invocation, struct error *err)
{
    const char *tz = invocation_text(invocation, "tz");
    const struct job *job = question->job;
    enum schedule_dst dst = job != NULL ? job->schedule.dst : SCHEDULE_DST_RUN;
    const char *name = tz != NULL ? tz : job != NULL ? job->timezone : "UTC";
    question->text = job != NULL ? job->schedule_text : invocation->arguments[0];
    question->zones = zone_cache_new();
    if (!zone_cache_get(question->zones, name, &question->zone, err)) {
        err->code = ERROR_USAGE;
        return tz != NULL ? error_wrap(err, "--tz") : false;
    }
    if (!schedule_parse(question->text, question->zone, dst, job != NULL ? job->name : "",
                        &question->schedule, err)) {
        err->code = ERROR_USAGE;
        return false;
    }
    return true;
}

// A single word that is no schedule was probably meant as a job.
static bool not_a_schedule(const struct question *question, const struct invocation *invocation,
                           struct error *err)
{
    struct error ignored = ERROR_INIT;
    if (question->session.config != NULL && question->job == NULL) {
        (void)session_job(&question->session, invocation->arguments[0], &ignored);
        return error_set(err, ERROR_NOT_FOUND, "%s", ignored.text);
    }
    if (question->session.config == NULL && is_name(invocation->arguments[0])) {
        return error_set(err, ERROR_USAGE,
                         "\"%s\" is no schedule, and no configuration without errors says whether "
                         "it is a job\nSee: ironcron validate",
                         invocation->arguments[0]);
    }
    return false;
}

static void print_slots(const struct question *question, struct instant from, int64_t count)
{
    struct instant slot = schedule_next(&question->schedule, from);
    for (int64_t i = 0; i < count && !instant_is_none(slot); i++) {
        char text[FORMAT_TIME_SIZE];
        format_in_zone(slot, question->zone, text);
        puts(text);
        slot = schedule_next(&question->schedule, slot);
    }
}

static json_t *json_slots(const struct question *question, struct instant from, int64_t count)
{
    json_t *slots = json_array();
    struct instant slot = schedule_next(&question->schedule, from);
    for (int64_t i = 0; i < count && !instant_is_none(slot); i++) {
        char local[FORMAT_TIME_SIZE];
        format_in_zone(slot, question->zone, local);
        json_array_append_new(slots,
                              json_pack("{s:o, s:s}", "due_at", json_time(slot), "local", local));
        slot = schedule_next(&question->schedule, slot);
    }
    return slots;
}

// ---- --explain ----------------------------------------------------------------------------------

static void print_change(const struct question *question, const struct schedule_change *change)
{
    char at[FORMAT_TIME_SIZE];
    AUTO(buf_release) struct buf text;
    buf_init(&text, EXPLANATION_MAX);
    format_in_zone(instant_from_unix(change->change.at), question->zone, at);
    buf_printf(&text, "Clock change %s, ", at);
    change_clock_text(&change->change, &text);
    buf_add_string(&text, ": ");
    change_effect_text(change, question->zone, &text);
    printf("%s.\n", buf_string(&text));
}

static json_t *json_change(const struct question *question, const struct schedule_change *change)
{
    json_t *object = change_json(&change->change);
    change_effect_json(change, question->zone, object);
    return object;
}

static void explain(const struct question *question, struct instant from, json_t *document)
{
    AUTO(buf_release) struct buf words;
    buf_init(&words, EXPLANATION_MAX);
    schedule_explain(&question->schedule, &words);
    json_t *changes = json_array();
    if (document == NULL) {
        printf("\n%s\n", buf_string(&words));
    }
    struct schedule_change change;
    for (int i = 0; i < CHANGES_SHOWN && schedule_next_change(&question->schedule, from, &change);
         i++) {
        if (document == NULL) {
            print_change(question, &change);
        }
        json_array_append_new(changes, json_change(question, &change));
        from = instant_from_unix(change.change.at);
    }
    bool has_clock = question->schedule.kind == SCHEDULE_CRON;
    if (document == NULL && has_clock && json_array_size(changes) == 0) {
        printf("The clock is not changed in %s.\n", zone_name(question->zone));
    }
    if (document != NULL) {
        json_object_set_new(document, "explanation", json_text(buf_string(&words)));
        json_object_set(document, "changes", changes);
    }
    json_decref(changes);
}

static struct instant from_of(const struct invocation *invocation)
{
    return invocation_has(invocation, "from") ? invocation_time(invocation, "from")
                                              : invocation->now;
}

// H stands for a value that is drawn from the job's name.
static bool has_hash(const char *text)
{
    for (const char *h = strchr(text, 'H'); h != NULL; h = strchr(h + 1, 'H')) {
        bool in_word = (h > text && isalpha((unsigned char)h[-1])) || isalpha((unsigned char)h[1]);
        if (!in_word) {
            return true;
        }
    }
    return false;
}

static void answer(const struct question *question, const struct invocation *invocation)
{
    struct instant from = from_of(invocation);
    int64_t count = invocation_number(invocation, "count", COUNT_DEFAULT);
    bool wants_words = invocation_has(invocation, "explain");
    if (!invocation->json) {
        print_slots(question, from, count);
        if (wants_words) {
            explain(question, from, NULL);
        }
        return;
    }
    json_t *document =
        json_pack("{s:o, s:o, s:s, s:o}", "job",
                  json_text(question->job != NULL ? question->job->name : NULL), "schedule",
                  json_text(question->text), "timezone", zone_name(question->zone), "slots",
                  json_slots(question, from, count));
    if (wants_words) {
        explain(question, from, document);
    }
    json_print(document);
}

// Of every job; here the configuration is needed.
static bool answer_for_all(struct invocation *invocation, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    if (invocation_has(invocation, "tz")) {
        return error_set(err, ERROR_USAGE,
                         "--tz does not go with --all: each job has its own zone\n"
                         "See: ironcron help next");
    }
    if (!session_config(&session, invocation, err)) {
        return false;
    }
    session_definitions_or_file(&session);
    struct instant from = from_of(invocation);
    if (invocation_has(invocation, "explain")) {
        clock_report(session.config, from, invocation->json);
    } else {
        clock_report_slots(session.config, from,
                           invocation_number(invocation, "count", COUNT_OF_ALL), invocation->json);
    }
    return true;
}

bool command_next(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(question_release) struct question question = {0};
    if (invocation_has(invocation, "all")) {
        return answer_for_all(invocation, err);
    }
    if (!find_job(&question, invocation, err)) {
        return false;
    }
    if (!parse(&question, invocation, err)) {
        return not_a_schedule(&question, invocation, err);
    }
    if (question.schedule.kind == SCHEDULE_REBOOT && !invocation->json) {
        fputs("@reboot has no times: it is due once for each boot of a host that runs a node\n",
              stderr);
    } else if (instant_is_none(schedule_next(&question.schedule, invocation->now)) &&
               !schedule_ever_fires(&question.schedule, invocation->now)) {
        *exit_out = 1;
        fputs("ironcron: this schedule has no slot to come\n", stderr);
    }
    if (question.job == NULL && has_hash(question.text)) {
        fputs("note: H is drawn from a job's name; here it is that of no name. Ask for the job to "
              "see its times\n",
              stderr);
    }
    answer(&question, invocation);
    return true;
}
