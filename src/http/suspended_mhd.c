// SPDX-License-Identifier: MIT
#include "http/suspended_mhd.h"

void suspended_wait(struct suspended_list *list, struct suspended *one, struct MHD_Connection *mhd)
{
    MHD_suspend_connection(mhd);
    *one = (struct suspended){.list = list, .next = list->first, .mhd = mhd, .waits = true};
    if (one->next != NULL) {
        one->next->previous = one;
    }
    list->first = one;
}

void suspended_leave(struct suspended *one)
{
    if (!one->waits) {
        return;
    }
    one->waits = false;
    if (one->previous != NULL) {
        one->previous->next = one->next;
    } else {
        one->list->first = one->next;
    }
    if (one->next != NULL) {
        one->next->previous = one->previous;
    }
}

void suspended_wake(struct suspended_list *list)
{
    while (list->first != NULL) {
        struct suspended *one = list->first;
        suspended_leave(one);
        MHD_resume_connection(one->mhd);
    }
}
