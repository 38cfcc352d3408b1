// SPDX-License-Identifier: MIT
#include "cli/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/hint.h"
#include "cli/live.h"
#include "cli/node_list.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "serve/open_store.h"
#include "serve/store_owner.h"
#include "store/postgres/postgres_facts.h"
#include "time/format.h"

typedef bool load_fn(const char *path, struct config **config_out,
                     struct config_problems *problems);

static bool load(struct session *session, const struct invocation *invocation, load_fn *load_as,
                 struct config_problems *problems)
{
    session->clock = invocation->clock;
    session->command = invocation->command->name;
    if (!load_as(invocation->config_path, &session->config, problems)) {
        return false;
    }
    actor_of_process(session->actor);
    session->zone = config_zone(session->config);
    return true;
}

static void print_problems(const struct config_problems *problems)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, 4 * 1024 * 1024);
    config_problems_print(problems, &text);
    char *clean = terminal_clean_lines(buf_string(&text), text.length);
    fputs(clean, stderr);
    free(clean);
}

static bool refuse(const struct config_problems *problems, struct error *err)
{
    print_problems(problems);
    return error_set(err, ERROR_CONFIG, "the configuration has %zu error%s; nothing was done",
                     problems->count, words_plural(problems->count));
}

static bool load_or_print(struct session *session, const struct invocation *invocation,
                          load_fn *load_as, struct error *err)
{
    AUTO(config_problems_release) struct config_problems problems;
    config_problems_init(&problems);
    return load(session, invocation, load_as, &problems) || refuse(&problems, err);
}

bool session_config(struct session *session, const struct invocation *invocation, struct error *err)
{
    return load_or_print(session, invocation, config_load_to_read, err);
}

static void tell_of_mistakes(const struct session *session, const struct config_problems *problems)
{
    const struct config_problem *first = &problems->list[0];
    AUTO(buf_release) struct buf text;
    buf_init(&text, 65536);
    buf_add_string(&text, first->file);
    if (first->line > 0) {
        buf_printf(&text, ":%d:%d", first->line, first->column);
    }
    buf_printf(&text, ": %s", first->text);
    char *clean = terminal_clean(buf_string(&text));
    char *store = terminal_clean(session->config->store);
    fprintf(stderr,
            "%s\nironcron: the configuration has %zu error%s; this comes from the store %s alone. "
            "See: ironcron validate\n",
            clean, problems->count, words_plural(problems->count), store);
    free(store);
    free(clean);
}

// A file that is not there is no error yet; whether a server is there only a connection tells. One
// that this user may not look for may well be there.
static bool is_absent(const struct session *session)
{
    return session->config->store_url == NULL && access(session->config->store_path, F_OK) != 0 &&
           errno != EACCES;
}

bool session_config_to_look(struct session *session, const struct invocation *invocation,
                            struct error *err)
{
    AUTO(config_problems_release) struct config_problems problems;
    config_problems_init(&problems);
    if (!load(session, invocation, config_load_to_look, &problems)) {
        return refuse(&problems, err);
    }
    if (!session->config->is_faulty) {
        return true;
    }
    if (is_absent(session)) {
        return refuse(&problems, err); // there is nothing to look at
    }
    tell_of_mistakes(session, &problems);
    return true;
}

static void drop_config(struct session *session)
{
    config_free(session->config);
    config_free(session->file);
    free(session->difference);
    session->config = session->file = NULL;
    session->difference = NULL;
}

bool session_config_whole(struct session *session, const struct invocation *invocation,
                          struct error *err)
{
    drop_config(session);
    session->is_whole = load_or_print(session, invocation, config_load, err);
    return session->is_whole;
}

bool session_config_quietly(struct session *session, const struct invocation *invocation)
{
    AUTO(config_problems_release) struct config_problems problems;
    config_problems_init(&problems);
    return load(session, invocation, config_load_to_read, &problems);
}

// ---- the node -----------------------------------------------------------------------------------

struct node_search {
    const struct session *session;
    struct node_lock_holder found;
    bool is_found;
};

static bool note_if_live(void *context, const struct store_node_row *row)
{
    struct node_search *search = context;
    const struct session *session = search->session;
    struct node_lock_holder *found = &search->found;
    bool lives = strcmp(node_list_state_of(session, row), "live") == 0;
    if (lives) {
        uuid_format(row->node, found->node);
        snprintf(found->host, sizeof found->host, "%s", row->host);
        snprintf(found->command, sizeof found->command, "serve");
        found->started_at = row->started_at;
        search->is_found = true;
    }
    return !lives;
}

