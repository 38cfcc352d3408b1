// SPDX-License-Identifier: MIT
// Files in a folder, as people have them.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOB(name) "jobs: [{name: " name ", schedule: \"@daily\", shell: x}]\n"

struct file {
    const char *name;
    const char *content;
};

static struct fixture load_files(const char *folder, const struct file *files)
{
    for (size_t i = 0; files[i].name != NULL; i++) {
        free(fixture_file(folder, files[i].name, files[i].content));
    }
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, files[0].name);
    return fixture_load_file(path);
}

static void included_files_add_jobs_in_order(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    static const struct file files[] = {
        {"main.yml", "include: [\"jobs.d/*.yml\", \"jobs.d/20.yml\", \"none.d/*\"]\n"
                     "defaults: {timeout: 7s}\ntimezone: Asia/Tokyo\n" JOB("first")},
        {"jobs.d/20.yml", JOB("third")},
        {"jobs.d/10.yml", JOB("second")},
        {"jobs.d/30.yml", "# nothing here\n"},
        {"jobs.d/other.txt", "not yaml: ["},
        {NULL, NULL},
    };
    struct fixture fixture = load_files(folder, files);
    if (fixture.config == NULL) {
        fail_msg("%s", buf_string(&fixture.text));
    }
    const struct config *config = fixture.config;
    assert_int_equal(config->job_count, 3);
    assert_int_equal(config->file_count, 4);
    assert_string_equal(config->jobs[1].name, "second");
    assert_string_equal(config->jobs[2].name, "third");
    assert_int_equal(config->jobs[2].timeout.us, 7000000);
    assert_string_equal(config->jobs[2].timezone, "Asia/Tokyo");
    assert_non_null(strstr(config->jobs[2].config_file, "/jobs.d/20.yml"));
    assert_string_equal(config->folder, folder);
    fixture_release(&fixture);
    fixture_folder_remove(folder);
}

static void mistakes_name_their_file(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    static const struct file files[] = {
        {"main.yml", "include: [\"jobs.d/*\"]\n" JOB("twice")},
        {"jobs.d/a.yml", "\n" JOB("twice")},
        {"jobs.d/b.yml", "http: {}\nnode: {}\n"},
        {"jobs.d/c.yml", "jobs: [\n"},
        {"jobs.d/d.yml", "jobs: [{name: d, schedule: \"@daily\", shell: x, tiemout: 1s}]\n"},
        {NULL, NULL},
    };
    struct fixture fixture = load_files(folder, files);
    assert_null(fixture.config);
    static const char *const expected[] = {
        "/jobs.d/a.yml:2:15: name: there is a job \"twice\" already, defined at ",
        "/main.yml:2:8\n",
        "/jobs.d/b.yml:1:1: \"http\" belongs in ",
        "/jobs.d/b.yml:2:1: \"node\" belongs in ",
        "/jobs.d/c.yml:2:1: not valid YAML",
        "/jobs.d/d.yml:1:48: unknown key \"tiemout\"; did you mean \"timeout\"?",
    };
    const char *text = buf_string(&fixture.text);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        if (strstr(text, expected[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", expected[i], text);
        }
    }
    fixture_release(&fixture);
    fixture_folder_remove(folder);
}

static void a_file_that_is_not_there_says_where_it_was_looked_for(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_file("/nonexistent/ironcron.yml");
    assert_null(fixture.config);
    assert_string_equal(fixture.problems.list[0].file, "/nonexistent/ironcron.yml");
    assert_int_equal(fixture.problems.list[0].line, 0);
    assert_non_null(strstr(fixture.problems.list[0].text, "No such file"));
    fixture_release(&fixture);
    fixture = fixture_load_file("/tmp");
    assert_non_null(strstr(buf_string(&fixture.text), "is not a regular file"));
    fixture_release(&fixture);
}

static void the_environment_names_the_file(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    char *path = fixture_file(folder, "mine.yml", JOB("a"));
    setenv("IRONCRON_CONFIG", path, 1);
    struct fixture fixture = fixture_load_file(NULL);
    unsetenv("IRONCRON_CONFIG");
    assert_non_null(fixture.config);
    assert_string_equal(fixture.config->path, path);
    fixture_release(&fixture);
    free(path);
    fixture_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(included_files_add_jobs_in_order),
        cmocka_unit_test(mistakes_name_their_file),
        cmocka_unit_test(a_file_that_is_not_there_says_where_it_was_looked_for),
        cmocka_unit_test(the_environment_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
