// SPDX-License-Identifier: MIT
// Text as a manual page: nothing in it is taken for a request or an escape.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/attributes.h"
#include "base/roff.h"

static const struct {
    const char *text;
    const char *roff;
} texts[] = {
    {"plain", "plain"},
    {"--json \\n", "\\-\\-json \\en"},
    {".so /etc/passwd", "\\&.so /etc/passwd"},
    {"'quoted'", "\\(aqquoted\\(aq"},
    {"a `key` and `open", "a \\fBkey\\fR and \\fBopen\\fR"},
    {"two\nlines", "two lines"},
    {"~/x^2", "\\(ti/x\\(ha2"},
    {"", ""},
};

static void text_is_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        AUTO(buf_release) struct buf out;
        buf_init(&out, 1024);
        roff_text(&out, texts[i].text);
        if (strcmp(buf_string(&out), texts[i].roff) != 0) {
            fail_msg("\"%s\" became \"%s\"", texts[i].text, buf_string(&out));
        }
    }
}

static void paragraphs(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1024);
    roff_paragraphs(&out, "one\nline\n\n.two", ".IP", false);
    roff_paragraphs(&out, "x", ".PP", true);
    assert_string_equal(buf_string(&out), "one line\n.IP\n\\&.two\n.PP\nx\n");
    buf_clear(&out);
    roff_verbatim(&out, ".a `b`");
    assert_string_equal(buf_string(&out), "\\&.a \\(gab\\(ga");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_text),
                                       cmocka_unit_test(paragraphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
