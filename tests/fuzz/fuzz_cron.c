// SPDX-License-Identifier: MIT
// Any text as a schedule. What is refused must say why; what is accepted must keep its promises:
// the next slot is later, and nothing loops. The first byte chooses the zone and the policy.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz_target.h"
#include "schedule/schedule.h"

#define SLOTS 20

static const struct zone *pick_zone(uint8_t choice)
{
    static struct zone_cache *cache;
    static const char *const names[] = {"UTC", "America/New_York", "Australia/Lord_Howe",
                                        "Africa/Casablanca"};
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (cache == NULL) {
        cache = zone_cache_new();
    }
    if (!zone_cache_get(cache, names[choice % ARRAY_LENGTH(names)], &zone, &err)) {
        CHECK(zone_cache_get(cache, "UTC", &zone, &err)); // no tzdata here
    }
    return zone;
}

static void follow(const struct schedule *schedule)
{
    struct instant t =
        instant_from_unix(1772900000); // a few hours before New York's clock goes forward
    for (int i = 0; i < SLOTS; i++) {
        struct instant next = schedule_next(schedule, t);
        if (instant_is_none(next)) {
            return;
        }
        CHECK(instant_before(t, next));
        // From anywhere between, the answer is the same.
        struct duration half = {instant_since(next, t).us / 2};
        CHECK(instant_equal(schedule_next(schedule, instant_add(t, half)), next));
        t = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2000) {
        return 0;
    }
    char *text = calloc(1, size);
    CHECK(text != NULL);
    memcpy(text, data + 1, size - 1);
    struct schedule schedule;
    struct error err = ERROR_INIT;
    enum schedule_dst dst = (data[0] & 0x80) != 0 ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN;
    if (schedule_parse(text, pick_zone(data[0]), dst, "a-job", &schedule, &err)) {
        struct buf words;
        struct schedule_change change;
        follow(&schedule);
        buf_init(&words, 100000);
        schedule_explain(&schedule, &words);
        CHECK(words.length > 0 && !words.overflow);
        buf_release(&words);
        (void)schedule_next_change(&schedule, instant_from_unix(1772900000), &change);
    } else {
        CHECK(err.code == ERROR_CONFIG && err.text[0] != '\0');
    }
    free(text);
    return 0;
}
