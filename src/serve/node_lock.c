// SPDX-License-Identifier: MIT
#include "serve/node_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "time/clock.h"
#include "time/format.h"

#define PATH_SIZE     4096
#define LOCK_TRIES    100
#define LOCK_PAUSE_US 1000

static bool lock_path(const char *store_path, char out[PATH_SIZE])
{
    int length = snprintf(out, PATH_SIZE, "%s.lock", store_path);
    return length > 0 && length < PATH_SIZE;
}

static void copy(char *out, size_t size, json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static json_int_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (json_int_t)st.st_ino : 0;
}

// What the holder wrote; all empty when it has not written yet.
static void read_holder(int fd, struct node_lock_holder *holder_out)
{
    *holder_out = (struct node_lock_holder){.started_at = INSTANT_NONE};
    char text[2048];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    json_t *json =
        length <= 0 ? NULL : json_loadb(text, (size_t)length, JSON_DISABLE_EOF_CHECK, NULL);
    if (json == NULL) {
        return;
    }
    copy(holder_out->node, sizeof holder_out->node, json, "node");
    copy(holder_out->host, sizeof holder_out->host, json, "host");
    copy(holder_out->command, sizeof holder_out->command, json, "command");
    holder_out->pid = (int)json_integer_value(json_object_get(json, "pid"));
    holder_out->mark = (uint64_t)json_integer_value(json_object_get(json, "mark"));
    holder_out->is_copy = json_integer_value(json_object_get(json, "inode")) != inode_of(fd);
    char since[FORMAT_TIME_SIZE];
    copy(since, sizeof since, json, "started_at");
    struct error ignored = ERROR_INIT;
    struct instant started;
    if (format_parse_time(since, instant_from_unix(0), &started, &ignored)) {
        holder_out->started_at = started;
    }
    json_decref(json);
}

static bool refuse(const char *path, const struct node_lock_holder *holder, struct error *err)
{
    char since[FORMAT_TIME_SIZE] = "?";
    if (!instant_is_none(holder->started_at)) {
        format_utc_ms(holder->started_at, since);
    }
    bool gone = holder->pid > 0 && kill(holder->pid, 0) != 0 && errno == ESRCH;
    return error_set(err, ERROR_REFUSED,
                     "node %s (ironcron %s, process %d on %s, since %s) holds %s: one store in a "
                     "file has one node.%s",
                     holder->node, holder->command, holder->pid, holder->host, since, path,
                     gone ? " Its process is gone; its runner is ending what still runs"
                          : " Stop that one first, or give this one a store of its own (on "
                            "PostgreSQL: a node.state of its own)");
}

// A command that looks whether a node lives holds a shared lock for a moment: it is waited for.
static bool lock(int fd)
{
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        usleep(LOCK_PAUSE_US);
    }
    return false;
}

bool node_lock_take(const char *store_path, int *fd_out, struct node_lock_holder *holder_out,
                    struct error *err)
{
    char path[PATH_SIZE];
    if (!lock_path(store_path, path)) {
        return error_set(err, ERROR_CONFIG,
                         "the path of the store is too long; move it nearer to the root: %s",
                         store_path);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set(err, ERROR_ENVIRONMENT,
                         "cannot open the lock file %s: %s; the folder of the store must be "
                         "writable for this user",
                         path, strerror(errno));
    }
    bool taken = lock(fd);
    read_holder(fd, holder_out);
    if (!taken) {
        close(fd);
        return refuse(path, holder_out, err);
    }
    *fd_out = fd;
    return true;
}

bool node_lock_sign(int fd, const struct node_lock_holder *holder, struct error *err)
{
    char since[FORMAT_TIME_SIZE];
    format_utc_ms(holder->started_at, since);
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:i, s:s}", "command", holder->command, "host",
                  holder->host, "inode", inode_of(fd), "mark", (json_int_t)holder->mark, "node",
                  holder->node, "pid", holder->pid, "started_at", since);
    char text[2048];
    size_t length = json == NULL ? 0 : json_dumpb(json, text, sizeof text - 1, JSON_SORT_KEYS);
    json_decref(json);
    text[length < sizeof text ? length : 0] = '\n';
    // Written over and then cut, so that there is no moment without a mark.
    if (length == 0 || length >= sizeof text ||
        pwrite(fd, text, length + 1, 0) != (ssize_t)length + 1 ||
        ftruncate(fd, (off_t)length + 1) != 0) {
        return error_set(err, ERROR_IO,
                         "cannot write the lock file beside the store: %s; look at free space and "
                         "permissions there",
                         strerror(errno));
    }
    return true;
}

bool node_lock_is_ours(const char *store_path, int fd)
{
    char path[PATH_SIZE];
    struct stat named;
    struct stat held;
    return lock_path(store_path, path) && stat(path, &named) == 0 && fstat(fd, &held) == 0 &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

bool node_lock_is_held(const char *store_path, struct node_lock_holder *holder_out)
{
    char path[PATH_SIZE];
    int fd = lock_path(store_path, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    *holder_out = (struct node_lock_holder){.started_at = INSTANT_NONE};
    if (fd < 0) {
        return false;
    }
    // A shared lock, for a moment: a node that starts right now tries again.
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    read_holder(fd, holder_out);
    close(fd);
    return held;
}
