// SPDX-License-Identifier: MIT
#include "serve/host_boot.h"

#include <stdio.h>
#include <string.h>

const char *host_boot_id(void)
{
    static char id[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL) {
        return NULL;
    }
    bool read = fgets(id, sizeof id, file) != NULL;
    fclose(file);
    id[strcspn(id, "\n")] = '\0';
    return read ? id : NULL;
}

struct instant host_booted_at(struct clock *clock)
{
    struct duration up = {clock_mono(clock).us};
    struct instant booted = instant_add(clock_now(clock), (struct duration){-up.us});
    return instant_from_unix(instant_unix(booted));
}
