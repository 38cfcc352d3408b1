// SPDX-License-Identifier: MIT
typedef int placeholder_process_runner;
