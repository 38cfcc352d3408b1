// SPDX-License-Identifier: MIT
// What the comment directly above an entry says about it, gathered line by line.
#pragma once

#define CRONTAB_COMMENT_SIZE 512 // longer ones are cut

struct crontab_comment {
    char text[CRONTAB_COMMENT_SIZE];
};

void crontab_comment_clear(struct crontab_comment *comment);
// One more line, which begins with '#'. Rules, headers such as "m h dom mon dow" and entries that
// were turned into comments say nothing about the entry below.
void crontab_comment_add(struct crontab_comment *comment, const char *line);
