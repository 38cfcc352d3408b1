// SPDX-License-Identifier: MIT
#include "time/instant.h"

#include "base/check.h"

#define INSTANT_LOWEST (INT64_MIN + 1) // INT64_MIN itself means "none"

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum;
}

static int64_t subtract_saturated(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference)) {
        return a < b ? INT64_MIN : INT64_MAX;
    }
    return difference;
}

static int64_t scale_saturated(int64_t value, int64_t factor)
{
    int64_t product;
    if (__builtin_mul_overflow(value, factor, &product)) {
        return value < 0 ? INSTANT_LOWEST : INT64_MAX;
    }
    return product;
}

// C's division rounds towards zero, which would turn 1969-12-31T23:59:59.5Z into 1970.
static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

bool instant_is_none(struct instant t)
{
    return t.us == INT64_MIN;
}

bool instant_before(struct instant a, struct instant b)
{
    CHECK(!instant_is_none(a) && !instant_is_none(b));
    return a.us < b.us;
}

bool instant_equal(struct instant a, struct instant b)
{
    return a.us == b.us;
}

struct instant instant_add(struct instant t, struct duration d)
{
    if (instant_is_none(t)) {
        return t;
    }
    int64_t sum = add_saturated(t.us, d.us);
    return (struct instant){sum < INSTANT_LOWEST ? INSTANT_LOWEST : sum};
}

struct duration instant_since(struct instant later, struct instant earlier)
{
    CHECK(!instant_is_none(later) && !instant_is_none(earlier));
    return (struct duration){subtract_saturated(later.us, earlier.us)};
}

struct instant instant_from_unix(int64_t seconds)
{
    return (struct instant){scale_saturated(seconds, 1000000)};
}

int64_t instant_unix(struct instant t)
{
    return floor_divide(t.us, 1000000);
}

int64_t instant_ms(struct instant t)
{
    return floor_divide(t.us, 1000);
}

struct instant instant_from_ms(int64_t ms)
{
    return (struct instant){scale_saturated(ms, 1000)};
}

struct mono mono_add(struct mono t, struct duration d)
{
    if (t.us == INT64_MAX) {
        return t;
    }
    return (struct mono){add_saturated(t.us, d.us)};
}

struct duration mono_since(struct mono later, struct mono earlier)
{
    return (struct duration){subtract_saturated(later.us, earlier.us)};
}

bool mono_before(struct mono a, struct mono b)
{
    return a.us < b.us;
}

int64_t duration_ms(struct duration d)
{
    return floor_divide(d.us, 1000);
}
