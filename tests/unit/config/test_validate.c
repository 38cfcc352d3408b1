// SPDX-License-Identifier: MIT
// Startup validation on a machine that lacks one thing at a time.
#include "fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/validate.h"

#define LISTEN    "http: {listen: \"127.0.0.1:0\"}\n"
#define JOB(rest) LISTEN "jobs: [{name: a, schedule: \"@daily\", " rest "}]\n"

static struct instant fixed_now;

static struct instant now_fixed(struct clock *clock)
{
    (void)clock;
    return fixed_now;
}

static struct mono mono_fixed(struct clock *clock)
{
    (void)clock;
    return (struct mono){0};
}

static struct clock fixed_clock = {.now = now_fixed, .mono = mono_fixed};

// A folder, a configuration in it, and what validation says of it.
struct scene {
    char *folder;
    struct fixture fixture;
    struct validate_report report;
    bool is_node;
};

static int at_work_in_2026(void **state)
{
    (void)state;
    fixed_now = instant_from_unix(1790000000);
    return 0;
}

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.folder = fixture_folder()};
}

static void scene_file(const struct scene *scene, const char *name, const char *content,
                       mode_t mode)
{
    char *path = fixture_file(scene->folder, name, content);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static void scene_validate(struct scene *scene, const char *text)
{
    char *path = fixture_file(scene->folder, "ironcron.yml", text);
    scene->fixture = fixture_load_file(path);
    free(path);
    if (scene->fixture.config == NULL) {
        fail_msg("%s", buf_string(&scene->fixture.text));
    }
    struct validate_options options = {.is_node = scene->is_node, .clock = &fixed_clock};
    validate_config(scene->fixture.config, &options, &scene->report);
}

static void scene_close(struct scene *scene)
{
    validate_report_release(&scene->report);
    fixture_release(&scene->fixture);
    fixture_folder_remove(scene->folder);
}

static const struct validate_check *find(const struct validate_report *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->checks[i].name, name) == 0) {
            return &report->checks[i];
        }
    }
    return NULL;
}

static void check_invariants(const struct validate_report *report)
{
    size_t failed = 0;
    size_t warnings = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct validate_check *check = &report->checks[i];
        assert_true((check->result == VALIDATE_OK) == (check->remedy == NULL));
        assert_true(check->detail[0] != '\0');
        failed += check->result == VALIDATE_FAILED ? 1 : 0;
        warnings += check->result == VALIDATE_WARNING ? 1 : 0;
    }
    assert_int_equal(report->failed, failed);
    assert_int_equal(report->warnings, warnings);
    assert_int_equal(report->code, failed > 0 ? ERROR_ENVIRONMENT : ERROR_NONE);
}

struct expectation {
    const char *text;  // of the configuration
    const char *check; // its name
    enum validate_result result;
    const char *detail; // part of it; NULL: there is no such line
    const char *remedy; // part of it; NULL when OK
};

static void check_expectation(const struct scene *scene, const struct expectation *expectation)
{
    const struct validate_check *check = find(&scene->report, expectation->check);
    if (expectation->detail == NULL) {
        assert_null(check);
        return;
    }
    if (check == NULL) {
        fail_msg("no check \"%s\" for:\n%s", expectation->check, expectation->text);
        return;
    }
    if (check->result != expectation->result ||
        strstr(check->detail, expectation->detail) == NULL ||
        (expectation->remedy != NULL && strstr(check->remedy, expectation->remedy) == NULL)) {
        fail_msg("%s: %d, \"%s\", \"%s\" for:\n%s", check->name, check->result, check->detail,
                 check->remedy == NULL ? "" : check->remedy, expectation->text);
    }
    check_invariants(&scene->report);
}

