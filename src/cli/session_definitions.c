// SPDX-License-Identifier: MIT
// What the nodes of a fleet execute is the active version in the store: that is what commands look
// at, and what this host's files say is only compared with it.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "serve/definitions.h"
#include "serve/open_store.h"

static void take_over(struct session *session, struct definitions_view *view)
{
    session->version = view->version;
    free(session->difference);
    session->difference =
        view->difference.length > 0 ? alloc_string(buf_string(&view->difference)) : NULL;
    if (view->config != NULL) {
        config_free(session->file);
        session->file = session->config; // who has looked a job up in it still points to it
        session->config = view->config;
        session->zone = config_zone(session->config);
        view->config = NULL;
    }
}

static void say(const struct session *session, const struct error *why)
{
    fputs("ironcron: ", stderr);
    terminal_put(stderr, COLOUR_NONE, why->text);
    fprintf(stderr, "; what follows is by %s\n", session->config->path);
}

// A version that cannot be read here is told, and this host's files are gone on with.
static bool look(struct session *session, struct store *store, struct error *err)
{
    struct definitions_view view;
    struct error why = ERROR_INIT;
    bool known = definitions_look(store, session->config, &view, &why);
    if (known) {
        take_over(session, &view);
    } else if (why.code == ERROR_CONFIG && !session->is_whole) {
        say(session, &why);
        known = true;
    } else {
        error_set(err, why.code, "%s", why.text);
    }
    definitions_view_release(&view);
    return known;
}

bool session_definitions(struct session *session, struct error *err)
{
    if (session->config->store_url == NULL || session->config->version > 0) {
        return true;
    }
    if (session->store != NULL) {
        return look(session, session->store, err);
    }
    struct store *store = NULL;
    bool known = open_store(session->config, OPEN_STORE_READ, session->command, session->clock,
                            &store, err) &&
                 look(session, store, err);
    store_close(store);
    return known || session_is_away(session, err);
}

void session_definitions_words(const struct session *session, struct buf *out)
{
    if (session->version == 0) {
        return;
    }
    buf_printf(out, "version %" PRId64, session->version);
    if (session->difference != NULL) {
        const struct config *file = session->file != NULL ? session->file : session->config;
        buf_printf(
            out,
            "; %s %s, and is not in force; where it is meant to be, on all nodes: ironcron reload",
            file->path, session->difference);
    }
}

void session_definitions_or_file(struct session *session)
{
    struct error why = ERROR_INIT;
    if (!session_definitions(session, &why)) {
        say(session, &why);
        return;
    }
    if (session->difference != NULL) {
        AUTO(buf_release) struct buf words;
        buf_init(&words, 65536);
        session_definitions_words(session, &words);
        fputs("note: this is by the jobs in force, ", stderr);
        terminal_put(stderr, COLOUR_NONE, buf_string(&words));
        fputc('\n', stderr);
    }
}
