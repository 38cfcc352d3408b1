// SPDX-License-Identifier: MIT
// What the machine as a whole must offer: time zones, the port, a clock that is right.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "config/validate_checks.h"
#include "job/clock_changes.h"
#include "time/civil.h"

#define YEAR_FIRST 2024
#define YEAR_LAST  2100
#define LIST_MAX   10
#define YEAR       (366 * 86400)

// ---- zones --------------------------------------------------------------------------------------

void validate_zones(const struct config *config, struct validate_report *report)
{
    AUTO(map_release) struct map zones;
    map_init(&zones);
    map_put(&zones, config->timezone, (void *)(uintptr_t)config->timezone);
    for (size_t i = 0; i < config->job_count; i++) {
        const char *zone = config->jobs[i].timezone;
        map_put(&zones, zone, (void *)(uintptr_t)zone);
    }
    AUTO(buf_release) struct buf detail;
    buf_init(&detail, 4096);
    const char *version = zone_cache_version(config->zones);
    buf_printf(&detail, "tzdata %s; ", version);
    for (size_t i = 0; i < zones.count && i < LIST_MAX; i++) {
        buf_printf(&detail, "%s%s", i == 0 ? "" : ", ", zones.entries[i].key);
    }
    if (zones.live > LIST_MAX) {
        buf_printf(&detail, " and %zu more", zones.live - LIST_MAX);
    }
    if (strcmp(version, "unknown") == 0 && strcmp(config->timezone, "UTC") != 0) {
        validate_add(report, VALIDATE_WARNING, "zones", buf_string(&detail),
                     "install the tzdata package, so that changes of clock rules arrive");
    } else {
        validate_ok(report, "zones", "%s", buf_string(&detail));
    }
}

void validate_clock_changes(const struct config *config, const struct validate_options *options,
                            struct validate_report *report)
{
    if (options->is_node) {
        return;
    }
    AUTO(clock_changes_release) struct clock_changes changes;
    struct instant now = clock_now(options->clock);
    clock_changes_find(config->jobs, config->job_count, now, instant_add(now, DURATION_S(YEAR)),
                       &changes);
    if (changes.touched == 0) {
        return;
    }
    const struct clock_change *first = changes.list;
    while (first->touched == 0) {
        first++;
    }
    struct civil date = civil_from_seconds(first->change.at + first->change.offset_after);
    validate_ok(report, "clock changes",
                "%zu of %zu job%s touched within a year, first on %04d-%02d-%02d in %s; how: "
                "ironcron next --all --explain",
                changes.touched, changes.job_count, changes.job_count == 1 ? " is" : "s are",
                date.year, date.month, date.day, zone_name(first->zone));
}

// ---- port ---------------------------------------------------------------------------------------

static socklen_t socket_address(const struct config_http *http, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    if (inet_pton(AF_INET, http->host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)http->port);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    if (inet_pton(AF_INET6, http->host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)http->port);
        return sizeof *six;
    }
    return 0;
}

// 0 or an errno.
static int try_bind(const struct config_http *http)
{
    struct sockaddr_storage address;
    socklen_t length = socket_address(http, &address);
    if (length == 0) {
        return EINVAL;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    int result = bind(fd, (const struct sockaddr *)&address, length) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void port_failed(const struct config_http *http, int reason, struct validate_report *report)
{
    char detail[256];
    char remedy[256];
    snprintf(detail, sizeof detail, "%s port %d: %s", http->host, http->port, strerror(reason));
    if (reason == EADDRINUSE) {
        snprintf(remedy, sizeof remedy,
                 "something else listens there: ss -ltnp 'sport = :%d' tells what; "
                 "stop it, or set another http.listen",
                 http->port);
    } else if (reason == EACCES) {
        snprintf(remedy, sizeof remedy, "ports below 1024 need root; set another http.listen");
    } else {
        snprintf(remedy, sizeof remedy, "set http.listen to an address of this machine");
    }
    validate_add(report, VALIDATE_FAILED, "port", detail, remedy);
}

static bool check_tls_file(const char *path, struct validate_report *report)
{
    if (path == NULL || access(path, R_OK) == 0) {
        return true;
    }
    char detail[4352];
    snprintf(detail, sizeof detail, "%s: %s", path, strerror(errno));
    validate_add(report, VALIDATE_FAILED, "tls", detail,
                 "name a PEM file that this user can read in http.tls");
    return false;
}

void validate_port(const struct config *config, const struct validate_options *options,
                   struct validate_report *report)
{
    const struct config_http *http = &config->http;
    if (!http->enabled) {
        validate_ok(report, "port", "http.listen is off");
        return;
    }
    if (check_tls_file(http->tls_cert, report) && check_tls_file(http->tls_key, report) &&
        http->tls_cert != NULL) {
        validate_ok(report, "tls", "%s", http->tls_cert);
    }
    if (options->is_node) {
        return;
    }
    int reason = try_bind(http);
    if (reason == EADDRINUSE && options->node_lives) {
        validate_ok(report, "port", "%s port %d is in use, as a node is live on this store",
                    http->host, http->port);
    } else if (reason != 0) {
        port_failed(http, reason, report);
    } else if (http->port == 0) {
        validate_ok(report, "port", "%s, any free port", http->host);
    } else {
        validate_ok(report, "port", "%s port %d is free", http->host, http->port);
    }
}

// ---- open files ---------------------------------------------------------------------------------

// A run has its output, its process and its record open; the rest is for the store and HTTP.
void validate_open_files(const struct config *config, struct validate_report *report)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    char detail[128];
    rlim_t needed = (rlim_t)config->max_running * 4 + 128;
    if (limit.rlim_cur >= needed) {
        return;
    }
    snprintf(detail, sizeof detail, "at most %ju files may be open, %d running jobs may need %ju",
             (uintmax_t)limit.rlim_cur, config->max_running, (uintmax_t)needed);
    validate_add(report, VALIDATE_WARNING, "open files", detail,
                 "raise it (ulimit -n, LimitNOFILE= in a unit), or lower node.max_running");
}

// ---- clock --------------------------------------------------------------------------------------

void validate_clock(const struct validate_options *options, struct validate_report *report)
{
    char detail[128];
    int year = civil_from_seconds(instant_unix(clock_now(options->clock))).year;
    if (year < YEAR_FIRST || year > YEAR_LAST) {
        snprintf(detail, sizeof detail, "the clock says that it is the year %d", year);
        validate_add(report, VALIDATE_FAILED, "clock", detail,
                     "set it: every slot of the time between would count as due or missed");
        return;
    }
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (result >= 0 && (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0)) {
        validate_add(report, VALIDATE_WARNING, "clock",
                     "the kernel does not know its clock to be synchronised",
                     "run a time service, such as chrony or systemd-timesyncd (timedatectl set-ntp "
                     "true); in a container it is the host's");
    } else {
        validate_ok(report, "clock", "%s", result >= 0 ? "synchronised" : "plausible");
    }
}
