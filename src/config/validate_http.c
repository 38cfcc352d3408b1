// SPDX-License-Identifier: MIT
// What http jobs need. No request is sent; names are looked up only at a start and by `validate`,
// never on a node's loop, and all together within a few seconds.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "config/validate_checks.h"
#include "job/url.h"

#define HOSTS_MAX       100 // that are looked up
#define RESOLVE_WAIT    3   // seconds, for all of them …
#define RESOLVE_LOOK_US 10000
#define RESOLVE_LOOKS   (RESOLVE_WAIT * 1000000 / RESOLVE_LOOK_US) // … looked at so often
#define SECRET_SHORT    16

struct inspection {
    struct validate_report *report;
    struct map hosts; // name to the first job that calls it
    struct map files; // certificates, to the first job
    size_t jobs;
    struct validate_lines lines;
};

// ---- each job -----------------------------------------------------------------------------------

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_this_host(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static bool has_credentials(const struct job_http *http)
{
    for (const struct job_variable *header = http->headers; header != NULL && header->name != NULL;
         header++) {
        if (strcasestr(header->name, "auth") != NULL ||
            strcasestr(header->name, "cookie") != NULL || strcasestr(header->name, "key") != NULL) {
            return true;
        }
    }
    return false;
}

static void inspect_secrets(struct inspection *inspection, const struct job *job,
                            const struct url *url)
{
    const struct job_http *http = job->http;
    if (http->secret != NULL && strlen(http->secret) < SECRET_SHORT) {
        validate_line(&inspection->lines, VALIDATE_WARNING, "http", job->name,
                      "its secret has fewer than 16 bytes and can be guessed",
                      "make one with: openssl rand -hex 32");
    }
    if (!url->is_tls && !is_this_host(url->host) && has_credentials(http)) {
        validate_line(&inspection->lines, VALIDATE_WARNING, "http", job->name,
                      "it sends credentials over http://, where everybody on the way can read them",
                      "use https://");
    }
}

static void inspect_certificates(struct inspection *inspection, const struct job *job)
{
    const char *path = job->http->ca;
    if (path == NULL || map_get(&inspection->files, path) != NULL) {
        return;
    }
    map_put(&inspection->files, path, (void *)(uintptr_t)job);
    if (access(path, R_OK) != 0) {
        char detail[4608];
        snprintf(detail, sizeof detail, "the certificates in %s cannot be read: %s", path,
                 strerror(errno));
        validate_line(&inspection->lines, VALIDATE_FAILED, "http", job->name, detail,
                      "correct \"ca\", or remove it to trust the system's");
    }
}

static void inspect_job(struct inspection *inspection, const struct job *job)
{
    struct url url;
    struct error err = ERROR_INIT;
    if (!url_parse(job->http->url, &url, &err)) {
        return; // seen without the secrets: only who may start it can tell
    }
    inspection->jobs++;
    inspect_secrets(inspection, job, &url);
    inspect_certificates(inspection, job);
    if (!is_address(url.host) && !is_this_host(url.host) &&
        map_get(&inspection->hosts, url.host) == NULL) {
        map_put(&inspection->hosts, arena_string(&inspection->report->arena, url.host),
                (void *)(uintptr_t)job);
    }
}

// ---- names --------------------------------------------------------------------------------------

static void judge_host(struct inspection *inspection, const struct job *job, const char *host,
                       int result)
{
    char detail[512];
    if (result == EAI_INPROGRESS) {
        snprintf(detail, sizeof detail,
                 "the host %.253s was not found within %d s: the name "
                 "server does not answer",
                 host, RESOLVE_WAIT);
    } else if (result != 0) {
        snprintf(detail, sizeof detail, "the host %.253s is not found: %s", host,
                 gai_strerror(result));
    } else {
        return;
    }
    validate_line(&inspection->lines, VALIDATE_WARNING, "http", job->name, detail,
                  "correct \"url\", or the name server; a run fails while this is so");
}

struct lookup {
    struct gaicb *requests;
    struct gaicb **list;
    size_t count;
};

static bool is_under_way(const struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        if (gai_error(lookup->list[i]) == EAI_INPROGRESS) {
            return true;
        }
    }
    return false;
}

// The C library resolves on threads of its own, which touch nothing of ours but these requests.
static bool lookup_start(struct lookup *lookup, const struct map *hosts)
{
    lookup->count = hosts->live < HOSTS_MAX ? hosts->live : HOSTS_MAX;
    lookup->requests = alloc_zero(lookup->count + 1, sizeof *lookup->requests);
    lookup->list = alloc_zero(lookup->count + 1, sizeof(struct gaicb *));
    for (size_t i = 0; i < lookup->count; i++) {
        lookup->requests[i].ar_name = alloc_string(hosts->entries[i].key);
        lookup->list[i] = &lookup->requests[i];
    }
    return lookup->count > 0 &&
           getaddrinfo_a(GAI_NOWAIT, lookup->list, (int)lookup->count, NULL) == 0;
}

static void lookup_release(struct lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        if (lookup->requests[i].ar_result != NULL) {
            freeaddrinfo(lookup->requests[i].ar_result);
        }
        free((char *)(uintptr_t)lookup->requests[i].ar_name);
    }
    free(lookup->requests);
    free(lookup->list);
    *lookup = (struct lookup){0};
}

static void inspect_hosts(struct inspection *inspection)
{
    static struct lookup lookup; // a thread that still waits for the name server writes into it
    if (is_under_way(&lookup)) {
        return;
    }
    lookup_release(&lookup);
    bool started = lookup_start(&lookup, &inspection->hosts);
    for (int i = 0; started && i < RESOLVE_LOOKS && is_under_way(&lookup); i++) {
        usleep(RESOLVE_LOOK_US);
    }
    for (size_t i = 0; started && i < lookup.count; i++) {
        judge_host(inspection, inspection->hosts.entries[i].value, lookup.requests[i].ar_name,
                   gai_error(lookup.list[i]));
    }
    if (!is_under_way(&lookup)) {
        lookup_release(&lookup);
    }
}

void validate_http(const struct config *config, const struct validate_options *options,
                   struct validate_report *report)
{
    struct inspection inspection = {.report = report, .lines = {.report = report}};
    for (size_t i = 0; i < config->job_count; i++) {
        if (config->jobs[i].kind == JOB_HTTP) {
            inspect_job(&inspection, &config->jobs[i]);
        }
    }
    if (!options->is_node) {
        inspect_hosts(&inspection);
    }
    if (inspection.jobs > 0 && inspection.lines.count == 0) {
        size_t hosts = inspection.hosts.live;
        validate_ok(report, "http", "%zu job%s%s", inspection.jobs, inspection.jobs == 1 ? "" : "s",
                    hosts == 0   ? ""
                    : hosts == 1 ? ", its host is found"
                                 : ", all hosts are found");
    }
    validate_lines_end(&inspection.lines, "http");
    map_release(&inspection.hosts);
    map_release(&inspection.files);
}
