// SPDX-License-Identifier: MIT
// Opening a store: what may go wrong is said before the first row is touched.
#include "store/sqlite/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

// Another process (a command beside `serve`) commits within milliseconds.
#define BUSY_MS_MAX 500

static int wait_while_busy(void *context, int tries)
{
    (void)context;
    struct timespec pause = {.tv_nsec = 1000000};
    return tries < BUSY_MS_MAX && nanosleep(&pause, NULL) == 0;
}

// ---- where the file lies ------------------------------------------------------------------------

// SQLite's locks and its shared memory are not trustworthy across machines (sqlite.org/wal.html).
static const struct {
    uint32_t magic; // statfs(2)
    const char *name;
} network_filesystems[] = {
    {0x6969, "NFS"},        {0x517B, "SMB"},      {0xFF534D42, "CIFS"},   {0xFE534D42, "SMB2"},
    {0x01021997, "9p"},     {0x5346414F, "AFS"},  {0x73757245, "Coda"},   {0x00C36400, "Ceph"},
    {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"}, {0x786F4256, "vboxsf"}, {0xBACBACBC, "vmhgfs"},
};
#define FUSE_MAGIC 0x65735546
static const char *const remote_fuse[] = {"fuse.sshfs",   "fuse.glusterfs", "fuse.s3fs",
                                          "fuse.rclone",  "fuse.davfs2",    "fuse.ceph",
                                          "fuse.gcsfuse", "fuse.juicefs"};

// The kernel gives all FUSE file systems one magic number; the mount table tells a local one from a
// remote.
static const char *remote_fuse_name(const char *path)
{
    struct stat status;
    FILE *mounts = stat(path, &status) == 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    const char *found = NULL;
    char line[4096];
    while (mounts != NULL && found == NULL && fgets(line, sizeof line, mounts) != NULL) {
        unsigned major;
        unsigned minor;
        const char *type = strstr(line, " - ");
        if (type == NULL || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
            gnu_dev_makedev(major, minor) != status.st_dev) {
            continue;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(remote_fuse); i++) {
            if (strncmp(type + 3, remote_fuse[i], strlen(remote_fuse[i])) == 0) {
                found = remote_fuse[i];
            }
        }
    }
    if (mounts != NULL) {
        fclose(mounts);
    }
    return found;
}

static const char *network_filesystem(const char *path)
{
    struct statfs status;
    if (statfs(path, &status) != 0) {
        return NULL;
    }
    uint32_t magic = (uint32_t)status.f_type;
    for (size_t i = 0; i < ARRAY_LENGTH(network_filesystems); i++) {
        if (network_filesystems[i].magic == magic) {
            return network_filesystems[i].name;
        }
    }
    return magic == FUSE_MAGIC ? remote_fuse_name(path) : NULL;
}

static void free_text(char **text)
{
    free(*text);
}

// Before the file exists its folder is asked, so that a refusal leaves nothing behind.
static bool check_filesystem(const char *path, struct error *err)
{
    AUTO(free_text) char *copy = alloc_string(path);
    bool exists = access(path, F_OK) == 0;
    const char *network = network_filesystem(exists ? path : dirname(copy));
    return network == NULL || error_set(err, ERROR_ENVIRONMENT,
                                        "the store %s lies on a network file system (%s), where "
                                        "its locks cannot be trusted: "
                                        "put it on a local disk",
                                        path, network);
}

// ---- the file -----------------------------------------------------------------------------------

// Made by us and not by SQLite, so that it never exists with a mode that others can read.
static bool create_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno == ENOSPC || errno == EDQUOT) {
        return error_set(err, ERROR_STORE,
                         "no space is left for the store %s: free disk space there", path);
    }
    if (errno == ENOENT) {
        return error_set(
            err, ERROR_ENVIRONMENT,
            "the folder of the store %s does not exist: create it, or correct `store:`", path);
    }
    return error_set(
        err, ERROR_ENVIRONMENT,
        "the store %s cannot be opened for writing: %s; check the path, its owner and mode", path,
        strerror(errno));
}

static bool check_present(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return error_set(
            err, ERROR_UNAVAILABLE,
            "the store %s cannot be read: %s; it is made by the first `ironcron serve`", path,
            strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_ENVIRONMENT, "the store %s is not a file: correct `store:`",
                         path);
    }
    return status.st_size > 0 ||
           error_set(err, ERROR_UNAVAILABLE,
                     "the store %s is still empty; it is made by the first `ironcron serve`", path);
}

