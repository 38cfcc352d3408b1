// SPDX-License-Identifier: MIT
// The files *.sql beside this one, as text; made at build time.
#pragma once

extern const char schema_1_sql[];
extern const char functions_nodes_1_sql[];
extern const char functions_locks_1_sql[];
extern const char functions_slots_1_sql[];
extern const char functions_strangers_1_sql[];
extern const char functions_audit_1_sql[];
extern const char functions_days_1_sql[];
extern const char views_1_sql[];
