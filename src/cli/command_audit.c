// SPDX-License-Identifier: MIT
// `audit`: the events, the proof that they are whole, and taking them elsewhere.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verify.h"
#include "cli/json.h"
#include "cli/node_list.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "cli/words.h"
#include "serve/node_state.h"
#include "store/chain.h"
#include "time/format.h"

#define LIMIT_DEFAULT 20
#define SEAL_BATCH    10000

// ---- events -------------------------------------------------------------------------------------

struct listing {
    const struct session *session;
    struct node_list fleet;
    struct text_table *table; // or
    json_t *array;
};

// The run; of what is no run's, the node: "01a2… on alpha".
static void whose_cell(const struct listing *listing, const struct store_audit_row *row)
{
    char id[UUID_TEXT_SIZE];
    bool is_run = !uuid_is_nil(row->run_id);
    struct uuid whose = is_run ? row->run_id : row->node;
    const struct listed_node *node = is_run ? NULL : node_list_find(&listing->fleet, whose);
    uuid_format(whose, id);
    if (uuid_is_nil(whose)) {
        text_table_cell(listing->table, COLOUR_DIM, NULL);
    } else {
        text_table_cellf(listing->table, COLOUR_DIM, "%s%s%s", id, node != NULL ? " on " : "",
                         node != NULL ? node->row.host : "");
    }
}

static bool list_event(void *context, const struct store_audit_row *row)
{
    struct listing *listing = context;
    if (listing->array != NULL) {
        json_array_append_new(listing->array, json_audit(row));
        return true;
    }
    char at[FORMAT_TIME_SIZE];
    format_in_zone(row->at, listing->session->zone, at);
    struct text_table *table = listing->table;
    if (row->seq > 0) {
        text_table_cellf(table, COLOUR_DIM, "%lld", (long long)row->seq);
    } else {
        text_table_cell(table, COLOUR_DIM, "-");
    }
    text_table_cell(table, COLOUR_NONE, at);
    text_table_cell(table, COLOUR_BOLD, row->event);
    text_table_cell(table, COLOUR_NONE, row->job);
    text_table_cell(table, COLOUR_NONE, row->actor);
    whose_cell(listing, row);
    text_table_cell(table, COLOUR_NONE, row->detail);
    return true;
}

static struct store_audit_filter filter_of(const struct invocation *invocation)
{
    return (struct store_audit_filter){
        .job = invocation_text(invocation, "job"),
        .event = invocation_text(invocation, "event"),
        .since = invocation_time(invocation, "since"),
        .until = invocation_time(invocation, "until"),
    };
}

bool command_audit(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    if (!session_open(&session, invocation, err)) {
        return false;
    }
    AUTO_TEXT_TABLE table = text_table_new(">SEQ|AT|EVENT|JOB|ACTOR|RUN OR NODE|DETAIL");
    struct listing listing = {.session = &session, .table = table};
    listing.array = invocation->json ? json_array() : NULL;
    struct store_audit_filter filter = filter_of(invocation);
    filter.limit = (size_t)invocation_number(invocation, "limit", LIMIT_DEFAULT);
    filter.newest_first = true;
    bool read = node_list_load(&listing.fleet, &session, err) &&
                session.store->ops->read_audit(session.store, &filter, list_event, &listing, err);
    node_list_release(&listing.fleet);
    if (!read) {
        json_decref(listing.array);
        return false;
    }
    if (invocation->json) {
        json_print(listing.array);
    } else if (text_table_rows(table) == 0) {
        fputs("no events match\n", stderr);
        session_doubt_job(&session, filter.job);
    } else {
        text_table_print(table, stdout, 0);
    }
    return true;
}

static bool export_event(void *context, const struct store_audit_row *row)
{
    (void)context;
    if (row->seq > 0) {
        json_print_line(json_audit(row));
    }
    return ferror(stdout) == 0;
}

bool command_audit_export(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(session_release) struct session session = {0};
    if (!session_open(&session, invocation, err)) {
        return false;
    }
    struct store_audit_filter filter = filter_of(invocation);
    return session.store->ops->read_audit(session.store, &filter, export_event, NULL, err);
}

