// SPDX-License-Identifier: MIT
#include "runner/launch.h"

#include <stdlib.h>

#include "base/alloc.h"

static size_t count_texts(const char *const *list)
{
    size_t count = 0;
    while (list[count] != NULL) {
        count++;
    }
    return count;
}

static void put_numbers(struct channel *channel, const struct job *job, int64_t output_max)
{
    const struct job_limits *limits = &job->command->limits;
    message_put_number(channel, (uint64_t)limits->memory);
    message_put_number(channel, (uint64_t)limits->cpu_time);
    message_put_number(channel, (uint64_t)limits->open_files);
    message_put_number(channel, (uint64_t)(int64_t)limits->nice);
    message_put_number(channel, (uint64_t)job->timeout.us);
    message_put_number(channel, (uint64_t)job->kill_after.us);
    message_put_number(channel, (uint64_t)output_max);
}

static void put_identity(struct channel *channel, const struct identity *identity)
{
    message_put_text(channel, identity->name);
    message_put_text(channel, identity->home);
    message_put_number(channel, identity->uid);
    message_put_number(channel, identity->gid);
    message_put_number(channel, identity->is_other);
    message_put_number(channel, (uint64_t)identity->group_count);
    for (int i = 0; i < identity->group_count; i++) {
        message_put_number(channel, identity->groups[i]);
    }
}

bool launch_encode(struct channel *channel, uint64_t tag, const struct runner_start *start,
                   const struct identity *identity, const struct environment *environment,
                   int64_t output_max)
{
    const struct job_command *command = start->job->command;
    char run_id[UUID_TEXT_SIZE];
    uuid_format(start->run_id, run_id);
    message_begin(channel, MESSAGE_START, tag);
    message_put_text(channel, run_id);
    message_put_text(channel, command->workdir);
    message_put_text(channel, command->input);
    put_numbers(channel, start->job, output_max);
    put_identity(channel, identity);
    message_put_number(channel, count_texts(command->argv));
    for (const char *const *argument = command->argv; *argument != NULL; argument++) {
        message_put_text(channel, *argument);
    }
    message_put_number(channel, environment->count);
    for (size_t i = 0; i < environment->count; i++) {
        message_put_text(channel, environment->entries[i]);
    }
    return message_end(channel);
}

// A count can't be larger than the body has room for: each element takes eight bytes or more.
static size_t take_count(struct message *message)
{
    uint64_t count = message_number(message);
    if (count > message->length / sizeof(uint64_t)) {
        message->bad = true;
        return 0;
    }
    return (size_t)count;
}

static char **take_texts(struct message *message)
{
    size_t count = take_count(message);
    char **list = alloc_zero(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        // execve takes pointers to what it never changes.
        list[i] = (char *)(uintptr_t)message_text(message);
        message->bad = message->bad || list[i] == NULL;
    }
    return list;
}

static void take_identity(struct message *message, struct launch *launch)
{
    launch->user = message_text(message);
    launch->home = message_text(message);
    launch->uid = (uid_t)message_number(message);
    launch->gid = (gid_t)message_number(message);
    launch->is_other_user = message_number(message) != 0;
    launch->group_count = take_count(message);
    launch->groups = alloc_zero(launch->group_count, sizeof *launch->groups);
    for (size_t i = 0; i < launch->group_count; i++) {
        launch->groups[i] = (gid_t)message_number(message);
    }
}

bool launch_decode(struct message *message, struct launch *launch_out)
{
    struct launch launch = {.tag = message->tag};
    launch.run_id = message_text(message);
    launch.workdir = message_text(message);
    launch.input = message_text(message);
    launch.limits.memory = (int64_t)message_number(message);
    launch.limits.cpu_time = (int64_t)message_number(message);
    launch.limits.open_files = (int64_t)message_number(message);
    launch.limits.nice = (int)(int64_t)message_number(message);
    launch.timeout.us = (int64_t)message_number(message);
    launch.kill_after.us = (int64_t)message_number(message);
    launch.output_max = (int64_t)message_number(message);
    take_identity(message, &launch);
    launch.argv = take_texts(message);
    launch.envp = take_texts(message);
    if (message->bad || launch.run_id == NULL || launch.user == NULL || launch.home == NULL ||
        launch.argv[0] == NULL) {
        launch_release(&launch);
        return false;
    }
    *launch_out = launch;
    return true;
}

void launch_release(struct launch *launch)
{
    free(launch->groups);
    free(launch->argv);
    free(launch->envp);
    *launch = (struct launch){0};
}
