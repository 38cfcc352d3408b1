// SPDX-License-Identifier: MIT
// The OpenAPI document, made of the route table and the table of documents below.
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "http/problem.h"

// "name:type", '?' behind it: or null. Types: s text, i integer, b boolean, o object, a array,
// t time, u UUID, x anything.
struct schema {
    const char *name;
    const char *fields;
    const char *more; // of which other schema all fields come first
};

static const struct schema schemas[] = {
    {"Object", "", NULL},
    {"Run",
     "run_id:u job:s due_at:t attempt:i trigger:s state:s node:u? fence:i started_at:t ended_at:t? "
     "duration_ms:i? exit_code:i? error:s? cut_off:b",
     NULL},
    {"RunInFull",
     "reason:s? output_bytes:i events:a slot_outcome:s? slot_reason:s? facts:o attempts:a "
     "complete:b next:s",
     "Run"},
    {"Control", "control:s job:s? value:i from:t to:t? actor:s? reason:s?", NULL},
    {"ControlOutcome",
     "control:s job:s? value:i changed:b at:t actor:s as:s? reason:s? undo:s node_is_live:b "
     "cancelled:i",
     NULL},
    {"Job",
     "job:s state:s paused:b dry_run:b throttle:i running:i failing:b kind:s? schedule:s? "
     "timezone:s? description:s? owner:s? runbook:s? next_due_at:t? late_since:t? high_water:t? "
     "last_run:o? pause:o? dry_run_control:o? throttle_control:o?",
     NULL},
    {"JobInFull",
     "definition:o? next:a runs:a slots:a durations:o? last_success_at:t? last_failure:o? "
     "complete:b",
     "Job"},
    {"Intent", "intent_id:u intent:s job:s? run_id:u? state:s answer:s?", NULL},
    {"Audit",
     "seq:i? at:t event:s job:s? run_id:u? node:u? actor:s? detail:s? prev_hash:s? hash:s?", NULL},
    {"Node",
     "node:u host:s version:s started_at:t last_seen:t state:s running:i max_running:i? "
     "dry_run:b draining:b labels:o? valid_until:t? draining_since:t? draining_by:s? "
     "draining_as:s? draining_reason:s? definitions:i? refused:s?",
     NULL},
    {"Slot", "job:s due_at:t outcome:s? run_id:u? reason:s?", NULL},
    {"Status",
     "at:t environment:s? mode:s node:u version:s ready:b store_is_up:b store_outage:o? jobs:i "
     "running:i checks:a "
     "definitions:i? active_definitions:i? refused:s? draining_since:t?",
     NULL},
    {"Overview",
     "ok:b at:t environment:s? mode:s node_is_dry_run:b store:o node:o? definitions_version:i? "
     "definitions_difference:s? running:a cut_off:a failed:a late:a no_success_in_time:a missed:a "
     "controls:a nodes:a next_hour:a problems:a",
     NULL},
    {"Doctor", "well:b todo:i checks:a", NULL},
    {"Validation", "ok:b problems:a checks:a", NULL},
    {"Next", "slots:a", NULL},
    {"JobNext", "job:s? schedule:s timezone:s", "Next"},
    {"Why",
     "job:s at:t? is_slot:b cause:s known:b answer:s next:s outcome:s? reason:s? before:t? "
     "after:t? "
     "high_water:t? trouble_at:t? node_is_live:b runs:a events:a controls:a other_run:o? "
     "node_then:o? node_before:o? node_after:o? schedule:o? schedule_before:o? schedule_after:o? "
     "clock_change:o? policy:o?",
     NULL},
    {"Verification",
     "verdict:s audit_rows:i unsealed_rows:i runs:i running:i slots:i head:o anchor:o? jobs:a "
     "findings:a finding_total:i",
     NULL},
    {"Problem", "type:s title:s status:i detail:s", NULL},
};

static json_t *json_field(const char *letter)
{
    static const struct {
        char letter;
        const char *type, *format;
    } types[] = {{'s', "string", NULL},  {'i', "integer", NULL}, {'b', "boolean", NULL},
                 {'o', "object", NULL},  {'a', "array", NULL},   {'t', "string", "date-time"},
                 {'u', "string", "uuid"}};
    json_t *schema = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (types[i].letter != letter[0]) {
            continue;
        }
        json_t *type = letter[1] == '?' ? json_pack("[s, s]", types[i].type, "null")
                                        : json_string(types[i].type);
        json_object_set_new(schema, "type", type);
        if (types[i].format != NULL) {
            json_object_set_new(schema, "format", json_string(types[i].format));
        }
    }
    return schema;
}

static void add_fields(const char *fields, json_t *properties, json_t *required)
{
    const char *field = fields;
    while (*field != '\0') {
        char name[64];
        size_t length = strcspn(field, ":");
        snprintf(name, sizeof name, "%.*s", (int)length, field);
        json_object_set_new(properties, name, json_field(field + length + 1));
        json_array_append_new(required, json_string(name));
        field += strcspn(field, " ");
        field += strspn(field, " ");
    }
}

