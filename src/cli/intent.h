// SPDX-License-Identifier: MIT
// Wishes that a live node carries out: put into the store, then watched until they are answered.
#pragma once

#include "cli/session.h"

// Gives the intent to the live node, or else writes it into the store; fills its id, actor, --as,
// --reason and time. The session must be open for writing. A retry names in run_id the run that it
// repeats.
bool intent_put(const struct session *session, const struct invocation *invocation,
                struct store_intent *intent, struct error *err) MUST_USE;

// Polls until the intent is answered, the node is gone (ERROR_REFUSED), or `patience` is over
// (ERROR_UNAVAILABLE; the node may still do it). Texts of *intent_out live in `arena`.
bool intent_wait(struct session *session, struct uuid intent_id, struct duration patience,
                 struct arena *arena, struct store_intent *intent_out, struct error *err) MUST_USE;

// Nobody will carry it out: left pending, it would be at some later start, to everybody's surprise.
void intent_withdraw(struct session *session, struct uuid intent_id, const struct error *why);

// A short pause between two looks.
void intent_pause(void);
