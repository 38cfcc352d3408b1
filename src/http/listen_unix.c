// SPDX-License-Identifier: MIT
#include "http/listen_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 128

static void split(const char *path, char folder[PATH_MAX], const char **name_out)
{
    const char *slash = strrchr(path, '/');
    *name_out = slash == NULL ? path : slash + 1;
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(folder, PATH_MAX, "%.*s", length, slash == NULL ? "." : path);
}

bool http_unix_address(const char *path, struct sockaddr_un *address_out, int *folder_fd_out,
                       struct error *err)
{
    char folder[PATH_MAX];
    const char *name;
    split(path, folder, &name);
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO,
                         "cannot open the folder %s of the unix socket: %s; it lies beside the "
                         "store, where this user must be able to write",
                         folder, strerror(errno));
    }
    *address_out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address_out->sun_path, sizeof address_out->sun_path,
                          "/proc/self/fd/%d/%s", fd, name);
    if (length >= (int)sizeof address_out->sun_path) {
        close(fd);
        return error_set(err, ERROR_LIMIT,
                         "the unix socket's file name %s is longer than about 85 characters: give "
                         "the store a shorter file name",
                         name);
    }
    *folder_fd_out = fd;
    return true;
}

// -1 with errno.
static int bind_socket(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    // The mode of the socket becomes that of its name: there is no moment at which others may in.
    if (fchmod(fd, 0600) != 0 ||
        bind(fd, (const struct sockaddr *)(const void *)address, sizeof *address) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool is_in_the_way(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        (void)error_set(err, ERROR_ENVIRONMENT,
                        "%s is there and is no socket; move it away, it belongs to nothing of "
                        "ironcron",
                        path);
        return true;
    }
    return false;
}

bool http_listen_unix(const char *path, struct http_listener *listener_out, struct error *err)
{
    char fresh[PATH_MAX];
    struct sockaddr_un address;
    int folder_fd;
    if (is_in_the_way(path, err)) {
        return false;
    }
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        return error_set(err, ERROR_LIMIT,
                         "the path of the unix socket is too long; give the store a shorter one");
    }
    if (!http_unix_address(fresh, &address, &folder_fd, err)) {
        return false;
    }
    unlink(fresh);
    int fd = bind_socket(&address);
    int saved = errno;
    close(folder_fd);
    if (fd < 0 || rename(fresh, path) != 0) {
        saved = fd < 0 ? saved : errno;
        unlink(fresh);
        if (fd >= 0) {
            close(fd);
        }
        return error_set(err, ERROR_ENVIRONMENT,
                         "cannot listen on the unix socket %s: %s; this user must be able to write "
                         "to its folder",
                         path, strerror(saved));
    }
    *listener_out = (struct http_listener){.fd = fd, .is_unix = true};
    snprintf(listener_out->address, sizeof listener_out->address, "%s", path);
    struct stat st;
    if (lstat(path, &st) == 0) {
        listener_out->device = st.st_dev;
        listener_out->inode = st.st_ino;
    }
    return true;
}

void http_unlisten_unix(const char *path, const struct http_listener *listener)
{
    struct stat st;
    if (lstat(path, &st) == 0 && st.st_dev == listener->device && st.st_ino == listener->inode) {
        unlink(path);
    }
}
