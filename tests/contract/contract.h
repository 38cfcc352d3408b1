// SPDX-License-Identifier: MIT
// The store's conformance suite: what store/store.h promises, as tests that run against every
// implementation. A test program gives a backend and calls contract_run.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "time/clock.h"

// Time stands still until a test moves it.
struct contract_clock {
    struct clock clock;
    struct instant now;
};
void contract_clock_init(struct contract_clock *clock);
void contract_advance(struct contract_clock *clock, int64_t ms);

struct contract_backend {
    const char *name;
    // A new, empty store; `context` is kept for close, which closes and removes it.
    struct store *(*open)(struct clock *clock, void **context);
    void (*close)(struct store *store, void *context);
    bool fleet; // several nodes may live on it at once
};

// What a test works on.
struct contract {
    const struct contract_backend *backend;
    struct contract_clock clock;
    struct store *store;
    void *context;
    struct uuid node; // has joined
    uint64_t ids;     // given out
};

int contract_run(const struct contract_backend *backend);
int contract_setup(void **state);
int contract_teardown(void **state);

#define CONTRACT_TEST(f) cmocka_unit_test_setup_teardown(f, contract_setup, contract_teardown)
struct contract_tests {
    const struct CMUnitTest *tests;
    size_t count;
};
extern const struct contract_tests contract_node_tests, contract_decide_tests,
    contract_finish_tests, contract_control_tests, contract_audit_tests, contract_prune_tests,
    contract_read_tests, contract_slots_tests, contract_member_tests, contract_fleet_tests;

// ---- doing --------------------------------------------------------------------------------------

#define T0 1764000000000 // ms; when each test begins: 2025-11-24T16:00:00Z

struct instant at_ms(int64_t ms_after_t0);
struct uuid contract_id(struct contract *contract); // another one at each call
// The operation must end so; prints the store's error when it does not.
void contract_call(struct contract *contract, struct store_op *op, enum store_result expected);
#define CALL_OK(contract, call)      contract_call((contract), &(call)->op, STORE_OK)
#define CALL_REFUSED(contract, call) contract_call((contract), &(call)->op, STORE_REFUSED)

// A new node that is alone, which becomes contract->node.
struct uuid contract_join(struct contract *contract);
int64_t contract_publish(struct contract *contract, const char *name, const char *spec);
struct store_slot contract_slot(struct contract *contract, int64_t job_id, int64_t due_ms,
                                enum store_decision decision, enum run_trigger trigger,
                                int attempt);
// One slot in one operation; answers the verdict and fills the outputs.
enum store_verdict contract_decide(struct contract *contract, struct store_slot *slot);
// Claims a scheduled slot, which must succeed.
struct store_slot contract_claim(struct contract *contract, int64_t job_id, int64_t due_ms);
// Ends a run; answers whether it was stale.
bool contract_end(struct contract *contract, const struct store_slot *slot, enum run_state state,
                  struct instant retry_at);
size_t contract_seal(struct contract *contract);

// ---- looking ------------------------------------------------------------------------------------

// Everything that a store holds, as text, one row a line; the caller frees it. Equal stores, equal
// texts.
enum contract_part {
    PART_RUNS = 1,
    PART_SLOTS = 2,
    PART_AUDIT = 4,
    PART_FORCE = 8,
    PART_JOBS = 16,
    PART_CONTROLS = 32,
    PART_NODES = 64,
    PART_ANCHOR = 128,
    PART_RETRIES = 256,
    PART_INTENTS = 512, // those that are pending
    PART_ALL = 1023
};
char *contract_dump(struct store *store, unsigned parts);
// The dump of these parts must be exactly this text. Ids are written as #1, #2 … in the order of
// contract_id, hashes are left out.
void contract_holds(struct contract *contract, unsigned parts, const char *expected);
