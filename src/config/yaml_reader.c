// SPDX-License-Identifier: MIT
// libyaml's events, one after the other, without recursion: depth is bounded by an array.
#include "config/yaml_reader.h"

#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "base/map.h"
#include "base/utf8.h"

// Maps with more keys than this look duplicates up in a hash map instead of along the list.
#define FEW_KEYS 16

struct level {
    struct yaml_tree_node *node;
    struct map keys; // used from FEW_KEYS on
};

struct reader {
    yaml_parser_t parser;
    struct yaml_tree *tree;
    struct config_problems *problems;
    struct level levels[TREE_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    const char *key; // read, its value not yet
    yaml_mark_t key_mark;
    bool duplicate; // the key stood in this map before
    bool finished;
};

static void complain(struct reader *reader, yaml_mark_t mark, const char *text)
{
    config_problems_add(reader->problems, reader->tree->file, (int)mark.line + 1,
                        (int)mark.column + 1, "%s", text);
}

// ---- positions in the bytes ---------------------------------------------------------------------

static void complain_at_byte(struct yaml_tree *tree, struct config_problems *problems,
                             const char *bytes, size_t at, const char *text)
{
    int line = 1;
    int column = 1;
    for (size_t i = 0; i < at; i++) {
        if (bytes[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)bytes[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    config_problems_add(problems, tree->file, line, column, "%s", text);
}

static bool is_refused_control(unsigned char c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
}

// Character by character; the whole is known to be invalid.
static size_t first_invalid(const char *bytes, size_t length)
{
    size_t at = 0;
    for (size_t size = 1; at < length; at += size) {
        for (size = 1; size < 5 && size <= length - at && !utf8_is_valid(bytes + at, size);) {
            size++;
        }
        if (size == 5 || size > length - at) {
            return at;
        }
    }
    return at;
}

static bool check_bytes(struct yaml_tree *tree, const char *bytes, size_t length,
                        struct config_problems *problems)
{
    if (length > TREE_BYTES_MAX) {
        config_problems_add(problems, tree->file, 0, 0,
                            "the file is larger than 4 MB; split it with \"include\"");
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\0') {
            complain_at_byte(tree, problems, bytes, i, "a NUL byte; this is not a text file");
            return false;
        }
        if (is_refused_control((unsigned char)bytes[i])) {
            complain_at_byte(tree, problems, bytes, i,
                             "a control character; remove it, or write it as an escape in a "
                             "double-quoted string");
            return false;
        }
    }
    if (!utf8_is_valid(bytes, length)) {
        complain_at_byte(tree, problems, bytes, first_invalid(bytes, length),
                         "a byte that is not valid UTF-8; save the file as UTF-8");
        return false;
    }
    return true;
}

// ---- events to nodes ----------------------------------------------------------------------------

static bool read_key(struct reader *reader, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        complain(reader, event->start_mark, "a key must be a plain word");
        return false;
    }
    const char *value = (const char *)event->data.scalar.value;
    if (event->data.scalar.length > TREE_KEY_MAX || strlen(value) != event->data.scalar.length) {
        complain(reader, event->start_mark, "a key must be a word of at most 1024 bytes");
        return false;
    }
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && strcmp(value, "<<") == 0) {
        complain(reader, event->start_mark,
                 "merge keys (<<) are not supported; write the keys out, or use \"defaults\"");
        return false;
    }
    struct level *level = &reader->levels[reader->depth - 1];
    const struct yaml_tree_node *before = level->node->count < FEW_KEYS
                                              ? yaml_tree_find(level->node, value)
                                              : map_get(&level->keys, value);
    reader->duplicate = before != NULL;
    if (before != NULL) {
        config_problems_add(reader->problems, reader->tree->file, (int)event->start_mark.line + 1,
                            (int)event->start_mark.column + 1,
                            "\"%s\" is given twice; first in line %d", value, before->key_line);
    }
    reader->key = arena_bytes(&reader->tree->arena, value, event->data.scalar.length);
    reader->key_mark = event->start_mark;
    return true;
}

static void remember_key(struct level *level, struct yaml_tree_node *node)
{
    if (level->node->count == FEW_KEYS) {
        for (struct yaml_tree_node *child = level->node->first; child != NULL;
             child = child->next) {
            map_put(&level->keys, child->key, child);
        }
    } else if (level->node->count > FEW_KEYS) {
        map_put(&level->keys, node->key, node);
    }
}

static struct yaml_tree_node *add_node(struct reader *reader, const yaml_event_t *event,
                                       enum yaml_tree_kind kind)
{
    if (++reader->nodes > TREE_NODES_MAX) {
        complain(reader, event->start_mark,
                 "the file holds more than 500,000 values; split it with \"include\"");
        return NULL;
    }
    struct level *level = reader->depth == 0 ? NULL : &reader->levels[reader->depth - 1];
    struct yaml_tree_node *node =
        yaml_tree_add(reader->tree, level == NULL ? NULL : level->node, kind);
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    if (level != NULL && level->node->kind == TREE_MAP) {
        node->key = reader->key;
        node->key_line = (int)reader->key_mark.line + 1;
        node->key_column = (int)reader->key_mark.column + 1;
        node->broken = reader->duplicate;
        reader->key = NULL;
        remember_key(level, node);
    }
    return node;
}

static bool refuse_decoration(struct reader *reader, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag,
                              struct yaml_tree_node *node)
{
    if (anchor != NULL) {
        complain(reader, event->start_mark,
                 "anchors (&name) are not supported; write the value out, or use \"defaults\"");
        node->broken = true;
    }
    if (tag != NULL) {
        complain(reader, event->start_mark,
                 "tags (!name) are not supported; each key has one type by itself");
        node->broken = true;
    }
    return true;
}

static bool read_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_tree_node *node = add_node(reader, event, TREE_SCALAR);
    if (node == NULL) {
        return false;
    }
    size_t length = event->data.scalar.length;
    node->raw = arena_bytes(&reader->tree->arena, (const char *)event->data.scalar.value, length);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(node->raw) != length) {
        complain(reader, event->start_mark, "a NUL character (\\0) inside a value");
        node->broken = true;
    }
    return refuse_decoration(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
                             node);
}

