// SPDX-License-Identifier: MIT
#include "serve/node_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
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

static bool compare(const char *path, json_t *seen, const struct store_op_identity *now,
                    struct error *err)
{
    const char *system = "";
    json_int_t database = 0;
    json_int_t timeline = 0;
    json_int_t sealed = 0;
    if (json_unpack(seen, "{s:s, s:I, s:I, s:I}", "system", &system, "database", &database,
                    "timeline", &timeline, "audit_seq", &sealed) != 0) {
        return unreadable(path, "it does not say what it should", err);
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
    return true;
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

// ---- writing ------------------------------------------------------------------------------------

static bool write_all(int fd, const char *text, size_t length)
{
    return write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
}

// Beside it, then in its place: a reader finds the old one or the new one.
static bool replace(const char *path, const char *text, size_t length)
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
    bool written = write_all(fd, text, length);
    int reason = errno;
    close(fd);
    errno = reason;
    return written && rename(beside, path) == 0;
}

bool node_state_write(const char *path, const struct store_op_identity *now, struct error *err)
{
    char text[512];
    json_t *json = json_pack("{s:I, s:I, s:s, s:I}", "audit_seq", (json_int_t)now->sealed,
                             "database", (json_int_t)now->database, "system", now->system,
                             "timeline", (json_int_t)now->timeline);
    size_t length = json == NULL ? 0 : json_dumpb(json, text, sizeof text - 1, JSON_SORT_KEYS);
    json_decref(json);
    errno = EINVAL;
    if (length > 0 && length < sizeof text) {
        text[length] = '\n';
        if (replace(path, text, length + 1)) {
            return true;
        }
    }
    return error_set(err, ERROR_IO,
                     "cannot write what this host has seen of its store to %s: %s; look at free "
                     "space and permissions there",
                     path, strerror(errno));
}
