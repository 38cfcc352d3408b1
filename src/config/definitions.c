// SPDX-License-Identifier: MIT
#include "config/definitions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/problems.h"
#include "config/yaml_keep.h"

// ---- writing ------------------------------------------------------------------------------------

static bool is_own(const char *key)
{
    return strcmp(key, "http") == 0 || strcmp(key, "node") == 0 || strcmp(key, "store") == 0;
}

static bool is_shared(const char *key)
{
    return !is_own(key);
}

// As people named it, less the folder of the main file.
static const char *path_of(const struct config *config, const char *name)
{
    const char *slash = strrchr(config->path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - config->path) + 1;
    return strncmp(name, config->path, folder) == 0 ? name + folder : name;
}

static json_t *file_new(const struct load *load, const char *name, const char *bytes, size_t length)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TREE_BYTES_MAX + 1);
    yaml_keep(bytes, length, is_shared, &text);
    json_t *file =
        json_pack("{s:s, s:s}", "path", path_of(load->config, name), "text", buf_string(&text));
    CHECK(file != NULL);
    return file;
}

void definitions_add(struct load *load, const char *bytes, size_t length)
{
    const struct config *config = load->config;
    if (config->store_url == NULL || config->version > 0 || load->problems->count > 0) {
        return;
    }
    load->shared = load->shared == NULL ? json_array() : load->shared;
    json_array_append_new(load->shared,
                          file_new(load, load->files[load->file_count - 1], bytes, length));
}

static char *own_of(const struct buf *bytes)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TREE_BYTES_MAX + 1);
    yaml_keep(buf_string(bytes), bytes->length, is_own, &text);
    return alloc_string(buf_string(&text));
}

static void check_size(struct load *load)
{
    size_t length = strlen(load->config->definitions);
    if (length > DEFINITIONS_MAX) {
        config_problems_add(load->problems, load->config->path, 0, 0,
                            "the definitions are %zu MB, and the store keeps 512 MB for all nodes: "
                            "give them fewer or shorter jobs",
                            length >> 20);
    }
}

void definitions_keep(struct load *load, const struct buf *bytes)
{
    struct config *config = load->config;
    if (config->store_url == NULL || load->problems->count > 0) {
        return;
    }
    json_t *files = load->shared == NULL ? json_array() : json_incref(load->shared);
    json_array_insert_new(files, 0, file_new(load, config->path, buf_string(bytes), bytes->length));
    json_t *document = json_pack("{s:o}", "files", files);
    config->definitions = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(document);
    CHECK(config->definitions != NULL);
    config->own = own_of(bytes);
    check_size(load);
}

// ---- reading ------------------------------------------------------------------------------------

json_t *definitions_read(const char *document)
{
    json_t *root = json_loads(document, 0, NULL);
    json_t *files = json_incref(json_object_get(root, "files"));
    json_decref(root);
    bool is_fine = json_array_size(files) > 0;
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        is_fine = is_fine && json_is_string(json_object_get(file, "path")) &&
                  json_is_string(json_object_get(file, "text"));
    }
    if (!is_fine) {
        json_decref(files);
        files = NULL;
    }
    return files;
}

size_t definitions_count(const json_t *files)
{
    return json_array_size(files);
}

struct definitions_file definitions_file(const json_t *files, size_t index)
{
    const json_t *file = json_array_get(files, index);
    return (struct definitions_file){json_string_value(json_object_get(file, "path")),
                                     json_string_value(json_object_get(file, "text"))};
}
