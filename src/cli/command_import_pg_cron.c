// SPDX-License-Identifier: MIT
// `import pg_cron`: prints pg_cron's jobs as YAML, and says what it left out.
#include <stdio.h>

#include "cli/json.h"
#include "cli/run.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "import/pg_cron.h"

#define YAML_MAX ((size_t)64 * 1024 * 1024)

struct printing {
    json_t *remarks; // NULL: they go to stderr at once
    size_t notes;
};

static void remark(void *context, const char *job, enum pg_cron_remark kind, const char *text)
{
    struct printing *printing = context;
    bool is_lost = kind == PG_CRON_LOST;
    printing->notes += !is_lost;
    if (printing->remarks != NULL) {
        json_array_append_new(printing->remarks,
                              json_pack("{s:o, s:s, s:o}", "job", json_text(job), "kind",
                                        is_lost ? "lost" : "note", "text", json_text(text)));
        return;
    }
    if (job != NULL) {
        terminal_put(stderr, COLOUR_NONE, job);
        fputs(": ", stderr);
    }
    fprintf(stderr, "%s: ", is_lost ? "not carried over" : "note");
    terminal_put(stderr, COLOUR_NONE, text);
    fputc('\n', stderr);
}

static void print_result(const struct printing *printing, const struct pg_cron_counts *counts,
                         const char *yaml)
{
    if (printing->remarks != NULL) {
        json_print(json_pack("{s:s, s:I, s:I, s:I, s:I, s:O}", "yaml", yaml, "jobs",
                             (json_int_t)counts->jobs, "inactive", (json_int_t)counts->inactive,
                             "lost", (json_int_t)counts->lost, "notes", (json_int_t)printing->notes,
                             "remarks", printing->remarks));
        return;
    }
    fputs(yaml, stdout);
    fprintf(stderr, "%zu job%s, and %zu inactive; %zu thing%s not carried over, %zu note%s\n",
            counts->jobs, words_plural(counts->jobs), counts->inactive, counts->lost,
            words_plural(counts->lost), printing->notes, words_plural(printing->notes));
}

bool command_import_pg_cron(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(pg_cron_release) struct pg_cron source = {0};
    if (!pg_cron_read(invocation->arguments[0], &source, err)) {
        return false;
    }
    AUTO(buf_release) struct buf yaml;
    buf_init(&yaml, YAML_MAX);
    struct printing printing = {.remarks = invocation->json ? json_array() : NULL};
    struct pg_cron_sink sink = {.context = &printing, .remark = remark};
    struct pg_cron_counts counts;
    struct zone_cache *zones = zone_cache_new();
    pg_cron_yaml(&source, zones, &sink, &yaml, &counts);
    zone_cache_free(zones);
    print_result(&printing, &counts, buf_string(&yaml));
    json_decref(printing.remarks);
    *exit_out = counts.lost > 0 ? 1 : 0;
    return true;
}
