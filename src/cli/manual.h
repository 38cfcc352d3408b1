// SPDX-License-Identifier: MIT
// ironcron(1), made from the table of commands.
#pragma once

#include "base/buf.h"

void manual_commands(struct buf *out);
