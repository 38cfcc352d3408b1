// SPDX-License-Identifier: MIT
// The command of a crontab's line: what the shell gets, and what it reads on its standard input.
#pragma once

#include <stdbool.h>

// Cron's rule of the percent sign. *command_out: the text before the first % that has no backslash
// before it, with "\%" as %. *input_out: what follows, each further such % as a newline, with a
// newline at the end; NULL when there is none. Both are new strings, the caller's to free.
void crontab_command_split(const char *text, char **command_out, char **input_out);

// The command with its input as a shell here-document. The caller frees it.
char *crontab_command_with_input(const char *command, const char *input);
// Has this shell the here-documents and groups of sh?
bool crontab_command_shell_fits(const char *shell);
// Does the command leave something behind in the background?
bool crontab_command_is_background(const char *command);
