// SPDX-License-Identifier: MIT
// The service manager's protocol against a real datagram socket: by path and abstract, for whom the
// watchdog is, how often it is fed, and what becomes of a message that finds the socket full.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "serve/notify.h"

static struct mono now_is;

static struct mono fake_mono(struct clock *clock)
{
    (void)clock;
    return now_is;
}

static struct clock fake_clock = {.mono = fake_mono};

struct manager {
    int fd;
    char folder[40];
    char name[80]; // as in NOTIFY_SOCKET
    char text[4096];
};

static void manager_open(struct manager *manager, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(manager->folder, sizeof manager->folder, "/tmp/ironcron-notify-XXXXXX");
    assert_non_null(mkdtemp(manager->folder));
    snprintf(manager->name, sizeof manager->name, "%s%s/socket", abstract ? "@" : "",
             manager->folder);
    size_t length = strlen(manager->name);
    memcpy(address.sun_path, manager->name, length);
    if (abstract) {
        address.sun_path[0] = '\0';
    }
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", manager->name, 1);
}

static void manager_close(struct manager *manager)
{
    close(manager->fd);
    if (manager->name[0] == '/') {
        unlink(manager->name);
    }
    rmdir(manager->folder);
}

// All that has come, each message in brackets.
static const char *heard(struct manager *manager)
{
    char message[512];
    ssize_t size;
    manager->text[0] = '\0';
    while ((size = recv(manager->fd, message, sizeof message - 1, 0)) >= 0) {
        message[size] = '\0';
        size_t used = strlen(manager->text);
        snprintf(manager->text + used, sizeof manager->text - used, "[%s]", message);
    }
    return manager->text;
}

static void states_in_order(void **state)
{
    (void)state;
    for (int abstract = 0; abstract < 2; abstract++) {
        struct manager manager;
        struct notify notify;
        manager_open(&manager, abstract == 1);
        notify_open(&notify, &fake_clock);
        assert_null(getenv("NOTIFY_SOCKET"));
        notify_extend(&notify, DURATION_S(3));
        notify_ready(&notify);
        notify_status(&notify, "live");
        notify_status(&notify, "live");
        notify_turn(&notify);
        assert_string_equal(heard(&manager), "[EXTEND_TIMEOUT_USEC=3000000][READY=1][STATUS=live]");
        notify_reloading(&notify);
        notify_ready(&notify);
        assert_memory_equal(heard(&manager), "[RELOADING=1\nMONOTONIC_USEC=", 28);
        assert_non_null(strstr(manager.text, "][READY=1]"));
        assert_true(strtoll(manager.text + 28, NULL, 10) > 0);
        notify_stopping(&notify);
        notify_reloading(&notify);
        notify_ready(&notify);
        assert_string_equal(heard(&manager), "[STOPPING=1]");
        notify_close(&notify);
        manager_close(&manager);
    }
}

// The program that takes over finds what this one has found, and ends the reload by its READY=1.
static void the_next_program_finds_the_environment(void **state)
{
    (void)state;
    struct manager manager;
    struct notify notify;
    manager_open(&manager, false);
    setenv("WATCHDOG_USEC", "8000000", 1);
    for (int generation = 0; generation < 3; generation++) {
        notify_open(&notify, &fake_clock);
        notify_ready(&notify);
        notify_turn(&notify);
        assert_non_null(strstr(heard(&manager), "[READY=1][WATCHDOG=1]"));
        notify_hand_over(&notify);
        assert_memory_equal(heard(&manager), "[RELOADING=1\n", 13);
        notify_close(&notify);
        assert_string_equal(getenv("NOTIFY_SOCKET"), manager.name);
        assert_string_equal(getenv("WATCHDOG_USEC"), "8000000");
        assert_null(getenv("WATCHDOG_PID"));
    }
    unsetenv("WATCHDOG_USEC");
    manager_close(&manager);
}

