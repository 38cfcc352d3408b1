// SPDX-License-Identifier: MIT
// Random operations on the SQLite store and on the model.
#include "random_sequences.h"
#include "sqlite_file.h"

int main(void)
{
    return random_run(&sqlite_backend, 20);
}
