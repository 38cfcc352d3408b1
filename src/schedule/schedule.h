// SPDX-License-Identifier: MIT
// A schedule: which instants are slots. Pure: text, zone and policy in; instants out. DST
// (contract, section 2): when the hour field matches every hour the schedule follows elapsed time;
// otherwise slots inside a gap collapse into one at the first instant after it (dst: run) or vanish
// (dst: skip), and a repeated wall time counts at its first pass only.
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "schedule/cron.h"
#include "time/instant.h"
#include "time/zone.h"

enum schedule_kind {
    SCHEDULE_CRON,
    SCHEDULE_EVERY,  // @every D: multiples of D since the Unix epoch
    SCHEDULE_ONCE,   // @once TIME
    SCHEDULE_REBOOT, // @reboot: due once for each boot of a host; has no instants of its own
};

enum schedule_dst { SCHEDULE_DST_RUN, SCHEDULE_DST_SKIP };

struct schedule {
    enum schedule_kind kind;
    enum schedule_dst dst;
    const struct zone *zone; // borrowed; outlives the schedule
    union {
        struct cron cron;
        struct duration every; // whole seconds, 1 s to 366 d
        struct instant once;
    };
};

// Parses the contract's whole syntax, @hourly … @yearly, @midnight included. `hash_name` as in
// cron_parse.
bool schedule_parse(const char *text, const struct zone *zone, enum schedule_dst dst,
                    const char *hash_name, struct schedule *schedule_out,
                    struct error *err) MUST_USE;
// The first slot strictly after t (which may not be none); INSTANT_NONE when none comes before the
// year 10000. It holds that next > t, that t1 <= t2 gives next(t1) <= next(t2), and that nothing
// between is a slot.
struct instant schedule_next(const struct schedule *schedule, struct instant t);
// @reboot and an @once that is over have no next slot but are valid; this tells a schedule that
// never fires.
bool schedule_ever_fires(const struct schedule *schedule, struct instant after);

// Plain words: "at 02:15 every day, Europe/Berlin; in a clock change …".
void schedule_explain(const struct schedule *schedule, struct buf *out);

// What a coming clock change does to the schedule.
enum schedule_change_effect {
    SCHEDULE_CHANGE_NONE,      // no slot is near
    SCHEDULE_CHANGE_MOVED,     // slots of the gap run once, at `moved_to`
    SCHEDULE_CHANGE_JOINED,    // the same, and `moved_to` is a slot anyway: no run of its own
    SCHEDULE_CHANGE_SKIPPED,   // slots of the gap do not run (dst: skip)
    SCHEDULE_CHANGE_ONCE,      // wall times that come twice run at their first pass only
    SCHEDULE_CHANGE_TWICE,     // by elapsed time: wall times that come twice run at both passes
    SCHEDULE_CHANGE_STRETCHED, // by elapsed time: the gap's slots are not made up, and missed
    SCHEDULE_CHANGE_ELAPSED,   // by elapsed time, and nobody could tell from the distances
    SCHEDULE_CHANGE_EFFECT_COUNT
};
struct schedule_change {
    struct zone_change change;
    enum schedule_change_effect effect;
    int affected;             // wall times in the gap, or repeated, counted up to 10,000
    struct civil first, last; // of them, as the clock on the wall says it; when affected > 0
    struct instant moved_to;  // with MOVED and JOINED, else none
    struct instant before;    // with STRETCHED: the slots around the gap, else none
    struct instant after;
};
// True where a slot runs at another time than the clock on the wall seems to say, not at all, or
// twice: what a person wants to be told of.
bool schedule_change_touches(const struct schedule_change *change);
// What one change of the schedule's own zone does to it.
struct schedule_change schedule_judge_change(const struct schedule *schedule,
                                             const struct zone_change *change);
// The next change of the zone's clock after t, and its effect; false when the zone has none.
bool schedule_next_change(const struct schedule *schedule, struct instant t,
                          struct schedule_change *change_out);
