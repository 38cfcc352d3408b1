// SPDX-License-Identifier: MIT
#include "imported.h"

#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "import/crontab_name.h"

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *label, *command, *name;
    } cases[] = {
        {"sysstat", "command -v debian-sa1 > /dev/null && debian-sa1 1 1", "sysstat-debian-sa1"},
        {"php",
         "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/x ]; then /usr/lib/php/sessionclean; "
         "fi",
         "php-sessionclean"},
        {"certbot",
         "test -x /usr/bin/certbot -a \\! -d /x && perl -e 'sleep int(rand(9))' && certbot -q "
         "renew",
         "certbot"},
        {"e2scrub_all", "test -e /x || SERVICE_MODE=1 /sbin/e2scrub_all -A -r", "e2scrub_all"},
        {"mdadm",
         "if [ -x /usr/share/mdadm/checkarray ] && [ $(date +%d) -le 7 ]; then "
         "/usr/share/mdadm/checkarray --cron; fi",
         "mdadm-checkarray"},
        {"tab", "cd / && run-parts --report /etc/cron.hourly", "tab-run-parts"},
        {"tab", "/usr/bin/php -q '/srv/my cron.php' >/dev/null 2>&1", "tab-my-cron.php"},
        {"tab", "test -x a >/dev/null 2>&1 && b", "tab-b"},
        {"tab", "sudo -u bob nice -n 10 flock -n /tmp/lock X=1 backup.sh", "tab-backup.sh"},
        {"tab", "perl -e 'print 1'", "tab-perl"},
        {"tab", "cd /", "tab"},
        {"tab", "", "tab"},
        {"", "", "job"},
        {"...", "___", "job"},
        {"-x y.z\303\244", "a", "x-y.z-a"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char name[CRONTAB_NAME_SIZE];
        crontab_name_make(cases[i].label, cases[i].command, name);
        if (strcmp(name, cases[i].name) != 0) {
            fail_msg("'%s', '%s': %s, expected %s", cases[i].label, cases[i].command, name,
                     cases[i].name);
        }
    }
}

static void a_name_is_never_too_long(void **state)
{
    (void)state;
    char text[1000];
    char name[CRONTAB_NAME_SIZE];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    crontab_name_make(text, text, name);
    assert_in_range(strlen(name), 1, CRONTAB_NAME_SIZE - 1);
    crontab_name_make(text, "b", name);
    assert_string_equal(name + strlen(name) - 2, "-b");
}

static void names_are_unique_and_stay_when_lines_are_added(void **state)
{
    (void)state;
    static const char lines[] = "* * * * * a\n* * * * * a-2\n* * * * * a\n* * * * * a-2\n"
                                "* * * * * a\n";
    static const char *const expected[] = {"tab-a", "tab-a-2", "tab-a-3", "tab-a-2-2", "tab-a-4"};
    struct imported imported = imported_text(lines, false);
    assert_int_equal(imported.jobs, ARRAY_LENGTH(expected));
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_string_equal(imported.config->jobs[i].name, expected[i]);
    }
    imported_release(&imported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(a_name_is_never_too_long),
        cmocka_unit_test(names_are_unique_and_stay_when_lines_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
