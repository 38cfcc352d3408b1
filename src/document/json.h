// SPDX-License-Identifier: MIT
// The documents of the HTTP API, which are those of --json: names as in the public views, times RFC
// 3339 UTC with milliseconds, absent values null.
#pragma once

#include <jansson.h>

#include "document/cut_off.h"
#include "store/store.h"

json_t *json_text(const char *text); // NULL = null; broken UTF-8 is replaced
json_t *json_time(struct instant t); // none = null
json_t *json_uuid(struct uuid id);   // nil = null
json_t *json_duration(struct duration d);

// `nodes` NULL: it has ended, or nothing is known of nodes.
json_t *json_run(const struct store_run_row *row, const struct cut_off *nodes);
json_t *json_slot(const struct store_slot_row *row);
json_t *json_audit(const struct store_audit_row *row);
json_t *json_control(const struct store_control_row *row);
json_t *json_intent(const struct store_intent *intent);
// `state` as it is known better than the row says.
json_t *json_version(int64_t version); // of definitions; 0: null
json_t *json_node_row(const struct store_node_row *row, const char *state);
