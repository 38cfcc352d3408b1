// SPDX-License-Identifier: MIT
// Filters and orders of reading; submission order and group commit.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_history(struct contract *c)
{
    int64_t a = contract_publish(c, "a", "s");
    int64_t b = contract_publish(c, "b", "s");
    for (int i = 1; i <= 4; i++) { // fences: a 1, b 2, a 3, b 4 … two each second
        contract_advance(&c->clock, 1000);
        struct store_slot x = contract_claim(c, a, 1000 * i);
        struct store_slot y = contract_claim(c, b, 1000 * i);
        contract_end(c, &x, i == 2 ? RUN_FAILED : RUN_SUCCESS, INSTANT_NONE);
        if (i != 4) {
            contract_end(c, &y, RUN_SUCCESS, INSTANT_NONE);
        }
    }
}

struct list {
    char text[256];
    size_t rows_wanted; // 0 = all
    size_t rows;
};

static bool add_fence(void *context, const struct store_run_row *row)
{
    struct list *list = context;
    snprintf(list->text + strlen(list->text), sizeof list->text - strlen(list->text), "%d ",
             (int)row->fence);
    return ++list->rows != list->rows_wanted;
}

static void runs_newest_first_by_filter(void **state)
{
    struct contract *c = *state;
    write_history(c);
    struct uuid third = {{0}};
    struct store_run_filter by_id = {.run_id = third};
    by_id.run_id = (struct uuid){{0x01, 0x99, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 4}};
    const struct {
        const char *what;
        struct store_run_filter filter;
        const char *expected;
    } cases[] = {
        {"all", {.limit = 0}, "8 7 6 5 4 3 2 1 "},
        {"limit", {.limit = 3}, "8 7 6 "},
        {"job", {.job = "a"}, "7 5 3 1 "},
        {"last of each job", {.last_of_each_job = true}, "7 6 "},
        {"last of one job", {.last_of_each_job = true, .job = "b"}, "6 "},
        {"unknown job", {.job = "zz"}, ""},
        {"id", by_id, "3 "},
        {"running", {.by_state = true, .state = RUN_STARTED}, "8 "},
        {"failed", {.by_state = true, .state = RUN_FAILED}, "3 "},
        {"since", {.since = at_ms(3000)}, "8 7 6 5 "},
        {"until", {.until = at_ms(2000)}, "2 1 "},
        {"a piece", {.fence_from = 3, .fence_before = 6}, "5 4 3 "},
        {"a piece of one job", {.job = "a", .fence_from = 3, .fence_before = 6}, "5 3 "},
        {"from a fence", {.fence_from = 7}, "8 7 "},
        {"span, none given", {.since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1}, "8 "},
        {"all at once",
         {.job = "b",
          .by_state = true,
          .state = RUN_SUCCESS,
          .since = at_ms(1000),
          .until = at_ms(4000),
          .limit = 2},
         "6 4 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list list = {.rows = 0};
        struct error err = ERROR_INIT;
        assert_true(c->store->ops->read_runs(c->store, &cases[i].filter, add_fence, &list, &err));
        if (strcmp(list.text, cases[i].expected) != 0) {
            fail_msg("%s: expected \"%s\", found \"%s\"", cases[i].what, cases[i].expected,
                     list.text);
        }
    }
    struct list two = {.rows_wanted = 2};
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_runs(c->store, &(struct store_run_filter){.limit = 0},
                                         add_fence, &two, &err));
    assert_string_equal(two.text, "8 7 "); // a callback that has enough
}

static bool add_slot(void *context, const struct store_slot_row *row)
{
    struct list *list = context;
    snprintf(list->text + strlen(list->text), sizeof list->text - strlen(list->text), "%s%d ",
             row->job, (int)((instant_ms(row->due_at) - T0) / 1000));
    return ++list->rows != list->rows_wanted;
}

