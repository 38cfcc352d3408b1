// SPDX-License-Identifier: MIT
#include "serve/node_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4200
#define REMEDY                                                                                     \
    "correct `store:`, or where it is meant (a restored backup, a new database), run `ironcron "   \
    "doctor --accept-rewind`"

// ---- looking ------------------------------------------------------------------------------------

static bool unreadable(const char *path, const char *why, struct error *err)
{
    (void)error_set(err, ERROR_ENVIRONMENT,
                    "what this host has seen of its store cannot be read from %s (%s)", path, why);
    return error_mend(err, "restore the file, or have it written anew by `ironcron doctor "
                           "--accept-rewind`");
}

// It went back, and on from there: its row of that number is another one than was seen.
static bool is_same_row(const char *path, json_int_t sealed, const char *hash,
                        const struct store_op_identity *now, struct error *err)
{
    bool known = hash != NULL && now->asked_hash != NULL && now->asked == sealed;
    if (!known || strcmp(hash, now->asked_hash) == 0) {
        return true;
    }
    (void)error_set(err, ERROR_REFUSED,
                    "the store went back in time, and went on from there: row "
                    "%" JSON_INTEGER_FORMAT " of its audit is another one than this host has seen, "
                    "and slots that have run since may have run again (seen: %s)",
                    sealed, path);
    return error_mend(err, REMEDY);
}

static bool compare(const char *path, json_t *seen, const struct store_op_identity *now,
                    struct error *err)
{
    const char *system = "";
    json_int_t database = 0;
    json_int_t timeline = 0;
    json_int_t sealed = 0;
    const char *hash = NULL;
    const char *lacks = NULL;
    if (json_unpack(seen, "{s:s, s:I, s:I, s:I, s?s, s?s}", "system", &system, "database",
                    &database, "timeline", &timeline, "audit_seq", &sealed, "audit_hash", &hash,
                    "lacks", &lacks) != 0) {
        return unreadable(path, "it does not say what it should", err);
    }
    if (lacks != NULL) {
        (void)error_set(err, ERROR_REFUSED, "%s (seen: %s)", lacks, path);
        return error_mend(err, REMEDY);
    }
    if (strcmp(system, now->system) != 0 || database != now->database) {
        (void)error_set(err, ERROR_REFUSED,
                        "the store is another database than the one that this host worked on "
                        "before (server %s, database %" JSON_INTEGER_FORMAT "; now server %s, "
                        "database %" PRId64 "; see %s)",
                        system, database, now->system, now->database, path);
        return error_mend(err, REMEDY);
    }
    if (sealed > now->sealed || timeline > now->timeline) {
        (void)error_set(
            err, ERROR_REFUSED,
            "the store went back in time: this host has seen its audit up to row "
            "%" JSON_INTEGER_FORMAT " on timeline %" JSON_INTEGER_FORMAT ", now it ends "
            "at %" PRId64 " on timeline %" PRId64 ", and slots that have run since would "
            "run again (seen: %s)",
            sealed, timeline, now->sealed, now->timeline, path);
        return error_mend(err, REMEDY);
    }
    return is_same_row(path, sealed, hash, now, err);
}

bool node_state_check(const char *path, const struct store_op_identity *now, struct error *err)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return true;
    }
    json_error_t why;
    json_t *seen = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    bool good = seen == NULL ? unreadable(path, why.text, err) : compare(path, seen, now, err);
    json_decref(seen);
    return good;
}

int64_t node_state_seen(const char *path)
{
    json_t *seen = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    int64_t sealed = json_integer_value(json_object_get(seen, "audit_seq"));
    json_decref(seen);
    return sealed;
}

bool node_state_last(const char *path, const struct store_op_identity *now, int64_t *sealed_out,
                     uint8_t hash_out[CHAIN_HASH_SIZE])
{
    json_t *seen = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const char *system = json_string_value(json_object_get(seen, "system"));
    const char *hash = json_string_value(json_object_get(seen, "audit_hash"));
    *sealed_out = json_integer_value(json_object_get(seen, "audit_seq"));
    bool known = *sealed_out > 0 && system != NULL && strcmp(system, now->system) == 0 &&
                 json_integer_value(json_object_get(seen, "database")) == now->database &&
                 hash != NULL && chain_parse(hash, hash_out);
    json_decref(seen);
    return known;
}

// ---- writing ------------------------------------------------------------------------------------

static bool write_all(int fd, const char *text)
{
    size_t length = strlen(text);
    return write(fd, text, length) == (ssize_t)length && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

// Beside it, then in its place: a reader finds the old one or the new one.
static bool replace(const char *path, const char *text)
{
    char beside[PATH_SIZE];
    int size = snprintf(beside, sizeof beside, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof beside) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool written = write_all(fd, text);
    int reason = errno;
    close(fd);
    errno = reason;
    return written && rename(beside, path) == 0;
}

static bool write_json(const char *path, json_t *json, struct error *err)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_SORT_KEYS);
    errno = EINVAL;
    bool written = text != NULL && replace(path, text);
    free(text);
    return written ||
           error_set(err, ERROR_IO,
                     "cannot write what this host has seen of its store to %s: %s; look at free "
                     "space and permissions there",
                     path, strerror(errno));
}

bool node_state_write(const char *path, const struct store_op_identity *now, struct error *err)
{
    json_t *json = json_pack("{s:s*, s:I, s:I, s:s, s:I}", "audit_hash", now->hash, "audit_seq",
                             (json_int_t)now->sealed, "database", (json_int_t)now->database,
                             "system", now->system, "timeline", (json_int_t)now->timeline);
    bool written = write_json(path, json, err);
    json_decref(json);
    return written;
}

bool node_state_lacks(const char *path, const char *why, struct error *err)
{
    json_error_t reason;
    json_t *seen = json_load_file(path, JSON_REJECT_DUPLICATES, &reason);
    if (seen == NULL) {
        return unreadable(path, reason.text, err);
    }
    bool written =
        json_object_set_new(seen, "lacks", json_string(why)) == 0 && write_json(path, seen, err);
    json_decref(seen);
    return written;
}
