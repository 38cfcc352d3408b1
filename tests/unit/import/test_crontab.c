// SPDX-License-Identifier: MIT
// What a line of a crontab becomes, seen as the loader understands the YAML.
#include "imported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "import/crontab.h"

static void schedules(void **state)
{
    (void)state;
    static const struct {
        const char *line, *schedule; // NULL = not carried over
    } cases[] = {
        {"5 4 * * * c", "5 4 * * *"},
        {"\t 5\t4  * *\t* \t c", "5 4 * * *"},
        {"-5 4 * * * c", "5 4 * * *"},
        {"0-30/5,45 1-3 1,15 jan-MAR Mon-fri c", "0-30/5,45 1-3 1,15 jan-MAR Mon-fri"},
        {"0 0 * * 7 c", "0 0 * * 7"},
        {"0 0 * * sat-sun c", "0 0 * * sat-sun"},
        {"*/60 */24 * * * c", "0 0 * * *"},
        {"0 0 1 */12 * c", "0 0 1 1 *"},
        {"~ ~ ~ ~ ~ c", "H H H H H"},
        {"0~29 ~5 3~ * mon~fri c", "H(0-29) H(0-5) H(3-31) * H(mon-fri)"},
        {"~/15 0~3/2 * * * c", "H/15 H(0-3)/2 * * *"},
        {"@hourly c", "@hourly"},
        {"@Reboot c", "@reboot"},
        {"@every_minute c", "* * * * *"},
        {"@30 c", "@every 30s"},
        {"61 * * * * c", NULL},
        {"22-2 * * * * c", NULL},
        {"*/0 * * * * c", NULL},
        {"0 0 30 2 * c", NULL},
        {"0 0 ~31 2 * c", "0 0 H(1-31) 2 *"},
        {"H * * * * c", NULL},
        {"0 0 L * * c", NULL},
        {"0 0 ? * * c", NULL},
        {"1,,2 * * * * c", NULL},
        {"1- * * * * c", NULL},
        {"* * * * c", NULL},
        {"* * * *", NULL},
        {"@", NULL},
        {"@0 c", NULL},
        {"@nightly c", NULL},
        {"nonsense", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s\n", cases[i].line);
        struct imported imported = imported_text(text, false);
        const char *schedule = imported.jobs > 0 ? imported.config->jobs[0].schedule_text : NULL;
        bool same = cases[i].schedule == NULL
                        ? schedule == NULL && imported.lost == 1
                        : schedule != NULL && strcmp(schedule, cases[i].schedule) == 0;
        if (!same) {
            fail_msg("'%s': %s; %s", cases[i].line, schedule == NULL ? "(none)" : schedule,
                     buf_string(&imported.remarks));
        }
        imported_release(&imported);
    }
}

static void commands(void **state)
{
    (void)state;
    static const struct {
        const char *text, *command; // what follows "* * * * * "; the last argument of the job
    } cases[] = {
        {"date +\\%F >/tmp/$LOGNAME-${X:-1}-$$", "date +%F >/tmp/$LOGNAME-${X:-1}-$$"},
        {"echo 'a' \"b\" \\c \\\\ #d", "echo 'a' \"b\" \\c \\\\ #d"},
        {"echo \"q\" \\d", "echo \"q\" \\d"},
        {"[ -x /bin/a ] && a", "[ -x /bin/a ] && a"},
        {"sh -c \"a\tb\"", "sh -c \"a\tb\""},
        {"gr\303\274\303\237e \360\237\230\200 \302\205 \357\273\277 \177 \001",
         "gr\303\274\303\237e \360\237\230\200 \302\205 \357\273\277 \177 \001"},
        {"a%", "{ a\n} <<'END_OF_INPUT'\n\nEND_OF_INPUT\n"},
        {"a%b%c", "{ a\n} <<'END_OF_INPUT'\nb\nc\nEND_OF_INPUT\n"},
        {"a%b\\%c\\d%", "{ a\n} <<'END_OF_INPUT'\nb%c\\d\nEND_OF_INPUT\n"},
        {"a\\\\%b", "{ a\\\\\n} <<'END_OF_INPUT'\nb\nEND_OF_INPUT\n"},
        {"a%END_OF_INPUT", "{ a\n} <<'END_OF_INPUT_2'\nEND_OF_INPUT\nEND_OF_INPUT_2\n"},
        {"yes", "yes"},
        {"-n -q quiet", "quiet"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "* * * * * %s\n", cases[i].text);
        struct imported imported = imported_text(text, false);
        if (imported.jobs != 1 ||
            strcmp(imported.config->jobs[0].command->argv[2], cases[i].command) != 0) {
            fail_msg("'%s': %s%s", cases[i].text, buf_string(&imported.yaml),
                     buf_string(&imported.remarks));
        }
        imported_release(&imported);
    }
}

#define ENVIRONMENT                                                                                \
    "* * * * * first\nPATH=/opt/bin:/bin\n \"A B\" = 1\nQUOTED = \" x \" \n'S'='$HOME'\nEMPTY=\n"  \
    "MAILTO=\"\"\nCRON_TZ=Europe/Berlin\nRANDOM_DELAY=45\nHOME=/srv\nSHELL=/bin/bash\n"            \
    "PATH=/second\nTZ=Asia/Tokyo\n* * * * * last\n"

static const char *variable(const struct job *job, const char *name)
{
    const struct job_variable *at = job->command->env;
    for (; at != NULL && at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0) {
            return at->value;
        }
    }
    return NULL;
}