static bool read_alias(struct reader *reader, const yaml_event_t *event)
{
    struct yaml_tree_node *node = add_node(reader, event, TREE_SCALAR);
    if (node == NULL) {
        return false;
    }
    node->broken = true;
    complain(reader, event->start_mark,
             "aliases (*name) are not supported; write the value out, or use \"defaults\"");
    return true;
}

static bool open_level(struct reader *reader, const yaml_event_t *event, enum yaml_tree_kind kind)
{
    if (reader->depth == TREE_DEPTH_MAX) {
        complain(reader, event->start_mark, "nested more than 32 levels deep");
        return false;
    }
    struct yaml_tree_node *node = add_node(reader, event, kind);
    if (node == NULL) {
        return false;
    }
    reader->levels[reader->depth++].node = node;
    return kind == TREE_MAP ? refuse_decoration(reader, event, event->data.mapping_start.anchor,
                                                event->data.mapping_start.tag, node)
                            : refuse_decoration(reader, event, event->data.sequence_start.anchor,
                                                event->data.sequence_start.tag, node);
}

static void close_level(struct reader *reader)
{
    struct level *level = &reader->levels[--reader->depth];
    map_release(&level->keys);
    level->node = NULL;
}

static bool read_document_start(struct reader *reader, const yaml_event_t *event)
{
    if (reader->tree->root != NULL) {
        complain(reader, event->start_mark, "a second document; a configuration is one document");
        return false;
    }
    return true;
}

static bool read_event(struct reader *reader, const yaml_event_t *event)
{
    bool in_map = reader->depth > 0 && reader->levels[reader->depth - 1].node->kind == TREE_MAP;
    if (in_map && reader->key == NULL && event->type != YAML_MAPPING_END_EVENT) {
        return read_key(reader, event);
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return read_document_start(reader, event);
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event);
    case YAML_ALIAS_EVENT:
        return read_alias(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(reader, event, TREE_LIST);
    case YAML_MAPPING_START_EVENT:
        return open_level(reader, event, TREE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_level(reader);
        return true;
    case YAML_STREAM_END_EVENT:
        reader->finished = true;
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    UNREACHABLE();
}

// ---- faults that libyaml finds ------------------------------------------------------------------

static const char *yaml_hint(const char *problem)
{
    if (strstr(problem, "cannot start any token") != NULL) {
        return "; indent with spaces, not tabs, and quote a value that begins with @, %, ` or {";
    }
    if (strstr(problem, "mapping values are not allowed") != NULL) {
        return "; quote a value that contains \": \", and align keys of one map";
    }
    if (strstr(problem, "did not find expected key") != NULL ||
        strstr(problem, "could not find expected ':'") != NULL) {
        return "; look at the indentation and at quotes here and in the line before";
    }
    if (strstr(problem, "did not find expected ',' or") != NULL) {
        return "; close the bracket, or quote what stands inside, such as \"${NAME}\"";
    }
    if (strstr(problem, "alphabetic or numeric character") != NULL) {
        return "; quote a value that begins with * or &, such as a schedule";
    }
    return "";
}

static bool complain_syntax(struct reader *reader, const char *bytes)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "out of memory" : parser->problem;
    if (parser->error == YAML_READER_ERROR) {
        complain_at_byte(reader->tree, reader->problems, bytes, parser->problem_offset, problem);
        return false;
    }
    if (parser->context == NULL) {
        config_problems_add(reader->problems, reader->tree->file,
                            (int)parser->problem_mark.line + 1,
                            (int)parser->problem_mark.column + 1, "not valid YAML: %s%s", problem,
                            yaml_hint(problem));
        return false;
    }
    config_problems_add(reader->problems, reader->tree->file, (int)parser->problem_mark.line + 1,
                        (int)parser->problem_mark.column + 1, "not valid YAML: %s %s in line %d%s",
                        problem, parser->context, (int)parser->context_mark.line + 1,
                        yaml_hint(problem));
    return false;
}

static bool read_events(struct reader *reader, const char *bytes)
{
    bool fine = true;
    while (fine && !reader->finished) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            return complain_syntax(reader, bytes);
        }
        fine = read_event(reader, &event);
        yaml_event_delete(&event);
    }
    return fine;
}

bool yaml_reader_read(struct yaml_tree *tree, const char *bytes, size_t length,
                      struct config_problems *problems)
{
    if (!check_bytes(tree, bytes, length, problems)) {
        return false;
    }
    // The byte order mark that some editors put first; the parser looks for it only when it is to
    // guess the encoding.
    if (length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    struct reader reader = {.tree = tree, .problems = problems};
    CHECK(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, length);
    bool fine = read_events(&reader, bytes);
    yaml_parser_delete(&reader.parser);
    while (reader.depth > 0) {
        close_level(&reader);
    }
    return fine;
}