// ---- verify -------------------------------------------------------------------------------------

static bool seal(struct store *store, struct error *err)
{
    bool more = true;
    while (more) {
        struct store_op_seal seal = {.op.kind = STORE_SEAL, .limit = SEAL_BATCH};
        if (!store_call(store, &seal.op, err)) {
            return false;
        }
        more = seal.more;
        store_op_release(&seal.op);
    }
    return true;
}

// What is written but not sealed yet is sealed first. Who may only read verifies what is sealed; so
// does who meets what cannot be sealed, and says so.
static bool seal_first(struct session *session, struct error *cannot_out, struct error *err)
{
    struct error why = ERROR_INIT;
    bool opened = session_write(session, &why);
    if (opened && seal(session->store, &why)) {
        return true;
    }
    session_close_store(session);
    if (why.code == ERROR_STORE && !opened) {
        return error_set(err, why.code, "%s", why.text);
    }
    if (why.code == ERROR_STORE) {
        *cannot_out = why;
    }
    return session_read(session, err);
}

// "120:61c7…", as it is printed.
static bool add_expected(struct verify_options *options, const char *text, struct error *err)
{
    struct verify_seen *seen = &options->seen[options->seen_count];
    char *hash = NULL;
    if (text == NULL) {
        return true;
    }
    seen->by = "--expect";
    seen->seq = strtoll(text, &hash, 10);
    if (seen->seq <= 0 || *hash != ':' || !chain_parse(hash + 1, seen->hash)) {
        return error_set(
            err, ERROR_USAGE,
            "--expect: \"%s\" is not SEQ:HASH, as `chain head` of an earlier `ironcron "
            "audit verify` says it",
            text);
    }
    options->seen_count++;
    return true;
}

// What the node of this host remembers of a store on PostgreSQL.
static void add_remembered(struct verify_options *options, const struct session *session)
{
    struct verify_seen *seen = &options->seen[options->seen_count];
    struct store_op_identity now = {.op = {.kind = STORE_IDENTITY}};
    struct error ignored = ERROR_INIT;
    const char *path = session->config->store_path;
    if (session->config->store_url == NULL || !store_call(session->store, &now.op, &ignored)) {
        return;
    }
    if (node_state_last(path, &now, &seen->seq, seen->hash)) {
        seen->by = "what this host has seen";
        seen->may_be_pruned = true;
        options->seen_count++;
    }
    store_op_release(&now.op);
}

static void print_jobs(const struct verify_report *report, const struct session *session)
{
    AUTO_TEXT_TABLE table = text_table_new("JOB|FROM|HIGH-WATER|>DUE|>IN LEDGER");
    for (size_t i = 0; i < report->job_count; i++) {
        const struct verify_job *job = &report->jobs[i];
        char from[FORMAT_TIME_SIZE] = "-";
        char high_water[FORMAT_TIME_SIZE] = "-";
        if (!instant_is_none(job->from)) {
            format_in_zone(job->from, session->zone, from);
        }
        if (!instant_is_none(job->high_water)) {
            format_in_zone(job->high_water, session->zone, high_water);
        }
        enum colour colour = job->due == job->in_ledger ? COLOUR_NONE : COLOUR_BAD;
        text_table_cell(table, COLOUR_BOLD, job->name);
        text_table_cell(table, COLOUR_NONE, from);
        text_table_cell(table, COLOUR_NONE, high_water);
        text_table_cellf(table, colour, "%zu", job->due);
        text_table_cellf(table, colour, "%zu", job->in_ledger);
    }
    text_table_print(table, stdout, 0);
}

static void print_chain(const struct verify_report *report)
{
    char hash[CHAIN_HEX_SIZE];
    chain_hex(report->head_hash, hash);
    printf("\nchain head     %lld:%s\n", (long long)report->head_seq, hash);
    if (report->anchor.seq > 0) {
        chain_hex(report->anchor.hash, hash);
        printf("chain begins   after %lld %s (older rows were pruned)\n",
               (long long)report->anchor.seq, hash);
    }
    printf("audit rows     %zu, %zu of them not sealed yet\n", report->audit_rows,
           report->unsealed_rows);
    printf("runs           %zu, %zu of them running\n", report->runs, report->running);
    printf("slots          %zu\n", report->slots);
}