static void an_assignment_holds_for_what_is_below(void **state)
{
    (void)state;
    struct imported imported = imported_text(ENVIRONMENT, false);
    assert_int_equal(imported.jobs, 2);
    const struct job *first = &imported.config->jobs[0];
    const struct job *last = &imported.config->jobs[1];
    assert_null(first->command->env);
    assert_int_equal(first->kind, JOB_SHELL);
    assert_string_equal(first->timezone, "UTC");
    assert_int_equal(first->timeout.us, 0);
    assert_string_equal(last->timezone, "Europe/Berlin");
    assert_string_equal(last->command->workdir, "/srv");
    assert_int_equal(last->jitter.us, INT64_C(45) * 60 * 1000000);
    assert_string_equal(variable(last, "PATH"), "/second");
    assert_string_equal(variable(last, "QUOTED"), " x ");
    assert_string_equal(variable(last, "S"), "$HOME");
    assert_string_equal(variable(last, "EMPTY"), "");
    assert_string_equal(variable(last, "TZ"), "Asia/Tokyo");
    assert_null(variable(last, "CRON_TZ"));
    assert_null(variable(last, "MAILTO"));
    assert_string_equal(last->command->argv[0], "/bin/bash");
    assert_string_equal(last->command->argv[1], "-c");
    assert_string_equal(last->command->argv[2], "last");
    assert_non_null(strstr(buf_string(&imported.remarks), "3 lost: \"A B\""));
    assert_non_null(strstr(buf_string(&imported.remarks), "13 note: TZ"));
    assert_int_equal(imported.lost, 1);
    imported_release(&imported);
}

static void what_is_not_carried_over_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *remark;
        bool has_users;
        size_t jobs;
    } cases[] = {
        {"MAILTO=ops@example.org\n* * * * * a\n", "1 lost: MAILTO=ops@example.org", false, 1},
        {"LOGNAME=x\n", "1 lost: LOGNAME", false, 0},
        {"IRONCRON_JOB=x\n", "1 lost: IRONCRON_JOB", false, 0},
        {"RANDOM_DELAY=9999\n", "1 lost: RANDOM_DELAY", false, 0},
        {"CRON_TZ=Europe/Berln\n* * * * * a\n", "2 lost: CRON_TZ: ", false, 0},
        {"\n\n* * * * *\n", "3 lost: the line has no command", false, 0},
        {"* * * * * %x\n", "1 lost: the line has no command", false, 0},
        {"* * * * * /usr/bin/a b\n", "1 lost: \"/usr/bin/a\" is not the name", true, 0},
        {"* * * * * root\n", "1 lost: the line has no command", true, 0},
        {"* * * * * a:b/c d\n", "1 note: the group or class", true, 1},
        {"SHELL=/bin/csh\n* * * * * a%b\n", "2 lost: the text behind the first %", false, 0},
        {"* * * * * a &\n", "1 note: the command ends with &", false, 1},
        {"5/10 * * * * a\n", "1 note: a step behind a single value", false, 1},
        {"* * * * * a", "1 note: the last line", false, 1},
        {"* * * * * a\r\n* * * * * b\r\n", "1 note: lines end with CR and LF", false, 2},
        {"* * * * * \377\n", "1 lost: the line is not UTF-8", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct imported imported = imported_text(cases[i].text, cases[i].has_users);
        if (imported.jobs != cases[i].jobs ||
            strstr(buf_string(&imported.remarks), cases[i].remark) == NULL) {
            fail_msg("'%s': %zu jobs; %s", cases[i].text, imported.jobs,
                     buf_string(&imported.remarks));
        }
        imported_release(&imported);
    }
}

