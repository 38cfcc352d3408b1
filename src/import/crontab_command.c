// SPDX-License-Identifier: MIT
#include "import/crontab_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/buf.h"

#define DELIMITER     "END_OF_INPUT"
#define TEXT_MAX      ((size_t)256 * 1024) // a line of a crontab has 64 KB at most
#define DELIMITER_MAX 40

// A backslash makes the next byte an ordinary one and stays, but for one before a percent sign. So
// of "\\%" the sign counts: the second backslash is the ordinary byte.
static char *read_command(const char **at)
{
    char *command = alloc_zero(strlen(*at) + 1, 1);
    size_t length = 0;
    bool escaped = false;
    for (; **at != '\0' && (escaped || **at != '%'); (*at)++) {
        if (escaped && **at == '%') {
            length--;
        }
        command[length++] = **at;
        escaped = !escaped && **at == '\\';
    }
    return command;
}

// In the input each backslash counts for what follows it, one behind another too.
static char *read_input(const char *text)
{
    char *input = alloc_zero(strlen(text) + 2, 1);
    size_t length = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (c[0] == '\\' && c[1] == '%') {
            input[length++] = '%';
            c++;
        } else {
            input[length++] = *c;
            input[length - 1] = *c == '%' ? '\n' : *c;
        }
    }
    if (length == 0 || input[length - 1] != '\n') {
        input[length] = '\n';
    }
    return input;
}

void crontab_command_split(const char *text, char **command_out, char **input_out)
{
    *command_out = read_command(&text);
    *input_out = *text == '%' ? read_input(text + 1) : NULL;
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    while (true) {
        size_t end = strcspn(text, "\n");
        if (end == length && memcmp(text, line, length) == 0) {
            return true;
        }
        if (text[end] == '\0') {
            return false;
        }
        text += end + 1;
    }
}

char *crontab_command_with_input(const char *command, const char *input)
{
    char delimiter[DELIMITER_MAX] = DELIMITER;
    for (int i = 2; has_line(input, delimiter); i++) {
        snprintf(delimiter, sizeof delimiter, DELIMITER "_%d", i);
    }
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    // Braces, because the whole line reads it; a newline, because a comment may end the command.
    buf_printf(&text, "{ %s\n} <<'%s'\n%s%s\n", command, delimiter, input, delimiter);
    return alloc_string(buf_string(&text));
}

bool crontab_command_shell_fits(const char *shell)
{
    static const char *const names[] = {"sh", "dash", "bash", "ash", "ksh", "ksh93", "mksh", "zsh"};
    const char *slash = strrchr(shell, '/');
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(slash != NULL ? slash + 1 : shell, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool crontab_command_is_background(const char *command)
{
    size_t length = strlen(command);
    while (length > 0 && strchr(" \t", command[length - 1]) != NULL) {
        length--;
    }
    return length > 1 && command[length - 1] == '&' && command[length - 2] != '&';
}
