// SPDX-License-Identifier: MIT
// Any bytes as a configuration: either problems with a place and a text, or a config that hangs
// together.
#include "fuzz_target.h"

#include <string.h>

#include "base/check.h"
#include "config/load.h"
#include "job/url.h"

static void check_problems(const struct config_problems *problems)
{
    CHECK(problems->count > 0 && problems->count <= CONFIG_PROBLEMS_MAX + 1);
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->list[i];
        CHECK(problem->text[0] != '\0' && strcmp(problem->file, "fuzz.yml") == 0);
        CHECK(problem->line >= 0 && (problem->line == 0) == (problem->column == 0));
    }
    AUTO(buf_release) struct buf out;
    buf_init(&out, (size_t)4 * 1024 * 1024);
    config_problems_print(problems, &out);
    CHECK(!out.overflow);
}

static void check_http(const struct job_http *http)
{
    struct url url;
    struct error err = ERROR_INIT;
    CHECK(url_parse(http->url, &url, &err) && http->method != NULL && http->shown_url != NULL);
    CHECK(http->expect_count > 0 && http->expect_count <= JOB_EXPECT_MAX);
    for (const struct job_variable *header = http->headers; header != NULL && header->name != NULL;
         header++) {
        CHECK(strpbrk(header->value, "\r\n") == NULL && header->name[0] != '\0');
    }
}

static void check_job(const struct config *config, const struct job *job)
{
    CHECK(config_job(config, job->name) == job);
    CHECK(job->schedule_text != NULL && job->timezone != NULL && job->schedule.zone != NULL);
    CHECK(job->retries != NULL && job->retries->max >= 0 && job->retries->max <= 100);
    bool is_process = job->kind == JOB_COMMAND || job->kind == JOB_SHELL;
    CHECK(job->command != NULL && (job->command->argv != NULL) == is_process);
    CHECK(!is_process || job->command->argv[0] != NULL);
    CHECK((job->http != NULL) == (job->kind == JOB_HTTP));
    if (job->http != NULL) {
        check_http(job->http);
    }
    CHECK(job->timeout.us >= 0 && job->kill_after.us >= 0 && job->jitter.us >= 0);
    CHECK(job->config_line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct config_problems problems;
    config_problems_init(&problems);
    struct config *config = NULL;
    if (config_load_bytes("fuzz.yml", "/", (const char *)bytes, length, true, &config, &problems)) {
        CHECK(problems.count == 0 && config->store_path != NULL && strlen(config->hash) == 64);
        for (size_t i = 0; i < config->job_count; i++) {
            check_job(config, &config->jobs[i]);
        }
        config_free(config);
    } else {
        CHECK(config == NULL);
        check_problems(&problems);
    }
    config_problems_release(&problems);
    return 0;
}
