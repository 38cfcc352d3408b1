// SPDX-License-Identifier: MIT
// Completion. The scripts of the three shells are thin: they ask `ironcron __complete -- WORD…`,
// which knows the table, the configuration and the store. It answers one candidate a line, "word
// TAB description"; a line ":file" asks the shell for file names. An error is for nobody: the
// scripts drop stderr.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/values.h"

#define RUNS_OFFERED 20

static const char bash_script[] =
    "# bash completion of ironcron\n"
    "_ironcron() {\n"
    "    local program=\"${COMP_WORDS[0]/#\\~/$HOME}\" current=\"${COMP_WORDS[COMP_CWORD]}\" line\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        if [[ $line == :file ]]; then\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- "
    "\"$current\")\n"
    "        else\n"
    "            COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
    "        fi\n"
    "    done < <(\"$program\" __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _ironcron ironcron\n";

static const char zsh_script[] =
    "#compdef ironcron\n"
    "# zsh completion of ironcron\n"
    "_ironcron() {\n"
    "    local line program=${words[1]/#\\~/$HOME}\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        if [[ $line == :file ]]; then\n"
    "            _files\n"
    "        else\n"
    "            found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
    "        fi\n"
    "    done < <(\"$program\" __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( $#found )) && _describe -t candidates ironcron found\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
    "    _ironcron \"$@\"\n"
    "else\n"
    "    compdef _ironcron ironcron\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of ironcron\n"
    "function __ironcron_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)\n"
    "    for line in $found\n"
    "        if test \"$line\" = :file\n"
    "            __fish_complete_path (commandline -ct)\n"
    "        else\n"
    "            printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c ironcron -f -a '(__ironcron_complete)'\n";

bool command_completion(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    (void)err;
    const char *shell = invocation->arguments[0];
    fputs(strcmp(shell, "bash") == 0  ? bash_script
          : strcmp(shell, "zsh") == 0 ? zsh_script
                                      : fish_script,
          stdout);
    return true;
}

// ---- candidates ---------------------------------------------------------------------------------

// What has been typed so far.
struct typing {
    const char *current;
    char *words[REPEAT_MAX]; // without options
    size_t word_count;
    const struct option *used[REPEAT_MAX];
    size_t used_count;
    const struct option *awaits; // the option whose value is being typed
    const struct command *command;
    size_t command_words;
    struct invocation *invocation;
};

static void offer(const struct typing *typing, const char *word, const char *description)
{
    if (strncmp(word, typing->current, strlen(typing->current)) == 0) {
        char *clean = terminal_clean(description);
        printf("%s\t%s\n", word, clean);
        free(clean);
    }
}

static const struct option *option_anywhere(const char *word)
{
    const struct option *found = NULL;
    size_t at = 0;
    for (const struct command *command; found == NULL && (command = next_command(&at)) != NULL;) {
        found = word[1] == '-' ? option_by_name(command, word + 2, strlen(word + 2))
                               : option_by_letter(command, word[1]);
    }
    return found;
}

static void typing_read(struct typing *typing, struct invocation *invocation)
{
    size_t count = invocation->rest_count;
    typing->invocation = invocation;
    typing->current = count > 0 ? invocation->rest[count - 1] : "";
    for (size_t i = 0; i + 1 < count; i++) {
        const char *word = invocation->rest[i];
        if (typing->awaits != NULL) {
            if (strcmp(typing->awaits->name, "config") == 0) {
                invocation->config_path = word;
            }
            typing->awaits = NULL;
        } else if (word[0] == '-' && word[1] != '\0') {
            const struct option *option = option_anywhere(word);
            if (option != NULL) {
                typing->used[typing->used_count++] = option;
                typing->awaits = option->kind != VALUE_NONE ? option : NULL;
            }
        } else {
            typing->words[typing->word_count++] = strdup(word);
        }
    }
    typing->command = command_find(typing->words, typing->word_count, &typing->command_words);
    // The same name may stand for other words in another command.
    const struct option *awaited = typing->awaits;
    const struct option *own =
        awaited != NULL && typing->command != NULL
            ? option_by_name(typing->command, awaited->name, strlen(awaited->name))
            : NULL;
    typing->awaits = own != NULL ? own : awaited;
}

static void typing_release(struct typing *typing)
{
    for (size_t i = 0; i < typing->word_count; i++) {
        free(typing->words[i]);
    }
}

