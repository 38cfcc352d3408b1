// SPDX-License-Identifier: MIT
// The chain: each sealed row's hash is recomputed from its content and the row before.
#include <inttypes.h>
#include <string.h>

#include "audit/verification.h"
#include "base/alloc.h"
#include "store/chain.h"

// Two writers may have read the clock just before and committed just after one another.
#define COMMIT_SLACK DURATION_S(1)

struct chain_walk {
    struct verification *v;
    int64_t seq; // of the row before
    uint8_t hash[CHAIN_HASH_SIZE];
    struct instant at; // none = there is no row before
    bool found[VERIFY_SEEN_MAX];
    struct instant first_at;
    struct instant last_at;
};

static bool is_decision(const char *event)
{
    static const char *const events[] = {"STARTED", "DRY_RUN", "SKIPPED", "MISSED"};
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++) {
        if (strcmp(event, events[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_link(struct chain_walk *walk, const struct store_audit_row *row)
{
    if ((uint64_t)row->seq != (uint64_t)walk->seq + 1) {
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, row->job, row->at,
                          "audit row %" PRId64 " follows row %" PRId64
                          ": what was between them is missing or out of order",
                          row->seq, walk->seq);
    } else if (memcmp(row->prev_hash, walk->hash, CHAIN_HASH_SIZE) != 0) {
        char stored[CHAIN_HEX_SIZE];
        char expected[CHAIN_HEX_SIZE];
        chain_hex(row->prev_hash, stored);
        chain_hex(walk->hash, expected);
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, row->job, row->at,
                          "audit row %" PRId64
                          " says that the hash before it is %.16s…, but row %" PRId64 " has %.16s…",
                          row->seq, stored, walk->seq, expected);
    }
}

static void check_hash(struct chain_walk *walk, const struct store_audit_row *row)
{
    uint8_t hash[CHAIN_HASH_SIZE];
    chain_hash(row, hash);
    if (memcmp(hash, row->hash, CHAIN_HASH_SIZE) != 0) {
        char stored[CHAIN_HEX_SIZE];
        char computed[CHAIN_HEX_SIZE];
        chain_hex(row->hash, stored);
        chain_hex(hash, computed);
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, row->job, row->at,
                          "audit row %" PRId64 " (%s) was changed after it was sealed: its content "
                          "gives %.16s…, it was sealed with %.16s…",
                          row->seq, row->event, computed, stored);
    }
}

// ---- what was seen of the chain -----------------------------------------------------------------

static void compare_seen(struct chain_walk *walk, size_t i, const uint8_t hash[CHAIN_HASH_SIZE])
{
    const struct verify_seen *seen = &walk->v->options->seen[i];
    walk->found[i] = true;
    if (memcmp(hash, seen->hash, CHAIN_HASH_SIZE) != 0) {
        char stored[CHAIN_HEX_SIZE];
        char known[CHAIN_HEX_SIZE];
        chain_hex(hash, stored);
        chain_hex(seen->hash, known);
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                          "audit row %" PRId64 " has the hash %.16s…, but by %s it was %.16s…: the "
                          "chain up to there is another one",
                          seen->seq, stored, seen->by, known);
    }
}

static void look_for_seen(struct chain_walk *walk)
{
    const struct verify_options *options = walk->v->options;
    for (size_t i = 0; i < options->seen_count; i++) {
        if (options->seen[i].seq == walk->seq && !walk->found[i]) {
            compare_seen(walk, i, walk->hash);
        }
    }
}

static void judge_missing(const struct chain_walk *walk, const struct verify_seen *seen)
{
    int64_t anchor = walk->v->report->anchor.seq;
    if (seen->seq > walk->seq) {
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                          "the chain ends with audit row %" PRId64 ", but by %s it went to row "
                          "%" PRId64 ": its end was cut off",
                          walk->seq, seen->by, seen->seq);
    } else if (seen->seq > anchor) {
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                          "audit row %" PRId64 " is missing, which was there by %s", seen->seq,
                          seen->by);
    } else if (!seen->may_be_pruned) {
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                          "audit row %" PRId64 " cannot be compared with %s: history was pruned up "
                          "to row %" PRId64,
                          seen->seq, seen->by, anchor);
    }
}

static void judge_seen(const struct chain_walk *walk)
{
    const struct verify_options *options = walk->v->options;
    for (size_t i = 0; i < options->seen_count; i++) {
        if (options->seen[i].seq > 0 && !walk->found[i]) {
            judge_missing(walk, &options->seen[i]);
        }
    }
}

