// SPDX-License-Identifier: MIT
// The conformance suite against the SQLite store.
#include "sqlite_file.h"

int main(void)
{
    return contract_run(&sqlite_backend);
}
