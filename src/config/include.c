// SPDX-License-Identifier: MIT
#include "config/include.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FILES_MAX 10000

// How a file is called in messages: beside the main file, as people gave that one.
static char *display_pattern(const struct load *load, const char *pattern)
{
    const char *main_file = load->config->path;
    const char *slash = strrchr(main_file, '/');
    if (pattern[0] == '/' || slash == NULL) {
        return alloc_string(pattern);
    }
    size_t folder = (size_t)(slash - main_file) + 1;
    char *full = alloc_zero(folder + strlen(pattern) + 1, 1);
    memcpy(full, main_file, folder);
    memcpy(full + folder, pattern, strlen(pattern) + 1);
    return full;
}

static bool is_read(const struct load *load, const char *name)
{
    for (size_t i = 0; i < load->file_count; i++) {
        if (strcmp(load->files[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// The folder's own part may hold bytes that a pattern would take for wildcards.
static char *escaped_folder(const char *pattern, size_t folder)
{
    char *escaped = alloc_zero(2 * folder + strlen(pattern + folder) + 1, 1);
    char *out = escaped;
    for (size_t i = 0; i < folder; i++) {
        if (strchr("*?[\\", pattern[i]) != NULL) {
            *out++ = '\\';
        }
        *out++ = pattern[i];
    }
    memcpy(out, pattern + folder, strlen(pattern + folder) + 1);
    return escaped;
}

// A folder that is not there holds no files; one that cannot be read may hold some.
static int stops_search(const char *path, int reason)
{
    (void)path;
    return reason != ENOENT && reason != ENOTDIR;
}

static void include_pattern(struct load *load, const struct conform *conform,
                            const struct yaml_tree_node *node)
{
    char *shown = display_pattern(load, node->text);
    char *pattern = escaped_folder(shown, strlen(shown) - strlen(node->text));
    glob_t found;
    int result = glob(pattern, 0, stops_search, &found);
    if (result == GLOB_NOMATCH) {
        if (strpbrk(node->text, "*?[") == NULL) {
            conform_complain(conform, node, "include: there is no file \"%.200s\"", node->raw);
        }
    } else if (result != 0) {
        conform_complain(conform, node,
                         "include: \"%.200s\" cannot be searched; check the folder's "
                         "permissions",
                         node->raw);
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
        if (load->file_count >= FILES_MAX) {
            conform_complain(conform, node, "include: more than 10,000 files");
            break;
        }
        if (!is_read(load, found.gl_pathv[i])) {
            load_include(load, found.gl_pathv[i]);
        }
    }
    if (result == 0) {
        globfree(&found);
    }
    free(pattern);
    free(shown);
}

void include_files(struct load *load, const struct conform *conform,
                   const struct yaml_tree_node *patterns)
{
    if (patterns == NULL || patterns->schema == NULL || patterns->kind != TREE_LIST ||
        patterns->broken) {
        return;
    }
    for (const struct yaml_tree_node *node = patterns->first; node != NULL; node = node->next) {
        if (load->substitution.closed) {
            conform_complain(conform, node, "include: there is no file \"%.200s\"", node->raw);
        } else if (node->text[0] == '\0') {
            conform_complain(conform, node, "include: names no file");
        } else {
            include_pattern(load, conform, node);
        }
    }
}
