// SPDX-License-Identifier: MIT
// UTF-8, UUIDs, errors and log records.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/uuid.h"

static void utf8_knows_what_is_valid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"gr\xc3\xbc\xc3\x9f", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc3", false},             // cut
        {"\xc0\xaf", false},         // overlong
        {"\xe0\x80\xaf", false},     // overlong
        {"\xed\xa0\x80", false},     // surrogate
        {"\xf4\x90\x80\x80", false}, // above U+10FFFF
        {"\x80", false},
        {"a\xff", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (utf8_is_valid(cases[i].text, strlen(cases[i].text)) != cases[i].valid) {
            fail_msg("case %zu", i);
        }
    }
}

static void utf8_cuts_between_characters(void **state)
{
    (void)state;
    const char *text = "a\xe2\x82\xac"
                       "b";
    assert_int_equal(utf8_cut(text, 5, 9), 5);
    assert_int_equal(utf8_cut(text, 5, 4), 4);
    assert_int_equal(utf8_cut(text, 5, 3), 1);
    assert_int_equal(utf8_cut(text, 5, 2), 1);
    char buffer[] = "ab\xe2\x82";
    utf8_trim_partial(buffer);
    assert_string_equal(buffer, "ab");
    char out[32];
    utf8_sanitise("a\x1b[31m\n\xff\xe2\x82\xac", 11, out);
    assert_string_equal(out, "a?[31m\n?\xe2\x82\xac");
}

static void uuids_sort_by_time_and_read_back(void **state)
{
    (void)state;
    static const uint8_t random[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t zeros[10];
    struct uuid early = uuid_v7(1700000000000, random);
    struct uuid late = uuid_v7(1700000000001, zeros);
    char text[UUID_TEXT_SIZE];
    uuid_format(early, text);
    assert_string_equal(text, "018bcfe5-6800-7fff-bfff-ffffffffffff");
    assert_true(memcmp(early.bytes, late.bytes, 16) < 0);
    struct uuid read;
    assert_true(uuid_parse("018BCFE5-6800-7FFF-BFFF-FFFFFFFFFFFF", &read));
    assert_true(uuid_equal(read, early));
    static const char *const wrong[] = {"",
                                        "018bcfe5",
                                        "018bcfe5-6800-7fff-bfff-fffffffffff",
                                        "018bcfe5-6800-7fff-bfff-ffffffffffff0",
                                        "018bcfe5x6800-7fff-bfff-ffffffffffff",
                                        "g18bcfe5-6800-7fff-bfff-ffffffffffff"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_false(uuid_parse(wrong[i], &read));
    }
}

static void errors_are_built_outwards(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_false(error_set(&err, ERROR_NOT_FOUND, "no job %s", "x"));
    assert_false(error_wrap(&err, "running %s", "y"));
    assert_string_equal(err.text, "running y: no job x");
    assert_false(error_set(&err, ERROR_IO, "again: %s", err.text)); // from itself
    assert_string_equal(err.text, "again: running y: no job x");
    assert_null(error_remedy(&err));
    assert_int_equal(error_cause_length(&err), strlen(err.text));
    assert_false(error_mend(&err, "make %s", "x"));
    assert_false(error_wrap(&err, "at last"));
    assert_string_equal(err.text, "at last: again: running y: no job x: make x");
    assert_string_equal(error_remedy(&err), "make x");
    assert_int_equal(error_cause_length(&err), strlen("at last: again: running y: no job x"));
    for (int i = 0; i < 300; i++) { // cut off, it is not pointed to any more
        assert_false(error_wrap(&err, "far away"));
    }
    assert_null(error_remedy(&err));
    assert_int_equal(error_exit_code(ERROR_CONFIG), 78);
    assert_int_equal(error_exit_code(ERROR_UNAVAILABLE), 75);
    assert_int_equal(error_http_status(ERROR_NOT_FOUND), 404);
    char long_text[8000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    error_set(&err, ERROR_IO, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

// What one record looks like on stderr.
static char *logged(void (*record)(void))
{
    static char text[8192];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    record();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    text[length < 0 ? 0 : length] = '\0';
    return text;
}

static void fixed_time(char out[LOG_TIME_SIZE])
{
    memcpy(out, "NOW", 4);
}

static void record_hostile(void)
{
    struct log_field fields[] = {{"job", "a b\"c\\d\n\x1b[2J"}, {"plain", "x-1"}, {NULL, NULL}};
    log_record(LOG_WARN, "tried", fields, "token=%s end\n", "s3cr3t-value");
}

static void logs_are_one_masked_line(void **state)
{
    (void)state;
    log_secret("s3cr3t");
    log_secret("s3cr3t-value"); // longer: masked whole
    log_secret("abc");          // too short to mask
    log_configure(LOG_FORMAT_LOGFMT, LOG_INFO, fixed_time);
    assert_string_equal(logged(record_hostile),
                        "time=NOW level=warn event=tried job=\"a b\\\"c\\\\d\\n?[2J\" plain=x-1 "
                        "message=\"token=*** end\\n\"\n");
    log_configure(LOG_FORMAT_JSON, LOG_INFO, fixed_time);
    assert_string_equal(logged(record_hostile),
                        "{\"time\":\"NOW\",\"level\":\"warn\",\"event\":\"tried\","
                        "\"job\":\"a b\\\"c\\\\d\\n?[2J\",\"plain\":\"x-1\","
                        "\"message\":\"token=*** end\\n\"}\n");
    log_configure(LOG_FORMAT_LOGFMT, LOG_ERROR, NULL);
    assert_string_equal(logged(record_hostile), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_knows_what_is_valid),
        cmocka_unit_test(utf8_cuts_between_characters),
        cmocka_unit_test(uuids_sort_by_time_and_read_back),
        cmocka_unit_test(errors_are_built_outwards),
        cmocka_unit_test(logs_are_one_masked_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
