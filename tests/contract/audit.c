// SPDX-License-Identifier: MIT
// Free-standing events, and the sealed chain recomputed by hand.
#include "contract.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "time/format.h"

static void note(struct contract *c, const char *event)
{
    struct store_op_audit op = {.op.kind = STORE_AUDIT,
                                .node = c->node,
                                .event = event,
                                .job = "x",
                                .run_id = c->node,
                                .actor = "ann@h1",
                                .detail = "{\"a\":\"é\"}"};
    CALL_OK(c, &op);
}

static void free_standing_events(void **state)
{
    struct contract *c = *state;
    note(c, "RETENTION_APPROVED");
    struct store_op_audit bare = {.op.kind = STORE_AUDIT, .event = "BARE"};
    CALL_OK(c, &bare);
    contract_holds(c, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 RETENTION_APPROVED x run #1 node #1 by ann@h1 {\"a\":\"é\"}\n"
                   "audit 0 +0 BARE - run - node - by - -\n");
    bare.event = NULL;
    CALL_REFUSED(c, &bare);
    bare.event = "A\nB";
    CALL_REFUSED(c, &bare);
}

// The chain's bytes spelled out once more, apart from store/chain.c.
struct chain_check {
    int64_t seq;
    char prev[65];
    size_t sealed;
    size_t unsealed;
};

static void uuid_line(FILE *out, struct uuid id)
{
    char text[UUID_TEXT_SIZE] = "";
    if (!uuid_is_nil(id)) {
        uuid_format(id, text);
    }
    fprintf(out, "%s\n", text);
}

static bool check_row(void *context, const struct store_audit_row *row)
{
    struct chain_check *check = context;
    if (row->seq == 0) {
        check->unsealed++;
        return true;
    }
    assert_int_equal(check->unsealed, 0); // sealed rows come first
    assert_int_equal(row->seq, check->seq + 1);
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, row->prev_hash, 32);
    assert_string_equal(hex, check->prev);
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    char at[FORMAT_TIME_SIZE];
    format_utc_ms(row->at, at);
    fprintf(out, "ironcron-audit-1\n%s\n%" PRId64 "\n%s\n%s\n%s\n", hex, row->seq, at, row->event,
            row->job == NULL ? "" : row->job);
    uuid_line(out, row->run_id);
    uuid_line(out, row->node);
    fprintf(out, "%s\n%s\n", row->actor == NULL ? "" : row->actor,
            row->detail == NULL ? "" : row->detail);
    fclose(out);
    uint8_t hash[32];
    crypto_hash_sha256(hash, (const unsigned char *)bytes, size);
    free(bytes);
    assert_memory_equal(hash, row->hash, 32);
    sodium_bin2hex(check->prev, sizeof check->prev, hash, 32);
    check->seq = row->seq;
    check->sealed++;
    return true;
}

static struct chain_check check_chain(struct contract *c)
{
    struct chain_check check = {.seq = 0};
    struct store_anchor anchor;
    struct error err = ERROR_INIT;
    assert_true(c->store->ops->read_anchor(c->store, &anchor, &err));
    check.seq = anchor.seq;
    sodium_bin2hex(check.prev, sizeof check.prev, anchor.hash, 32);
    assert_true(c->store->ops->read_audit(c->store, &(struct store_audit_filter){.limit = 0},
                                          check_row, &check, &err));
    char head[65];
    sodium_bin2hex(head, sizeof head, anchor.head_hash, 32);
    assert_int_equal(anchor.head_seq, check.seq); // noted apart from the rows
    assert_string_equal(head, check.prev);
    return check;
}

static void seals_in_pieces_into_one_chain(void **state)
{
    struct contract *c = *state;
    int64_t job = contract_publish(c, "job-é", "s");
    for (int i = 1; i <= 5; i++) {
        struct store_slot slot = contract_claim(c, job, 1000 * i);
        contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    }
    struct store_op_seal seal = {.op.kind = STORE_SEAL, .limit = 5};
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 5);
    assert_true(seal.more);
    struct chain_check check = check_chain(c);
    assert_int_equal(check.sealed, 5);
    assert_int_equal(check.unsealed, 7);
    seal.limit = 7;
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 7);
    assert_false(seal.more);
    CALL_OK(c, &seal);
    assert_int_equal(seal.sealed, 0);
    assert_false(seal.more);
    note(c, "LATER");
    contract_seal(c);
    check = check_chain(c);
    assert_int_equal(check.sealed, 13);
    assert_int_equal(check.seq, 13);
}

static bool count_row(void *context, const struct store_audit_row *row)
{
    (void)row;
    (*(size_t *)context)++;
    return true;
}

static size_t count_rows(struct store *store)
{
    struct error err = ERROR_INIT;
    size_t count = 0;
    assert_true(store->ops->read_audit(store, &(struct store_audit_filter){.limit = 0}, count_row,
                                       &count, &err));
    return count;
}

// It may begin again, and end without having begun.
static void reading_begins_and_ends(void **state)
{
    struct contract *c = *state;
    struct error err = ERROR_INIT;
    c->store->ops->reading_ends(c->store);
    for (size_t i = 1; i <= 2; i++) {
        assert_true(c->store->ops->reading_begins(c->store, &err));
        assert_int_equal(count_rows(c->store), i);
        assert_int_equal(count_rows(c->store), i);
        c->store->ops->reading_ends(c->store);
        note(c, "LATER");
    }
    assert_int_equal(count_rows(c->store), 3);
}

static const struct CMUnitTest tests[] = {
    CONTRACT_TEST(reading_begins_and_ends),
    CONTRACT_TEST(free_standing_events),
    CONTRACT_TEST(seals_in_pieces_into_one_chain),
};
const struct contract_tests contract_audit_tests = {tests, sizeof tests / sizeof tests[0]};
