// SPDX-License-Identifier: MIT
// Output: what is kept of it, and that neither floods nor a scheduler that does not read cost
// memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "runner/output.h"

#define GIGABYTE ((int64_t)1 << 30)

// A line of /proc/PID/status in bytes.
static int64_t memory_of(int pid, const char *field)
{
    char path[64];
    char line[256];
    int64_t kilobytes = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kilobytes = strtoll(line + strlen(field) + 1, NULL, 10);
        }
    }
    fclose(file);
    assert_true(kilobytes >= 0);
    return kilobytes * 1024;
}

// ---- the ring by itself -------------------------------------------------------------------------

// What must be kept, computed the simple way: all of it in memory, cut afterwards.
static void check_kept(int64_t maximum, const char *all, size_t length, const struct buf *kept)
{
    struct buf expected;
    size_t head = (size_t)maximum / 2;
    size_t tail = (size_t)maximum - head;
    buf_init(&expected, (size_t)1 << 20);
    if (length <= (size_t)maximum) {
        buf_add(&expected, all, length);
    } else {
        buf_add(&expected, all, head);
        buf_printf(&expected, "\n… %zu bytes left out …\n", length - head - tail);
        buf_add(&expected, all + length - tail, tail);
    }
    if (expected.length != kept->length ||
        (kept->length > 0 && memcmp(expected.data, kept->data, kept->length) != 0)) {
        fail_msg("maximum %" PRId64 ", %zu bytes written: %zu kept instead of %zu", maximum, length,
                 kept->length, expected.length);
    }
    buf_release(&expected);
}

static void feed_pieces(struct output *output, const char *all, size_t length, struct buf *kept)
{
    for (size_t at = 0; at < length;) {
        size_t piece = (size_t)rand() % 9000 + 1;
        piece = piece < length - at ? piece : length - at;
        size_t head = 0;
        output_add(output, all + at, piece, &head);
        buf_add(kept, all + at, head);
        at += piece;
    }
    char marker[OUTPUT_MARKER_SIZE];
    const char *bytes = NULL;
    output_marker(output, marker);
    buf_add_string(kept, marker);
    for (size_t n; (n = output_take(output, (size_t)rand() % 5000 + 1, &bytes)) > 0;) {
        buf_add(kept, bytes, n);
    }
}

static void test_head_and_tail(void **state)
{
    (void)state;
    static const int64_t maxima[] = {0, 1, 2, 3, 100, 4096, 8191, 8192, 8193, 20001, 65536};
    static const size_t lengths[] = {0, 1, 2, 3, 99, 100, 101, 4095, 8192, 8193, 16000, 100000};
    const char *seed = getenv("IRONCRON_SEED");
    srand(seed == NULL ? 1 : (unsigned)strtoul(seed, NULL, 10));
    char *all = malloc(100000);
    assert_non_null(all);
    for (size_t i = 0; i < 100000; i++) {
        all[i] = (char)rand();
    }
    for (size_t i = 0; i < ARRAY_LENGTH(maxima) * ARRAY_LENGTH(lengths); i++) {
        int64_t maximum = maxima[i / ARRAY_LENGTH(lengths)];
        size_t length = lengths[i % ARRAY_LENGTH(lengths)];
        struct output output;
        struct buf kept;
        output_init(&output, maximum);
        buf_init(&kept, (size_t)1 << 20);
        feed_pieces(&output, all, length, &kept);
        assert_int_equal(output.total, (int64_t)length);
        assert_true(output.ring_capacity <= (size_t)(maximum - maximum / 2));
        check_kept(maximum, all, length, &kept);
        output_release(&output);
        buf_release(&kept);
    }
    free(all);
}

// ---- through the runner -------------------------------------------------------------------------

static void test_flood(void **state)
{
    (void)state;
    enum { MAXIMUM = 100000 };
    struct harness *harness = harness_open(MAXIMUM, -1, MONO_NEVER);
    uint64_t run = harness_start(
        harness, &(struct task){.shell = "echo BEGIN; head -c 1073741824 /dev/zero; echo END"});
    harness_wait_output(harness, run, "BEGIN\n"); // at once, not at the end
    assert_false(harness_outcome(harness, run)->ended);
    const struct outcome *outcome = harness_wait(harness, run);
    assert_int_equal(outcome->end.kind, RUNNER_EXITED);
    assert_int_equal(outcome->end.output_bytes, GIGABYTE + 10);
    assert_true(outcome->end.output_cut);
    char marker[128];
    snprintf(marker, sizeof marker, "\n… %" PRId64 " bytes left out …\n", GIGABYTE + 10 - MAXIMUM);
    assert_int_equal(outcome->output.length, MAXIMUM + strlen(marker));
    assert_memory_equal(outcome->output.data, "BEGIN\n\0", 7);
    assert_memory_equal(outcome->output.data + MAXIMUM / 2, marker, strlen(marker));
    assert_memory_equal(outcome->output.data + outcome->output.length - 5, "\0END\n", 5);
    assert_true(memory_of(process_runner_pid(harness->runner), "VmHWM:") < GIGABYTE / 8);
    harness_close(harness);
}

