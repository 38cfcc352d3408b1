// SPDX-License-Identifier: MIT
#include "cli/crontab_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/json.h"
#include "cli/terminal.h"

#define SPOOL "/var/spool/cron/crontabs"

// ---- remarks ------------------------------------------------------------------------------------

static const char *const remark_words[] = {
    [CRONTAB_LOST] = "not carried over", [CRONTAB_NOTE] = "note"};
static const char *const remark_names[] = {[CRONTAB_LOST] = "lost", [CRONTAB_NOTE] = "note"};

static void remark(void *context, size_t line, enum crontab_remark kind, const char *text)
{
    struct crontab_files *import = context;
    import->lost += kind == CRONTAB_LOST;
    import->notes += kind == CRONTAB_NOTE;
    if (import->remarks != NULL) {
        json_array_append_new(import->remarks,
                              json_pack("{s:o, s:I, s:s, s:o}", "file",
                                        json_text(import->source.file), "line", (json_int_t)line,
                                        "kind", remark_names[kind], "text", json_text(text)));
        return;
    }
    terminal_put(stderr, COLOUR_NONE, import->source.file);
    if (line > 0) {
        fprintf(stderr, ":%zu", line);
    }
    fprintf(stderr, ": %s: ", remark_words[kind]);
    terminal_put(stderr, COLOUR_NONE, text);
    fputc('\n', stderr);
}

// What concerns a file as a whole, which need not be the one that is being read.
static void remark_file(struct crontab_files *import, const char *path, enum crontab_remark kind,
                        const char *text)
{
    struct crontab_source source = import->source;
    import->source.file = path;
    remark(import, 0, kind, text);
    import->source = source;
}

// Debian's packages ship a timer beside the crontab, and the crontab then steps aside.
static bool sleeps_beside_systemd(const struct crontab_entry *entry)
{
    static const char sign[] = "/run/systemd/system";
    char head[8192];
    if (entry->program == NULL) {
        return strstr(entry->command, sign) != NULL;
    }
    FILE *file = fopen(entry->program, "re");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(head, 1, sizeof head, file);
    fclose(file);
    return memmem(head, length, sign, sizeof sign - 1) != NULL;
}

static void add(struct crontab_files *import, const struct crontab_source *source,
                const struct crontab_entry *entry)
{
    struct error err = ERROR_INIT;
    if (!crontab_yaml_add(&import->yaml, source, entry, &err)) {
        remark(import, entry->line, CRONTAB_LOST, err.text);
    } else if (sleeps_beside_systemd(entry)) {
        remark(import, entry->line, CRONTAB_NOTE,
               "asks whether systemd runs: most packages leave the work to a timer there, and the "
               "job then does nothing (systemctl list-timers)");
    }
}

// ---- names --------------------------------------------------------------------------------------

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static char *join(const char *folder, const char *name)
{
    struct buf path;
    buf_init(&path, (size_t)4 * PATH_MAX);
    buf_printf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
    char *joined = alloc_string(buf_string(&path));
    buf_release(&path);
    return joined;
}

// A user needs no mention where jobs run as that one anyway.
static const char *unless_ours(const char *user)
{
    const struct passwd *us = getpwuid(geteuid());
    return us != NULL && user != NULL && strcmp(us->pw_name, user) == 0 ? NULL : user;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

// Calls `take` for each visible file of a folder, in the order of their names.
static void each_file(struct crontab_files *import, const char *folder,
                      void (*take)(struct crontab_files *import, const char *path, void *context),
                      void *context)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_visible, by_bytes);
    if (count < 0) {
        remark_file(import, folder, CRONTAB_LOST, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char *path = join(folder, entries[i]->d_name);
        take(import, path, context);
        free(path);
        free(entries[i]);
    }
    free(entries);
}

// ---- folders for run-parts ----------------------------------------------------------------------

static void take_script(struct crontab_files *import, const char *path, void *context)
{
    const struct crontab_entry *base = context;
    char absolute[PATH_MAX];
    struct stat status;
    if (!run_parts_takes(base_of(path))) {
        remark_file(import, path, CRONTAB_NOTE,
                    "left out, because run-parts does not take such a name");
        return;
    }
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || realpath(path, absolute) == NULL) {
        remark_file(import, path, CRONTAB_NOTE, "left out, because it is not a file");
        return;
    }
    if ((status.st_mode & 0111) == 0) {
        remark_file(import, path, CRONTAB_NOTE,
                    "left out, because it is not executable: run-parts does not run it");
        return;
    }
    struct crontab_source source = import->source;
    struct crontab_entry entry = *base;
    import->source.file = path;
    entry.line = 0;
    entry.program = absolute;
    add(import, &import->source, &entry);
    import->source = source;
}

