// SPDX-License-Identifier: MIT
// A ledger for the tests of the verification, written through the store port as a scheduler would,
// minute by minute of a night in which Berlin's clock goes forward.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audit/verify.h"
#include "store/store.h"
#include "time/clock.h"

// 2026-03-29T00:00:00Z; Berlin's 02:30 does not exist that night and becomes 01:00Z.
#define LEDGER_START INT64_C(1774742400)

struct ledger {
    struct clock clock;
    int64_t now_ms;
    char path[128]; // "" = the store is in memory
    struct store *store;
    struct uuid node;
    uint64_t ids;
    int64_t minute_job; // "@every 1m"
    int64_t five_job;   // "*/5 * * * *"
    int64_t night_job;  // "30 2 * * *" in Berlin
    int64_t boot_job;   // "@reboot"
};

enum ledger_kind { LEDGER_MODEL, LEDGER_SQLITE };
extern const char *const ledger_kind_names[];

void ledger_open(struct ledger *ledger, enum ledger_kind kind);
void ledger_reopen(struct ledger *ledger, bool read_only);        // a file only
void ledger_copy(struct ledger *ledger, struct ledger *copy_out); // of a file; not opened yet
void ledger_close(struct ledger *ledger);                         // removes the file

void ledger_join(struct ledger *ledger, bool dry_run); // a new boot of the node
void ledger_publish(struct ledger *ledger);            // the four jobs, in force from now on
void ledger_control(struct ledger *ledger, enum store_control_kind kind, const char *job,
                    int value);
void ledger_seal(struct ledger *ledger);
void ledger_prune(struct ledger *ledger, int64_t runs_before, int64_t audit_before); // Unix seconds

int64_t ledger_now(const struct ledger *ledger); // Unix seconds
void ledger_wait(struct ledger *ledger, int64_t seconds);

// One slot, decided now. A run goes on until ledger_end.
struct store_slot ledger_decide(struct ledger *ledger, int64_t job_id, int64_t due,
                                enum store_decision decision, enum run_trigger trigger, int attempt,
                                enum slot_reason reason);
void ledger_end(struct ledger *ledger, const struct store_slot *slot, enum run_state state,
                int64_t retry_at); // 0 = no retry
void ledger_run(struct ledger *ledger, int64_t job_id, int64_t due, enum run_state state);
void ledger_skip(struct ledger *ledger, int64_t job_id, int64_t due, enum slot_reason reason);

// Minutes of the night in which all slots that are due run, up to and including minute `to`.
void ledger_pass(struct ledger *ledger, int64_t to);
// Everything that a ledger may contain, in order: two hours.
void ledger_fill(struct ledger *ledger);

// ---- what the verification says -----------------------------------------------------------------

#define KIND(kind) (1u << (kind))
// Verifies; fails the test with the first findings when their kinds are not the expected set.
void ledger_expect_since(struct ledger *ledger, const char *label, unsigned kinds, bool live,
                         struct instant since);
void ledger_expect(struct ledger *ledger, const char *label, unsigned kinds);
