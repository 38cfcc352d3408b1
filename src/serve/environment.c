// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <strings.h>

#include "base/attributes.h"
#include "serve/serve.h"

bool serve_dry_run_from_environment(bool *dry_run_out, struct error *err)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off", ""};
    const char *value = getenv("JOB_DRY_RUN");
    for (size_t i = 0; value != NULL && i < ARRAY_LENGTH(yes); i++) {
        if (strcasecmp(value, yes[i]) == 0) {
            *dry_run_out = true;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(no); i++) {
        if (value == NULL || strcasecmp(value, no[i]) == 0) {
            *dry_run_out = false;
            return true;
        }
    }
    return error_set(err, ERROR_CONFIG,
                     "JOB_DRY_RUN is \"%s\": it must be 1, true, yes or on for a dry-run, or 0, "
                     "false, no, off or empty for live. Whether jobs are executed is not guessed",
                     value);
}
