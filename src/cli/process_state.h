// SPDX-License-Identifier: MIT
// What the kernel says of a process of this machine (proc(5)).
#pragma once

#include <stdbool.h>

bool process_is_stopped(int pid); // by a signal or a debugger: state T or t
bool process_is_there(int pid);   // a zombie is not
