// SPDX-License-Identifier: MIT
// `init`, `validate`, `version`: before the first start.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "cli/words.h"
#include "config/validate.h"
#include "serve/validate_store.h"

#define FILE_DEFAULT "ironcron.yml"

// ---- init ---------------------------------------------------------------------------------------

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

static bool write_template(const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        return error_set(err, ERROR_REFUSED,
                         "%s is there already and was left as it is; name another file: ironcron "
                         "init FILE",
                         path);
    }
    if (fd < 0) {
        return error_set(err, ERROR_IO,
                         "%s cannot be written: %s; name another file: ironcron init FILE", path,
                         strerror(errno));
    }
    bool written = write_all(fd, config_template);
    int problem = errno;
    bool closed = close(fd) == 0;
    if (written && closed) {
        return true;
    }
    unlink(path); // half a file would be in the way of the next try
    return error_set(err, ERROR_IO,
                     "%s could not be written: %s; remove what is there of it and try again", path,
                     strerror(written ? errno : problem));
}

bool command_init(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    const char *path = invocation->arguments[0] != NULL  ? invocation->arguments[0]
                       : invocation->config_path != NULL ? invocation->config_path
                                                         : FILE_DEFAULT;
    if (!write_template(path, err)) {
        return false;
    }
    bool is_default = strcmp(path, FILE_DEFAULT) == 0;
    if (invocation->json) {
        json_print(json_pack("{s:o}", "file", json_text(path)));
        return true;
    }
    printf(
        "%s is written. Go on with:\n  ironcron %s%s%svalidate\n  ironcron %s%s%sserve --dry-run\n",
        path, is_default ? "" : "-c ", is_default ? "" : path, is_default ? "" : " ",
        is_default ? "" : "-c ", is_default ? "" : path, is_default ? "" : " ");
    return true;
}

// ---- validate -----------------------------------------------------------------------------------

static const char *const result_names[] = {
    [VALIDATE_OK] = "ok", [VALIDATE_WARNING] = "warning", [VALIDATE_FAILED] = "failed"};
static const enum colour result_colours[] = {
    [VALIDATE_OK] = COLOUR_GOOD, [VALIDATE_WARNING] = COLOUR_WARN, [VALIDATE_FAILED] = COLOUR_BAD};

static void print_problems_json(const struct config_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->list[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:i, s:i, s:o}", "file", json_text(problem->file),
                                        "line", problem->line, "column", problem->column, "text",
                                        json_text(problem->text)));
    }
    json_print(json_pack("{s:b, s:o, s:[]}", "ok", 0, "problems", list, "checks"));
}

static void print_checks_json(const struct validate_report *report)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const struct validate_check *check = &report->checks[i];
        json_array_append_new(
            checks, json_pack("{s:o, s:s, s:o, s:o}", "check", json_text(check->name), "result",
                              result_names[check->result], "detail", json_text(check->detail),
                              "remedy", json_text(check->remedy)));
    }
    json_print(
        json_pack("{s:b, s:[], s:o}", "ok", report->failed == 0, "problems", "checks", checks));
}

static void print_checks(const struct validate_report *report, const struct session *session)
{
    AUTO_TEXT_TABLE table = text_table_new("RESULT|CHECK|FOUND");
    for (size_t i = 0; i < report->count; i++) {
        const struct validate_check *check = &report->checks[i];
        text_table_cell(table, result_colours[check->result], result_names[check->result]);
        text_table_cell(table, COLOUR_NONE, check->name);
        text_table_cell(table, COLOUR_NONE, check->detail);
        if (check->result != VALIDATE_OK && check->remedy != NULL) {
            text_table_cell(table, COLOUR_NONE, "");
            text_table_cell(table, COLOUR_NONE, "");
            text_table_cellf(table, COLOUR_BOLD, "mend it: %s", check->remedy);
        }
    }
    text_table_print(table, stdout, 0);
    if (report->failed > 0) {
        terminal_print(stdout, COLOUR_BAD, "\n%zu check%s failed", report->failed,
                       words_plural(report->failed));
        puts(report->failed > report->down
                 ? ": serve would refuse to start"
                 : ": serve would start, but jobs on such a database fail");
    } else {
        terminal_print(stdout, COLOUR_GOOD, "\nall checks passed");
        printf("%s. Go on with: ironcron %s\n", report->warnings > 0 ? ", with warnings" : "",
               session->has_node ? "reload (a node is live on this store)" : "serve");
    }
}

static bool validate_json_config(const struct invocation *invocation, int *exit_out)
{
    AUTO(config_problems_release) struct config_problems problems;
    config_problems_init(&problems);
    struct config *config = NULL;
    if (config_load(invocation->config_path, &config, &problems)) {
        config_free(config);
        return true;
    }
    print_problems_json(&problems);
    *exit_out = error_exit_code(ERROR_CONFIG);
    return false;
}

bool command_validate(struct invocation *invocation, int *exit_out, struct error *err)
{
    if (invocation->json && !validate_json_config(invocation, exit_out)) {
        return true;
    }
    AUTO(session_release) struct session session = {0};
    if (!session_config_whole(&session, invocation, err)) {
        return false;
    }
    session_look_for_node(&session);
    struct validate_options options = {.node_lives = session.has_node,
                                       .down_fails = true,
                                       .check_store = validate_postgresql_store,
                                       .clock = invocation->clock};
    struct validate_report report;
    validate_config(session.config, &options, &report);
    *exit_out = report.failed > 0 ? error_exit_code(report.code) : 0;
    if (invocation->json) {
        print_checks_json(&report);
    } else {
        print_checks(&report, &session);
    }
    validate_report_release(&report);
    return true;
}

// ---- version ------------------------------------------------------------------------------------

bool command_version(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    (void)err;
    struct zone_cache *zones = zone_cache_new();
    const char *tzdata = zone_cache_version(zones);
    if (invocation->json) {
        json_print(json_pack("{s:s, s:s}", "version", IRONCRON_VERSION, "tzdata", tzdata));
    } else {
        printf("ironcron %s (time zone data %s)\n", IRONCRON_VERSION, tzdata);
    }
    zone_cache_free(zones);
    return true;
}
