// SPDX-License-Identifier: MIT
// What a server's complaint comes with: a remedy where we know one. (The sentence as a whole is
// tested on a real server.)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/attributes.h"
#include "sql/failure.h"

static void what_is_known_has_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        const char *part; // NULL: none
    } cases[] = {
        {"25006", "read-only"},
        {"25001", "transaction: false"},
        {"2D000", "transaction: false"},
        {"53100", "free space"},
        {"53300", "connections"},
        {"3D000", "renamed"},
        {"40001", "retries"},
        {"40P01", "retries"},
        {"57P03", "retries"},
        {"22012", NULL},
        {"", NULL},
        {"5310", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *remedy = failure_remedy(cases[i].sqlstate);
        if ((remedy == NULL) != (cases[i].part == NULL) ||
            (remedy != NULL && strstr(remedy, cases[i].part) == NULL)) {
            fail_msg("%s: %s", cases[i].sqlstate, remedy);
        }
    }
}

// A result that libpq made itself has words, but no fields.
static void a_result_without_fields_is_no_matter(void **state)
{
    (void)state;
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1024);
    failure_describe(result, NULL, &out);
    failure_notice(result, &out);
    assert_string_equal(buf_string(&out), "\n");
    PQclear(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_has_a_remedy),
        cmocka_unit_test(a_result_without_fields_is_no_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