// Of a fleet any node carries out what is asked for.
static void look_into_store(struct session *session)
{
    struct node_search search = {.session = session};
    struct error ignored = ERROR_INIT;
    struct store *store = session->store;
    struct store *own = NULL;
    if (store == NULL && open_store(session->config, OPEN_STORE_READ, session->command,
                                    session->clock, &own, &ignored)) {
        store = own;
    }
    if (store != NULL && store->ops->read_nodes(store, note_if_live, &search, &ignored)) {
        session->has_node = search.is_found;
        session->node = search.found;
    }
    store_close(own);
}

void session_look_for_node(struct session *session)
{
    struct node_lock_holder holder;
    bool is_remote = session->config->store_url != NULL;
    session->node_is_here = node_lock_is_held(session->config->store_path, &holder);
    if (session->node_is_here || !is_remote) {
        session->has_node = session->node_is_here;
        session->node = holder;
        return;
    }
    session->last = holder;
    look_into_store(session);
}

void session_node_words(const struct session *session, char out[SESSION_NODE_SIZE])
{
    int length = snprintf(out, SESSION_NODE_SIZE, "the node on %s", session->node.host);
    if (session->node.pid > 0) {
        snprintf(out + length, SESSION_NODE_SIZE - (size_t)length, " (pid %d)", session->node.pid);
    }
}

struct instant session_now(const struct session *session)
{
    return instant_add(clock_now(session->clock), session->store_ahead);
}

// ---- the store ----------------------------------------------------------------------------------

// The node of this host knows, though the store cannot be asked.
#define AWAY_SIZE 160
static void ask_since_when(struct session *session, char out[AWAY_SIZE])
{
    char lasted[FORMAT_DURATION_SIZE];
    out[0] = '\0';
    session->node_is_here = node_lock_is_held(session->config->store_path, &session->node);
    session->has_node = session->node_is_here;
    json_t *status = live_get(session, "status");
    json_t *outage = json_object_get(status, "store_outage");
    if (json_is_null(json_object_get(outage, "until"))) {
        format_duration_human(DURATION_MS(json_integer_value(json_object_get(outage, "lasted_ms"))),
                              lasted);
        snprintf(out, AWAY_SIZE, " (the node here has been without it for %s, since %s)", lasted,
                 json_string_value(json_object_get(outage, "since")));
    }
    json_decref(status);
}

// A server is asked at once: whether it can be reached, whether its tables are ours, and what its
// clock says, since it decides what is due.
bool session_is_away(struct session *session, struct error *err)
{
    if (err->code == ERROR_UNAVAILABLE && error_remedy(err) == NULL) {
        char since[AWAY_SIZE];
        ask_since_when(session, since);
        (void)error_mend(
            err, "nothing new starts until it is back%s; `ironcron validate` tells more", since);
    }
    return false;
}

static bool open_as(struct session *session, enum open_store_how how, struct error *err)
{
    struct instant now;
    if (!open_store(session->config, how, session->command, session->clock, &session->store, err)) {
        return false;
    }
    if (session->config->store_url != NULL) {
        if (!postgres_store_greet(session->store, &now, err)) {
            session_close_store(session);
            return session_is_away(session, err);
        }
        session->store_ahead = instant_since(now, clock_now(session->clock));
    }
    session_look_for_node(session);
    return true;
}

static bool may_look(const struct session *session, struct error *err)
{
    if (session->config->store_url != NULL || access(session->config->store_path, R_OK) == 0 ||
        errno != EACCES) {
        return true;
    }
    (void)error_set(err, ERROR_DENIED, "the store %s may not be read by this user",
                    session->config->store_path);
    return error_mend(err, "ask as root or as the user of the service: sudo ironcron …");
}

bool session_read(struct session *session, struct error *err)
{
    if (is_absent(session)) {
        session_look_for_node(session);
        session->store_is_absent = true;
        return true;
    }
    return may_look(session, err) && open_as(session, OPEN_STORE_READ, err) &&
           session_definitions(session, err);
}

bool session_may_execute(const struct session *session, struct error *err)
{
    return store_owner_allows(session->config->store_path, true, err);
}

bool session_write(struct session *session, struct error *err)
{
    session_close_store(session);
    if (is_absent(session) && !session_may_execute(session, err)) {
        return false;
    }
    session->writable = true;
    session->store_is_absent = false;
    return open_as(session, OPEN_STORE_WRITE, err);
}

