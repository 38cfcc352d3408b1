// SPDX-License-Identifier: MIT
typedef int placeholder_clock_system;
