// SPDX-License-Identifier: MIT
// What is given back comes again as it was: only pages that are the same as in their file go.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

#define SIZE ((size_t)64 * 1024)

// What lies in a part of the program that is not to be written, so far from everything else that
// the kernel brings nothing of it along.
static const unsigned char constant[20 * SIZE]
    __attribute__((aligned(4096))) = {[8 * SIZE + 3] = 4};

static unsigned char *constants(void)
{
    return (unsigned char *)(uintptr_t)constant + 8 * SIZE;
}

// Pages that this process has in its own page table. Reads no constant itself: the kernel may bring
// all with one that lie near it in the file's cache.
static int pagemap;
static size_t resident(const unsigned char *bytes)
{
    uint64_t entries[16];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), present = 0;
    size_t count = SIZE / page < 16 ? SIZE / page : 16;
    if (pread(pagemap, entries, count * 8, (off_t)((uintptr_t)bytes / page * 8)) < 0) {
        return SIZE;
    }
    for (size_t i = 0; i < count; i++) {
        present += entries[i] >> 63;
    }
    return present;
}

static void what_was_only_read_goes_and_comes_again(void **state)
{
    (void)state;
    const volatile unsigned char *bytes = constants();
    size_t before = 0, after = 1;
    for (int i = 0; i < 10 && after > 0; i++) { // the kernel may bring pages along at any time
        assert_int_equal(bytes[3], 4);
        before = resident(constants());
        memory_give_back();
        after = resident(constants());
    }
    assert_in_range(before, 1, 16);
    assert_int_equal(after, 0);
    assert_int_equal(bytes[3], 4);
}

// As relocations do, and who sets a breakpoint.
static void what_was_written_stays(void **state)
{
    (void)state;
    volatile unsigned char *bytes = constants() + 4 * SIZE;
    assert_int_equal(mprotect(constants() + 4 * SIZE, SIZE, PROT_READ | PROT_WRITE), 0);
    bytes[1] = 'x';
    assert_int_equal(mprotect(constants() + 4 * SIZE, SIZE, PROT_READ), 0);
    memory_give_back();
    assert_int_equal(bytes[1], 'x');
}

// Whoever made it may be about to put something else in its place.
static void what_is_no_part_of_the_program_stays(void **state)
{
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    unsigned char *bytes = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    close(fd);
    assert_memory_equal(bytes, "\177ELF", 4);
    memory_give_back();
    assert_true(resident(bytes) > 0);
    munmap(bytes, SIZE);
}

static int open_pagemap(void **state)
{
    (void)state;
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    return pagemap < 0;
}

static int close_pagemap(void **state)
{
    (void)state;
    return close(pagemap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_only_read_goes_and_comes_again),
        cmocka_unit_test(what_was_written_stays),
        cmocka_unit_test(what_is_no_part_of_the_program_stays),
    };
    return cmocka_run_group_tests(tests, open_pagemap, close_pagemap);
}
