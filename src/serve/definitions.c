// SPDX-License-Identifier: MIT
#include "serve/definitions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define TEXT_MAX       ((size_t)1 << 30) // of a version, with what reading it takes
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

static bool read_row(struct store *store, int64_t version, struct arena *arena,
                     struct store_version *row_out, struct error *err)
{
    arena_init(arena, TEXT_MAX);
    if (!store->ops->read_version(store, version, arena, row_out, err)) {
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

bool definitions_load(struct node *node, int64_t version, bool anew, struct loaded **loaded_out,
                      struct error *err)
{
    AUTO(arena_release) struct arena arena;
    struct store_version row;
    if (!read_row(node->store, version, &arena, &row, err)) {
        return false;
    }
    if (row.version == 0) {
        return error_set(err, ERROR_UNAVAILABLE,
                         "version %" PRId64 " of the definitions is not in the store", version);
    }
    return load_row(node, &row, anew, loaded_out, err);
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
    AUTO(arena_release) struct arena arena;
    struct store_version row;
    return read_row(node->store, 0, &arena, &row, err) &&
           (row.version == 0 || begin_with(node, &row, err));
}

static bool activate(struct node *node, const struct config *file, bool always,
                     int64_t *version_out, struct error *err)
{
    struct store_op_version op = {.op = {.kind = STORE_VERSION},
                                  .node = node->id,
                                  .actor = node->actor,
                                  .hash = file->hash,
                                  .text = file->definitions,
                                  .always = always};
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

bool definitions_settle(struct node *node, struct error *err)
{
    int64_t version;
    struct loaded *active;
    if (!is_kept(node->file->config) || !node->options.schedules) {
        return true;
    }
    if (!activate(node, node->file->config, false, &version, err)) {
        return false;
    }
    if (version == node->loaded->version) {
        return true;
    }
    if (!definitions_load(node, version, false, &active, err)) {
        return false;
    }
    bool done = node_reload(node, active, err);
    loaded_release(active);
    return done;
}

// ---- later --------------------------------------------------------------------------------------

bool definitions_publish(struct node *node, struct loaded *file, struct error *err)
{
    if (is_kept(file->config) && !activate(node, file->config, true, &file->version, err)) {
        return false;
    }
    file->references++;
    loaded_release(node->file);
    node->file = file;
    return true;
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

bool definitions_look(struct store *store, const struct config *file, struct definitions_view *out,
                      struct error *err)
{
    *out = (struct definitions_view){0};
    buf_init(&out->difference, DIFFERENCE_MAX);
    if (!is_kept(file) || file->own == NULL) {
        return true;
    }
    AUTO(arena_release) struct arena arena;
    struct store_version row;
    if (!read_row(store, 0, &arena, &row, err)) {
        return false;
    }
    out->version = row.version;
    if (row.version == 0 || strcmp(row.hash, file->hash) == 0) {
        return true;
    }
    if (!parse(file, &row, &out->config, err)) {
        return false;
    }
    if (out->config->is_faulty) {
        buf_add_string(&out->difference, "differs from it");
    } else {
        config_difference(file, out->config, &out->difference);
    }
    return true;
}

void definitions_view_release(struct definitions_view *view)
{
    config_free(view->config);
    view->config = NULL;
    buf_release(&view->difference);
}