// The store has noted the chain's end apart from the chain.
static void judge_end(const struct chain_walk *walk)
{
    const struct store_anchor *noted = &walk->v->report->anchor;
    if (walk->seq == noted->head_seq &&
        memcmp(walk->hash, noted->head_hash, CHAIN_HASH_SIZE) == 0) {
        return;
    }
    char stored[CHAIN_HEX_SIZE];
    char known[CHAIN_HEX_SIZE];
    chain_hex(walk->hash, stored);
    chain_hex(noted->head_hash, known);
    verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                      "the chain ends with audit row %" PRId64 " (%.16s…), but the store has noted "
                      "that row %" PRId64 " (%.16s…) was sealed last",
                      walk->seq, stored, noted->head_seq, known);
}

static bool take_fault(void *context, struct instant at, const char *fault)
{
    verification_find(context, VERIFY_CHAIN_BROKEN, NULL, at, "%s", fault);
    return true;
}

// ---- the rows -----------------------------------------------------------------------------------

static void take_sealed(struct chain_walk *walk, const struct store_audit_row *row, bool is_asked)
{
    if (is_asked) {
        check_link(walk, row);
        check_hash(walk, row);
    }
    walk->at = row->at;
    walk->seq = row->seq;
    memcpy(walk->hash, row->hash, CHAIN_HASH_SIZE);
    look_for_seen(walk);
}

static void note_fenced(struct verification *v, const struct store_audit_row *row)
{
    char text[UUID_TEXT_SIZE];
    struct uuid node;
    if (strcmp(row->event, "NODE_FENCED") == 0 &&
        decision_member(row->detail, "node", text, sizeof text) && uuid_parse(text, &node)) {
        ARRAY_RESERVE(v->fenced, v->fenced_count, v->fenced_capacity);
        v->fenced[v->fenced_count++] = (struct verification_fenced){node, row->at};
    }
}

static bool take_row(void *context, const struct store_audit_row *row)
{
    struct chain_walk *walk = context;
    struct verification *v = walk->v;
    struct instant since = v->options->since;
    walk->last_at = instant_is_none(walk->last_at) || instant_before(walk->last_at, row->at)
                        ? row->at
                        : walk->last_at;
    // The rows come by sequence: once inside the asked range none is left out.
    bool is_asked = !instant_is_none(walk->first_at) || instant_is_none(since) ||
                    !instant_before(row->at, since);
    if (row->seq != 0) {
        take_sealed(walk, row, is_asked);
    }
    if (is_asked) {
        walk->first_at = instant_is_none(walk->first_at) ? row->at : walk->first_at;
        v->report->audit_rows++;
        v->report->unsealed_rows += row->seq == 0;
        v->decided += is_decision(row->event);
        note_fenced(v, row);
    }
    return true;
}

static bool walk_chain(struct chain_walk *walk, struct error *err)
{
    struct store *store = walk->v->store;
    struct store_audit_filter everything = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    look_for_seen(walk);
    if (!store->ops->read_audit(store, &everything, take_row, walk, err) ||
        (store->ops->read_faults != NULL &&
         !store->ops->read_faults(store, take_fault, walk->v, err))) {
        return false;
    }
    judge_seen(walk);
    judge_end(walk);
    if (walk->v->options->cannot_seal != NULL) {
        verification_find(walk->v, VERIFY_CHAIN_BROKEN, NULL, walk->at,
                          "what comes after audit row %" PRId64 " cannot be sealed: %s", walk->seq,
                          walk->v->options->cannot_seal);
    }
    return true;
}

bool verify_chain(struct verification *v, struct error *err)
{
    struct verify_report *report = v->report;
    struct chain_walk walk = {.v = v,
                              .seq = report->anchor.seq,
                              .at = INSTANT_NONE,
                              .first_at = INSTANT_NONE,
                              .last_at = INSTANT_NONE};
    memcpy(walk.hash, report->anchor.hash, CHAIN_HASH_SIZE);
    if (!walk_chain(&walk, err)) {
        return false;
    }
    report->head_seq = walk.seq;
    memcpy(report->head_hash, walk.hash, CHAIN_HASH_SIZE);
    v->last_at = walk.last_at;
    if (report->anchor.seq > 0) {
        // Where nothing of the log is left, nothing of it can be missed.
        v->audit_from =
            instant_is_none(walk.first_at) ? (struct instant){INT64_MAX} : walk.first_at;
    }
    if (v->options->node_is_live) {
        v->settled = instant_is_none(walk.last_at)
                         ? instant_from_unix(0)
                         : instant_add(walk.last_at, (struct duration){-COMMIT_SLACK.us});
    }
    return true;
}
