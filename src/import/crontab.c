// SPDX-License-Identifier: MIT
#include "import/crontab.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "import/crontab_command.h"
#include "import/crontab_comment.h"
#include "import/crontab_schedule.h"

#define USER_MAX 64

struct reading {
    const struct crontab_sink *sink;
    struct crontab_environment environment;
    struct crontab_comment comment;
    size_t line;
    bool has_users;
    bool told_of_returns; // once a file is enough
};

static void PRINTF(3, 4)
    remark(const struct reading *reading, enum crontab_remark kind, const char *format, ...)
{
    char text[2400]; // an error's text, and what stands before it
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    utf8_trim_partial(text);
    reading->sink->remark(reading->sink->context, reading->line, kind, text);
}

// ---- assignments --------------------------------------------------------------------------------

static bool take_assignment(struct reading *reading, const char *text)
{
    char *name;
    char *value;
    const char *note;
    struct error err = ERROR_INIT;
    if (!crontab_assignment_read(text, &name, &value)) {
        return false;
    }
    if (!crontab_environment_set(&reading->environment, name, value, &note, &err)) {
        remark(reading, CRONTAB_LOST, "%s", err.text);
    } else if (note != NULL) {
        remark(reading, CRONTAB_NOTE, "%s", note);
    }
    free(name);
    free(value);
    return true;
}

// ---- entries ------------------------------------------------------------------------------------

static bool is_user_name(const char *name, size_t length)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t plain = strspn(name, allowed);
    plain += plain > 0 && plain + 1 == length && name[plain] == '$'; // Samba's machine accounts
    return plain == length && length > 0 && length <= USER_MAX && name[0] != '-';
}

// The sixth word. FreeBSD's cron also knows USER:GROUP and USER/CLASS.
static bool take_user(const struct reading *reading, const char **at, char user[USER_MAX + 1])
{
    const char *word = *at;
    size_t length = strcspn(word, " \t");
    size_t name_length = strcspn(word, " \t:/");
    *at += length;
    *at += strspn(*at, " \t");
    if (!is_user_name(word, name_length)) {
        remark(reading, CRONTAB_LOST,
               "\"%.*s\" is not the name of a user; a crontab without a column for users is read "
               "with --user NAME",
               length > 80 ? 80 : (int)length, word);
        return false;
    }
    if (name_length < length) {
        remark(reading, CRONTAB_NOTE, "the group or class behind the user's name is left out: %.*s",
               length > 80 ? 80 : (int)length, word);
    }
    snprintf(user, USER_MAX + 1, "%.*s", (int)name_length, word);
    return true;
}

static bool check_command(const struct reading *reading, const char *command, const char *input)
{
    const char *shell = reading->environment.shell;
    if (command[strspn(command, " \t")] == '\0') {
        remark(reading, CRONTAB_LOST, "the line has no command");
        return false;
    }
    if (input != NULL && shell != NULL && !crontab_command_shell_fits(shell)) {
        remark(reading, CRONTAB_LOST,
               "the text behind the first %% is the command's input, and %.200s has no "
               "here-documents to carry it; put both into a script",
               shell);
        return false;
    }
    if (crontab_command_is_background(command)) {
        remark(reading, CRONTAB_NOTE,
               "the command ends with &: what it leaves running is ended with the run; take the & "
               "away");
    }
    return true;
}

static void hand_out(struct reading *reading, const char *schedule, const char *user,
                     const char *text)
{
    char *command;
    char *input;
    crontab_command_split(text, &command, &input);
    if (check_command(reading, command, input)) {
        const char *description = reading->comment.text;
        struct crontab_entry entry = {
            .line = reading->line,
            .schedule = schedule,
            .user = user,
            .command = command,
            .input = input,
            .description = description[0] == '\0' ? NULL : description,
            .workdir = reading->environment.home,
            .environment = &reading->environment,
        };
        reading->sink->entry(reading->sink->context, &entry);
    }
    free(command);
    free(input);
}

// OpenBSD's flags: -n mails on failure only, -q keeps the log quiet, -s lets one instance run.
static const char *skip_flags(const struct reading *reading, const char *at)
{
    while (at[0] == '-' && at[1] != '\0' && strchr("nqs", at[1]) != NULL &&
           (at[2] == ' ' || at[2] == '\t')) {
        remark(reading, CRONTAB_NOTE, "the flag -%c is left out", at[1]);
        at += 2 + strspn(at + 2, " \t");
    }
    return at;
}

static void take_entry(struct reading *reading, const char *at)
{
    char schedule[CRONTAB_WORD_SIZE];
    char user[USER_MAX + 1];
    const char *note;
    struct error err = ERROR_INIT;
    // Some crons keep a line with a dash before it out of the system's log.
    at += *at == '-';
    if (!crontab_schedule_read(&at, schedule, &note, &err)) {
        remark(reading, CRONTAB_LOST, "%s", err.text);
        return;
    }
    at += strspn(at, " \t");
    if (reading->has_users && !take_user(reading, &at, user)) {
        return;
    }
    if (note != NULL) {
        remark(reading, CRONTAB_NOTE, "%s", note);
    }
    hand_out(reading, schedule, reading->has_users ? user : NULL, skip_flags(reading, at));
}

// ---- lines --------------------------------------------------------------------------------------

static bool is_readable(struct reading *reading, const char *line, size_t length)
{
    if (length > CRONTAB_LINE_MAX) {
        remark(reading, CRONTAB_LOST, "a line of more than %zu KB", CRONTAB_LINE_MAX / 1024);
    } else if (memchr(line, '\0', length) != NULL) {
        remark(reading, CRONTAB_LOST, "the line has a NUL byte");
    } else if (line[strspn(line, " \t")] != '#' && !utf8_is_valid(line, length)) {
        remark(reading, CRONTAB_LOST, "the line is not UTF-8, as a configuration must be");
    } else {
        return true;
    }
    return false;
}

static void take_text(struct reading *reading, const char *text)
{
    text += strspn(text, " \t");
    if (*text == '#') {
        crontab_comment_add(&reading->comment, text);
        return;
    }
    if (*text != '\0' && !take_assignment(reading, text)) {
        take_entry(reading, text);
    }
    crontab_comment_clear(&reading->comment);
}

static void take_line(struct reading *reading, const char *bytes, size_t length)
{
    if (length > 0 && bytes[length - 1] == '\r') {
        length--;
        if (!reading->told_of_returns) {
            remark(reading, CRONTAB_NOTE,
                   "lines end with CR and LF; the CR, which cron would hand to the command, is "
                   "left out");
        }
        reading->told_of_returns = true;
    }
    // A line may be as long as the file: no copy of what will be refused.
    char *line = alloc_bytes(bytes, length > CRONTAB_LINE_MAX ? 0 : length);
    if (is_readable(reading, line, length)) {
        take_text(reading, line);
    } else {
        crontab_comment_clear(&reading->comment);
    }
    free(line);
}

void crontab_read(const char *bytes, size_t length, bool has_users, const struct crontab_sink *sink)
{
    struct reading reading = {.sink = sink, .has_users = has_users};
    crontab_environment_init(&reading.environment);
    size_t at = 0;
    while (at < length) {
        const char *end = memchr(bytes + at, '\n', length - at);
        size_t line_length = end != NULL ? (size_t)(end - (bytes + at)) : length - at;
        reading.line++;
        take_line(&reading, bytes + at, line_length);
        at += line_length + 1;
        if (end == NULL) {
            remark(&reading, CRONTAB_NOTE,
                   "the last line does not end with a newline; some crons pass over such a line or "
                   "file");
        }
    }
    crontab_environment_release(&reading.environment);
}