static bool is_used(const struct typing *typing, const char *name)
{
    for (size_t i = 0; i < typing->used_count; i++) {
        if (strcmp(typing->used[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void offer_options(const struct typing *typing)
{
    const struct option *lists[] = {typing->command != NULL ? typing->command->options : NULL,
                                    global_options};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        for (const struct option *o = lists[i]; o != NULL && o->name != NULL; o++) {
            char word[80];
            snprintf(word, sizeof word, "--%s", o->name);
            if (!o->hidden && (o->repeats || !is_used(typing, o->name))) {
                offer(typing, word, o->summary);
            }
        }
    }
}

// The next word of every command whose name begins with the words so far.
static void offer_commands(const struct typing *typing, size_t skip)
{
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        const char *name = command->name;
        size_t k = skip;
        while (k < typing->word_count && strncmp(name, typing->words[k], strcspn(name, " ")) == 0 &&
               strlen(typing->words[k]) == strcspn(name, " ")) {
            name += strcspn(name, " ");
            name += strspn(name, " ");
            k++;
        }
        bool is_last_word = *name != '\0' && strchr(name, ' ') == NULL;
        if (k == typing->word_count && is_last_word && !command->hidden) {
            offer(typing, name, command->summary);
        }
    }
}

static void offer_jobs(const struct typing *typing)
{
    AUTO(session_release) struct session session = {0};
    if (!session_config_quietly(&session, typing->invocation)) {
        return;
    }
    session_definitions_or_file(&session);
    for (size_t i = 0; i < session.config->job_count; i++) {
        const struct job *job = &session.config->jobs[i];
        offer(typing, job->name, job->description != NULL ? job->description : job->schedule_text);
    }
}

static bool offer_run(void *context, const struct store_run_row *row)
{
    char id[UUID_TEXT_SIZE];
    char description[200];
    uuid_format(row->run_id, id);
    snprintf(description, sizeof description, "%s %s", row->job, run_state_name(row->state));
    offer(context, id, description);
    return true;
}

static void offer_runs(struct typing *typing)
{
    AUTO(session_release) struct session session = {0};
    struct error err = ERROR_INIT;
    if (!session_config_quietly(&session, typing->invocation) || !session_read(&session, &err) ||
        session.store == NULL) {
        return;
    }
    struct store_run_filter filter = {
        .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = RUNS_OFFERED};
    if (!session.store->ops->read_runs(session.store, &filter, offer_run, typing, &err)) {
        return;
    }
}

static bool offer_node(void *context, const struct store_node_row *row)
{
    if (strcmp(row->state, "live") == 0) {
        char id[UUID_TEXT_SIZE];
        uuid_format(row->node, id);
        offer(context, row->host, id);
        offer(context, id, row->host);
    }
    return true;
}

static void offer_nodes(struct typing *typing)
{
    AUTO(session_release) struct session session = {0};
    struct error ignored = ERROR_INIT;
    if (session_config_quietly(&session, typing->invocation) && session_read(&session, &ignored) &&
        session.store != NULL) {
        (void)session.store->ops->read_nodes(session.store, offer_node, typing, &ignored);
    }
}

static void offer_values(struct typing *typing, enum value_kind kind)
{
    const char *const *words = value_words(kind);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        offer(typing, words[i], "");
    }
    if (kind == VALUE_JOB || kind == VALUE_SCHEDULE) {
        offer_jobs(typing);
    } else if (kind == VALUE_RUN) {
        offer_runs(typing);
    } else if (kind == VALUE_NODE) {
        offer_nodes(typing);
    } else if (kind == VALUE_COMMAND) {
        offer_commands(typing, typing->command_words);
    } else if (kind == VALUE_FILE) {
        puts(":file");
    }
}

static void offer_argument(struct typing *typing)
{
    size_t at = typing->word_count - typing->command_words;
    for (size_t i = 0; i < command_argument_count(typing->command); i++) {
        const struct argument *argument = &typing->command->arguments[i];
        if (argument->unless != NULL && is_used(typing, argument->unless)) {
            continue;
        }
        if (at == 0 || argument->repeats) {
            offer_values(typing, argument->kind);
            return;
        }
        at--;
    }
}

bool command_complete(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    (void)err;
    AUTO(typing_release) struct typing typing = {0};
    typing_read(&typing, invocation);
    if (typing.awaits != NULL) {
        offer_values(&typing, typing.awaits->kind);
    } else if (typing.current[0] == '-') {
        offer_options(&typing);
    } else {
        offer_commands(&typing, 0);
        if (typing.command != NULL) {
            offer_argument(&typing);
        }
    }
    return true;
}
