// SPDX-License-Identifier: MIT
// How a node of a fleet comes to its end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet.h"

#define START "2026-03-10T00:00:30Z"

// Where each answer takes longer than the time between two questions: no new one is asked once
// nothing else is left, so that there is a last one.
static void a_slow_store_keeps_nobody(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(START);
    fleet_job(f, "a", "0 0 1 1 *");
    fleet_start_all(f, 2);
    fleet_advance(f, DURATION_S(10));
    fleet_drain(f, 0);
    (void)fleet_operations(f, 0, STORE_BEAT);
    for (int i = 0; i < 10; i++) {
        f->nodes[0].slow = true;
        fleet_advance(f, DURATION_S(4));
        f->nodes[0].slow = false;
        fleet_advance(f, DURATION_MS(1));
    }
    assert_in_range(fleet_operations(f, 0, STORE_BEAT), 1, 2); // one said that it drains
    fleet_leave(f, 0);
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_store_keeps_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
