// SPDX-License-Identifier: MIT
#include "audit/witness.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

void witnesses_init(struct witnesses *witnesses)
{
    *witnesses = (struct witnesses){0};
}

void witnesses_release(struct witnesses *witnesses)
{
    free(witnesses->list);
    free(witnesses->slots);
    *witnesses = (struct witnesses){0};
}

uint64_t witness_hash(struct uuid key)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, key.bytes, sizeof a);
    memcpy(&b, key.bytes + sizeof a, sizeof b);
    uint64_t hash = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 29);
}

static size_t place_of(const struct witnesses *witnesses, struct uuid key)
{
    size_t mask = witnesses->slot_count - 1;
    size_t i = (size_t)witness_hash(key) & mask;
    while (witnesses->slots[i] != 0 &&
           !uuid_equal(witnesses->list[witnesses->slots[i] - 1].key, key)) {
        i = (i + 1) & mask;
    }
    return i;
}

static void grow(struct witnesses *witnesses)
{
    witnesses->slot_count = witnesses->slot_count == 0 ? 1024 : witnesses->slot_count * 2;
    CHECK(witnesses->slot_count < UINT32_MAX);
    free(witnesses->slots);
    witnesses->slots = alloc_zero(witnesses->slot_count, sizeof *witnesses->slots);
    for (size_t i = 0; i < witnesses->count; i++) {
        witnesses->slots[place_of(witnesses, witnesses->list[i].key)] = (uint32_t)(i + 1);
    }
}

struct witness *witnesses_get(struct witnesses *witnesses, struct uuid key, uint32_t job,
                              struct instant at)
{
    if ((witnesses->count + 1) * 4 > witnesses->slot_count * 3) {
        grow(witnesses);
    }
    size_t place = place_of(witnesses, key);
    if (witnesses->slots[place] != 0) {
        struct witness *known = &witnesses->list[witnesses->slots[place] - 1];
        known->job_differs |= known->job != job;
        return known;
    }
    ARRAY_RESERVE(witnesses->list, witnesses->count, witnesses->capacity);
    struct witness *fresh = &witnesses->list[witnesses->count++];
    *fresh = (struct witness){.key = key,
                              .at = at,
                              .started_at = INSTANT_NONE,
                              .ended_at = INSTANT_NONE,
                              .job = job,
                              .audit_state = WITNESS_NONE,
                              .run_state = WITNESS_NONE,
                              .slot_outcome = WITNESS_NONE};
    witnesses->slots[place] = (uint32_t)witnesses->count;
    return fresh;
}

struct uuid witness_slot_key(uint32_t job, struct instant due_at)
{
    struct uuid key = {{0}};
    memcpy(key.bytes, &due_at.us, 8);
    // An id's ninth byte begins with the bits 10 (RFC 9562, variant).
    memset(key.bytes + 8, 0xff, 4);
    memcpy(key.bytes + 12, &job, 4);
    return key;
}
