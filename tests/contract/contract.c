// SPDX-License-Identifier: MIT
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static const struct contract_backend *backend;

// ---- clock --------------------------------------------------------------------------------------

static struct instant clock_says(struct clock *clock)
{
    return CONTAINER_OF(clock, struct contract_clock, clock)->now;
}

static struct mono clock_mono_says(struct clock *clock)
{
    return (struct mono){CONTAINER_OF(clock, struct contract_clock, clock)->now.us};
}

void contract_clock_init(struct contract_clock *clock)
{
    clock->clock = (struct clock){.now = clock_says, .mono = clock_mono_says};
    clock->now = at_ms(0);
}

void contract_advance(struct contract_clock *clock, int64_t ms)
{
    clock->now = instant_add(clock->now, DURATION_MS(ms));
}

struct instant at_ms(int64_t ms_after_t0)
{
    return instant_from_ms(T0 + ms_after_t0);
}

// ---- set-up -------------------------------------------------------------------------------------

int contract_setup(void **state)
{
    struct contract *contract = calloc(1, sizeof *contract);
    assert_non_null(contract);
    contract->backend = backend;
    contract_clock_init(&contract->clock);
    contract->store = backend->open(&contract->clock.clock, &contract->context);
    contract_join(contract);
    *state = contract;
    return 0;
}

int contract_teardown(void **state)
{
    struct contract *contract = *state;
    backend->close(contract->store, contract->context);
    free(contract);
    return 0;
}

int contract_run(const struct contract_backend *with)
{
    static const struct {
        const char *name;
        const struct contract_tests *tests;
    } suites[] = {
        {"node", &contract_node_tests},     {"decide", &contract_decide_tests},
        {"finish", &contract_finish_tests}, {"control", &contract_control_tests},
        {"audit", &contract_audit_tests},   {"prune", &contract_prune_tests},
        {"read", &contract_read_tests},     {"slots", &contract_slots_tests},
        {"member", &contract_member_tests}, {"fleet", &contract_fleet_tests},
    };
    backend = with;
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(suites); i++) {
        char name[64];
        if (suites[i].tests == &contract_fleet_tests && !with->fleet) {
            continue;
        }
        snprintf(name, sizeof name, "%s store: %s", with->name, suites[i].name);
        failed += _cmocka_run_group_tests(name, suites[i].tests->tests, suites[i].tests->count,
                                          NULL, NULL);
    }
    return failed;
}

// ---- doing --------------------------------------------------------------------------------------

struct uuid contract_id(struct contract *contract)
{
    struct uuid id = {{0x01, 0x99, 0, 0, 0, 0, 0x70, 0, 0x80}};
    contract->ids++;
    for (int i = 0; i < 4; i++) {
        id.bytes[15 - i] = (uint8_t)(contract->ids >> (8 * i));
    }
    return id;
}

void contract_call(struct contract *contract, struct store_op *op, enum store_result expected)
{
    struct error err = ERROR_INIT;
    bool ok = store_call(contract->store, op, &err);
    if (op->result != expected) {
        fail_msg("operation %d ended with result %d instead of %d: %s", (int)op->kind,
                 (int)op->result, (int)expected, err.text);
    }
    assert_int_equal(ok, expected == STORE_OK);
    if (expected != STORE_OK) {
        assert_true(strlen(err.text) > 10);
        assert_int_not_equal(err.code, ERROR_NONE);
    }
}

struct uuid contract_join(struct contract *contract)
{
    struct store_op_join join = {.op.kind = STORE_JOIN,
                                 .node = contract_id(contract),
                                 .host = "h1",
                                 .version = "1.0",
                                 .alone = true,
                                 .detail = "{\"host\":\"h1\"}"};
    CALL_OK(contract, &join);
    store_op_release(&join.op);
    contract->node = join.node;
    return join.node;
}

int64_t contract_publish(struct contract *contract, const char *name, const char *spec)
{
    struct store_publish_item item = {.name = name, .spec = spec};
    struct store_op_publish publish = {.op.kind = STORE_PUBLISH,
                                       .node = contract->node,
                                       .actor = "me@h1",
                                       .at = contract->clock.now,
                                       .items = &item,
                                       .item_count = 1};
    CALL_OK(contract, &publish);
    store_op_release(&publish.op);
    return item.job_id;
}

struct store_slot contract_slot(struct contract *contract, int64_t job_id, int64_t due_ms,
                                enum store_decision decision, enum run_trigger trigger, int attempt)
{
    struct store_slot slot = {.job_id = job_id,
                              .due_at = at_ms(due_ms),
                              .decision = decision,
                              .trigger = trigger,
                              .attempt = attempt};
    if (decision == DECIDE_RUN || decision == DECIDE_DRY_RUN) {
        slot.run_id = contract_id(contract);
    }
    return slot;
}

enum store_verdict contract_decide(struct contract *contract, struct store_slot *slot)
{
    struct store_op_decide decide = {
        .op.kind = STORE_DECIDE, .node = contract->node, .slots = slot, .slot_count = 1};
    CALL_OK(contract, &decide);
    store_op_release(&decide.op);
    return slot->verdict;
}

struct store_slot contract_claim(struct contract *contract, int64_t job_id, int64_t due_ms)
{
    struct store_slot slot =
        contract_slot(contract, job_id, due_ms, DECIDE_RUN, TRIGGER_SCHEDULE, 1);
    assert_int_equal(contract_decide(contract, &slot), VERDICT_CLAIMED);
    assert_true(slot.fence > 0);
    assert_true(slot.started_at.us == contract->clock.now.us);
    return slot;
}

bool contract_end(struct contract *contract, const struct store_slot *slot, enum run_state state,
                  struct instant retry_at)
{
    struct store_end end = {.run_id = slot->run_id,
                            .fence = slot->fence,
                            .state = state,
                            .duration = DURATION_MS(1500),
                            .retry_at = retry_at};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = contract->node, .ends = &end, .end_count = 1};
    CALL_OK(contract, &finish);
    store_op_release(&finish.op);
    return end.stale;
}

size_t contract_seal(struct contract *contract)
{
    size_t sealed = 0;
    struct store_op_seal seal = {.op.kind = STORE_SEAL, .limit = 1000};
    do {
        CALL_OK(contract, &seal);
        store_op_release(&seal.op);
        sealed += seal.sealed;
    } while (seal.more);
    return sealed;
}

void contract_holds(struct contract *contract, unsigned parts, const char *expected)
{
    char *found = contract_dump(contract->store, parts);
    if (strcmp(found, expected) != 0) {
        print_error("expected:\n%s\nfound:\n%s\n", expected, found);
    }
    bool same = strcmp(found, expected) == 0;
    free(found);
    assert_true(same);
}
