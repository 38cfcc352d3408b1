// SPDX-License-Identifier: MIT
// Any bytes as a crontab. Each line is accounted for, in order, and whatever is printed loads. The
// first byte says whether there is a column for users.
#include "fuzz_target.h"

#include <string.h>

#include "base/check.h"
#include "config/load.h"
#include "import/crontab_yaml.h"

#define INPUT_MAX 20000

struct state {
    struct crontab_yaml yaml;
    size_t line; // of the last call
};

static void take_remark(void *context, size_t line, enum crontab_remark kind, const char *text)
{
    struct state *state = context;
    CHECK(line > 0 && line >= state->line && text[0] != '\0');
    CHECK(kind == CRONTAB_LOST || kind == CRONTAB_NOTE);
    state->line = line;
}

static void take_entry(void *context, const struct crontab_entry *entry)
{
    struct state *state = context;
    const struct crontab_source source = {.file = "fuzz\n", .label = "fuzz"};
    struct error err = ERROR_INIT;
    CHECK(entry->line >= state->line);
    state->line = entry->line;
    if (!crontab_yaml_add(&state->yaml, &source, entry, &err)) {
        CHECK(err.text[0] != '\0');
    }
}

static void load(struct state *state)
{
    const char *text = crontab_yaml_text(&state->yaml);
    struct config_problems problems;
    struct config *config = NULL;
    config_problems_init(&problems);
    CHECK(config_load_bytes("fuzz.yml", "/", text, strlen(text), true, &config, &problems));
    CHECK(config->job_count == state->yaml.jobs);
    config_free(config);
    config_problems_release(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 1 || length > INPUT_MAX) {
        return 0;
    }
    struct state state = {0};
    struct zone_cache *zones = zone_cache_new();
    const struct crontab_sink sink = {
        .context = &state, .entry = take_entry, .remark = take_remark};
    crontab_yaml_init(&state.yaml, zones, "UTC", 1);
    crontab_read((const char *)bytes + 1, length - 1, (bytes[0] & 1) != 0, &sink);
    load(&state);
    crontab_yaml_release(&state.yaml);
    zone_cache_free(zones);
    return 0;
}
