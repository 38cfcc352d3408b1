// SPDX-License-Identifier: MIT
// Heap and map against the simplest thing that could be right; buffers and arenas at their limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/attributes.h"
#include "base/buf.h"
#include "base/fnv.h"
#include "base/heap.h"
#include "base/map.h"

static uint64_t dice_state = 42;

static uint32_t dice(uint32_t sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_state >> 33) % sides;
}

struct item {
    struct heap_node node;
    int key;
};

static bool item_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct item *x = CONTAINER_OF(a, const struct item, node);
    const struct item *y = CONTAINER_OF(b, const struct item, node);
    return x->key != y->key ? x->key < y->key : x < y;
}

static size_t comparisons;

static bool counted_before(const struct heap_node *a, const struct heap_node *b)
{
    comparisons++;
    return item_before(a, b);
}

// A million wait; to find the next one and to put it back takes a few dozen comparisons.
static void a_million_cost_a_step_little(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    struct item *items = alloc_zero(COUNT, sizeof *items);
    struct heap heap;
    heap_init(&heap, counted_before);
    for (int i = 0; i < COUNT; i++) {
        items[i].key = (int)dice(1 << 30);
        heap_push(&heap, &items[i].node);
    }
    assert_in_range(comparisons, COUNT / 2, 5 * (size_t)COUNT);
    for (int i = 0; i < 10000; i++) {
        struct item *top = CONTAINER_OF(heap_top(&heap), struct item, node);
        comparisons = 0;
        heap_remove(&heap, &top->node);
        top->key += (int)dice(1 << 20);
        heap_push(&heap, &top->node);
        assert_in_range(comparisons, 1, 64);
    }
    heap_release(&heap);
    free(items);
}

static void heap_gives_the_least(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct item items[COUNT];
    struct heap heap;
    heap_init(&heap, item_before);
    for (int round = 0; round < 20000; round++) {
        struct item *item = &items[dice(COUNT)];
        if (heap_contains(&item->node)) {
            heap_remove(&heap, &item->node);
        } else {
            item->key = (int)dice(1000);
            heap_push(&heap, &item->node);
        }
        const struct item *least = NULL;
        for (int i = 0; i < COUNT; i++) {
            if (heap_contains(&items[i].node) &&
                (least == NULL || item_before(&items[i].node, &least->node))) {
                least = &items[i];
            }
        }
        assert_ptr_equal(heap_top(&heap), least == NULL ? NULL : &least->node);
    }
    heap_release(&heap);
}

static void map_holds_what_was_put(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static char keys[COUNT][16];
    static int present[COUNT];
    struct map map;
    map_init(&map);
    assert_null(map_get(&map, "nothing yet"));
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
    }
    for (int round = 0; round < 20000; round++) {
        uint32_t i = dice(COUNT);
        if (dice(2) == 0) {
            present[i] = round + 1;
            map_put(&map, keys[i], &present[i]);
        } else {
            present[i] = 0;
            map_remove(&map, keys[i]);
        }
        uint32_t look = dice(COUNT);
        assert_ptr_equal(map_get(&map, keys[look]), present[look] == 0 ? NULL : &present[look]);
    }
    size_t live = 0;
    for (int i = 0; i < COUNT; i++) {
        live += present[i] != 0;
    }
    assert_int_equal(map.live, live);
    map_release(&map);
}

static void map_keeps_the_order_of_insertion(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    char order[3] = "";
    char names[3][5] = {"b", "gone", "a"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        map_put(&map, names[i], names[i]);
    }
    map_remove(&map, "gone");
    size_t at = 0;
    for (const char *value; (value = map_next(&map, &at)) != NULL;) {
        order[strlen(order)] = value[0];
        map_remove(&map, value);
    }
    assert_string_equal(order, "ba");
    assert_int_equal(map.live, 0);
    map_release(&map);
}

// Test vectors of its authors (http://www.isthe.com/chongo/tech/comp/fnv/). Jitter and H are made
// of it: another hash would move every job.
static void hashes_are_those_of_the_definition(void **state)
{
    (void)state;
    assert_int_equal(fnv_add(FNV_START, "", 0), UINT64_C(0xcbf29ce484222325));
    assert_int_equal(fnv_add(FNV_START, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    assert_int_equal(fnv_add(FNV_START, "foobar", 6), UINT64_C(0x85944171f73967e8));
    assert_int_equal(fnv_fold(UINT64_C(0x1234567800000001)), UINT64_C(0x1234567812345679));
}

static void buf_stops_at_its_maximum(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_string_equal(buf_string(&buf), "");
    buf_printf(&buf, "%d", 12345);
    buf_add_string(&buf, "67890");
    assert_false(buf.overflow);
    buf_add_char(&buf, 'x');
    buf_printf(&buf, "%s", "more");
    assert_true(buf.overflow);
    assert_string_equal(buf_string(&buf), "1234567890");
    buf_remove_front(&buf, 4);
    assert_string_equal(buf_string(&buf), "567890");
    buf_clear(&buf);
    assert_false(buf.overflow);
    assert_int_equal(buf.length, 0);
    buf_release(&buf);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8 << 20);
    for (int i = 0; i < 2000; i++) {
        size_t size = 1 + dice(3000);
        unsigned char *memory = arena_alloc(&arena, size, 1);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t j = 0; j < size; j++) {
            assert_int_equal(memory[j], 0);
        }
        memset(memory, 0xAB, size);
    }
    assert_string_equal(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
    assert_true(arena.used <= arena.maximum);
    arena_release(&arena);
    assert_int_equal(arena.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_gives_the_least),
        cmocka_unit_test(a_million_cost_a_step_little),
        cmocka_unit_test(map_holds_what_was_put),
        cmocka_unit_test(map_keeps_the_order_of_insertion),
        cmocka_unit_test(hashes_are_those_of_the_definition),
        cmocka_unit_test(buf_stops_at_its_maximum),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