static const struct expectation expectations[] = {
    {JOB("command: [ls]"), "commands", VALIDATE_OK, "1 program found", NULL},
    {JOB("shell: x"), "commands", VALIDATE_OK, "1 program found", NULL},
    {JOB("shell: x"), "config", VALIDATE_OK, "1 job in 1 file", NULL},
    {LISTEN, "config", VALIDATE_WARNING, "0 jobs", "define a job"},
    {JOB("shell: x"), "zones", VALIDATE_OK, "UTC", NULL},
    {JOB("shell: x"), "disk", VALIDATE_OK, "MB free", NULL},
    {JOB("shell: x"), "store", VALIDATE_OK, "will be created", NULL},
    {JOB("shell: x"), "port", VALIDATE_OK, "any free port", NULL},
    {"http: {listen: off}\n", "port", VALIDATE_OK, "is off", NULL},
    {JOB("command: [no-such-program]"), "command a", VALIDATE_FAILED,
     "no-such-program is not found in PATH", "full path"},
    {JOB("command: [/no/such/program]"), "command a", VALIDATE_FAILED, "does not exist",
     "install it"},
    {JOB("command: [./plain]"), "command a", VALIDATE_FAILED, "/plain may not be executed",
     "chmod +x"},
    {JOB("command: [./]"), "command a", VALIDATE_FAILED, "is not a file", "name the program"},
    {JOB("command: [./script]"), "commands", VALIDATE_OK, "1 program", NULL},
    {JOB("command: [./windows]"), "command a", VALIDATE_FAILED, "interpreter cannot be executed",
     "Windows line end"},
    {JOB("command: [./headless]"), "command a", VALIDATE_WARNING, "neither a binary nor a script",
     "#!/bin/sh"},
    {JOB("command: [script], env: {PATH: \"/nowhere:bin\"}, workdir: ."), "command a",
     VALIDATE_FAILED, "is not found in PATH", "full path"},
    {JOB("command: [tool], env: {PATH: \"/nowhere:bin\"}, workdir: ."), "commands", VALIDATE_OK,
     "1 program", NULL},
    {JOB("shell: x, user: no-such-user"), "user no-such-user", VALIDATE_FAILED,
     "there is no user \"no-such-user\" (job a)", "useradd"},
    {JOB("shell: x, workdir: nowhere"), "workdir a", VALIDATE_FAILED, "/nowhere does not exist",
     "mkdir -p"},
    {JOB("shell: x, workdir: plain"), "workdir a", VALIDATE_FAILED, "is not a folder", "workdir"},
    {"node: {labels: {region: eu, disk: fast}}\n" JOB("shell: x, nodes: {region: us}"), "nodes",
     VALIDATE_WARNING, "job a demands a node with region=us, and this one has region=eu, disk=fast",
     "node.labels"},
    {JOB("shell: x"), "users", VALIDATE_OK, "1 user, all usable", NULL},
    {JOB("shell: x"), "workdirs", VALIDATE_OK, NULL, NULL},
    {JOB("command: [/no/such/program], nodes: {region: us}"), "commands", VALIDATE_OK, NULL, NULL},
    {JOB("command: [/no/such/program], nodes: {region: us}"), "users", VALIDATE_OK, NULL, NULL},
    {LISTEN "defaults: {nodes: {disk: fast, region: eu}}\njobs:\n"
            "  - {name: a, schedule: \"@daily\", shell: x, nodes: {}}\n"
            "  - {name: b, schedule: \"@daily\", shell: x}\n"
            "  - {name: c, schedule: \"@hourly\", shell: x}\n",
     "nodes", VALIDATE_WARNING,
     "job b and 1 more demand a node with disk=fast, region=eu, and this one has no labels",
     "another node"},
    {JOB("shell: x, pass_env: [IRONCRON_TEST_UNSET]"), "pass_env IRONCRON_TEST_UNSET",
     VALIDATE_WARNING, "is not set here, and job a expects it", "set IRONCRON_TEST_UNSET"},
    {"store: \"sqlite:no/such/folder/x.db\"\n" LISTEN, "store", VALIDATE_FAILED,
     "/no/such/folder does not exist", "mkdir -p"},
    {"store: \"sqlite:bin\"\n" LISTEN, "store", VALIDATE_FAILED, "is not a regular file", "store"},
    {"store: \"sqlite:plain\"\n" LISTEN, "store", VALIDATE_FAILED, "is not an SQLite database",
     "store"},
    {"store: \"sqlite:open.db\"\n" LISTEN, "store", VALIDATE_WARNING, "can be read or written by",
     "chmod 600"},
    {"store: \"sqlite:good.db\"\n" LISTEN, "store", VALIDATE_OK, "good.db", NULL},
    {LISTEN "  \n", "permissions", VALIDATE_OK, "nobody else", NULL},
};

static void each_lack_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(expectations); i++) {
        struct scene scene;
        scene_open(&scene);
        scene_file(&scene, "plain", "not a database", 0600);
        scene_file(&scene, "script", "#!/bin/sh\n", 0700);
        scene_file(&scene, "windows", "#!/bin/sh\r\n", 0700);
        scene_file(&scene, "headless", "echo hello\n", 0700);
        scene_file(&scene, "bin/tool", "#! /bin/sh -e\n", 0700);
        scene_file(&scene, "good.db", "", 0600);
        scene_file(&scene, "open.db", "", 0644);
        scene_validate(&scene, expectations[i].text);
        check_expectation(&scene, &expectations[i]);
        scene_close(&scene);
    }
}

static void a_port_in_use_is_told_with_its_remedy(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    char text[128];
    snprintf(text, sizeof text, "http: {listen: \"127.0.0.1:%d\"}\n", ntohs(address.sin_port));
    for (int ours = 0; ours < 2; ours++) {
        struct scene scene;
        scene_open(&scene);
        scene.is_node = ours == 1;
        scene_validate(&scene, text);
        const struct validate_check *check = find(&scene.report, "port");
        if (ours == 1) {
            assert_true(check == NULL || check->result == VALIDATE_OK);
        } else {
            assert_non_null(check);
            assert_int_equal(check->result, VALIDATE_FAILED);
            assert_non_null(strstr(check->remedy, "ss -ltnp"));
        }
        scene_close(&scene);
    }
    close(fd);
}

