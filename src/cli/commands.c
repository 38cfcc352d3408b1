// SPDX-License-Identifier: MIT
// The command line, whole: what is not in one of these groups does not exist.
#include "cli/commands.h"

const struct command_group command_groups[] = {
    {"Setting up", commands_setting_up}, {"Looking", commands_looking}, {"Acting", commands_acting},
    {"Audit", commands_audit},           {"About", commands_about},     {NULL, NULL},
};
