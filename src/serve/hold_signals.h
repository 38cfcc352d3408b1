// SPDX-License-Identifier: MIT
// Signals that come when a node cannot take them yet, or no more, wait until it can: they are held
// back, so that HUP does not end a process that starts, and TERM none that the store knows as a
// node, and expects to leave.
#pragma once

#include <stdbool.h>

void hold_reload(bool hold); // HUP
void hold_stop(bool hold);   // TERM, INT
