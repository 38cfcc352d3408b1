// SPDX-License-Identifier: MIT
// What a command goes through the whole store or the machine for: the answer is the command's own
// document. Handlers here are called aside.
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/check.h"
#include "http/problem.h"

#define WORDS_MAX 16
#define TEXT_MAX  ((size_t)128 * 1024)

struct words {
    const char *list[WORDS_MAX + 1]; // ends with NULL
    size_t count;
    struct arena arena;
};

static void words_release(struct words *words)
{
    arena_release(&words->arena);
}

static void add(struct words *words, const char *word)
{
    CHECK(words->count < WORDS_MAX);
    words->list[words->count++] = word;
}

static void words_begin(struct words *words, const char *command)
{
    *words = (struct words){0};
    arena_init(&words->arena, TEXT_MAX);
    add(words, command);
}

// "--at=TIME", where the query has `at`.
static void add_option(struct words *words, const struct http_request *request, const char *name)
{
    const char *value = http_request_query(request, name);
    if (value != NULL) {
        size_t size = strlen(name) + strlen(value) + 4;
        char *word = arena_alloc(&words->arena, size, 1);
        snprintf(word, size, "--%s=%s", name, value);
        add(words, word);
    }
}

// "--deep", where the query says `deep=true`.
static void add_flag(struct words *words, const struct http_request *request, const char *name,
                     const char *word)
{
    const char *value = http_request_query(request, name);
    if (value != NULL && strcmp(value, "true") == 0) {
        add(words, word);
    }
}

// Whatever it looks like, it is no option.
static void add_operand(struct words *words, const char *operand)
{
    add(words, "--");
    add(words, operand);
}

static void answer(struct api *api, struct words *words, int missing,
                   struct http_response *response)
{
    api->run_command(api->context, words->list, missing, response);
}

void api_get_why(void *context, const struct http_request *request, struct http_response *response)
{
    AUTO(words_release) struct words words;
    words_begin(&words, "why");
    add_option(&words, request, "at");
    add_operand(&words, http_request_path_param(request, "job")); // it may have left by now
    answer(context, &words, 404, response);
}

static void add_range(struct words *words, const struct http_request *request)
{
    add_option(words, request, "from");
    add_option(words, request, "count");
    add_flag(words, request, "explain", "--explain");
}

void api_get_job_next(void *context, const struct http_request *request,
                      struct http_response *response)
{
    AUTO(words_release) struct words words = {0};
    const struct job *job = api_job(context, request, response);
    if (job != NULL) {
        words_begin(&words, "next");
        add_range(&words, request);
        add_operand(&words, job->name);
        answer(context, &words, 404, response);
    }
}

void api_get_next(void *context, const struct http_request *request, struct http_response *response)
{
    AUTO(words_release) struct words words = {0};
    const char *schedule = http_request_query(request, "schedule");
    if (schedule == NULL && http_request_query(request, "tz") != NULL) {
        http_problem(response, 400,
                     "tz is the zone of a schedule, and none is given: each job has its own.");
        return;
    }
    words_begin(&words, "next");
    add_option(&words, request, "tz");
    add_range(&words, request);
    if (schedule != NULL) {
        add_operand(&words, schedule);
    } else {
        add(&words, "--all");
    }
    answer(context, &words, 400, response);
}

void api_get_doctor(void *context, const struct http_request *request,
                    struct http_response *response)
{
    AUTO(words_release) struct words words;
    words_begin(&words, "doctor");
    add_flag(&words, request, "deep", "--deep");
    answer(context, &words, 409, response);
}

void api_get_validate(void *context, const struct http_request *request,
                      struct http_response *response)
{
    (void)request;
    AUTO(words_release) struct words words;
    words_begin(&words, "validate");
    answer(context, &words, 409, response);
}

void api_get_overview(void *context, const struct http_request *request,
                      struct http_response *response)
{
    (void)request;
    AUTO(words_release) struct words words;
    words_begin(&words, "status");
    answer(context, &words, 409, response);
}

void api_get_verify(void *context, const struct http_request *request,
                    struct http_response *response)
{
    AUTO(words_release) struct words words;
    words_begin(&words, "audit");
    add(&words, "verify");
    add_option(&words, request, "since");
    answer(context, &words, 409, response);
}