static void the_comment_above_is_the_description(void **state)
{
    (void)state;
    static const struct {
        const char *comment, *description;
    } cases[] = {
        {"# nightly sums\n", "nightly sums"},
        {"## one  \n#\ttwo ##\n", "one two"},
        {"# far above\n\n", NULL},
        {"# above a variable\nA=1\n", NULL},
        {"# ------\n# m h dom mon dow command\n", NULL},
        {"# .---- minute (0 - 59)\n# |  .--- hour\n# *  * * * * user\n", NULL},
        {"#5 4 * * * old command\n", NULL},
        {"# costs $5 at 100% \377\n", "costs $5 at 100% ?"},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s* * * * * a\n", cases[i].comment);
        struct imported imported = imported_text(text, false);
        assert_int_equal(imported.jobs, 1);
        const char *found = imported.config->jobs[0].description;
        const char *wanted = cases[i].description;
        if ((found == NULL) != (wanted == NULL) || (found != NULL && strcmp(found, wanted) != 0)) {
            fail_msg("'%s': %s", cases[i].comment, found == NULL ? "(none)" : found);
        }
        imported_release(&imported);
    }
}

static void a_long_file(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, CRONTAB_BYTES_MAX);
    for (int i = 1; i < 10000; i++) {
        buf_add_string(&text, "* * * * * a\n");
    }
    buf_add_string(&text, "* * 32 * * a\n5 4 * * * b");
    struct imported imported = imported_bytes(text.data, text.length, false);
    assert_int_equal(imported.jobs, 10000);
    assert_non_null(strstr(buf_string(&imported.remarks), "10000 lost: day of month 32"));
    assert_string_equal(imported.config->jobs[9999].name, "tab-b");
    imported_release(&imported);
    buf_release(&text);
}

static void long_lines_and_nul_bytes(void **state)
{
    (void)state;
    static char line[CRONTAB_LINE_MAX + 100];
    memset(line, '$', sizeof line);
    memcpy(line, "* * * * * ", 10);
    line[CRONTAB_LINE_MAX] = '\n';
    struct imported fits = imported_bytes(line, CRONTAB_LINE_MAX + 1, false);
    assert_int_equal(fits.jobs, 1);
    assert_int_equal(strlen(fits.config->jobs[0].command->argv[2]), CRONTAB_LINE_MAX - 10);
    imported_release(&fits);
    line[CRONTAB_LINE_MAX] = '$';
    memcpy(line + CRONTAB_LINE_MAX + 1, "\n* * * * * b\n* * \0 * * c\n", 25);
    struct imported longer = imported_bytes(line, CRONTAB_LINE_MAX + 26, false);
    assert_int_equal(longer.jobs, 1);
    assert_non_null(strstr(buf_string(&longer.remarks), "1 lost: a line of more than 64 KB"));
    assert_non_null(strstr(buf_string(&longer.remarks), "3 lost: the line has a NUL byte"));
    imported_release(&longer);
}

// Random lines out of the pieces that matter: nothing crashes, and whatever is printed loads.
static void random_crontabs_load(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "*",
        "~",
        "-",
        "/",
        ",",
        "%",
        "\\",
        "\\%",
        " ",
        " ",
        "\t",
        "\n",
        "\n",
        "\r\n",
        "0",
        "7",
        "31",
        "59",
        "@daily ",
        "@reboot ",
        "@5 ",
        "* * * * * ",
        "0 0 1 1 * ",
        "root ",
        "A=",
        "TZ=",
        "SHELL=/bin/csh\n",
        "SHELL=/bin/bash\n",
        "CRON_TZ=Europe/Paris\n",
        "MAILTO=a\n",
        "$",
        "${X}",
        "'",
        "\"",
        "# words\n",
        "#",
        "sun",
        "jan",
        "\303\244",
        "\377",
        "\177",
        ": ",
        "- ",
        "&&",
        "&",
        "run-parts /etc/cron.daily",
        "IRONCRON_X=1\n",
        "=",
        "\001",
        "{",
        "HOME=rel\n",
    };
    const char *wish = getenv("IRONCRON_SEED");
    unsigned seed = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : 20261124;
    printf("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 2000; i++) {
        struct buf text;
        buf_init(&text, (size_t)1 << 20);
        for (int n = rand() % 60; n >= 0; n--) {
            buf_add_string(&text, pieces[(size_t)rand() % ARRAY_LENGTH(pieces)]);
        }
        struct imported imported = imported_bytes(text.data, text.length, rand() % 2 == 0);
        imported_release(&imported);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules),
        cmocka_unit_test(commands),
        cmocka_unit_test(an_assignment_holds_for_what_is_below),
        cmocka_unit_test(what_is_not_carried_over_is_named),
        cmocka_unit_test(the_comment_above_is_the_description),
        cmocka_unit_test(a_long_file),
        cmocka_unit_test(long_lines_and_nul_bytes),
        cmocka_unit_test(random_crontabs_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
