// SPDX-License-Identifier: MIT
// The stream: pieces of any size, several at once, across a reload, for many jobs; and what
// Prometheus' own checker says of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "fake_jobs.h"
#include "strict.h"

static struct metrics *metrics_with(struct fake_jobs *fake, size_t count)
{
    fake_jobs_init(fake, NULL, count);
    struct metrics *metrics = metrics_new(&(struct metrics_options){.version = "1"});
    metrics_set_jobs(metrics, fake->jobs, count);
    metrics_set_source(metrics, fake_jobs_each, fake);
    const struct engine_events *e = metrics_events(metrics);
    for (size_t i = 0; i < count; i += 3) {
        struct engine_run run = fake_run(&fake->jobs[i]);
        e->on_started(e->context, &run, DURATION_MS(i));
        e->on_handed_over(e->context, &run, DURATION_MS(1));
        e->on_ended(e->context, &run, RUN_SUCCESS, FAILURE_NONE, DURATION_MS(i * 7), NULL);
    }
    return metrics;
}

static void read_rest(struct http_stream *stream, size_t piece, struct buf *out)
{
    char *bytes = malloc(piece);
    size_t length;
    while ((length = stream->read(stream->context, bytes, piece)) > 0) {
        assert_true(length <= piece);
        buf_add(out, bytes, length);
    }
    assert_int_equal(stream->read(stream->context, bytes, piece), 0);
    free(bytes);
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 4096, 65536, 1 << 20};
    struct fake_jobs fake;
    struct metrics *metrics = metrics_with(&fake, 40);
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct http_stream stream = metrics_stream(metrics, EXPOSITION_OPENMETRICS);
        struct buf got;
        struct strict strict;
        buf_init(&got, 64 << 20);
        read_rest(&stream, pieces[i], &got);
        stream.free(stream.context);
        strict_read(&strict, EXPOSITION_OPENMETRICS, got.data, got.length);
        if (strict.error[0] != '\0') {
            fail_msg("in pieces of %zu: %s", pieces[i], strict.error);
        }
        assert_string_equal(strict_value(&strict, "job_duration_ms_count{job_name=\"job-39\"}"),
                            "1");
        strict_release(&strict);
        buf_release(&got);
    }
    metrics_free(metrics);
    fake_jobs_release(&fake);
}

static void a_reload_does_not_disturb_open_scrapes(void **state)
{
    (void)state;
    static const size_t before[] = {0, 1, 5000, 100000, 300000, 1 << 24};
    for (size_t i = 0; i < ARRAY_LENGTH(before); i++) {
        struct fake_jobs fake;
        struct fake_jobs other;
        struct metrics *metrics = metrics_with(&fake, 100);
        fake_jobs_init(&other, (const char *const[]){"other"}, 1);
        struct http_stream first = metrics_stream(metrics, EXPOSITION_TEXT);
        struct http_stream second = metrics_stream(metrics, EXPOSITION_TEXT);
        struct buf got;
        struct strict strict;
        buf_init(&got, 64 << 20);
        char *bytes = malloc(before[i] + 1);
        buf_add(&got, bytes, first.read(first.context, bytes, before[i]));
        metrics_set_jobs(metrics, other.jobs, 1);
        metrics_set_source(metrics, fake_jobs_each, &other);
        fake_jobs_release(&fake);
        read_rest(&first, 1000, &got);
        first.free(first.context);
        second.free(second.context);
        strict_read(&strict, EXPOSITION_TEXT, got.data, got.length);
        if (strict.error[0] != '\0') {
            fail_msg("after %zu bytes: %s", before[i], strict.error);
        }
        assert_string_equal(strict_value(&strict, "job_running{job_name=\"job-99\"}"), "0");
        assert_null(strict_value(&strict, "job_running{job_name=\"other\"}"));
        strict_release(&strict);
        buf_release(&got);
        free(bytes);
        metrics_free(metrics);
        fake_jobs_release(&other);
    }
}

