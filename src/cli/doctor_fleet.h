// SPDX-License-Identifier: MIT
// The doctor of a store on PostgreSQL: its nodes, its server, its tables.
#pragma once

#include "cli/doctor.h"

void doctor_nodes(struct doctor *doctor);
void doctor_each_node(struct doctor *doctor);
bool doctor_server(struct doctor *doctor, struct error *err) MUST_USE;
