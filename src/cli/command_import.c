// SPDX-License-Identifier: MIT
// `import crontab`: prints crontabs as YAML, and says what it left out.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/crontab_files.h"
#include "cli/json.h"
#include "cli/run.h"
#include "cli/words.h"

#define LOCALTIME "/etc/localtime"
#define ZONEINFO  "zoneinfo/"

// The zone that cron follows on this machine.
static const char *host_zone(char out[PATH_MAX])
{
    ssize_t length = readlink(LOCALTIME, out, PATH_MAX - 1);
    out[length > 0 ? length : 0] = '\0';
    const char *name = strstr(out, ZONEINFO);
    name = name != NULL ? name + strlen(ZONEINFO) : "UTC";
    return strcmp(name, "Etc/UTC") == 0 ? "UTC" : name;
}

static void print_end(const struct crontab_files *import)
{
    fprintf(stderr,
            "%zu job%s from %zu file%s or folder%s; %zu thing%s not carried over, %zu note%s\n",
            import->yaml.jobs, words_plural(import->yaml.jobs), import->files,
            words_plural(import->files), words_plural(import->files), import->lost,
            words_plural(import->lost), import->notes, words_plural(import->notes));
    if (import->yaml.parts > 1) {
        fprintf(stderr,
                "This is part %zu of %zu, since a configuration file has a limit; %zu jobs are in "
                "the others: print each with --part N into a file of its own, and list the files "
                "under \"include\"\n",
                import->yaml.part, import->yaml.parts, import->yaml.elsewhere);
    }
}

static void print_result(struct crontab_files *import)
{
    if (import->remarks != NULL) {
        json_print(json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:O}", "yaml",
                             json_text(crontab_yaml_text(&import->yaml)), "jobs",
                             (json_int_t)import->yaml.jobs, "lost", (json_int_t)import->lost,
                             "part", (json_int_t)import->yaml.part, "parts",
                             (json_int_t)import->yaml.parts, "notes", (json_int_t)import->notes,
                             "remarks", import->remarks));
        return;
    }
    fputs(crontab_yaml_text(&import->yaml), stdout);
    print_end(import);
}

static bool check_options(const struct invocation *invocation, struct error *err)
{
    const char *path = invocation->arguments[0];
    if (invocation_has(invocation, "system") && invocation_has(invocation, "user")) {
        return error_set(err, ERROR_USAGE,
                         "--system says that the crontab has a column for users, --user that it "
                         "has none; give one of them");
    }
    if (strcmp(path, "-") != 0 && access(path, R_OK) != 0) {
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO,
                         "%s cannot be read: %s; name a crontab, a folder such as /etc, or - for "
                         "standard input",
                         path, strerror(errno));
    }
    return true;
}

bool command_import_crontab(struct invocation *invocation, int *exit_out, struct error *err)
{
    char zone[PATH_MAX];
    const struct zone *found;
    const char *path = invocation->arguments[0];
    const char *tz = invocation_text(invocation, "tz");
    if (!check_options(invocation, err)) {
        return false;
    }
    AUTO(crontab_files_release) struct crontab_files import;
    crontab_files_init(&import, invocation, tz != NULL ? tz : host_zone(zone));
    if (!zone_cache_get(import.yaml.zones, import.yaml.timezone, &found, err)) {
        err->code = ERROR_USAGE;
        return error_wrap(err, tz != NULL ? "--tz" : LOCALTIME);
    }
    crontab_files_read(&import, path);
    if (import.yaml.part > import.yaml.parts) {
        return error_set(err, ERROR_USAGE, "--part %zu: there %s only %zu part%s", import.yaml.part,
                         import.yaml.parts == 1 ? "is" : "are", import.yaml.parts,
                         words_plural(import.yaml.parts));
    }
    print_result(&import);
    bool is_whole = import.yaml.parts == 1 || invocation_has(invocation, "part");
    *exit_out = import.lost > 0 || !is_whole ? 1 : 0;
    return true;
}