static void a_clock_in_another_age_fails(void **state)
{
    (void)state;
    fixed_now = instant_from_unix(946684800);
    struct scene scene;
    scene_open(&scene);
    scene_validate(&scene, LISTEN);
    assert_int_equal(find(&scene.report, "clock")->result, VALIDATE_FAILED);
    assert_non_null(strstr(find(&scene.report, "clock")->detail, "2000"));
    scene_close(&scene);
    at_work_in_2026(NULL);
}

static void a_configuration_that_others_can_write_is_a_warning(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    mode_t old = umask(0);
    scene_validate(&scene, LISTEN);
    umask(old);
    const struct validate_check *check = find(&scene.report, "permissions");
    assert_int_equal(check->result, VALIDATE_WARNING);
    assert_non_null(strstr(check->remedy, "chmod go-w"));
    scene_close(&scene);
}

// Judged for the job's user, whose rights are not ours.
static void a_program_is_judged_for_the_user_of_its_job(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("needs root: only root may run jobs as another user\n");
        skip();
    }
    struct scene scene;
    scene_open(&scene); // its folder is ours alone: 0700
    scene_file(&scene, "script", "#!/bin/sh\n", 0755);
    scene_validate(&scene, JOB("command: [./script], user: nobody, workdir: ."));
    const struct validate_check *check = find(&scene.report, "command a");
    assert_non_null(check);
    assert_int_equal(check->result, VALIDATE_FAILED);
    assert_non_null(strstr(check->detail, "may not be executed (as user nobody)"));
    assert_non_null(find(&scene.report, "workdir a"));
    validate_report_release(&scene.report);
    fixture_release(&scene.fixture);
    assert_int_equal(chmod(scene.folder, 0755), 0);
    scene_validate(&scene, JOB("command: [./script], user: nobody, workdir: ."));
    assert_null(find(&scene.report, "command a"));
    assert_null(find(&scene.report, "workdir a"));
    scene_close(&scene);
}

static void many_jobs_give_few_lines(void **state)
{
    (void)state;
    for (int missing = 0; missing < 2; missing++) {
        struct buf text;
        buf_init(&text, (size_t)4 * 1024 * 1024);
        buf_add_string(&text, LISTEN "jobs:\n");
        for (int i = 0; i < 3000; i++) {
            buf_printf(&text, "  - {name: j%d, schedule: \"@daily\", command: [%s]}\n", i,
                       missing == 1 ? "/no/such" : "/bin/sh");
        }
        struct scene scene;
        scene_open(&scene);
        scene_validate(&scene, buf_string(&text));
        assert_in_range(scene.report.count, 5, missing == 1 ? 80 : 20);
        assert_int_equal(scene.report.failed > 0, missing);
        if (missing == 1) {
            assert_string_equal(find(&scene.report, "command")->detail, "and 2950 more like these");
        }
        scene_close(&scene);
        buf_release(&text);
    }
}

static void what_fails_beyond_the_lines_fails_all_the_same(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1024 * 1024);
    buf_add_string(&text, LISTEN "jobs:\n");
    for (int i = 0; i < 60; i++) {
        buf_printf(&text,
                   "  - {name: j%d, schedule: \"@daily\", http: {url: \"http://192.0.2.1/\", "
                   "headers: {authorization: x}}}\n",
                   i);
    }
    struct scene scene;
    scene_open(&scene);
    scene_validate(&scene, buf_string(&text));
    assert_int_equal(find(&scene.report, "http")->result, VALIDATE_WARNING);
    assert_string_equal(find(&scene.report, "http")->detail, "10 more are not shown");
    assert_int_equal(scene.report.failed, 0);
    validate_report_release(&scene.report);
    fixture_release(&scene.fixture);
    buf_add_string(&text, "  - {name: last, schedule: \"@daily\", http: {url: "
                          "\"https://192.0.2.1/\", ca: /no/such.pem}}\n");
    scene_validate(&scene, buf_string(&text));
    assert_int_equal(find(&scene.report, "http")->result, VALIDATE_FAILED);
    assert_string_equal(find(&scene.report, "http")->detail, "11 more are not shown");
    scene_close(&scene);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lack_has_its_line),
        cmocka_unit_test(a_port_in_use_is_told_with_its_remedy),
        cmocka_unit_test(a_clock_in_another_age_fails),
        cmocka_unit_test(a_configuration_that_others_can_write_is_a_warning),
        cmocka_unit_test(a_program_is_judged_for_the_user_of_its_job),
        cmocka_unit_test(many_jobs_give_few_lines),
        cmocka_unit_test(what_fails_beyond_the_lines_fails_all_the_same),
    };
    return cmocka_run_group_tests(tests, at_work_in_2026, NULL);
}
