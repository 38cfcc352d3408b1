// SPDX-License-Identifier: MIT
// Two halves make one configuration: what is this node's own, as its file said when it was read,
// and the definitions of a version of the store.
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "config/after.h"
#include "config/definitions.h"
#include "config/jobs.h"
#include "config/settings.h"
#include "config/yaml_reader.h"

static void begin_file(struct load *load, const char *path)
{
    load_file_begins(load, arena_printf(&load->config->arena, "%s (version %" PRId64 ")", path,
                                        load->config->version));
}

static void build_own(struct load *load, const char *own)
{
    AUTO(yaml_tree_release) struct yaml_tree tree;
    yaml_tree_init(&tree, load->config->path);
    if (yaml_reader_read(&tree, own, strlen(own), load->problems)) {
        struct conform conform = {.tree = &tree,
                                  .problems = load->problems,
                                  .substitution = &load->substitution,
                                  .is_part = true};
        conform_check(&conform);
        settings_build_own(load, &conform, tree.root);
    }
}

static void build_includes(struct load *load, const json_t *files)
{
    for (size_t i = 1; i < definitions_count(files); i++) {
        struct definitions_file file = definitions_file(files, i);
        begin_file(load, file.path);
        load_included(load, file.text, strlen(file.text));
    }
}

static void build_shared(struct load *load, const json_t *files)
{
    struct definitions_file file = definitions_file(files, 0);
    begin_file(load, file.path);
    AUTO(yaml_tree_release) struct yaml_tree tree;
    yaml_tree_init(&tree, load->files[0]);
    if (!yaml_reader_read(&tree, file.text, strlen(file.text), load->problems)) {
        return;
    }
    struct conform conform = {.tree = &tree,
                              .problems = load->problems,
                              .substitution = &load->substitution,
                              .is_part = true};
    conform_check(&conform);
    settings_build_shared(load, &conform, tree.root);
    load->defaults = jobs_defaults_new(load, &conform, tree.root);
    jobs_build(load, &conform, yaml_tree_find(tree.root, "jobs"));
    build_includes(load, files);
    after_check(load);
    if (load->problems->count == 0) {
        load_finish(load, tree.root);
    }
}

static void build(struct load *load, const struct config *file, const char *text)
{
    build_own(load, file->own);
    json_t *files = definitions_read(text);
    if (files == NULL) {
        config_problems_add(load->problems, file->path, 0, 0,
                            "version %" PRId64 " of the definitions in the store cannot be read; "
                            "put those of this file into force: ironcron reload",
                            load->config->version);
        return;
    }
    build_shared(load, files);
    json_decref(files);
}

bool config_load_version(const struct config *file, int64_t version, const char *text,
                         struct config **config_out, struct config_problems *problems)
{
    struct load load;
    struct substitution substitution = {.lenient = file->is_lenient};
    struct config *config = load_begin(&load, file->path, file->folder, &substitution, problems);
    config->version = version;
    config->may_be_faulty = file->may_be_faulty;
    config->own = alloc_string(file->own);
    build(&load, file, text);
    config_problems_sort(problems);
    bool is_faulty = problems->count > 0;
    if (is_faulty && file->may_be_faulty) {
        load_finish_faulty(&load);
    }
    return load_end(&load, !is_faulty || file->may_be_faulty, config_out);
}
