// SPDX-License-Identifier: MIT
#include "observe/health.h"

#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "time/format.h"

static void follow_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    struct health *health = context;
    health_set(health, HEALTH_STORE, err == NULL ? NULL : err->text);
    health->outage = *outage;
}

void health_init(struct health *health, struct clock *clock, struct duration loop_limit)
{
    *health =
        (struct health){.clock = clock, .loop_limit = loop_limit, .outage.since = INSTANT_NONE};
    health->events = (struct engine_events){.context = health, .on_store = follow_store};
    health_set(health, HEALTH_STORE, "starting");
    health_set(health, HEALTH_RUNNER, "starting");
}

void health_tick(struct health *health)
{
    health->last_tick = clock_mono(health->clock);
    health->has_ticked = true;
}

void health_set(struct health *health, enum health_check check, const char *reason)
{
    CHECK(check != HEALTH_LOOP && check < HEALTH_CHECK_COUNT);
    char since[FORMAT_TIME_SIZE];
    if (reason != NULL && !health->failing[check]) {
        health->since[check] = clock_now(health->clock);
    }
    health->failing[check] = reason != NULL;
    format_utc_ms(health->since[check], since);
    snprintf(health->reason[check], HEALTH_REASON_SIZE, "since %s: %s", since,
             reason == NULL ? "" : reason);
}

void health_set_since(struct health *health, enum health_check check, struct instant since,
                      const char *reason)
{
    health->failing[check] = true;
    health->since[check] = since;
    health_set(health, check, reason);
}

void health_note(struct health *health, enum health_check check, const char *note)
{
    snprintf(health->note[check], HEALTH_REASON_SIZE, "%s", note == NULL ? "" : note);
    utf8_trim_partial(health->note[check]);
}

const char *health_noted(const struct health *health, enum health_check check)
{
    return health->note[check][0] == '\0' ? NULL : health->note[check];
}

const struct engine_events *health_events(struct health *health)
{
    return &health->events;
}

const char *health_check_name(enum health_check check)
{
    static const char *const names[HEALTH_CHECK_COUNT] = {"loop", "store", "runner", "draining",
                                                          "definitions"};
    CHECK(check < HEALTH_CHECK_COUNT);
    return names[check];
}

static const char *loop_reason(struct health *health)
{
    if (!health->has_ticked) {
        return "starting";
    }
    struct duration idle = mono_since(clock_mono(health->clock), health->last_tick);
    if (idle.us <= health->loop_limit.us) {
        return NULL;
    }
    char text[FORMAT_DURATION_SIZE];
    format_duration_human(idle, text);
    snprintf(health->reason[HEALTH_LOOP], HEALTH_REASON_SIZE, "the scheduler has not turned for %s",
             text);
    return health->reason[HEALTH_LOOP];
}

const char *health_reason(struct health *health, enum health_check check)
{
    if (check == HEALTH_LOOP) {
        return loop_reason(health);
    }
    return health->failing[check] ? health->reason[check] : NULL;
}

bool health_is_live(struct health *health)
{
    // A node that still starts is not to be restarted for it.
    return !health->has_ticked || loop_reason(health) == NULL;
}

bool health_is_ready(struct health *health)
{
    for (int i = 0; i < HEALTH_CHECK_COUNT; i++) {
        if (health_reason(health, (enum health_check)i) != NULL) {
            return false;
        }
    }
    return true;
}
