// SPDX-License-Identifier: MIT
#include "call/request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "call/signature.h"
#include "job/params.h"
#include "time/format.h"

// ---- headers ------------------------------------------------------------------------------------

static void add_line(struct request *request, const char *line)
{
    struct curl_slist *longer = curl_slist_append(request->headers, line);
    CHECK(longer != NULL);
    request->headers = longer;
}

static void add(struct request *request, const char *name, const char *value)
{
    AUTO(buf_release) struct buf line;
    buf_init(&line, REQUEST_HEADERS_MAX);
    buf_add_string(&line, name);
    if (value[0] == '\0') {
        buf_add_char(&line, ';'); // libcurl's way to say a header without a value
    } else {
        buf_printf(&line, ": %s", value);
    }
    add_line(request, buf_string(&line));
}

static void add_number(struct request *request, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    add(request, name, text);
}

static const char *configured(const struct job_http *http, const char *name)
{
    for (const struct job_variable *header = http->headers; header != NULL && header->name != NULL;
         header++) {
        if (strcasecmp(header->name, name) == 0) {
            return header->value;
        }
    }
    return NULL;
}

static bool is_plain(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

// "_" becomes "-": many proxies drop names with "_".
static void name_param(const char *param, struct buf *name)
{
    buf_add_string(name, "X-Ironcron-Param-");
    for (const char *c = param; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';
        buf_add_char(name, letter || digit ? *c : '-');
    }
}

static bool add_params(struct request *request, const struct runner_start *start, struct error *err)
{
    size_t total = 0;
    for (const struct job_variable *param = start->params; param != NULL && param->name != NULL;
         param++) {
        AUTO(buf_release) struct buf name;
        buf_init(&name, REQUEST_HEADERS_MAX);
        name_param(param->name, &name);
        total += name.length + strlen(param->value);
        if (!is_plain(param->value)) {
            return error_set(err, ERROR_LIMIT,
                             "cannot start job %s: the param %s has a line break or a control "
                             "byte, which no header can hold",
                             start->job->name, param->name);
        }
        if (total > REQUEST_HEADERS_MAX / 4) {
            return error_set(err, ERROR_LIMIT,
                             "cannot start job %s: its params are over 64 KB, more than headers "
                             "can hold",
                             start->job->name);
        }
        add(request, buf_string(&name), param->value);
    }
    return true;
}

struct facts { // as texts
    char run_id[UUID_TEXT_SIZE];
    char due_at[FORMAT_TIME_SIZE];
};

static void add_facts(struct request *request, const struct runner_start *start,
                      const struct facts *facts)
{
    AUTO(buf_release) struct buf key;
    buf_init(&key, 256);
    add(request, "X-Ironcron-Job", start->job->name);
    add(request, "X-Ironcron-Run-Id", facts->run_id);
    add(request, "X-Ironcron-Due-At", facts->due_at);
    add_number(request, "X-Ironcron-Attempt", start->attempt);
    add_number(request, "X-Ironcron-Fence", start->fence);
    if (start->trigger == TRIGGER_MANUAL) {
        buf_add_string(&key, facts->run_id);
    } else {
        buf_printf(&key, "%s/%s", start->job->name, facts->due_at);
    }
    add(request, "Idempotency-Key", buf_string(&key));
}

static void add_configured(struct request *request, const struct job_http *http)
{
    for (const struct job_variable *header = http->headers; header != NULL && header->name != NULL;
         header++) {
        add(request, header->name, header->value);
    }
    if (configured(http, "User-Agent") == NULL) {
        add(request, "User-Agent", "ironcron/" IRONCRON_VERSION);
    }
    if (configured(http, "Content-Type") == NULL) {
        // Without a value: none, where libcurl would choose one of its own.
        add_line(request,
                 request->body.length > 0 ? "Content-Type: application/json" : "Content-Type:");
    }
    add_line(request, "Connection: close");
    add_line(request, "Expect:");
}

// ---- body ---------------------------------------------------------------------------------------

static bool takes_body(const struct job_http *http)
{
    return strcmp(http->method, "POST") == 0 || strcmp(http->method, "PUT") == 0 ||
           strcmp(http->method, "PATCH") == 0;
}

// Unlike headers a body is signed: who checks the signature can rely on these facts.
static void add_default_body(struct request *request, const struct runner_start *start,
                             const struct facts *facts)
{
    json_t *document = json_pack(
        "{s:s, s:s, s:s, s:i, s:I, s:s, s:o}", "job", start->job->name, "run_id", facts->run_id,
        "due_at", facts->due_at, "attempt", start->attempt, "fence", (json_int_t)start->fence,
        "trigger", run_trigger_name(start->trigger), "params", job_params_object(start->params));
    CHECK(document != NULL);
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    CHECK(text != NULL);
    buf_add_string(&request->body, text);
    free(text);
}

static void make_body(struct request *request, const struct runner_start *start,
                      const struct facts *facts)
{
    const struct job_http *http = start->job->http;
    request->has_body = http->body != NULL || takes_body(http);
    if (http->body != NULL) {
        buf_add_string(&request->body, http->body);
    } else if (request->has_body) {
        add_default_body(request, start, facts);
    }
}

bool request_build(struct request *request, const struct runner_start *start, struct instant now,
                   struct error *err)
{
    const struct job_http *http = start->job->http;
    struct facts facts;
    *request = (struct request){0};
    if (!curl_library_load(err)) {
        return false;
    }
    buf_init(&request->body, (size_t)1024 * 1024);
    uuid_format(start->run_id, facts.run_id);
    format_utc_ms(start->due_at, facts.due_at);
    make_body(request, start, &facts);
    add_facts(request, start, &facts);
    add_configured(request, http);
    if (!add_params(request, start, err)) {
        request_release(request);
        return false;
    }
    if (http->secret != NULL) {
        char signature[SIGNATURE_SIZE];
        signature_make(http->secret, now, buf_string(&request->body), request->body.length,
                       signature);
        add(request, SIGNATURE_HEADER, signature);
    }
    return true;
}

void request_release(struct request *request)
{
    if (request->headers != NULL) { // else libcurl may never have been needed
        curl_slist_free_all(request->headers);
    }
    buf_release(&request->body);
    *request = (struct request){0};
}