static const struct {
    const char *usec;
    bool for_us; // WATCHDOG_PID is ours, or not given
    const char *pid;
    int64_t every_us;
} watchdogs[] = {
    {"8000000", true, NULL, 2000000},
    {"8000000", false, NULL, 2000000},
    {"8000000", false, "1", 0},
    {"8000000", false, "", 0},
    {"0", true, NULL, 0},
    {"-5", true, NULL, 0},
    {"8s", true, NULL, 0},
    {"", true, NULL, 0},
    {NULL, true, NULL, 0},
    {"99999999999999999999", true, NULL, 0},
};

static void watchdog_for_whom(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(watchdogs); i++) {
        struct manager manager;
        struct notify notify;
        char pid[24];
        manager_open(&manager, false);
        snprintf(pid, sizeof pid, "%d", getpid());
        if (watchdogs[i].usec != NULL) {
            setenv("WATCHDOG_USEC", watchdogs[i].usec, 1);
        }
        if (watchdogs[i].for_us || watchdogs[i].pid != NULL) {
            setenv("WATCHDOG_PID", watchdogs[i].for_us ? pid : watchdogs[i].pid, 1);
        }
        notify_open(&notify, &fake_clock);
        if (notify.feed_every.us != watchdogs[i].every_us) {
            fail_msg("case %zu: fed every %lld us", i, (long long)notify.feed_every.us);
        }
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        notify_close(&notify);
        manager_close(&manager);
    }
}

static void fed_by_turns_only(void **state)
{
    (void)state;
    struct manager manager;
    struct notify notify;
    manager_open(&manager, false);
    setenv("WATCHDOG_USEC", "8000000", 1);
    notify_open(&notify, &fake_clock);
    now_is = (struct mono){100000000};
    notify_turn(&notify);
    notify_turn(&notify);
    assert_string_equal(heard(&manager), "[WATCHDOG=1]");
    now_is.us += 1999999;
    notify_turn(&notify);
    assert_string_equal(heard(&manager), "");
    now_is.us += 1;
    notify_turn(&notify);
    assert_string_equal(heard(&manager), "[WATCHDOG=1]");
    now_is.us += 60000000; // nothing else feeds it, however late it is
    notify_status(&notify, "x");
    assert_string_equal(heard(&manager), "[STATUS=x]");
    notify_close(&notify);
    manager_close(&manager);
}

static void owed_when_full(void **state)
{
    (void)state;
    struct manager manager;
    struct notify notify;
    manager_open(&manager, false);
    notify_open(&notify, &fake_clock);
    for (int i = 0; i < 100000 && notify.owed[0] == '\0'; i++) {
        notify_reloading(&notify);
    }
    assert_true(notify.owed[0] != '\0');
    notify_ready(&notify); // takes the place of what is owed
    notify_turn(&notify);
    assert_string_equal(notify.owed, "READY=1");
    heard(&manager);
    notify_turn(&notify);
    assert_string_equal(notify.owed, "");
    assert_string_equal(heard(&manager), "[READY=1]");
    notify_close(&notify);
    manager_close(&manager);
}

static void nobody_listens(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "relative/socket", "@", "/", "vsock:2:1234"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct notify notify;
        unsetenv("NOTIFY_SOCKET");
        if (names[i] != NULL) {
            setenv("NOTIFY_SOCKET", names[i], 1);
        }
        notify_open(&notify, &fake_clock);
        assert_int_equal(notify.fd, -1);
        notify_ready(&notify);
        notify_turn(&notify);
        notify_stopping(&notify);
        notify_close(&notify);
    }
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    struct notify notify;
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_open(&notify, &fake_clock);
    assert_int_equal(notify.fd, -1);
    notify_close(&notify);
    setenv("NOTIFY_SOCKET", "/tmp/ironcron-nobody-is-here", 1);
    notify_open(&notify, &fake_clock);
    assert_true(notify.fd >= 0);
    notify_ready(&notify); // the manager went away: no error, and nothing is owed
    assert_string_equal(notify.owed, "");
    notify_close(&notify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_in_order),
        cmocka_unit_test(watchdog_for_whom),
        cmocka_unit_test(fed_by_turns_only),
        cmocka_unit_test(owed_when_full),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(the_next_program_finds_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
