// SPDX-License-Identifier: MIT
// The order of a load: bytes, tree, held against the schema, settings, jobs, included files, hash.
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/after.h"
#include "config/definitions.h"
#include "config/include.h"
#include "config/jobs.h"
#include "config/settings.h"
#include "config/yaml_reader.h"

#define SYSTEM_PATH "/etc/ironcron/ironcron.yml"
#define ARENA_MAX   ((size_t)4 << 30)

const char *load_path(struct load *load, const char *path)
{
    if (path[0] == '/') {
        return pool_text(&load->pool, path);
    }
    const char *folder = load->config->folder;
    while (strncmp(path, "./", 2) == 0) {
        path += 2 + strspn(path + 2, "/");
    }
    size_t size = strlen(folder) + strlen(path) + 2;
    char *full = alloc_zero(size, 1);
    snprintf(full, size, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", path);
    const char *kept = pool_text(&load->pool, full);
    free(full);
    return kept;
}

// ---- files --------------------------------------------------------------------------------------

static bool read_bytes(int fd, struct buf *out, struct error *err)
{
    char block[65536];
    while (out->length <= TREE_BYTES_MAX) {
        ssize_t got = read(fd, block, sizeof block);
        if (got == 0) {
            return true;
        }
        if (got > 0) {
            buf_add(out, block, (size_t)got);
        } else if (errno != EINTR) {
            return error_set(err, ERROR_CONFIG, "cannot be read: %s", strerror(errno));
        }
    }
    return true; // one byte too many is enough for the reader to refuse it
}

// Opened without waiting, and only a regular file: a pipe nobody writes to, in the folder of an
// "include", must not hang a reload, and with it every run of the node.
static bool read_file(const char *name, struct buf *out, struct error *err)
{
    buf_init(out, TREE_BYTES_MAX + 131072);
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return error_set(err, ERROR_CONFIG, "cannot be opened: %s", strerror(errno));
    }
    struct stat status;
    bool fine = fstat(fd, &status) == 0 && S_ISREG(status.st_mode)
                    ? read_bytes(fd, out, err)
                    : error_set(err, ERROR_CONFIG, "is not a regular file");
    close(fd);
    return fine;
}

void load_file_begins(struct load *load, const char *name)
{
    ARRAY_RESERVE(load->files, load->file_count, load->file_capacity);
    load->files[load->file_count++] = pool_text(&load->pool, name);
}

void load_included(struct load *load, const char *bytes, size_t length)
{
    AUTO(yaml_tree_release) struct yaml_tree tree;
    yaml_tree_init(&tree, load->files[load->file_count - 1]);
    if (yaml_reader_read(&tree, bytes, length, load->problems)) {
        struct conform conform = {.tree = &tree,
                                  .problems = load->problems,
                                  .substitution = &load->substitution,
                                  .main_file = load->config->path};
        conform_check(&conform);
        jobs_build(load, &conform, yaml_tree_find(tree.root, "jobs"));
        definitions_add(load, bytes, length);
    }
}

void load_include(struct load *load, const char *name)
{
    load_file_begins(load, name);
    AUTO(buf_release) struct buf bytes;
    struct error err = ERROR_INIT;
    if (!read_file(name, &bytes, &err)) {
        config_problems_add(load->problems, name, 0, 0,
                            "the included file %s; correct it, or \"include\" in the main file",
                            err.text);
        return;
    }
    load_included(load, buf_string(&bytes), bytes.length);
}

void load_secret(struct load *load, const struct conform *conform,
                 const struct yaml_tree_node *node, bool is_written)
{
    load->config->holds_secrets |= is_written;
    if (is_written && load->config->store_url != NULL) {
        conform_complain(conform, node,
                         "%.80s: a secret may not stand here, since the store keeps this file for "
                         "all nodes: write ${NAME} or ${file:PATH}, and set that on each node",
                         node->key);
    }
}

// ---- the end ------------------------------------------------------------------------------------

static int compare_names(const void *a, const void *b, void *context)
{
    const struct job *jobs = context;
    return strcmp(jobs[*(const uint32_t *)a].name, jobs[*(const uint32_t *)b].name);
}

