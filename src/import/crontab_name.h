// SPDX-License-Identifier: MIT
// Names for jobs: where the job comes from, and the program that matters in its command.
#pragma once

#define CRONTAB_NAME_SIZE 112 // leaves room for a number within the longest name of a job

// "sysstat" and "command -v debian-sa1 >/dev/null && debian-sa1 1 1" make "sysstat-debian-sa1".
// Always a valid name; the same words always make the same name. Uniqueness is the caller's.
void crontab_name_make(const char *label, const char *command, char out[CRONTAB_NAME_SIZE]);