bool session_open(struct session *session, const struct invocation *invocation, struct error *err)
{
    if (!session_config_to_look(session, invocation, err) || !session_read(session, err)) {
        return false;
    }
    if (session->store_is_absent) {
        return error_set(err, ERROR_NOT_FOUND,
                         "nothing has run yet: there is no store at %s; start: ironcron serve",
                         session->config->store_path);
    }
    return true;
}

void session_close_store(struct session *session)
{
    store_close(session->store);
    session->store = NULL;
}

void session_release(struct session *session)
{
    session_close_store(session);
    drop_config(session);
}

bool session_no_job(const struct session *session, const char *name, struct error *err)
{
    if (session->file != NULL && config_job(session->file, name) != NULL) {
        return error_set(err, ERROR_NOT_FOUND,
                         "job \"%s\" stands in %s, but not in version %" PRId64
                         " of the jobs, which is in force on all nodes: ironcron reload, where it "
                         "is meant to be\nAll jobs: ironcron jobs",
                         name, session->file->path, session->version);
    }
    char version[80];
    const char *nearest = config_nearest_job(session->config, name);
    snprintf(version, sizeof version,
             "version %" PRId64 " of the jobs, which is in force on all nodes", session->version);
    return error_set(err, ERROR_NOT_FOUND,
                     "there is no job \"%s\" in %s%s%s%s\nAll jobs: ironcron jobs", name,
                     session->config->is_faulty ? session->config->store
                     : session->version > 0     ? version
                                                : session->config->path,
                     nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "\"?" : "");
}

const struct job *session_job(const struct session *session, const char *name, struct error *err)
{
    const struct job *job = config_job(session->config, name);
    if (job == NULL) {
        (void)session_no_job(session, name, err);
    }
    return job;
}

struct job_search {
    const char *name;
    bool found;
};

static bool look_at_job(void *context, const struct store_job *row)
{
    struct job_search *search = context;
    search->found = row->spec != NULL && strcmp(row->name, search->name) == 0;
    return !search->found;
}

bool session_knows_job(const struct session *session, const char *name, struct error *err)
{
    if (!session->config->is_faulty || session->store == NULL) {
        return session_job(session, name, err) != NULL;
    }
    struct job_search search = {.name = name};
    return session->store->ops->read_jobs(session->store, NULL, look_at_job, &search, err) &&
           (search.found || session_no_job(session, name, err));
}

void session_doubt_job(const struct session *session, const char *name_or_null)
{
    struct error doubt = ERROR_INIT;
    if (name_or_null != NULL && !session_knows_job(session, name_or_null, &doubt)) {
        doubt.text[strcspn(doubt.text, "\n")] = '\0';
        terminal_put(stderr, COLOUR_NONE, doubt.text);
        fputc('\n', stderr);
    }
}

// ---- runs by the beginning of their id ----------------------------------------------------------

struct id_search {
    const char *beginning;
    struct uuid found;
    size_t count;
};

static bool look_at_run(void *context, const struct store_run_row *row)
{
    struct id_search *search = context;
    char id[UUID_TEXT_SIZE];
    uuid_format(row->run_id, id);
    if (strncmp(id, search->beginning, strlen(search->beginning)) == 0 &&
        !(search->count > 0 && uuid_equal(search->found, row->run_id))) {
        search->found = row->run_id;
        search->count++;
    }
    return search->count < 2;
}

static bool is_id_beginning(const char *text)
{
    size_t length = strlen(text);
    return length >= 4 && length < UUID_TEXT_SIZE && strspn(text, "0123456789abcdef-") == length;
}

bool session_run_id(const struct session *session, const char *text, struct uuid *id_out,
                    struct error *err)
{
    if (uuid_parse(text, id_out)) {
        return true;
    }
    if (!is_id_beginning(text)) {
        return error_set(err, ERROR_NOT_FOUND,
                         "\"%s\" is not the id of a run, nor the beginning of one (4 characters "
                         "or more)\nAll ids: ironcron runs",
                         text);
    }
    struct id_search search = {.beginning = text};
    struct store_run_filter filter = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    if (!session->store->ops->read_runs(session->store, &filter, look_at_run, &search, err)) {
        return false;
    }
    if (search.count != 1) {
        return error_set(err, ERROR_NOT_FOUND, "%s run's id begins with \"%s\"%s",
                         search.count == 0 ? "no" : "more than one", text,
                         search.count == 0 ? "\nAll ids: ironcron runs" : "; give more of it");
    }
    *id_out = search.found;
    return true;
}

struct uuid session_new_id(const struct session *session)
{
    uint8_t random[10];
    CHECK(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    return uuid_v7(instant_ms(clock_now(session->clock)), random);
}
