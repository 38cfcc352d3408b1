// SPDX-License-Identifier: MIT
// Who else can change or read what we are about to obey: the configuration's files and the store.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "config/validate_checks.h"

#define DISK_WARNING ((uint64_t)1 << 30)
#define DISK_FAILED  ((uint64_t)64 << 20)

// ---- configuration files ------------------------------------------------------------------------

// NULL when nothing is wrong with it.
static const char *file_fault(const struct config *config, const struct stat *status)
{
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "can be written by others, who could thereby run programs as us";
    }
    if (geteuid() == 0 && status->st_uid != 0) {
        return "does not belong to root, so that its owner can run programs as root";
    }
    if (config->holds_secrets && (status->st_mode & (S_IRGRP | S_IROTH)) != 0) {
        return "holds a secret and can be read by others";
    }
    return NULL;
}

void validate_files(const struct config *config, struct validate_report *report)
{
    size_t faults = 0;
    for (size_t i = 0; i < config->file_count; i++) {
        const char *file = config->files[i];
        struct stat status;
        const char *fault = stat(file, &status) == 0 && S_ISREG(status.st_mode)
                                ? file_fault(config, &status)
                                : NULL;
        if (fault == NULL || ++faults > VALIDATE_LINES_MAX) {
            continue;
        }
        char detail[PATH_MAX + 128];
        char remedy[PATH_MAX + 128];
        snprintf(detail, sizeof detail, "%s %s", file, fault);
        bool owner = strstr(fault, "belong") != NULL;
        snprintf(remedy, sizeof remedy, "%s %s", owner ? "chown root" : "chmod go-w,o-r", file);
        validate_add(report, VALIDATE_WARNING, "permissions", detail, remedy);
    }
    if (faults == 0) {
        validate_ok(report, "permissions", "nobody else can change the configuration");
    }
}

// ---- store --------------------------------------------------------------------------------------

static void file_failed(struct validate_report *report, const char *name, const char *path,
                        const char *reason, const char *remedy)
{
    char detail[PATH_MAX + 256];
    snprintf(detail, sizeof detail, "%s %s", path, reason);
    validate_add(report, VALIDATE_FAILED, name, detail, remedy);
}

static void store_failed(struct validate_report *report, const char *path, const char *reason,
                         const char *remedy)
{
    file_failed(report, "store", path, reason, remedy);
}

static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    if (length >= PATH_MAX) {
        length = PATH_MAX - 1;
    }
    memcpy(folder, slash == NULL ? "." : path, length);
    folder[length] = '\0';
}

// `key` names the file in the configuration. SQLite puts its journal beside it, and the node its
// lock, so the folder must be writable too.
static bool check_folder(const char *key, const char *path, struct validate_report *report)
{
    char folder[PATH_MAX];
    char remedy[PATH_MAX + 64];
    struct stat status;
    folder_of(path, folder);
    if (stat(folder, &status) != 0 && errno == ENOENT) {
        snprintf(remedy, sizeof remedy, "mkdir -p %s, or name another file in \"%s\"", folder, key);
        file_failed(report, key, folder, "does not exist", remedy);
        return false;
    }
    if (faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        snprintf(remedy, sizeof remedy,
                 "give this user the folder: chown it, or name another file in \"%s\"", key);
        file_failed(report, key, folder,
                    errno == EROFS ? "is on a read-only file system" : "cannot be written to",
                    remedy);
        return false;
    }
    return true;
}

// What SQLite writes at the start of each file (https://sqlite.org/fileformat.html, section 1.3).
static bool is_sqlite(const char *path, bool *readable_out)
{
    char head[16];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *readable_out = fd >= 0;
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, head, sizeof head);
    close(fd);
    return got == 0 || (got == sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0);
}

static void check_file(const char *path, const struct stat *status, struct validate_report *report)
{
    bool readable = false;
    if (!S_ISREG(status->st_mode)) {
        store_failed(report, path, "is not a regular file", "name another file in \"store\"");
    } else if (!is_sqlite(path, &readable)) {
        store_failed(report, path, readable ? "is not an SQLite database" : "cannot be read",
                     readable ? "name another file in \"store\", or move this one away"
                              : "give this user the file, or run ironcron as its owner");
    } else if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0) {
        store_failed(report, path, "cannot be written to",
                     "give this user the file, or run ironcron as its owner");
    } else if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        char detail[PATH_MAX + 64];
        char remedy[PATH_MAX + 64];
        snprintf(detail, sizeof detail, "%s can be read or written by others", path);
        snprintf(remedy, sizeof remedy, "chmod 600 %s", path);
        validate_add(report, VALIDATE_WARNING, "store", detail, remedy);
    } else {
        validate_ok(report, "store", "%s, %" PRId64 " KB", path, (int64_t)(status->st_size / 1024));
    }
}

void validate_store(const struct config *config, const struct validate_options *options,
                    struct validate_report *report)
{
    const char *path = config->store_path;
    struct stat status;
    if (config->store_url != NULL) {
        (void)check_folder("node.state", path, report);
        if (!options->is_node && options->check_store != NULL) {
            options->check_store(config, options, report);
        }
        return;
    }
    if (!check_folder("store", path, report)) {
        return;
    }
    if (options->is_node) {
        validate_ok(report, "store", "%s, in use by this node", path);
    } else if (stat(path, &status) == 0) {
        check_file(path, &status, report);
    } else if (errno == ENOENT) {
        validate_ok(report, "store", "%s will be created", path);
    } else {
        store_failed(report, path, strerror(errno), "name another file in \"store\"");
    }
}

// ---- disk ---------------------------------------------------------------------------------------

void validate_disk(const struct config *config, struct validate_report *report)
{
    char folder[PATH_MAX];
    struct statvfs disk;
    folder_of(config->store_path, folder);
    if (statvfs(folder, &disk) != 0) {
        return; // the folder's check has said why
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    // Some file systems have no fixed number of inodes and tell 0 of 0.
    bool no_inodes = disk.f_files > 0 && disk.f_favail == 0;
    char detail[PATH_MAX + 128];
    snprintf(detail, sizeof detail, "%" PRIu64 " MB free for %s%s", free_bytes >> 20, folder,
             no_inodes ? ", and no file can be created: no inode is left" : "");
    if (no_inodes || free_bytes < DISK_FAILED) {
        validate_add(report, VALIDATE_FAILED, "disk", detail,
                     "free space there, or move the store: set \"store\"");
    } else if (free_bytes < DISK_WARNING) {
        validate_add(report, VALIDATE_WARNING, "disk", detail,
                     "free space soon, or shorten \"history\"");
    } else {
        validate_ok(report, "disk", "%s", detail);
    }
}
