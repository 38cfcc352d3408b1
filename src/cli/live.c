// SPDX-License-Identifier: MIT
#include "cli/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/curl_library.h"
#include "cli/process_state.h"
#include "http/listen_unix.h"

#define ANSWER_MAX ((size_t)1024 * 1024)
// The node answers within a turn of its loop; one that does not is stopped or overwhelmed, and
// finds the wish in the store when it goes on.
#define PATIENCE_MS 3000L

static size_t keep(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *answer = context;
    buf_add(answer, bytes, size * count);
    return answer->overflow ? 0 : size * count;
}

#define SET(option, value) (void)curl_easy_setopt(easy, CURLOPT_##option, (value))

// The HTTP status; 0 when nobody answered. `body` NULL: GET.
static long exchange(CURL *easy, const char *socket_path, const char *path, const char *body,
                     struct buf *answer)
{
    char url[512];
    long status = 0;
    snprintf(url, sizeof url, "http://localhost/api/v1/%s", path);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    SET(URL, url);
    SET(UNIX_SOCKET_PATH, socket_path);
    SET(HTTPHEADER, headers);
    if (body != NULL) {
        SET(POSTFIELDS, body);
    }
    SET(TIMEOUT_MS, PATIENCE_MS);
    SET(NOSIGNAL, 1L);
    SET(NOPROXY, "*");
    SET(WRITEFUNCTION, keep);
    SET(WRITEDATA, answer);
    if (curl_easy_perform(easy) == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(headers);
    return status;
}

static long ask(const struct session *session, const char *path, const char *body,
                struct buf *answer)
{
    char socket_path[4200];
    struct sockaddr_un address;
    int folder = -1;
    struct error ignored = ERROR_INIT;
    snprintf(socket_path, sizeof socket_path, "%s.sock", session->config->store_path);
    if (access(socket_path, R_OK | W_OK) != 0 ||
        !http_unix_address(socket_path, &address, &folder, &ignored)) {
        return 0;
    }
    CURL *easy = curl_library_load(&ignored) ? curl_easy_init() : NULL;
    long status = 0;
    if (easy != NULL) {
        status = exchange(easy, address.sun_path, path, body, answer);
        curl_easy_cleanup(easy);
    }
    if (folder >= 0) {
        close(folder);
    }
    return status;
}

// A problem document (RFC 9457) as a sentence of ours. One that names an intent says that the wish
// was put, and what became of it: its caller reads that in the store.
static enum live_answer take_problem(long status, const json_t *problem, struct error *err)
{
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    if (json_object_get(problem, "intent_id") != NULL) {
        return LIVE_DONE;
    }
    if (status != 400 && status != 409 && status != 422) {
        return LIVE_ABSENT; // of another version, or not for us
    }
    error_set(err, ERROR_REFUSED, "%s", detail != NULL ? detail : "the node gave no reason");
    return LIVE_REFUSED;
}

enum live_answer live_post(const struct session *session, const char *path, json_t *body,
                           json_t **answer_out, struct error *err)
{
    AUTO(buf_release) struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    bool listens = session->has_node && !process_is_stopped(session->node.pid);
    long status = listens ? ask(session, path, text, &answer) : 0;
    free(text);
    *answer_out = status == 0 ? NULL : json_loadb(buf_string(&answer), answer.length, 0, NULL);
    if (status >= 200 && status < 300 && *answer_out != NULL) {
        return LIVE_DONE;
    }
    enum live_answer taken = take_problem(status, *answer_out, err);
    json_decref(*answer_out);
    *answer_out = NULL;
    return taken;
}

json_t *live_get(const struct session *session, const char *path)
{
    AUTO(buf_release) struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    bool listens = session->has_node && !process_is_stopped(session->node.pid);
    long status = listens ? ask(session, path, NULL, &answer) : 0;
    return status == 200 ? json_loadb(buf_string(&answer), answer.length, 0, NULL) : NULL;
}
