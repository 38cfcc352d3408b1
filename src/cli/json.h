// SPDX-License-Identifier: MIT
// The documents of --json, which are those of the HTTP API: names as in the public views, times RFC
// 3339 UTC with milliseconds, absent values null.
#pragma once

#include <jansson.h>

#include "cli/command.h"
#include "store/store.h"

json_t *json_text(const char *text); // NULL = null; broken UTF-8 is replaced
json_t *json_time(struct instant t); // none = null
json_t *json_uuid(struct uuid id);   // nil = null
json_t *json_duration(struct duration d);

json_t *json_run(const struct store_run_row *row);
json_t *json_audit(const struct store_audit_row *row);
json_t *json_control(const struct store_control_row *row);
json_t *json_intent(const struct store_intent *intent);

// Prints a document on stdout and gives it back to jansson: indented for people who look at a
// terminal, in one line otherwise.
void json_print(json_t *document);
// One line of a stream.
void json_print_line(json_t *document);
