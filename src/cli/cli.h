// SPDX-License-Identifier: MIT
// The command line: one table of commands (cli/commands.c and its groups), from which dispatch,
// help, completion and the manual come.
#pragma once

int cli_main(int argc, char **argv); // returns the exit code