static void finish_jobs(struct load *load)
{
    struct config *config = load->config;
    size_t count = load->job_count;
    config->jobs = alloc_resize(load->jobs, count + 1, sizeof *config->jobs);
    load->jobs = NULL;
    uint32_t *by_name = arena_alloc(&config->arena, count + 1, sizeof *by_name);
    for (size_t i = 0; i < count; i++) {
        by_name[i] = (uint32_t)i;
    }
    qsort_r(by_name, count, sizeof *by_name, compare_names, config->jobs);
    config->by_name = by_name;
    config->job_count = count;
}

static void finish_files(struct load *load)
{
    struct config *config = load->config;
    size_t count = config->version == 0 ? load->file_count : 1;
    const char **files = arena_alloc(&config->arena, count + 1, sizeof *files);
    memcpy(files, load->files, count * sizeof *files);
    if (config->version > 0) {
        files[0] = config->path;
    }
    config->files = files;
    config->file_count = count;
}

void load_finish(struct load *load, const struct yaml_tree_node *root)
{
    struct config *config = load->config;
    finish_jobs(load);
    finish_files(load);
    config->digests = alloc_zero(load->job_count + 1, sizeof *config->digests);
    for (size_t i = 0; i < load->job_count; i++) {
        memcpy(config->digests[i], load->extras[config->by_name[i]].digest, DIGEST_SIZE);
    }
    digest_config(root, (const uint8_t(*)[DIGEST_SIZE])config->digests, load->job_count,
                  config->hash);
    if (config->store_url == NULL) {
        free(config->digests);
        config->digests = NULL;
    }
}

void load_finish_faulty(struct load *load)
{
    load->job_count = 0;
    load->config->is_faulty = true;
    finish_jobs(load);
}

static void build(struct load *load, struct yaml_tree *tree)
{
    struct conform conform = {
        .tree = tree, .problems = load->problems, .substitution = &load->substitution};
    conform_check(&conform);
    settings_build_own(load, &conform, tree->root);
    settings_build_shared(load, &conform, tree->root);
    load->defaults = jobs_defaults_new(load, &conform, tree->root);
    jobs_build(load, &conform, yaml_tree_find(tree->root, "jobs"));
    include_files(load, &conform, yaml_tree_find(tree->root, "include"));
    after_check(load);
    if (load->problems->count == 0) {
        load_finish(load, tree->root);
    }
}

// Is it certain which store is meant? Not where `store` is missing: it may be what is misspelled.
static bool store_is_certain(const struct load *load, const struct yaml_tree *tree)
{
    const struct yaml_tree_node *node = yaml_tree_find(tree->root, "store");
    return node != NULL && !node->broken && node->schema != NULL &&
           load->config->store_path != NULL;
}

// What is left of a configuration with mistakes, for who only looks: the settings, no jobs. Of a
// file that is not YAML, what stands above the first mistake.
static bool salvage(struct load *load, struct yaml_tree *tree, bool was_built)
{
    if (tree->root == NULL || tree->root->kind != TREE_MAP) {
        return false;
    }
    if (!was_built) {
        AUTO(config_problems_release) struct config_problems ignored;
        config_problems_init(&ignored);
        struct conform conform = {
            .tree = tree, .problems = &ignored, .substitution = &load->substitution};
        conform_check(&conform);
        settings_build_own(load, &conform, tree->root);
        settings_build_shared(load, &conform, tree->root);
    }
    load_finish_faulty(load);
    return store_is_certain(load, tree);
}

static void load_release(struct load *load)
{
    jobs_defaults_free(load->defaults);
    pool_release(&load->pool);
    map_release(&load->names);
    buf_release(&load->digest_form);
    free(load->jobs);
    free(load->extras);
    free(load->afters);
    free(load->files);
    json_decref(load->shared);
    // What the tables of a large load took lies below what goes on living: hand it back now.
    malloc_trim(0);
}

