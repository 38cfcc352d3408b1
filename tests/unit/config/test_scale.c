// SPDX-License-Identifier: MIT
// Ten thousand jobs: all found, what is equal among them there once, the memory within its share.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define JOBS       10000
#define BYTES_MAX  ((size_t)5 * 1024 * 1024) // of 15 MB that the whole program may have
#define FIRST_LINE "defaults: {timeout: 5m, limits: {nice: 1}}\njobs:\n"

static void write_jobs(struct buf *text)
{
    buf_init(text, (size_t)4 * 1024 * 1024);
    buf_add_string(text, FIRST_LINE);
    for (int i = 0; i < JOBS; i++) {
        // Names in an order that is not that of the alphabet.
        buf_printf(text,
                   "  - name: job-%d\n    schedule: \"%d %d * * *\"\n    timezone: Europe/Berlin\n"
                   "    command: [/bin/true, \"%d\"]\n    env: {A: one, B: two}\n"
                   "    retries: {max: 2}\n",
                   (i * 7919) % JOBS, i % 60, i % 24, i);
    }
}

static void each_of_ten_thousand_jobs_is_found(void **state)
{
    (void)state;
    struct buf text;
    write_jobs(&text);
    struct fixture fixture = fixture_load_fine(buf_string(&text));
    buf_release(&text);
    const struct config *config = fixture.config;
    assert_int_equal(config->job_count, JOBS);
    for (int i = 0; i < JOBS; i++) {
        char name[32];
        snprintf(name, sizeof name, "job-%d", i);
        const struct job *job = config_job(config, name);
        assert_non_null(job);
        assert_string_equal(job->name, name);
    }
    assert_null(config_job(config, "job-10000"));
    fixture_release(&fixture);
}

static void what_is_equal_is_shared(void **state)
{
    (void)state;
    struct buf text;
    write_jobs(&text);
    struct fixture fixture = fixture_load_fine(buf_string(&text));
    buf_release(&text);
    const struct job *first = &fixture.config->jobs[0];
    for (size_t i = 1; i < fixture.config->job_count; i++) {
        const struct job *job = &fixture.config->jobs[i];
        assert_ptr_equal(job->timezone, first->timezone);
        assert_ptr_equal(job->retries, first->retries);
        assert_ptr_equal(job->command->env, first->command->env);
        assert_ptr_equal(job->schedule.zone, first->schedule.zone);
        assert_ptr_equal(job->config_file, first->config_file);
    }
    if (fixture.config->arena.used > BYTES_MAX) {
        fail_msg("%d jobs take %zu bytes", JOBS, fixture.config->arena.used);
    }
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_ten_thousand_jobs_is_found),
        cmocka_unit_test(what_is_equal_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