// `base` says when, and with which environment.
static void take_scripts(struct crontab_files *import, const char *path,
                         const struct run_parts_folder *folder, const struct crontab_entry *base)
{
    const char *user = invocation_text(import->invocation, "user");
    struct crontab_source source = import->source;
    struct crontab_entry entry = *base;
    import->source.label = folder->label;
    import->source.user = user != NULL ? unless_ours(user) : "root";
    entry.workdir = "/";
    entry.description = NULL;
    entry.input = NULL;
    import->files++;
    each_file(import, path, take_script, &entry);
    import->source = source;
}

static void take_scripts_by_default(struct crontab_files *import, const char *path,
                                    const struct run_parts_folder *folder)
{
    struct crontab_entry entry = {.schedule = folder->schedule};
    take_scripts(import, path, folder, &entry);
}

// ---- crontabs -----------------------------------------------------------------------------------

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

// A line that calls run-parts for a folder of the same import stands for the programs in it.
static bool take_run_parts(struct crontab_files *import, const struct crontab_entry *entry)
{
    const struct run_parts_folder *folder =
        import->root != NULL ? run_parts_called(entry->command) : NULL;
    if (folder == NULL) {
        return false;
    }
    char *path = join(import->root, folder->name);
    size_t index = (size_t)(folder - run_parts_folders);
    bool found = is_folder(path) && !import->done[index];
    if (found) {
        import->done[index] = true;
        remark(import, entry->line, CRONTAB_NOTE,
               "the programs of this folder become jobs of their own: run-parts ran one after the "
               "other, they start together");
        take_scripts(import, path, folder, entry);
    }
    free(path);
    return found;
}

static void take_entry(void *context, const struct crontab_entry *entry)
{
    struct crontab_files *import = context;
    if (!take_run_parts(import, entry)) {
        add(import, &import->source, entry);
    }
}

static void read_crontab(struct crontab_files *import, const struct crontab_source *source,
                         const struct buf *bytes, bool has_users)
{
    const struct crontab_sink sink = {.context = import, .entry = take_entry, .remark = remark};
    import->files++;
    import->source = *source;
    if (bytes->overflow) {
        remark(import, 0, CRONTAB_LOST, "larger than 16 MB; split it");
    } else {
        crontab_read(buf_string(bytes), bytes->length, has_users, &sink);
    }
}

static bool read_all(int fd, struct buf *bytes)
{
    char piece[65536];
    ssize_t got = 1;
    while (got != 0 && !bytes->overflow) {
        got = read(fd, piece, sizeof piece);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        buf_add(bytes, piece, got > 0 ? (size_t)got : 0);
    }
    return true;
}

// Whose entries a file holds: by the options, or by where the file is.
static void find_owner(const struct crontab_files *import, const char *absolute,
                       struct crontab_source *source, bool *has_users_out)
{
    const char *user = invocation_text(import->invocation, "user");
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(base_of(absolute) - absolute), absolute);
    folder[strlen(folder) > 1 ? strlen(folder) - 1 : 0] = '\0';
    bool is_spool = strcmp(base_of(folder), "crontabs") == 0;
    bool is_system =
        strcmp(base_of(folder), "cron.d") == 0 || strcmp(base_of(absolute), "crontab") == 0;
    *has_users_out = user == NULL && (is_system || invocation_has(import->invocation, "system"));
    source->user = user != NULL ? user : is_spool && !*has_users_out ? base_of(absolute) : NULL;
    source->user = unless_ours(source->user);
}

// A pipe such as a shell's <(crontab -l) is nowhere in the tree of files; its name will do.
static void take_crontab(struct crontab_files *import, const char *path, void *context)
{
    (void)context;
    char absolute[PATH_MAX];
    bool has_users;
    AUTO(buf_release) struct buf bytes;
    buf_init(&bytes, CRONTAB_BYTES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || !read_all(fd, &bytes)) {
        remark_file(import, path, CRONTAB_LOST, strerror(errno));
    } else {
        const char *place = realpath(path, absolute) != NULL ? absolute : path;
        struct crontab_source source = {.file = path, .label = base_of(place)};
        find_owner(import, place, &source, &has_users);
        read_crontab(import, &source, &bytes, has_users);
    }
    if (fd >= 0) {
        close(fd);
    }
}

