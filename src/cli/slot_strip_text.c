// SPDX-License-Identifier: MIT
#include "cli/slot_strip_text.h"

#include <stdio.h>

#include "cli/run_text.h"
#include "cli/words.h"
#include "time/format.h"

static const struct mark {
    const char *symbol; // where the terminal shows it
    char letter;
    enum colour colour;
} marks[MARK_KIND_COUNT] = {
    [MARK_SUCCESS] = {"✔", 'S', COLOUR_GOOD},   [MARK_FAILED] = {"✘", 'F', COLOUR_BAD},
    [MARK_TIMED_OUT] = {"◷", 'T', COLOUR_BAD},  [MARK_LOST] = {"?", 'L', COLOUR_BAD},
    [MARK_CANCELLED] = {"⊘", 'C', COLOUR_WARN}, [MARK_DRY_RUN] = {"○", 'D', COLOUR_DIM},
    [MARK_SKIPPED] = {"–", '-', COLOUR_WARN},   [MARK_MISSED] = {"∅", 'M', COLOUR_BAD},
    [MARK_RUNNING] = {"▶", 'R', COLOUR_BOLD},   [MARK_WAITING] = {"↻", 'W', COLOUR_WARN},
    [MARK_UNDECIDED] = {"·", '.', COLOUR_DIM},  [MARK_UNKNOWN] = {"!", '!', COLOUR_DIM},
};

static void heading(const char *name)
{
    printf("%-15s", name);
}

static void put_mark(enum slot_mark_kind kind)
{
    const struct mark *mark = &marks[kind];
    if (terminal_shows_symbols()) {
        terminal_print(stdout, mark->colour, "%s", mark->symbol);
    } else {
        terminal_print(stdout, mark->colour, "%c", mark->letter);
    }
}

static void print_legend(const struct slot_strip *strip)
{
    size_t counts[MARK_KIND_COUNT] = {0};
    const char *between = "";
    for (size_t i = 0; i < strip->count; i++) {
        counts[strip->marks[i].kind]++;
    }
    heading("");
    for (int kind = 0; kind < MARK_KIND_COUNT; kind++) {
        if (counts[kind] > 0) {
            fputs(between, stdout);
            put_mark((enum slot_mark_kind)kind);
            printf(" %zu %s", counts[kind], slot_mark_name((enum slot_mark_kind)kind));
            between = ", ";
        }
    }
    putchar('\n');
}

static void print_marks(const struct slot_strip *strip, const struct zone *zone)
{
    heading("history");
    if (strip->count == 0) {
        puts("nothing was due yet");
        return;
    }
    for (size_t i = 0; i < strip->count; i++) {
        put_mark(strip->marks[i].kind);
    }
    char first[FORMAT_TIME_SIZE];
    char last[FORMAT_TIME_SIZE];
    format_in_zone(strip->marks[0].due_at, zone, first);
    format_in_zone(strip->marks[strip->count - 1].due_at, zone, last);
    putchar('\n');
    print_legend(strip);
    heading("");
    printf("the last %zu slot%s, from %s to %s\n", strip->count, words_plural(strip->count), first,
           last);
}

// ---- durations ----------------------------------------------------------------------------------

// One bar below each mark, the longest run being full.
static void print_bars(const struct slot_strip *strip, struct duration longest)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    heading("");
    for (size_t i = 0; i < strip->count; i++) {
        const struct slot_mark *mark = &strip->marks[i];
        int64_t level = 0;
        if (slot_mark_has_duration(mark) && longest.us > 0) {
            level = mark->run->duration.us * 7 / longest.us;
        }
        fputs(slot_mark_has_duration(mark) ? bars[level] : " ", stdout);
    }
    putchar('\n');
}

static void print_durations(const struct slot_strip *strip)
{
    struct duration sorted[SLOT_STRIP_MAX];
    char least[FORMAT_DURATION_SIZE];
    char middle[FORMAT_DURATION_SIZE];
    char most[FORMAT_DURATION_SIZE];
    size_t count = slot_strip_durations(strip, sorted);
    if (count == 0) {
        return;
    }
    if (count > 1 && terminal_shows_symbols()) {
        print_bars(strip, sorted[count - 1]);
    }
    format_duration_human(sorted[0], least);
    format_duration_human(sorted[count / 2], middle);
    format_duration_human(sorted[count - 1], most);
    heading("duration");
    printf("min %s, median %s, max %s\n", least, middle, most);
}

