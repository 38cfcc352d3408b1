// SPDX-License-Identifier: MIT
// Startup validation: the order of the checks.
#include <inttypes.h>
#include <stdio.h>

#include "config/validate_checks.h"

static void validate_definitions(const struct config *config, struct validate_report *report)
{
    char detail[256];
    const char *plural = config->job_count == 1 ? "" : "s";
    if (config->version > 0) {
        snprintf(detail, sizeof detail, "%zu job%s in version %" PRId64 " of the store",
                 config->job_count, plural, config->version);
    } else {
        snprintf(detail, sizeof detail, "%zu job%s in %zu file%s", config->job_count, plural,
                 config->file_count, config->file_count == 1 ? "" : "s");
    }
    if (config->job_count == 0) {
        validate_add(report, VALIDATE_WARNING, "config", detail,
                     "there is nothing to run; define a job under \"jobs\"");
    } else {
        validate_ok(report, "config", "%s", detail);
    }
}

void validate_config(const struct config *config, const struct validate_options *options,
                     struct validate_report *report_out)
{
    *report_out = (struct validate_report){.code = ERROR_NONE};
    arena_init(&report_out->arena, (size_t)256 * 1024 * 1024);
    validate_definitions(config, report_out);
    validate_files(config, report_out);
    validate_store(config, options, report_out);
    validate_disk(config, report_out);
    validate_zones(config, report_out);
    validate_clock_changes(config, options, report_out);
    validate_jobs(config, report_out);
    validate_nodes(config, report_out);
    validate_sqlite(config, report_out);
    validate_http(config, options, report_out);
    validate_postgresql(config, options, report_out);
    validate_port(config, options, report_out);
    validate_open_files(config, report_out);
    validate_clock(options, report_out);
}
