// SPDX-License-Identifier: MIT
// What most commands need: the configuration, the store, and who asks.
#pragma once

#include "api/actor.h"
#include "cli/command.h"
#include "config/config.h"
#include "serve/node_lock.h"
#include "store/store.h"

struct session {
    struct config
        *config;         // on PostgreSQL the version in force, once session_definitions was called
    struct config *file; // then what this host's files say, where that is something else; or NULL
    int64_t version;     // of the definitions in force; 0 = the store keeps none
    char *difference;    // how this host's files differ from it, in words; NULL = not at all
    struct store *store;
    const struct zone *zone; // of the configuration, for people's times; borrowed
    bool store_is_absent;    // nothing was ever written: not an error for who reads
    bool writable;
    bool is_whole;     // session_config_whole: everything is set
    bool has_node;     // a node lives, here or, where the store is PostgreSQL, on another host
    bool node_is_here; // it holds the lock of this host
    struct node_lock_holder node; // which one; of one that is not here no process is known
    struct node_lock_holder last; // who had the lock of this host last, where nobody has it now
    struct duration store_ahead;  // the store's clock less this host's
    char actor[ACTOR_SIZE];       // user@host
    struct clock *clock;
    const char *command; // what was typed, for who looks at the server's sessions
};

// Loads the configuration. False: its problems have been printed on stderr, and err says how many.
bool session_config(struct session *session, const struct invocation *invocation,
                    struct error *err) MUST_USE;
// What is not set in the environment stays as it is written: who looks needs no secrets.
// The second wants everything set, for who executes or checks; it replaces what was loaded before.
bool session_config_whole(struct session *session, const struct invocation *invocation,
                          struct error *err) MUST_USE;
bool session_config_quietly(struct session *session, const struct invocation *invocation) MUST_USE;
// For who looks at the store: a configuration with mistakes is told on stderr and gone on with, as
// long as it names the store. session->config->is_faulty then, and it has no jobs.
bool session_config_to_look(struct session *session, const struct invocation *invocation,
                            struct error *err) MUST_USE;
// Opens the store for reading. True with store NULL and store_is_absent when there is none yet.
bool session_read(struct session *session, struct error *err) MUST_USE;
// Whether we may be the node that executes. Root may not where the store, or the folder in which it
// would be made, belongs to somebody else: jobs would run with more rights than they are used to,
// and the service could not write what root made.
bool session_may_execute(const struct session *session, struct error *err) MUST_USE;
// Opens it for writing; the first one creates it (not root in somebody else's folder).
bool session_write(struct session *session, struct error *err) MUST_USE;
// Configuration (to look) and store for a reading command; an absent store is ERROR_NOT_FOUND.
bool session_open(struct session *session, const struct invocation *invocation,
                  struct error *err) MUST_USE;
// To stderr, where nothing was found of a job: that there is none of this name. NULL is fine.
void session_doubt_job(const struct session *session, const char *name_or_null);

// Where err says that the store is away: adds since when, and what to do. Always false.
bool session_is_away(struct session *session, struct error *err);

// Where the store keeps the definitions for all nodes: those in force take the place of what this
// host's files say. session_read does it; others call it before they look a job up.
bool session_definitions(struct session *session, struct error *err) MUST_USE;
// The same for who could do without the store: where that cannot be asked this host's files speak.
// Says on stderr when these are not what is in force, or when nobody knows.
void session_definitions_or_file(struct session *session);
// "version 7; ironcron.yml adds a, and is not in force …", for people. Nothing on SQLite.
void session_definitions_words(const struct session *session, struct buf *out);
// Asks again whether a node lives. Where the store cannot be asked all stays as it was.
void session_look_for_node(struct session *session);
// The node in words: "the node on alpha (pid 4711)".
#define SESSION_NODE_SIZE 320
void session_node_words(const struct session *session, char out[SESSION_NODE_SIZE]);
// The time by the store's clock.
struct instant session_now(const struct session *session);
void session_close_store(struct session *session);
void session_release(struct session *session);

// ERROR_NOT_FOUND with the nearest name when there is no such job.
bool session_no_job(const struct session *session, const char *name, struct error *err);
const struct job *session_job(const struct session *session, const char *name, struct error *err);
// Is there such a job: in the configuration, or, where that has mistakes, in force in the open
// store?
bool session_knows_job(const struct session *session, const char *name, struct error *err) MUST_USE;
// A run by its id or the beginning of one.
bool session_run_id(const struct session *session, const char *text, struct uuid *id_out,
                    struct error *err) MUST_USE;
// An id of our own.
struct uuid session_new_id(const struct session *session);
