// SPDX-License-Identifier: MIT
// Any bytes as what somebody may send to end a run: a body, or the header that signs it; and as
// what an http job may name: a URL, a status. Whatever is taken is within its limits.
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/utf8.h"
#include "call/callback.h"
#include "call/signature.h"
#include "job/expect.h"
#include "job/url.h"

static void try_body(const char *text, size_t length)
{
    struct callback callback = {0};
    struct error err = ERROR_INIT;
    if (!callback_parse(text, length, &callback, &err)) {
        CHECK(err.text[0] != '\0' && callback.error == NULL && callback.output == NULL);
        return;
    }
    CHECK(callback.fence > 0 && !(callback.success && callback.error != NULL));
    if (callback.error != NULL) {
        size_t size = strlen(callback.error);
        CHECK(size <= CALLBACK_ERROR_MAX && utf8_is_valid(callback.error, size));
        CHECK(strpbrk(callback.error, "\r\n\t\x1b") == NULL);
    }
    callback_release(&callback);
}

// Nobody guesses this secret: what is taken for genuine is a fault of ours.
static void try_signature(const char *text)
{
    enum signature_result result = signature_check(text, "0123456789abcdef0123456789abcdef",
                                                   instant_from_unix(1700000000), "x", 1);
    CHECK(result == SIGNATURE_MALFORMED || result == SIGNATURE_WRONG);
}

static void try_names(const char *text)
{
    struct url url;
    struct job_status_range range;
    struct error err = ERROR_INIT;
    if (url_parse(text, &url, &err)) {
        CHECK(url.host[0] != '\0' && url.port > 0 && url.port < 65536);
        CHECK(url.path_length <= strlen(url.path) && strpbrk(text, " \r\n@") != text);
    }
    if (expect_parse(text, &range, &err)) {
        CHECK(range.first >= 200 && range.first <= range.last && range.last <= 599);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = alloc_bytes((const char *)bytes, length);
    try_body(text, length);
    try_signature(text);
    try_names(text);
    free(text);
    return 0;
}
