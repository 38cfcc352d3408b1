// SPDX-License-Identifier: MIT
#include "worker/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/check.h"
#include "base/utf8.h"

static const char *const stage_names[] = {
    [REPORT_NOTHING] = "nothing",       [REPORT_WORKING] = "working", [REPORT_LOOSE] = "loose",
    [REPORT_COMMITTING] = "committing", [REPORT_DONE] = "done",       [REPORT_FAILED] = "failed",
    [REPORT_STOPPED] = "stopped",
};

void report_write(const struct report *report, int fd)
{
    char error[REPORT_ERROR_SIZE];
    utf8_sanitise(report->error, strlen(report->error), error);
    json_t *root = json_pack("{s:s, s:I, s:s}", "stage", stage_names[report->stage], "rows",
                             (json_int_t)report->rows, "error", error);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    CHECK(text != NULL);
    // What is written in halves is no JSON, and counts as nothing.
    if (pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text) ||
        ftruncate(fd, (off_t)strlen(text)) != 0) {
        fprintf(stderr, "ironcron: the worker cannot report what it did: %s\n", text);
    }
    free(text);
}

void report_parse(const char *text, struct report *report_out)
{
    *report_out = (struct report){.stage = REPORT_NOTHING};
    json_t *root = json_loads(text, 0, NULL);
    const char *stage = NULL;
    const char *error = NULL;
    json_int_t rows = 0;
    if (json_unpack(root, "{s:s, s:I, s:s}", "stage", &stage, "rows", &rows, "error", &error) ==
        0) {
        for (size_t i = 0; i < ARRAY_LENGTH(stage_names); i++) {
            if (strcmp(stage_names[i], stage) == 0) {
                report_out->stage = (enum report_stage)i;
                report_out->rows = rows;
                snprintf(report_out->error, sizeof report_out->error, "%s", error);
            }
        }
    }
    json_decref(root);
}