static void test_binary_output(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000000, -1, MONO_NEVER);
    // Each byte value once, a few times over.
    const struct outcome *outcome =
        harness_run(harness, &(struct task){.shell = "for k in 1 2 3; do for i in $(seq 0 255); do "
                                                     "printf \"\\\\$(printf %o $i)\"; done; done"});
    assert_int_equal(outcome->output.length, 768);
    for (size_t i = 0; i < 768; i++) {
        assert_int_equal((uint8_t)outcome->output.data[i], i % 256);
    }
    assert_false(outcome->end.output_cut);
    harness_close(harness);
}

static void test_output_maximum_changes(void **state)
{
    (void)state;
    struct harness *harness = harness_open(1000000, -1, MONO_NEVER);
    process_runner_set_output_max(harness->runner, 8);
    const struct outcome *outcome =
        harness_run(harness, &(struct task){.shell = "printf 0123456789abcdef"});
    assert_string_equal(buf_string(&outcome->output), "0123\n… 8 bytes left out …\ncdef");
    process_runner_set_output_max(harness->runner, 0);
    outcome = harness_run(harness, &(struct task){.shell = "printf 0123456789abcdef"});
    assert_string_equal(buf_string(&outcome->output), "\n… 16 bytes left out …\n");
    harness_close(harness);
}

struct deaf {
    int runner;
    int64_t written; // by all jobs, as the system counts it
    int quiet;       // how many looks in a row saw nothing written
};

static int64_t written_by(const char *path)
{
    char line[256];
    int64_t bytes = 0;
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "rchar: ", 7) == 0) {
            bytes = strtoll(line + 7, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

// The runner reads no more: seen often enough in a row, it will not go on by itself.
static bool is_quiet(void *context)
{
    struct deaf *deaf = context;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/io", deaf->runner);
    int64_t now = written_by(path);
    deaf->quiet = now == deaf->written && now > 1000000 ? deaf->quiet + 1 : 0;
    deaf->written = now;
    return deaf->quiet == 100;
}

static void test_a_scheduler_that_does_not_read(void **state)
{
    (void)state;
    enum { RUNS = 10, EACH = 8 * 1024 * 1024 };
    struct harness *harness = harness_open((int64_t)4 * EACH, -1, MONO_NEVER);
    int runner = process_runner_pid(harness->runner);
    for (int i = 0; i < RUNS; i++) {
        harness_start(harness, &(struct task){.shell = "head -c 8388608 /dev/zero; echo END"});
    }
    harness->deaf = true;
    harness_turn(harness, 0); // sends the starts
    struct deaf deaf = {.runner = runner};
    harness_until(is_quiet, &deaf, "the runner waits for the scheduler");
    assert_int_equal(harness->ended, 0);
    assert_true(memory_of(runner, "VmHWM:") < (int64_t)RUNS * EACH);
    assert_true(deaf.written < (int64_t)RUNS * EACH / 2);
    harness->deaf = false;
    for (uint64_t run = 1; run <= RUNS; run++) {
        const struct outcome *outcome = harness_wait(harness, run);
        assert_int_equal(outcome->end.exit_code, 0);
        assert_int_equal(outcome->output.length, EACH + 4);
        assert_memory_equal(outcome->output.data + EACH, "END\n", 4);
    }
    harness_close(harness);
}

// Their tails alone are more than the channel takes at once.
static void test_many_tails(void **state)
{
    (void)state;
    enum { RUNS = 20, MAXIMUM = 1000000 };
    struct harness *harness = harness_open(MAXIMUM, -1, MONO_NEVER);
    for (int i = 0; i < RUNS; i++) {
        harness_start(harness, &(struct task){.shell = "head -c 3000000 /dev/zero; echo END"});
    }
    for (uint64_t run = 1; run <= RUNS; run++) {
        const struct outcome *outcome = harness_wait(harness, run);
        assert_int_equal(outcome->end.output_bytes, 3000004);
        assert_true(outcome->output.length > MAXIMUM);
        assert_memory_equal(outcome->output.data + outcome->output.length - 4, "END\n", 4);
    }
    harness_close(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_and_tail),
        HARNESS_TEST(test_flood),
        HARNESS_TEST(test_binary_output),
        HARNESS_TEST(test_output_maximum_changes),
        HARNESS_TEST(test_a_scheduler_that_does_not_read),
        HARNESS_TEST(test_many_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