// Nobody waits for a writer to a pipe that lies about in a folder.
static void take_file(struct crontab_files *import, const char *path, void *context)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        remark_file(import, path, CRONTAB_LOST, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        remark_file(import, path, CRONTAB_LOST, "not a file");
    } else {
        take_crontab(import, path, context);
    }
}

static void take_stdin(struct crontab_files *import)
{
    const char *user = invocation_text(import->invocation, "user");
    struct crontab_source source = {
        .file = "-", .label = user != NULL ? user : "crontab", .user = unless_ours(user)};
    AUTO(buf_release) struct buf bytes;
    buf_init(&bytes, CRONTAB_BYTES_MAX);
    import->source = source;
    if (!read_all(STDIN_FILENO, &bytes)) {
        remark_file(import, "-", CRONTAB_LOST, strerror(errno));
        return;
    }
    read_crontab(import, &source, &bytes,
                 user == NULL && invocation_has(import->invocation, "system"));
}

// ---- folders of crontabs ------------------------------------------------------------------------

static void take_system_crontab(struct crontab_files *import, const char *path, void *context)
{
    if (run_parts_takes(base_of(path))) {
        take_file(import, path, context);
    } else {
        remark_file(import, path, CRONTAB_NOTE,
                    "left out: Debian's cron takes no file of such a name; import it by its name");
    }
}

static bool is_etc(const char *path)
{
    char absolute[PATH_MAX];
    return realpath(path, absolute) != NULL && strcmp(absolute, "/etc") == 0;
}

// A folder such as /etc: its crontab first, which may say when the folders beside it are due.
static bool take_tree(struct crontab_files *import, const char *path)
{
    char *crontab = join(path, "crontab");
    char *folder = join(path, "cron.d");
    char *anacrontab = join(path, "anacrontab");
    bool found = is_file(crontab) || is_folder(folder);
    import->root = path;
    if (is_file(crontab)) {
        take_crontab(import, crontab, NULL);
    }
    import->root = NULL;
    if (is_folder(folder)) {
        each_file(import, folder, take_system_crontab, NULL);
    }
    for (size_t i = 0; i < RUN_PARTS_FOLDERS; i++) {
        char *scripts = join(path, run_parts_folders[i].name);
        if (is_folder(scripts) && !import->done[i]) {
            take_scripts_by_default(import, scripts, &run_parts_folders[i]);
        }
        found = found || is_folder(scripts);
        free(scripts);
    }
    if (found && is_file(anacrontab)) {
        remark_file(import, anacrontab, CRONTAB_LOST,
                    "anacron's own table is not read; what it makes up after a night off, "
                    "ironcron makes up by each job's \"missed\"");
    }
    if (found && is_etc(path) && access(SPOOL, F_OK) == 0) {
        remark_file(
            import, path, CRONTAB_NOTE,
            "users' own crontabs are not there; import them, too: ironcron import crontab " SPOOL);
    }
    free(crontab);
    free(folder);
    free(anacrontab);
    return found;
}

static void take_folder(struct crontab_files *import, const char *path)
{
    char absolute[PATH_MAX];
    const char *name = realpath(path, absolute) != NULL ? base_of(absolute) : path;
    const struct run_parts_folder *scripts = run_parts_by_name(name);
    if (scripts != NULL) {
        take_scripts_by_default(import, path, scripts);
    } else if (strcmp(name, "cron.d") == 0) {
        each_file(import, path, take_system_crontab, NULL);
    } else if (!take_tree(import, path)) {
        each_file(import, path, take_file, NULL);
    }
}

// ---- doors --------------------------------------------------------------------------------------

void crontab_files_init(struct crontab_files *import, const struct invocation *invocation,
                        const char *timezone)
{
    *import = (struct crontab_files){.invocation = invocation};
    size_t part = (size_t)invocation_number(invocation, "part", 1);
    crontab_yaml_init(&import->yaml, zone_cache_new(), timezone, part);
    import->remarks = invocation->json ? json_array() : NULL;
}

void crontab_files_release(struct crontab_files *import)
{
    crontab_yaml_release(&import->yaml);
    zone_cache_free(import->yaml.zones);
    json_decref(import->remarks);
}

void crontab_files_read(struct crontab_files *import, const char *path)
{
    if (strcmp(path, "-") == 0) {
        take_stdin(import);
    } else if (is_folder(path)) {
        take_folder(import, path);
    } else {
        take_crontab(import, path, NULL);
    }
}
