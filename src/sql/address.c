// SPDX-License-Identifier: MIT
#include "sql/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

struct address_search {
    uv_getaddrinfo_t request;
    uv_loop_t *loop;
    address_done_fn *done; // NULL: abandoned
    void *context;
    struct address_list wanted; // as the URL lists them
    size_t at;
    struct address_list found;
    struct error error;
};

static void step(struct address_search *search);

// ---- what is wanted -----------------------------------------------------------------------------

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val == NULL ? "" : options->val;
        }
    }
    return "";
}

// The item of a list with commas; the last one stands for those behind it, too.
static void list_item(const char *list, size_t index, char *out, size_t size)
{
    const char *comma;
    for (; index > 0 && (comma = strchr(list, ',')) != NULL; index--) {
        list = comma + 1;
    }
    snprintf(out, size, "%.*s", (int)strcspn(list, ","), list);
}

static size_t list_length(const char *list)
{
    size_t length = 1;
    for (; *list != '\0'; list++) {
        length += *list == ',';
    }
    return length;
}

// What the URL does not say libpq takes from the environment.
static void read_wanted(struct address_list *wanted, const PQconninfoOption *options)
{
    PQconninfoOption *defaults = PQconndefaults();
    const char *host = option(options, "host");
    const char *numeric = option(options, "hostaddr");
    const char *port = option(options, "port");
    if (*host == '\0' && *numeric == '\0') {
        host = option(defaults, "host");
        numeric = option(defaults, "hostaddr");
    }
    port = *port != '\0' ? port : option(defaults, "port");
    size_t count = list_length(*host != '\0' ? host : numeric);
    wanted->count = count < ADDRESS_COUNT_MAX ? count : ADDRESS_COUNT_MAX;
    for (size_t i = 0; i < wanted->count; i++) {
        struct address *item = &wanted->items[i];
        list_item(host, i, item->host, sizeof item->host);
        list_item(numeric, i, item->numeric, sizeof item->numeric);
        list_item(port, i, item->port, sizeof item->port);
    }
    PQconninfoFree(defaults);
}

// ---- looking up ---------------------------------------------------------------------------------

static void finish(struct address_search *search)
{
    if (search->done != NULL) {
        search->done(search->context, &search->found,
                     search->found.count > 0 ? NULL : &search->error);
    }
    free(search);
}

static void add(struct address_search *search, const struct address *address)
{
    if (search->found.count < ADDRESS_COUNT_MAX) {
        search->found.items[search->found.count++] = *address;
    }
}

static void complain(struct address_search *search, const char *host, int status)
{
    error_set(&search->error, ERROR_UNAVAILABLE,
              "the host name \"%s\" cannot be resolved (%s): check the name and the DNS", host,
              uv_strerror(status));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *answers)
{
    struct address_search *search = request->data;
    struct address address = search->wanted.items[search->at++];
    if (status != 0) {
        complain(search, address.host, status);
    }
    for (const struct addrinfo *at = answers; at != NULL; at = at->ai_next) {
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address.numeric, sizeof address.numeric, NULL,
                        0, NI_NUMERICHOST) == 0) {
            add(search, &address);
        }
    }
    uv_freeaddrinfo(answers);
    step(search);
}

static bool is_name(const struct address *address)
{
    return address->numeric[0] == '\0' && address->host[0] != '\0' && address->host[0] != '/' &&
           address->host[0] != '@';
}

static void step(struct address_search *search)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    for (; search->done != NULL && search->at < search->wanted.count; search->at++) {
        const struct address *address = &search->wanted.items[search->at];
        if (!is_name(address)) {
            add(search, address);
            continue;
        }
        int status = uv_getaddrinfo(search->loop, &search->request, on_resolved, address->host,
                                    NULL, &hints);
        if (status == 0) {
            return;
        }
        complain(search, address->host, status);
    }
    finish(search);
}

static void on_first(uv_getaddrinfo_t *request, int status, struct addrinfo *answers)
{
    (void)status;
    uv_freeaddrinfo(answers);
    step(request->data);
}

struct address_search *address_search_new(uv_loop_t *loop, const PQconninfoOption *options,
                                          address_done_fn *done, void *context)
{
    struct address_search *search = alloc_zero(1, sizeof *search);
    search->loop = loop;
    search->done = done;
    search->context = context;
    search->request.data = search;
    read_wanted(&search->wanted, options);
    // What needs no lookup is answered from the loop as well.
    static const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    CHECK(uv_getaddrinfo(loop, &search->request, on_first, "127.0.0.1", NULL, &hints) == 0);
    return search;
}

void address_search_abandon(struct address_search *search)
{
    if (search != NULL) {
        search->done = NULL;
        uv_cancel((uv_req_t *)&search->request);
    }
}