static void print_findings(const struct verify_report *report, const struct session *session)
{
    if (report->finding_total == 0) {
        return;
    }
    printf("\n%zu finding%s\n", report->finding_total, words_plural(report->finding_total));
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct verify_finding *finding = &report->findings[i];
        char at[FORMAT_TIME_SIZE] = "-";
        if (!instant_is_none(finding->at)) {
            format_in_zone(finding->at, session->zone, at);
        }
        printf("  ");
        terminal_print(stdout, COLOUR_BAD, "%s", verify_kind_name(finding->kind));
        printf("  ");
        terminal_put(stdout, COLOUR_NONE, finding->job);
        printf("%s%s  ", finding->job != NULL ? "  " : "", at);
        terminal_put(stdout, COLOUR_NONE, finding->text);
        putchar('\n');
    }
    if (report->finding_count < report->finding_total) {
        printf("  and %zu more\n", report->finding_total - report->finding_count);
    }
}

static json_t *json_link(int64_t seq, const uint8_t hash[32])
{
    char hex[CHAIN_HEX_SIZE];
    chain_hex(hash, hex);
    return json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "hash", hex);
}

static json_t *json_report(const struct verify_report *report)
{
    json_t *jobs = json_array();
    json_t *findings = json_array();
    for (size_t i = 0; i < report->job_count; i++) {
        const struct verify_job *job = &report->jobs[i];
        json_array_append_new(
            jobs, json_pack("{s:o, s:o, s:o, s:I, s:I}", "job", json_text(job->name), "from",
                            json_time(job->from), "high_water", json_time(job->high_water), "due",
                            (json_int_t)job->due, "in_ledger", (json_int_t)job->in_ledger));
    }
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct verify_finding *finding = &report->findings[i];
        json_array_append_new(
            findings, json_pack("{s:s, s:o, s:o, s:o}", "kind", verify_kind_name(finding->kind),
                                "job", json_text(finding->job), "at", json_time(finding->at),
                                "text", json_text(finding->text)));
    }
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I}", "verdict",
        report->finding_total == 0 ? "PASS" : "FAIL", "audit_rows", (json_int_t)report->audit_rows,
        "unsealed_rows", (json_int_t)report->unsealed_rows, "runs", (json_int_t)report->runs,
        "running", (json_int_t)report->running, "slots", (json_int_t)report->slots, "head",
        json_link(report->head_seq, report->head_hash), "anchor",
        report->anchor.seq > 0 ? json_link(report->anchor.seq, report->anchor.hash) : json_null(),
        "jobs", jobs, "findings", findings, "finding_total", (json_int_t)report->finding_total);
}

bool command_audit_verify(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    struct verify_options options = {.since = invocation_time(invocation, "since")};
    struct error cannot = ERROR_INIT;
    if (!add_expected(&options, invocation_text(invocation, "expect"), err) ||
        !session_open(&session, invocation, err) || !seal_first(&session, &cannot, err)) {
        return false;
    }
    options.node_is_live = session.has_node;
    options.now = session_now(&session);
    options.cannot_seal = cannot.code == ERROR_NONE ? NULL : cannot.text;
    add_remembered(&options, &session);
    struct verify_report report;
    if (!verify_store(session.store, &options, &report, err)) {
        return false;
    }
    bool passed = report.finding_total == 0;
    *exit_out = passed ? 0 : 1;
    if (invocation->json) {
        json_print(json_report(&report));
    } else {
        print_jobs(&report, &session);
        print_chain(&report);
        print_findings(&report, &session);
        terminal_print(stdout, passed ? COLOUR_GOOD : COLOUR_BAD, "%s", passed ? "PASS" : "FAIL");
        putchar('\n');
    }
    verify_report_release(&report);
    return true;
}