struct config *load_begin(struct load *load, const char *name, const char *folder,
                          const struct substitution *substitution, struct config_problems *problems)
{
    struct config *config = alloc_zero(1, sizeof *config);
    arena_init(&config->arena, ARENA_MAX);
    config->zones = zone_cache_new();
    config->path = arena_string(&config->arena, name);
    config->folder = arena_string(&config->arena, folder);
    config->is_lenient = substitution->lenient;
    *load = (struct load){.config = config, .problems = problems, .substitution = *substitution};
    load->substitution.folder = config->folder;
    pool_init(&load->pool, &config->arena);
    buf_init(&load->digest_form, DIGEST_FORM_MAX);
    return config;
}

bool load_end(struct load *load, bool is_usable, struct config **config_out)
{
    struct config *config = load->config;
    load_release(load);
    if (!is_usable) {
        config_free(config);
        return false;
    }
    *config_out = config;
    return true;
}

static bool load_bytes(const char *name, const char *folder, const struct buf *bytes,
                       const struct substitution *substitution, bool may_be_faulty,
                       struct config **config_out, struct config_problems *problems)
{
    struct load load;
    struct config *config = load_begin(&load, name, folder, substitution, problems);
    config->may_be_faulty = may_be_faulty;
    load_file_begins(&load, name);
    AUTO(yaml_tree_release) struct yaml_tree tree;
    yaml_tree_init(&tree, load.files[0]);
    bool is_tree = yaml_reader_read(&tree, buf_string(bytes), bytes->length, problems);
    if (is_tree) {
        build(&load, &tree);
        definitions_keep(&load, bytes);
    }
    config_problems_sort(problems);
    bool is_usable = problems->count == 0 || (may_be_faulty && salvage(&load, &tree, is_tree));
    return load_end(&load, is_usable, config_out);
}

bool config_load_bytes(const char *name, const char *folder, const char *bytes, size_t length,
                       bool closed, struct config **config_out, struct config_problems *problems)
{
    AUTO(buf_release) struct buf copy;
    buf_init(&copy, length);
    buf_add(&copy, bytes, length);
    struct substitution substitution = {.closed = closed};
    return load_bytes(name, folder, &copy, &substitution, false, config_out, problems);
}

// ---- the way in ---------------------------------------------------------------------------------

static const char *default_path(void)
{
    const char *path = getenv("IRONCRON_CONFIG");
    if (path != NULL && path[0] != '\0') {
        return path;
    }
    return access("ironcron.yml", F_OK) == 0 ? "ironcron.yml" : SYSTEM_PATH;
}

// The folder of the file as it was named: where a link points to is not asked.
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    char part[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, length);
    part[length] = '\0';
    const char *name = slash == NULL ? "." : length == 0 ? "/" : part;
    return realpath(name, folder) != NULL;
}

static bool load_file(const char *path, bool lenient, bool may_be_faulty,
                      struct config **config_out, struct config_problems *problems)
{
    const char *name = path == NULL ? default_path() : path;
    AUTO(buf_release) struct buf bytes;
    struct error err = ERROR_INIT;
    if (!read_file(name, &bytes, &err)) {
        config_problems_add(
            problems, name, 0, 0,
            "the configuration %s%s; name one with -c FILE or $IRONCRON_CONFIG, or write "
            "one with \"ironcron init\"",
            err.text,
            strcmp(name, SYSTEM_PATH) == 0 && path == NULL ? ", nor is there an ironcron.yml here"
                                                           : "");
        return false;
    }
    char folder[PATH_MAX];
    if (!folder_of(name, folder)) {
        config_problems_add(problems, name, 0, 0, "its folder cannot be resolved: %s",
                            strerror(errno));
        return false;
    }
    struct substitution substitution = {.lenient = lenient};
    return load_bytes(name, folder, &bytes, &substitution, may_be_faulty, config_out, problems);
}

bool config_load(const char *path, struct config **config_out, struct config_problems *problems)
{
    return load_file(path, false, false, config_out, problems);
}

bool config_load_to_read(const char *path, struct config **config_out,
                         struct config_problems *problems)
{
    return load_file(path, true, false, config_out, problems);
}

bool config_load_to_look(const char *path, struct config **config_out,
                         struct config_problems *problems)
{
    return load_file(path, true, true, config_out, problems);
}
