// SPDX-License-Identifier: MIT
#include "cli/outage.h"

#include "document/json.h"
#include "time/format.h"

#define ROWS_MAX 1000

static bool read_detail(const struct store_audit_row *row, struct instant *since_out,
                        struct instant *until_out)
{
    json_t *detail = row->detail == NULL ? NULL : json_loads(row->detail, 0, NULL);
    const char *since = json_string_value(json_object_get(detail, "since"));
    struct duration lasted = DURATION_MS(json_integer_value(json_object_get(detail, "lasted_ms")));
    struct error ignored = ERROR_INIT;
    bool good = since != NULL && format_parse_time(since, row->at, since_out, &ignored);
    *until_out = good ? instant_add(*since_out, lasted) : INSTANT_NONE;
    json_decref(detail);
    return good;
}

// Newest first.
static bool take(void *context, const struct store_audit_row *row)
{
    struct outage *outage = context;
    struct instant since;
    struct instant until;
    if (!read_detail(row, &since, &until)) {
        return true;
    }
    if (outage->nodes > 0 && instant_before(until, outage->since)) {
        outage->others++;
        return true;
    }
    bool is_first = outage->nodes++ == 0;
    outage->since = is_first || instant_before(since, outage->since) ? since : outage->since;
    outage->until = is_first || instant_before(outage->until, until) ? until : outage->until;
    return true;
}

bool outage_load(struct outage *outage, const struct session *session, struct instant now,
                 struct error *err)
{
    *outage = (struct outage){0};
    struct store_audit_filter filter = {.event = "STORE_BACK",
                                        .since = instant_add(now, OUTAGE_LATELY),
                                        .limit = ROWS_MAX,
                                        .newest_first = true};
    return session->store == NULL ||
           session->store->ops->read_audit(session->store, &filter, take, outage, err);
}

void outage_words(const struct outage *outage, const struct zone *zone, struct buf *out)
{
    char until[FORMAT_TIME_SIZE];
    char lasted[FORMAT_DURATION_SIZE];
    format_in_zone(outage->until, zone, until);
    format_duration_human(instant_since(outage->until, outage->since), lasted);
    buf_printf(out, "did not answer for %s, until %s, as %zu node%s saw it", lasted, until,
               outage->nodes, outage->nodes == 1 ? "" : "s");
    if (outage->others > 0) {
        buf_printf(out, "; nor at %zu other time%s in the last hour", outage->others,
                   outage->others == 1 ? "" : "s");
    }
}

json_t *outage_json(const struct outage *outage)
{
    if (outage->nodes == 0) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "since", json_time(outage->since), "until",
                     json_time(outage->until), "lasted_ms",
                     json_duration(instant_since(outage->until, outage->since)), "nodes",
                     (json_int_t)outage->nodes, "others", (json_int_t)outage->others);
}
