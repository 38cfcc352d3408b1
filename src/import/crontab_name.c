// SPDX-License-Identifier: MIT
// A command's name is that of its first program that does something: not a test whether another one
// is there, not a change of folder, not a wrapper such as sudo, not an interpreter.
#include "import/crontab_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/attributes.h"

#define PART_MAX   50
#define WORD_SIZE  256 // longer words are cut
#define SEPARATORS "&|;(){}\n"

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(word, *list) == 0) {
            return true;
        }
    }
    return false;
}

// What only prepares; the rest of the simple command is passed over.
static const char *const preparations[] = {"[",     "]",       "[[",   "test",  "cd",     "true",
                                           ":",     "export",  "set",  "umask", ".",      "source",
                                           "sleep", "command", "type", "which", "ulimit", "for",
                                           "case",  "done",    "fi",   "esac",  NULL};
// What runs the words behind it.
static const char *const wrappers[] = {
    "sudo", "nice", "ionice", "exec",  "time",    "nohup",  "env", "if",   "then",        "else",
    "elif", "do",   "while",  "until", "chronic", "setsid", "!",   "chrt", "systemd-cat", NULL};
// The same, but the first word behind it is its own.
static const char *const wrappers_with_word[] = {"flock", "timeout", "chroot", NULL};
static const char *const interpreters[] = {"sh",     "bash",    "dash", "zsh", "ksh",
                                           "python", "python3", "perl", "php", "ruby",
                                           "node",   "java",    NULL};

struct words {
    const char *at;
    char word[WORD_SIZE];
    bool begins; // a simple command begins with it
};

static bool is_separator(const struct words *words, const char *start)
{
    // "2>&1" and "&>" are redirections; what stands in "$(…)" is an argument.
    bool substitutes = *words->at == '(' && words->at > start && words->at[-1] == '$';
    bool redirects =
        *words->at == '&' && ((words->at > start && words->at[-1] == '>') || words->at[1] == '>');
    return *words->at != '\0' && strchr(SEPARATORS, *words->at) != NULL && !redirects &&
           !substitutes;
}

// The next word, without its quotes. Not a shell's parser: good enough to find a name.
static bool next_word(struct words *words, const char *start)
{
    while (*words->at != '\0' &&
           (strchr(" \t", *words->at) != NULL || is_separator(words, start))) {
        words->begins = words->begins || is_separator(words, start);
        words->at++;
    }
    size_t length = 0;
    char quote = '\0';
    for (; *words->at != '\0'; words->at++) {
        char c = *words->at;
        if (quote == '\0' && (strchr(" \t", c) != NULL || is_separator(words, start))) {
            break;
        }
        if (c == quote) {
            quote = '\0';
        } else if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (length + 1 < WORD_SIZE) {
            words->word[length++] = c;
        }
    }
    words->word[length] = '\0';
    return length > 0 || *words->at != '\0';
}

static bool is_assignment(const char *word)
{
    size_t name = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    return name > 0 && word[name] == '=';
}

static const char *base_of(const char *word)
{
    const char *slash = strrchr(word, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : word;
}

struct search {
    bool wants_program; // the next word may be it
    bool wants_script;  // an interpreter came before
    int skip;           // words that belong to what came before
    char found[WORD_SIZE];
};

// Looks at one word; true when the search is over.
static bool judge(struct search *search, const char *word)
{
    const char *base = base_of(word);
    if (search->skip > 0) {
        search->skip--;
    } else if (word[0] == '-') {
        // "sudo -u NAME"; code on the command line of an interpreter has no name.
        search->skip = strcmp(word, "-u") == 0 || strcmp(word, "-g") == 0;
        search->wants_program = !(search->wants_script && (word[1] == 'c' || word[1] == 'e'));
    } else if (is_assignment(word) || strspn(word, "0123456789") == strlen(word)) {
        return false;
    } else if (is_one_of(base, preparations)) {
        search->wants_program = false;
    } else if (is_one_of(base, wrappers_with_word)) {
        // Its options come first, and none of them that matter takes a word.
        search->skip = 0;
        search->wants_script = false;
        search->wants_program = true;
        return false;
    } else if (!is_one_of(base, wrappers)) {
        snprintf(search->found, WORD_SIZE, "%s", base);
        search->wants_script = is_one_of(base, interpreters);
        return !search->wants_script;
    }
    return false;
}

static void find_program(const char *command, struct search *search)
{
    struct words words = {.at = command, .begins = true};
    bool owes_word = false; // a wrapper's own word comes first
    while (next_word(&words, command)) {
        if (words.begins) {
            search->wants_program = true;
            search->wants_script = false;
            search->skip = 0;
            owes_word = false;
        }
        words.begins = false;
        if (!search->wants_program || words.word[0] == '\0') {
            continue;
        }
        if (owes_word && words.word[0] != '-') {
            owes_word = false;
            continue;
        }
        if (is_one_of(base_of(words.word), wrappers_with_word)) {
            owes_word = true;
        }
        if (judge(search, words.word)) {
            return;
        }
    }
}

// Appends what a job's name may hold of the text; each stretch of other bytes becomes one dash.
static size_t add_part(char *out, size_t used, const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    size_t first = used;
    for (; *text != '\0' && used - first < PART_MAX; text++) {
        if (strchr(allowed, *text) != NULL && (used > 0 || (*text != '_' && *text != '.'))) {
            out[used++] = *text;
        } else if (used > 0 && out[used - 1] != '-') {
            out[used++] = '-';
        }
    }
    while (used > 0 && out[used - 1] == '-') {
        used--;
    }
    out[used] = '\0';
    return used;
}

void crontab_name_make(const char *label, const char *command, char out[CRONTAB_NAME_SIZE])
{
    struct search search = {.wants_program = true};
    char program[CRONTAB_NAME_SIZE];
    find_program(command, &search);
    add_part(program, 0, search.found);
    size_t used = add_part(out, 0, label);
    if (strncmp(program, out, used) == 0) {
        used = 0; // "certbot" rather than "certbot-certbot"
    }
    if (used > 0 && program[0] != '\0') {
        out[used++] = '-';
    }
    if (program[0] != '\0' || used == 0) {
        add_part(out, used, program[0] != '\0' ? program : "job");
    }
}