static void slots_by_job_and_due(void **state)
{
    struct contract *c = *state;
    write_history(c);
    const struct {
        const char *what;
        struct store_slot_filter filter;
        const char *expected;
    } cases[] = {
        {"all", {.job = NULL}, "a1 a2 a3 a4 b1 b2 b3 b4 "},
        {"job", {.job = "b"}, "b1 b2 b3 b4 "},
        {"span", {.since = at_ms(2000), .until = at_ms(4000)}, "a2 a3 b2 b3 "},
        {"job and span", {.job = "a", .since = at_ms(4000)}, "a4 "},
        {"unknown job", {.job = "zz"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list list = {.rows = 0};
        struct error err = ERROR_INIT;
        assert_true(c->store->ops->read_slots(c->store, &cases[i].filter, add_slot, &list, &err));
        if (strcmp(list.text, cases[i].expected) != 0) {
            fail_msg("%s: expected \"%s\", found \"%s\"", cases[i].what, cases[i].expected,
                     list.text);
        }
    }
}

static bool add_event(void *context, const struct store_audit_row *row)
{
    struct list *list = context;
    snprintf(list->text + strlen(list->text), sizeof list->text - strlen(list->text), "%c%d ",
             row->event[0], (int)row->seq);
    return ++list->rows != list->rows_wanted;
}

static void audit_by_filter(void **state)
{
    struct contract *c = *state;
    write_history(c);
    contract_seal(c);
    const struct {
        const char *what;
        struct store_audit_filter filter;
        const char *expected;
    } cases[] = {
        {"job", {.job = "a"}, "S4 S6 S8 F10 S12 S14 S16 S18 "},
        {"event", {.event = "FAILED"}, "F10 "},
        {"newest", {.newest_first = true, .limit = 2}, "S18 S17 "},
        {"oldest", {.limit = 3}, "N1 C2 C3 "},
        {"a piece", {.seq_from = 8, .seq_before = 11}, "S8 S9 F10 "},
        {"a piece of one job", {.job = "a", .seq_from = 8, .seq_before = 11}, "S8 F10 "},
        {"from a sequence number", {.seq_from = 17}, "S17 S18 "},
        {"span", {.since = at_ms(2000), .until = at_ms(3000)}, "S8 S9 F10 S11 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list list = {.rows = 0};
        struct error err = ERROR_INIT;
        assert_true(c->store->ops->read_audit(c->store, &cases[i].filter, add_event, &list, &err));
        if (strcmp(list.text, cases[i].expected) != 0) {
            fail_msg("%s: expected \"%s\", found \"%s\"", cases[i].what, cases[i].expected,
                     list.text);
        }
    }
}

static bool add_job(void *context, const struct store_job *row)
{
    struct list *list = context;
    snprintf(list->text + strlen(list->text), sizeof list->text - strlen(list->text), "%s ",
             row->name);
    return ++list->rows != list->rows_wanted;
}

static void jobs_all_or_one(void **state)
{
    struct contract *c = *state;
    write_history(c);
    static const struct {
        const char *only, *expected;
    } cases[] = {{NULL, "a b "}, {"b", "b "}, {"zz", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list list = {.rows = 0};
        struct error err = ERROR_INIT;
        assert_true(c->store->ops->read_jobs(c->store, cases[i].only, add_job, &list, &err));
        assert_string_equal(list.text, cases[i].expected);
    }
}

static bool count_control(void *context, const struct store_control_row *row)
{
    struct list *list = context;
    (void)row;
    list->rows++;
    return true;
}

static void controls_now_or_ever(void **state)
{
    struct contract *c = *state;
    for (int value = 2; value <= 4; value++) {
        struct store_op_control op = {
            .op.kind = STORE_CONTROL, .kind = CONTROL_THROTTLE, .value = value};
        CALL_OK(c, &op);
    }
    struct list now = {.rows = 0};
    struct list ever = {.rows = 0};
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_controls(c->store, false, count_control, &now, &err));
    assert_true(c->store->ops->read_controls(c->store, true, count_control, &ever, &err));
    assert_int_equal(now.rows, 1);
    assert_int_equal(ever.rows, 3);
}

// ---- submission ---------------------------------------------------------------------------------

struct ordered {
    struct store_op_audit audit;
    int *next;
    int number;
};

static void check_order(struct store_op *op)
{
    struct ordered *ordered = (struct ordered *)(void *)op;
    assert_int_equal(op->result, STORE_OK);
    assert_int_equal(*ordered->next, ordered->number);
    (*ordered->next)++;
}

static void ends_in_the_order_of_submission_and_never_at_once(void **state)
{
    struct contract *c = *state;
    struct ordered ops[20];
    int next = 0;
    for (int i = 0; i < 20; i++) {
        ops[i] = (struct ordered){
            .audit = {.op = {.kind = STORE_AUDIT, .done = check_order}, .event = "E"},
            .next = &next,
            .number = i};
        store_submit(c->store, &ops[i].audit.op);
    }
    assert_int_equal(next, 0);
    store_settle(c->store);
    assert_int_equal(next, 20);
    assert_false(store_pump(c->store));
}

struct chained {
    struct store_op_audit audit;
    struct store *store;
    int left;
};

static void submit_another(struct store_op *op)
{
    struct chained *chained = (struct chained *)(void *)op;
    if (chained->left-- > 0) {
        store_submit(chained->store, op);
    }
}

static void done_may_submit_again(void **state)
{
    struct contract *c = *state;
    struct chained chained = {
        .audit = {.op = {.kind = STORE_AUDIT, .done = submit_another}, .event = "E"},
        .store = c->store,
        .left = 3};
    store_submit(c->store, &chained.audit.op);
    int pumps = 1;
    while (store_pump(c->store)) {
        pumps++;
    }
    store_settle(c->store);
    assert_int_equal(chained.left, -1);
    assert_true(pumps == 4 || c->store->ops->wants != NULL); // one for each where pump does it all
}

struct grouped {
    struct store_op_decide decide;
    struct store_slot slot;
};

static void keep_result(struct store_op *op)
{
    (void)op;
}

static void a_refused_operation_does_not_touch_its_neighbours(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct grouped ops[3];
    for (int i = 0; i < 3; i++) {
        ops[i].slot =
            contract_slot(c, i == 1 ? 99 : job, 1000 * (i + 1), DECIDE_RUN, TRIGGER_SCHEDULE, 1);
        ops[i].decide = (struct store_op_decide){.op = {.kind = STORE_DECIDE, .done = keep_result},
                                                 .node = c->node,
                                                 .slots = &ops[i].slot,
                                                 .slot_count = 1};
        store_submit(c->store, &ops[i].decide.op);
    }
    store_settle(c->store);
    assert_int_equal(ops[0].decide.op.result, STORE_OK);
    assert_int_equal(ops[1].decide.op.result, STORE_REFUSED);
    assert_int_equal(ops[2].decide.op.result, STORE_OK);
    contract_holds(c, PART_SLOTS, "slot a +1000 - run #2 \nslot a +3000 - run #4 \n");
}

static void an_id_used_twice_is_refused_alone(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "a", "s");
    struct grouped ops[3];
    struct uuid twice = contract_id(c);
    for (int i = 0; i < 3; i++) {
        ops[i].slot = contract_slot(c, job, 1000 * (i + 1), DECIDE_RUN, TRIGGER_SCHEDULE, 1);
        ops[i].slot.run_id = i < 2 ? twice : contract_id(c);
        ops[i].decide = (struct store_op_decide){.op = {.kind = STORE_DECIDE, .done = keep_result},
                                                 .node = c->node,
                                                 .slots = &ops[i].slot,
                                                 .slot_count = 1};
        store_submit(c->store, &ops[i].decide.op);
    }
    store_settle(c->store);
    assert_int_equal(ops[0].slot.verdict, VERDICT_CLAIMED);
    assert_int_equal(ops[1].decide.op.result, STORE_REFUSED);
    assert_int_equal(ops[2].slot.verdict, VERDICT_CLAIMED);
    char *slots = contract_dump(c->store, PART_SLOTS);
    assert_null(strstr(slots, "+2000"));
    free(slots);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(runs_newest_first_by_filter),
    CONTRACT_TEST(slots_by_job_and_due),
    CONTRACT_TEST(audit_by_filter),
    CONTRACT_TEST(jobs_all_or_one),
    CONTRACT_TEST(controls_now_or_ever),
    CONTRACT_TEST(ends_in_the_order_of_submission_and_never_at_once),
    CONTRACT_TEST(done_may_submit_again),
    CONTRACT_TEST(a_refused_operation_does_not_touch_its_neighbours),
    CONTRACT_TEST(an_id_used_twice_is_refused_alone),
};
const struct contract_tests contract_read_tests = {tests, sizeof tests / sizeof tests[0]};
