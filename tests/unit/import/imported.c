// SPDX-License-Identifier: MIT
#include "imported.h"

#include <string.h>

#include "config/load.h"
#include "import/crontab_yaml.h"

#define REMARKS_MAX ((size_t)64 * 1024 * 1024)

struct sink {
    struct imported *imported;
    struct crontab_yaml yaml;
};

static void remark(void *context, size_t line, enum crontab_remark kind, const char *text)
{
    struct imported *imported = ((struct sink *)context)->imported;
    imported->lost += kind == CRONTAB_LOST;
    buf_printf(&imported->remarks, "%zu %s: %s\n", line, kind == CRONTAB_LOST ? "lost" : "note",
               text);
}

static void entry(void *context, const struct crontab_entry *entry)
{
    struct sink *sink = context;
    const struct crontab_source source = {.file = "tab", .label = "tab"};
    struct error err = ERROR_INIT;
    if (!crontab_yaml_add(&sink->yaml, &source, entry, &err)) {
        remark(sink, entry->line, CRONTAB_LOST, err.text);
    }
}

static void load(struct imported *imported)
{
    struct config_problems problems;
    config_problems_init(&problems);
    if (!config_load_bytes("t.yml", "/", buf_string(&imported->yaml), imported->yaml.length, true,
                           &imported->config, &problems)) {
        struct buf text;
        buf_init(&text, (size_t)1 << 20);
        config_problems_print(&problems, &text);
        fail_msg("does not load: %s\n%.4000s", buf_string(&text), buf_string(&imported->yaml));
    }
    config_problems_release(&problems);
    assert_int_equal(imported->config->job_count, imported->jobs);
}

struct imported imported_part(const char *bytes, size_t length, bool has_users, size_t part)
{
    struct imported imported = {0};
    struct sink sink = {.imported = &imported};
    const struct crontab_sink calls = {.context = &sink, .entry = entry, .remark = remark};
    struct zone_cache *zones = zone_cache_new();
    buf_init(&imported.remarks, REMARKS_MAX);
    buf_init(&imported.yaml, REMARKS_MAX);
    crontab_yaml_init(&sink.yaml, zones, "UTC", part);
    crontab_read(bytes, length, has_users, &calls);
    buf_add_string(&imported.yaml, crontab_yaml_text(&sink.yaml));
    imported.jobs = sink.yaml.jobs;
    imported.parts = sink.yaml.parts;
    crontab_yaml_release(&sink.yaml);
    zone_cache_free(zones);
    load(&imported);
    return imported;
}

struct imported imported_bytes(const char *bytes, size_t length, bool has_users)
{
    return imported_part(bytes, length, has_users, 1);
}

struct imported imported_text(const char *text, bool has_users)
{
    return imported_bytes(text, strlen(text), has_users);
}

void imported_release(struct imported *imported)
{
    buf_release(&imported->yaml);
    buf_release(&imported->remarks);
    config_free(imported->config);
}
