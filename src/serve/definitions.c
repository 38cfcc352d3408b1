// SPDX-License-Identifier: MIT
#include "serve/definitions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define DIFFERENCE_MAX 8192
// No version of the store: what is loaded is not the active one, and nothing is decided by it.
#define NOT_ACTIVE (-1)

static bool is_kept(const struct config *config)
{
    return config->store_url != NULL;
}

// ---- reading ------------------------------------------------------------------------------------

static bool refuse_version(int64_t version, const struct config_problems *problems,
                           struct error *err)
{
    const struct config_problem *first = &problems->list[0];
    char more[64] = "";
    if (problems->count > 1) {
        snprintf(more, sizeof more, " (and %zu more)", problems->count - 1);
    }
    return error_set(err, ERROR_CONFIG,
                     "version %" PRId64 " of the definitions cannot be executed by this node: "
                     "%s:%d:%d: %s%s",
                     version, first->file, first->line, first->column, first->text, more);
}

static bool parse(const struct config *file, const struct store_version *row,
                  struct config **config_out, struct error *err)
{
    AUTO(config_problems_release) struct config_problems problems;
    config_problems_init(&problems);
    return config_load_version(file, row->version, row->text, config_out, &problems) ||
           refuse_version(row->version, &problems, err);
}

static bool read_row(struct store *store, int64_t version, struct store_op_definitions *read,
                     struct error *err)
{
    *read = (struct store_op_definitions){.op = {.kind = STORE_DEFINITIONS}, .wanted = version};
    if (!store_call(store, &read->op, err)) {
        return error_wrap(err, "reading the definitions from the store");
    }
    return true;
}

// The files' own configuration where they say the same.
static bool load_row(struct node *node, const struct store_version *row, bool anew,
                     struct loaded **loaded_out, struct error *err)
{
    struct loaded *file = node->file;
    if (!anew && strcmp(row->hash, file->config->hash) == 0) {
        file->references++;
        file->version = row->version;
        *loaded_out = file;
        return true;
    }
    struct config *config;
    if (!parse(file->config, row, &config, err)) {
        return false;
    }
    *loaded_out = loaded_new(config, false);
    (*loaded_out)->version = row->version;
    return true;
}

bool definitions_take(struct node *node, const struct store_op_definitions *read, bool anew,
                      struct loaded **loaded_out, struct error *err)
{
    if (read->text.version == 0) {
        return error_set(err, ERROR_UNAVAILABLE,
                         "version %" PRId64 " of the definitions is not in the store",
                         read->wanted);
    }
    return load_row(node, &read->text, anew, loaded_out, err);
}

// ---- the start ----------------------------------------------------------------------------------

static void execute(struct node *node, struct loaded *loaded)
{
    loaded_release(node->loaded);
    node->loaded = loaded;
}

static bool begin_with(struct node *node, const struct store_version *row, struct error *err)
{
    struct loaded *active;
    if (load_row(node, row, false, &active, err)) {
        execute(node, active);
        return true;
    }
    if (!node->options.schedules) {
        return false;
    }
    // Its own files may be the way out: they are asked next.
    LOG(LOG_WARN, "definitions_refused", "%s", err->text);
    error_reset(err);
    node->loaded->version = NOT_ACTIVE;
    return true;
}

bool definitions_begin(struct node *node, struct error *err)
{
    node->file = node->loaded;
    node->file->references++;
    if (!is_kept(node->loaded->config)) {
        return true;
    }
    struct store_op_definitions read;
    if (!read_row(node->store, 0, &read, err)) {
        return false;
    }
    bool done = read.text.version == 0 || begin_with(node, &read.text, err);
    store_op_release(&read.op);
    return done;
}

void definitions_activation(const struct node *node, const struct config *file, bool always,
                            struct store_op_version *op_out)
{
    *op_out = (struct store_op_version){.op = {.kind = STORE_VERSION},
                                        .node = node->id,
                                        .actor = node->actor,
                                        .hash = file->hash,
                                        .text = file->definitions,
                                        .always = always};
}

static bool activate(struct node *node, int64_t *version_out, struct error *err)
{
    struct store_op_version op;
    definitions_activation(node, node->file->config, false, &op);
    // Where the answer was lost they may be in force already, and once more changes nothing.
    bool done = store_call(node->store, &op.op, err) ||
                (op.op.result == STORE_UNKNOWN && store_call(node->store, &op.op, err));
    if (!done) {
        return error_wrap(err, "putting the definitions into the store");
    }
    *version_out = op.version;
    store_op_release(&op.op);
    return true;
}

static bool go_by(struct node *node, int64_t version, struct error *err)
{
    struct store_op_definitions read;
    struct loaded *active = NULL;
    if (!read_row(node->store, version, &read, err)) {
        return false;
    }
    bool done = definitions_take(node, &read, false, &active, err) &&
                node_reload_at_start(node, active, err);
    loaded_release(active);
    store_op_release(&read.op);
    return done;
}

bool definitions_settle(struct node *node, struct error *err)
{
    int64_t version;
    if (!is_kept(node->file->config) || !node->options.schedules) {
        return true;
    }
    return activate(node, &version, err) &&
           (version == node->loaded->version || go_by(node, version, err));
}

// ---- later --------------------------------------------------------------------------------------

void definitions_are_of(struct node *node, struct loaded *file)
{
    file->references++;
    loaded_release(node->file);
    node->file = file;
}

void definitions_log(const struct node *node, const char *event)
{
    const struct loaded *loaded = node->loaded;
    if (!is_kept(loaded->config)) {
        return;
    }
    char version[24];
    snprintf(version, sizeof version, "%" PRId64, loaded->version);
    struct log_field fields[] = {{"version", version}, {NULL, NULL}};
    AUTO(buf_release) struct buf words;
    buf_init(&words, DIFFERENCE_MAX);
    config_difference(node->file->config, loaded->config, &words);
    if (words.length == 0) {
        log_record(LOG_INFO, event, fields, "%zu jobs are in force", loaded->config->job_count);
    } else {
        log_record(LOG_WARN, event, fields,
                   "%zu jobs are in force, not those of %s, which %s; `ironcron reload` here would "
                   "put it into force for all nodes",
                   loaded->config->job_count, node->file->config->path, buf_string(&words));
    }
}

// ---- for who looks ------------------------------------------------------------------------------

static bool look_at(const struct config *file, const struct store_version *row,
                    struct definitions_view *out, struct error *err)
{
    out->version = row->version;
    if (row->version == 0 || strcmp(row->hash, file->hash) == 0) {
        return true;
    }
    if (!parse(file, row, &out->config, err)) {
        return false;
    }
    if (out->config->is_faulty) {
        buf_add_string(&out->difference, "differs from it");
    } else {
        config_difference(file, out->config, &out->difference);
    }
    return true;
}

bool definitions_look(struct store *store, const struct config *file, struct definitions_view *out,
                      struct error *err)
{
    *out = (struct definitions_view){0};
    buf_init(&out->difference, DIFFERENCE_MAX);
    if (!is_kept(file) || file->own == NULL) {
        return true;
    }
    struct store_op_definitions read;
    if (!read_row(store, 0, &read, err)) {
        return false;
    }
    bool done = look_at(file, &read.text, out, err);
    store_op_release(&read.op);
    return done;
}

void definitions_view_release(struct definitions_view *view)
{
    config_free(view->config);
    view->config = NULL;
    buf_release(&view->difference);
}
