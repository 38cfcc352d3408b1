// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/load.h"

static void print_problems(struct fixture *fixture)
{
    buf_init(&fixture->text, (size_t)4 * 1024 * 1024);
    config_problems_print(&fixture->problems, &fixture->text);
    CHECK((fixture->config == NULL) == (fixture->problems.count > 0));
}

struct fixture fixture_load(const char *text)
{
    struct fixture fixture = {0};
    config_problems_init(&fixture.problems);
    if (!config_load_bytes("t.yml", "/folder", text, strlen(text), false, &fixture.config,
                           &fixture.problems)) {
        fixture.config = NULL;
    }
    print_problems(&fixture);
    return fixture;
}

struct fixture fixture_load_file(const char *path)
{
    struct fixture fixture = {0};
    config_problems_init(&fixture.problems);
    if (!config_load(path, &fixture.config, &fixture.problems)) {
        fixture.config = NULL;
    }
    print_problems(&fixture);
    return fixture;
}

struct fixture fixture_load_fine(const char *text)
{
    struct fixture fixture = fixture_load(text);
    if (fixture.config == NULL) {
        fail_msg("refused:\n%s\nin:\n%s", buf_string(&fixture.text), text);
    }
    return fixture;
}

void fixture_release(struct fixture *fixture)
{
    config_free(fixture->config);
    config_problems_release(&fixture->problems);
    buf_release(&fixture->text);
}

char *fixture_folder(void)
{
    char *folder = alloc_string("/tmp/ironcron-config-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return folder;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void fixture_folder_remove(char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

char *fixture_file(const char *folder, const char *name, const char *content)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = alloc_zero(size, 1);
    snprintf(path, size, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fwrite(content, 1, strlen(content), file) == strlen(content));
    CHECK(fclose(file) == 0);
    return path;
}
