// SPDX-License-Identifier: MIT
#include "schedule/explain_list.h"

void list_separate(struct list *list)
{
    if (list->index > 0) {
        bool is_last = list->index + 1 == list->count;
        buf_add_string(list->out, is_last ? " " : ", ");
        buf_printf(list->out, "%s%s", is_last ? list->last_word : "", is_last ? " " : "");
    }
    list->index++;
}

bool is_run(uint64_t bits)
{
    return highest_bit(bits) - lowest_bit(bits) + 1 == count_bits(bits);
}

const char *ordinal_suffix(int n)
{
    if (n % 100 >= 11 && n % 100 <= 13) {
        return "th";
    }
    static const char *const suffixes[] = {"th", "st", "nd", "rd", "th",
                                           "th", "th", "th", "th", "th"};
    return suffixes[n % 10];
}

static void add_value(struct buf *out, const struct wording *wording, int value)
{
    if (wording->names != NULL) {
        buf_add_string(out, wording->names[value - wording->first]);
    } else {
        buf_printf(out, "%d%s", value, wording->ordinal ? ordinal_suffix(value) : "");
    }
}

void add_values(struct buf *out, const struct wording *wording, uint64_t bits)
{
    if (count_bits(bits) > 2 && is_run(bits)) {
        add_value(out, wording, lowest_bit(bits));
        buf_add_string(out, " to ");
        add_value(out, wording, highest_bit(bits));
        return;
    }
    struct list list = {.out = out, .last_word = "and", .count = count_bits(bits)};
    for (; bits != 0; bits &= bits - 1) {
        list_separate(&list);
        add_value(out, wording, lowest_bit(bits));
    }
}

int step_of(uint64_t bits, int lowest, int highest)
{
    if (count_bits(bits) < 3 || lowest_bit(bits) != lowest) {
        return 0;
    }
    int step = lowest_bit(bits & (bits - 1)) - lowest;
    uint64_t expected = 0;
    for (int value = lowest; value <= highest; value += step) {
        expected |= (uint64_t)1 << value;
    }
    return expected == bits ? step : 0;
}