static void ten_thousand_jobs(void **state)
{
    (void)state;
    struct fake_jobs fake;
    struct metrics *metrics = metrics_with(&fake, 10000);
    struct buf got;
    struct strict strict;
    buf_init(&got, (size_t)256 << 20);
    metrics_render(metrics, EXPOSITION_TEXT, &got);
    strict_read(&strict, EXPOSITION_TEXT, got.data, got.length);
    assert_string_equal(strict.error, "");
    assert_string_equal(
        strict_value(&strict, "job_runs_total{job_name=\"job-9999\",status=\"success\"}"), "1");
    strict_release(&strict);
    buf_release(&got);
    metrics_free(metrics);
    fake_jobs_release(&fake);
}

// What promtool complains of, one line each; the program's exit status.
static int promtool(const struct buf *text, struct buf *complaints)
{
    char in[] = "/tmp/ironcron-metrics-XXXXXX";
    char out[] = "/tmp/ironcron-promtool-XXXXXX";
    int in_fd = mkstemp(in);
    int out_fd = mkstemp(out);
    assert_int_equal(write(in_fd, text->data, text->length), text->length);
    assert_int_equal(lseek(in_fd, 0, SEEK_SET), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(in_fd, STDIN_FILENO);
        dup2(out_fd, STDOUT_FILENO);
        dup2(out_fd, STDERR_FILENO);
        execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    char bytes[4096];
    ssize_t length;
    lseek(out_fd, 0, SEEK_SET);
    while ((length = read(out_fd, bytes, sizeof bytes)) > 0) {
        buf_add(complaints, bytes, (size_t)length);
    }
    close(in_fd);
    close(out_fd);
    unlink(in);
    unlink(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void promtool_dislikes_one_name_only(void **state)
{
    (void)state;
    struct fake_jobs fake;
    struct metrics *metrics = metrics_with(&fake, 5);
    metrics_store_statement(metrics, DURATION_MS(1));
    struct buf text;
    struct buf complaints;
    buf_init(&text, 16 << 20);
    buf_init(&complaints, 1 << 20);
    metrics_render(metrics, EXPOSITION_TEXT, &text);
    int code = promtool(&text, &complaints);
    if (code == 127) {
        print_message("promtool is not installed\n");
    } else {
        assert_int_equal(code, 3); // lint, and not 1: unreadable
        assert_string_equal(buf_string(&complaints),
                            "job_duration_ms metric names should not contain abbreviated units\n");
    }
    buf_release(&text);
    buf_release(&complaints);
    metrics_free(metrics);
    fake_jobs_release(&fake);
    if (code == 127) {
        skip();
    }
}

static void the_strict_reader_can_say_no(void **state)
{
    (void)state;
#define HEAD  "# HELP a_total A.\n# TYPE a_total counter\n"
#define CURVE "# HELP h H.\n# TYPE h histogram\n"
    static const char *const texts[] = {
        "",
        HEAD "a_total 1",
        HEAD "\na_total 1\n",
        HEAD "a_total 1\r\n",
        HEAD "a_total x\n",
        HEAD "a_total 1 1700000000000\n",
        HEAD "a_total -1\n",
        HEAD "a_total 1\na_total 2\n",
        HEAD "a_total{x=\"1\",x=\"2\"} 1\n",
        HEAD "a_total{x=\"\\t\"} 1\n",
        HEAD "a_total{x=1} 1\n",
        HEAD "b_total 1\n",
        HEAD HEAD,
        "# TYPE a_total counter\na_total 1\n",
        "# HELP a_total A.\na_total 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\n",
        HEAD "a_total 1\n# HELP b B.\n# TYPE b gauge\nb 1\na_total{x=\"y\"} 1\n",
        CURVE "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        CURVE "h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 1\n",
        CURVE "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        CURVE
        "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        CURVE "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct strict strict;
        strict_read(&strict, EXPOSITION_TEXT, texts[i], strlen(texts[i]));
        if (strict.error[0] == '\0') {
            fail_msg("accepted:\n%s", texts[i]);
        }
        strict_release(&strict);
    }
    static const char good[] =
        HEAD "a_total{x=\"\\\\\\\"\\n\"} 1\n" CURVE
             "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n";
    struct strict strict;
    strict_read(&strict, EXPOSITION_TEXT, good, strlen(good));
    assert_string_equal(strict.error, "");
    strict_release(&strict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(a_reload_does_not_disturb_open_scrapes),
        cmocka_unit_test(ten_thousand_jobs),
        cmocka_unit_test(promtool_dislikes_one_name_only),
        cmocka_unit_test(the_strict_reader_can_say_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
