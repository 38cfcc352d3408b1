// SPDX-License-Identifier: MIT
// Random operations on a store and on the model, answer by answer and row by row.
#pragma once

#include "../../contract/contract.h"

// Runs so many sequences of 400 operations, then the seeded differences that must be seen.
int random_run(const struct contract_backend *backend, int sequences);