static bool fail_open(struct sqlite_store *store, int code, struct error *err)
{
    sqlite_explain(store->db == NULL ? code : sqlite3_extended_errcode(store->db), store->db,
                   store->path, "opening", err);
    return false;
}

static bool connect_as(struct sqlite_store *store, const char *name, int flags, struct error *err)
{
    int code = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        return fail_open(store, code, err);
    }
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_handler(store->db, wait_while_busy, NULL);
    // A store file is data, not code: whoever edits it must not get to run functions through it.
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return true;
}

static bool pragma(struct sqlite_store *store, const char *sql, struct error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || fail_open(store, code, err);
}

// Every commit is on the disk before it is answered (synchronous = FULL syncs the log at each).
static bool configure_writer(struct sqlite_store *store, struct error *err)
{
    return pragma(store,
                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                  "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192",
                  err);
}

static bool connect_and_check(struct sqlite_store *store, bool *empty_out, struct error *err)
{
    int flags = store->mode == SQLITE_STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    return connect_as(store, store->path, flags, err) && sqlite_schema_check(store, empty_out, err);
}

// Without a log nobody has the store open, and the file alone is whole: it can be read as it lies
// where the reader may not even create the log's index beside it (a read-only mount, another user's
// folder).
static bool connect_to_still_file(struct sqlite_store *store, bool *empty_out, struct error *err)
{
    AUTO(buf_release) struct buf uri;
    buf_init(&uri, 4 * strlen(store->path) + 64);
    buf_add_string(&uri, "file:");
    for (const char *c = store->path; *c != '\0'; c++) {
        if (strchr("%?#", *c) != NULL) {
            buf_printf(&uri, "%%%02X", (unsigned)*c);
        } else {
            buf_add_char(&uri, *c);
        }
    }
    buf_add_string(&uri, "?immutable=1");
    sqlite3_close(store->db);
    store->db = NULL;
    return connect_as(store, buf_string(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err) &&
           sqlite_schema_check(store, empty_out, err);
}

static bool prepare(struct sqlite_store *store, struct error *err)
{
    bool empty;
    if (store->mode == SQLITE_STORE_WRITE) {
        bool ready = connect_and_check(store, &empty, err) && configure_writer(store, err) &&
                     sqlite_schema_migrate(store, err);
        presence_note(store);
        return ready;
    }
    bool has_log = access(store->wal_path, F_OK) == 0;
    store->makes_log = !has_log;
    struct error again = ERROR_INIT;
    if (!connect_and_check(store, &empty, err) && (has_log || err->code != ERROR_UNAVAILABLE ||
                                                   !connect_to_still_file(store, &empty, &again))) {
        return false;
    }
    return !empty ||
           error_set(err, ERROR_UNAVAILABLE,
                     "the store %s is still empty; it is made by the first `ironcron serve`",
                     store->path);
}

// A reader that finds no log makes SQLite create an empty one, and cannot remove it again. The last
// to close for writing does, under SQLite's own locks.
static void tidy_log(const struct sqlite_store *store)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(store->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
        SQLITE_OK) {
        (void)sqlite3_exec(db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

void sqlite_store_free(struct sqlite_store *store)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
    }
    sqlite3_close(store->db);
    if (store->makes_log) {
        tidy_log(store);
    }
    free(store->path);
    free(store->wal_path);
    free(store);
}

// SQLite counts its memory under a lock at each allocation, for a statistic that nobody asks for.
// It can only be told before its first use in the process; later it answers "misuse", which does no
// harm.
static void configure_library(void)
{
    static bool done;
    if (!done) {
        done = true;
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    }
}

bool sqlite_store_open(const char *path, enum sqlite_store_mode mode, struct clock *clock,
                       struct store **store_out, struct error *err)
{
    if (!check_filesystem(path, err) ||
        (mode == SQLITE_STORE_WRITE ? !create_file(path, err) : !check_present(path, err))) {
        return false;
    }
    configure_library();
    struct sqlite_store *store = alloc_zero(1, sizeof *store);
    store->store.ops = &sqlite_ops;
    store->clock = clock;
    store->mode = mode;
    store->path = alloc_string(path);
    size_t wal_size = strlen(path) + sizeof "-wal";
    store->wal_path = alloc_zero(wal_size, 1);
    snprintf(store->wal_path, wal_size, "%s-wal", path);
    if (!prepare(store, err)) {
        sqlite_store_free(store);
        return false;
    }
    (void)sqlite_ops.changed(&store->store); // from now on
    *store_out = &store->store;
    return true;
}
