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
    bool linked; // the row before is known
    int64_t seq; // of the row before
    uint8_t hash[CHAIN_HASH_SIZE];
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
    if (row->seq != walk->seq + 1) {
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

static void take_sealed(struct chain_walk *walk, const struct store_audit_row *row)
{
    struct verify_report *report = walk->v->report;
    if (walk->linked) {
        check_link(walk, row);
    }
    check_hash(walk, row);
    walk->linked = true;
    walk->seq = row->seq;
    memcpy(walk->hash, row->hash, CHAIN_HASH_SIZE);
    report->head_seq = row->seq;
    memcpy(report->head_hash, row->hash, CHAIN_HASH_SIZE);
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
    walk->last_at = row->at;
    // The rows come by sequence: once inside the asked range none is left out.
    if (instant_is_none(walk->first_at)) {
        if (!instant_is_none(since) && instant_before(row->at, since)) {
            return true;
        }
        walk->first_at = row->at;
        walk->linked = instant_is_none(since);
    }
    v->report->audit_rows++;
    v->decided += is_decision(row->event);
    note_fenced(v, row);
    if (row->seq == 0) {
        v->report->unsealed_rows++;
    } else {
        take_sealed(walk, row);
    }
    return true;
}

bool verify_chain(struct verification *v, struct error *err)
{
    struct verify_report *report = v->report;
    struct chain_walk walk = {.v = v,
                              .linked = true,
                              .seq = report->anchor.seq,
                              .first_at = INSTANT_NONE,
                              .last_at = INSTANT_NONE};
    memcpy(walk.hash, report->anchor.hash, CHAIN_HASH_SIZE);
    report->head_seq = report->anchor.seq;
    memcpy(report->head_hash, report->anchor.hash, CHAIN_HASH_SIZE);
    struct store_audit_filter everything = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    if (!v->store->ops->read_audit(v->store, &everything, take_row, &walk, err)) {
        return false;
    }
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