// ---- the last ones ------------------------------------------------------------------------------

static void print_when(struct instant t, const struct zone *zone, struct instant now)
{
    char at[FORMAT_TIME_SIZE];
    char when[WORDS_TIME_SIZE];
    format_in_zone(t, zone, at);
    words_relative(t, now, when);
    printf("%s, %s", at, when);
}

static void print_last(const struct slot_strip *strip, const struct job_view *view,
                       struct instant now)
{
    const struct zone *zone = view->job->schedule.zone;
    const struct store_run_row *failure = slot_strip_last_failure(strip, view);
    heading("last success");
    if (instant_is_none(view->last_success)) {
        puts("none is known");
    } else {
        print_when(view->last_success, zone, now);
        putchar('\n');
    }
    heading("last failure");
    if (failure == NULL) {
        puts("none among these");
        return;
    }
    char id[UUID_TEXT_SIZE];
    char result[512];
    uuid_format(failure->run_id, id);
    run_result(failure, result, sizeof result);
    print_when(failure->ended_at, zone, now);
    printf(": ");
    terminal_print(stdout, COLOUR_BAD, "%s", run_state_name(failure->state));
    printf("%s", *result != '\0' ? ", " : "");
    terminal_put(stdout, COLOUR_NONE, result);
    putchar('\n');
    heading("");
    terminal_print(stdout, COLOUR_DIM, "ironcron runs show %s", id);
    putchar('\n');
}

// ---- now ----------------------------------------------------------------------------------------

static bool print_running_run(void *context, const struct store_run_row *row)
{
    const struct overview *overview = context;
    char id[UUID_TEXT_SIZE];
    char took[80];
    bool is_cut_off = node_list_cut_off(&overview->fleet, row);
    uuid_format(row->run_id, id);
    run_duration(row, overview->now, is_cut_off, took, sizeof took);
    if (is_cut_off) {
        heading("cut off");
        printf("it was attempt %d, and its node is gone\n", row->attempt);
    } else {
        heading("running");
        printf("%s, attempt %d\n", took, row->attempt);
    }
    heading("");
    terminal_print(stdout, COLOUR_DIM,
                   is_cut_off ? "ironcron runs show %s" : "ironcron runs output %s -f", id);
    putchar('\n');
    return true;
}

static void print_waiting(const struct job_view *view, const struct slot_strip *strip)
{
    struct instant due = view->late_since;
    const char *what = "is due and not decided yet";
    for (size_t i = strip->count; instant_is_none(due) && i > 0; i--) {
        if (strip->marks[i - 1].kind == MARK_WAITING) {
            due = strip->marks[i - 1].due_at;
            what = strip->marks[i - 1].reason == REASON_AFTER
                       ? "waits for the jobs that it runs after"
                       : "waits for its next attempt";
        }
    }
    if (!instant_is_none(due)) {
        char at[FORMAT_TIME_SIZE];
        format_in_zone(due, view->job->schedule.zone, at);
        heading("waits");
        printf("the slot of %s %s\n", at, what);
        heading("");
        terminal_print(stdout, COLOUR_DIM, "ironcron why %s --at %s", view->job->name, at);
        putchar('\n');
    }
}

static bool print_present(const struct session *session, struct overview *overview,
                          const struct job_view *view, const struct slot_strip *strip,
                          struct error *err)
{
    struct store_run_filter running = {.job = view->job->name,
                                       .by_state = true,
                                       .state = RUN_STARTED,
                                       .since = INSTANT_NONE,
                                       .until = INSTANT_NONE};
    if (session->store != NULL && !session->store->ops->read_runs(
                                      session->store, &running, print_running_run, overview, err)) {
        return false;
    }
    print_waiting(view, strip);
    return true;
}

bool slot_strip_print(const struct slot_strip *strip, const struct session *session,
                      struct overview *overview, const struct job_view *view, struct error *err)
{
    if (!print_present(session, overview, view, strip, err)) {
        return false;
    }
    print_marks(strip, view->job->schedule.zone);
    print_durations(strip);
    print_last(strip, view, overview->now);
    return true;
}
