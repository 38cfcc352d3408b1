// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "time/zone.h"
#include "tzif_bytes.h"

static void one_zone_for_each_name(void **state)
{
    (void)state;
    struct zone_cache *cache = zone_cache_new();
    const struct zone *a = NULL;
    const struct zone *b = NULL;
    struct error err = ERROR_INIT;
    char name[] = "Europe/Berlin";
    assert_true(zone_cache_get(cache, name, &a, &err));
    name[0] = 'x'; // the cache may not rely on the caller's string
    assert_true(zone_cache_get(cache, "Europe/Berlin", &b, &err));
    assert_ptr_equal(a, b);
    assert_string_equal(zone_name(a), "Europe/Berlin");
    assert_int_equal(zone_offset(a, 1782864000), 7200);
    assert_false(zone_cache_is_stale(cache));
    zone_cache_free(cache);
}

static void wrong_names_have_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *name, *part;
    } cases[] = {
        {"Europe/Berln", "did you mean 'Europe/Berlin'?"},
        {"europe/berlin", "did you mean 'Europe/Berlin'?"},
        {"berlin", "did you mean 'Europe/Berlin'?"},
        {"America/New York", "no time zone name"},
        {"America/NewYork", "did you mean 'America/New_York'?"},
        {"CEST", "write a name such as Europe/Berlin"},
        {"Europe", "there is no time zone 'Europe'"},
        {"zone.tab", "there is no time zone"},
        {"Completely/Different", "write a name such as Europe/Berlin"},
        {"", "no time zone name"},
        {"/etc/localtime", "no time zone name"},
        {"../../etc/passwd", "no time zone name"},
        {"Europe/../UTC", "no time zone name"},
        {"Europe/Berlin\n", "no time zone name"},
        {"Europe/B\xc3\xa9rlin", "no time zone name"},
    };
    struct zone_cache *cache = zone_cache_new();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct zone *zone = NULL;
        struct error err = ERROR_INIT;
        if (zone_cache_get(cache, cases[i].name, &zone, &err) || zone != NULL ||
            err.code != ERROR_CONFIG || strstr(err.text, cases[i].part) == NULL) {
            fail_msg("'%s': %s", cases[i].name, err.text);
        }
    }
    char longest[200];
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    memset(longest, 'a', sizeof longest);
    longest[129] = '\0';
    assert_false(zone_cache_get(cache, longest, &zone, &err));
    longest[128] = '\0';
    assert_false(zone_cache_get(cache, longest, &zone, &err));
    assert_non_null(strstr(err.text, "there is no time zone"));
    zone_cache_free(cache);
}

// ---- a zoneinfo folder of our own ---------------------------------------------------------------

static char folder[] = "/tmp/ironcron-zones-XXXXXX";

static void write_file(const char *name, const void *bytes, size_t length)
{
    char path[200];
    char temporary[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(temporary, sizeof temporary, "%s/new", folder);
    FILE *file = fopen(temporary, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0); // as a package manager replaces a file
}

static void write_zone(const char *name, int32_t offset)
{
    uint8_t bytes[TZIF_BYTES];
    struct tzif tzif = {.version = '2',
                        .type_count = 1,
                        .abbreviation_bytes = 4,
                        .types = {{offset, 0, 0}},
                        .abbreviations = "AAA",
                        .footer = ""};
    write_file(name, bytes, tzif_write(&tzif, bytes));
}

static void remove_file(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || setenv("TZDIR", folder, 1) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_file("Here");
    remove_file("tzdata.zi");
    unsetenv("TZDIR");
    return rmdir(folder);
}

static void replaced_files_are_noticed(void **state)
{
    (void)state;
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    write_zone("Here", 3600);
    write_file("tzdata.zi", "# version 2025b\n", 16);
    struct zone_cache *cache = zone_cache_new();
    assert_string_equal(zone_cache_version(cache), "2025b");
    assert_true(zone_cache_get(cache, "Here", &zone, &err));
    assert_false(zone_cache_is_stale(cache));

    write_zone("Here", 7200);
    assert_true(zone_cache_is_stale(cache));
    assert_int_equal(zone_offset(zone, 0), 3600); // what is in use does not change under its user
    zone_cache_free(cache);

    cache = zone_cache_new();
    assert_true(zone_cache_get(cache, "Here", &zone, &err));
    assert_int_equal(zone_offset(zone, 0), 7200);
    write_file("tzdata.zi", "# version 2025c\n", 16);
    assert_true(zone_cache_is_stale(cache));
    zone_cache_free(cache);

    cache = zone_cache_new();
    assert_true(zone_cache_get(cache, "Here", &zone, &err));
    remove_file("Here");
    assert_true(zone_cache_is_stale(cache));
    zone_cache_free(cache);
}

static void utc_needs_no_tzdata(void **state)
{
    (void)state;
    const struct zone *zone = NULL;
    struct zone_change change;
    struct error err = ERROR_INIT;
    setenv("TZDIR", "/nonexistent", 1);
    struct zone_cache *cache = zone_cache_new();
    assert_string_equal(zone_cache_version(cache), "unknown");
    assert_true(zone_cache_get(cache, "UTC", &zone, &err));
    assert_int_equal(zone_offset(zone, 1782864000), 0);
    assert_string_equal(zone_abbreviation(zone, 0), "UTC");
    assert_false(zone_next_change(zone, 0, &change));
    assert_false(zone_cache_is_stale(cache));
    assert_false(zone_cache_get(cache, "Europe/Berlin", &zone, &err));
    assert_int_equal(err.code, ERROR_ENVIRONMENT);
    assert_non_null(strstr(err.text, "install the tzdata package"));
    zone_cache_free(cache);
    setenv("TZDIR", folder, 1);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    write_file("Here", "TZif2 and nothing else", 22);
    struct zone_cache *cache = zone_cache_new();
    assert_false(zone_cache_get(cache, "Here", &zone, &err));
    assert_int_equal(err.code, ERROR_ENVIRONMENT);
    assert_non_null(strstr(err.text, "damaged"));
    zone_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest system[] = {
        cmocka_unit_test(one_zone_for_each_name),
        cmocka_unit_test(wrong_names_have_a_remedy),
    };
    const struct CMUnitTest own[] = {
        cmocka_unit_test(replaced_files_are_noticed),
        cmocka_unit_test(utc_needs_no_tzdata),
        cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(system, NULL, NULL) +
           cmocka_run_group_tests(own, make_folder, remove_folder);
}
