// SPDX-License-Identifier: MIT
#include "cli/process_state.h"

#include <stdio.h>
#include <string.h>

// Its letter of state; 0 = there is no such process.
static char state_of(int pid)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL) {
        fclose(file);
    }
    text[length] = '\0';
    const char *end = strrchr(text, ')'); // the name before it may hold anything
    return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

bool process_is_stopped(int pid)
{
    char state = state_of(pid);
    return state == 'T' || state == 't';
}

bool process_is_there(int pid)
{
    char state = state_of(pid);
    return state != '\0' && state != 'Z' && state != 'X';
}
