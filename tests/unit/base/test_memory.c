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

// A private mapping of a file of this program, as that of a library is.
static unsigned char *map(int rights)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    unsigned char *bytes = mmap(NULL, SIZE, rights, MAP_PRIVATE, fd, 0);
    close(fd);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    return bytes;
}

// Pages that this process has in its own page table.
static size_t resident(const unsigned char *bytes)
{
    uint64_t entries[16];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), present = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t count = SIZE / page < 16 ? SIZE / page : 16;
    ssize_t length = pread(fd, entries, count * 8, (off_t)((uintptr_t)bytes / page * 8));
    assert_int_equal(length, count * 8);
    close(fd);
    for (size_t i = 0; i < count; i++) {
        present += entries[i] >> 63;
    }
    return present;
}

static void what_was_only_read_goes_and_comes_again(void **state)
{
    (void)state;
    unsigned char *bytes = map(PROT_READ);
    assert_memory_equal(bytes, "\177ELF", 4);
    assert_true(resident(bytes) > 0);
    memory_give_back();
    assert_int_equal(resident(bytes), 0);
    assert_memory_equal(bytes, "\177ELF", 4);
    munmap(bytes, SIZE);
}

// As relocations do, and who sets a breakpoint.
static void what_was_written_stays(void **state)
{
    (void)state;
    unsigned char *bytes = map(PROT_READ | PROT_WRITE);
    bytes[1] = 'x';
    assert_int_equal(mprotect(bytes, SIZE, PROT_READ), 0);
    memory_give_back();
    assert_memory_equal(bytes, "\177xLF", 4);
    munmap(bytes, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_only_read_goes_and_comes_again),
        cmocka_unit_test(what_was_written_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