static json_t *json_schema(const struct schema *schema)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    for (size_t i = 0; schema->more != NULL && i < ARRAY_LENGTH(schemas); i++) {
        if (strcmp(schemas[i].name, schema->more) == 0) {
            add_fields(schemas[i].fields, properties, required);
        }
    }
    add_fields(schema->fields, properties, required);
    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
                     required);
}

// ---- paths --------------------------------------------------------------------------------------

static json_t *json_kind(enum http_parameter_kind kind)
{
    switch (kind) {
    case HTTP_INTEGER:
        return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
    case HTTP_BOOLEAN:
        return json_pack("{s:s}", "type", "boolean");
    case HTTP_UUID:
        return json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
    case HTTP_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case HTTP_TEXT:
    case HTTP_TIME:
        break;
    }
    return json_pack("{s:s}", "type", "string");
}

static json_t *json_parameters(const struct http_route *route)
{
    json_t *list = json_array();
    const struct http_parameter *p = route->parameters;
    for (; p != NULL && p->name != NULL; p++) {
        if (p->place != HTTP_IN_BODY) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", p->name,
                                                  "in", p->place == HTTP_IN_PATH ? "path" : "query",
                                                  "required", (int)p->required, "description",
                                                  p->summary, "schema", json_kind(p->kind)));
        }
    }
    if (route->parameters == NULL && strstr(route->path, "{run}") != NULL) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", "run", "in",
                                              "path", "required", 1, "schema", "type", "string"));
    }
    return list;
}

static json_t *json_request_body(const struct http_route *route)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    const struct http_parameter *p = route->parameters;
    for (; p != NULL && p->name != NULL; p++) {
        if (p->place == HTTP_IN_BODY) {
            json_t *schema = json_kind(p->kind);
            json_object_set_new(schema, "description", json_string(p->summary));
            json_object_set_new(properties, p->name, schema);
            if (p->required) {
                json_array_append_new(required, json_string(p->name));
            }
        }
    }
    return json_pack("{s:{s:{s:{s:s, s:b, s:o, s:o}}}}", "content", "application/json", "schema",
                     "type", "object", "additionalProperties", 0, "properties", properties,
                     "required", required);
}

static json_t *json_reference(const char *answer)
{
    char reference[128];
    size_t length = strcspn(answer, "[");
    snprintf(reference, sizeof reference, "#/components/schemas/%.*s", (int)length, answer);
    json_t *schema = json_pack("{s:s}", "$ref", reference);
    return answer[length] == '[' ? json_pack("{s:s, s:o}", "type", "array", "items", schema)
                                 : schema;
}

static json_t *json_responses(const struct http_route *route)
{
    json_t *good = json_pack("{s:s}", "description", route->summary);
    if (route->answer != NULL) {
        json_object_set_new(
            good, "content",
            json_pack("{s:{s:o}}", "application/json", "schema", json_reference(route->answer)));
    }
    json_t *responses = json_pack("{s:O, s:{s:s, s:{s:{s:o}}}}", "200", good, "default",
                                  "description", "a problem (RFC 9457)", "content",
                                  HTTP_PROBLEM_TYPE, "schema", json_reference("Problem"));
    if (route->answer != NULL && strcmp(route->answer, "Intent") == 0) {
        json_object_set(responses, "202", good);
    }
    json_decref(good);
    return responses;
}

static json_t *json_operation(const struct http_route *route)
{
    static const char *const roles[] = {"none", "viewer", "operator", "admin"};
    json_t *operation =
        json_pack("{s:s, s:s, s:o, s:o}", "summary", route->summary, "x-role", roles[route->access],
                  "parameters", json_parameters(route), "responses", json_responses(route));
    if (route->method != HTTP_GET) {
        json_object_set_new(operation, "requestBody", json_request_body(route));
    }
    json_object_set_new(operation, "security",
                        route->access == HTTP_ANYBODY ? json_array()
                                                      : json_pack("[{s:[]}]", "token"));
    return operation;
}

static json_t *json_paths(void)
{
    const struct http_router *router = api_router();
    json_t *paths = json_object();
    for (size_t i = 0; i < router->count; i++) {
        const struct http_route *route = &router->routes[i];
        json_t *path = json_object_get(paths, route->path);
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        static const char *const methods[] = {"get", "post", "delete"};
        json_object_set_new(path, methods[route->method], json_operation(route));
    }
    return paths;
}

json_t *api_description(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(schemas); i++) {
        json_object_set_new(all, schemas[i].name, json_schema(&schemas[i]));
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s}}}}", "openapi", "3.1.0",
                     "info", "title", "ironcron", "version", IRONCRON_VERSION, "paths",
                     json_paths(), "components", "schemas", all, "securitySchemes", "token", "type",
                     "http", "scheme", "bearer");
}

void api_get_description(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)context;
    (void)request;
    api_send(response, 200, api_description());
}
