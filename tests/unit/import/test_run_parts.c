// SPDX-License-Identifier: MIT
#include "imported.h"

#include <string.h>

#include "base/attributes.h"
#include "import/run_parts.h"

static void file_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool taken;
    } cases[] = {{"logrotate", true},
                 {"0anacron", true},
                 {"apt-compat", true},
                 {"A_b-9", true},
                 {"", false},
                 {"backup.sh", false},
                 {"logrotate.dpkg-new", false},
                 {"a~", false},
                 {".placeholder", false}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (run_parts_takes(cases[i].name) != cases[i].taken) {
            fail_msg("'%s': not %d", cases[i].name, cases[i].taken);
        }
    }
}

static void calls(void **state)
{
    (void)state;
    static const struct {
        const char *command, *folder;
    } cases[] = {
        {"cd / && run-parts --report /etc/cron.hourly", "cron.hourly"},
        {"test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
         "cron.daily"},
        {"run-parts /etc/cron.weekly/", "cron.weekly"},
        {"run-parts /etc/cron.daily2", NULL},
        {"run-parts /etc/cron.daily.old", NULL},
        {"run-parts /srv/jobs", NULL},
        {"ls /etc/cron.daily", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct run_parts_folder *folder = run_parts_called(cases[i].command);
        const char *found = folder != NULL ? folder->name : "(none)";
        if (strcmp(found, cases[i].folder != NULL ? cases[i].folder : "(none)") != 0) {
            fail_msg("'%s': %s", cases[i].command, found);
        }
    }
    assert_null(run_parts_by_name("cron.yearly"));
    assert_string_equal(run_parts_by_name("cron.daily")->schedule, "25 6 * * *");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(file_names), cmocka_unit_test(calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
