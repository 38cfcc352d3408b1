// SPDX-License-Identifier: MIT
// docs/audit-format.md, carried out as it stands there: with sqlite3, sha256sum and a shell.
#include "sqlite_fixture.h"

#include <stdlib.h>
#include <string.h>

// ---- the documented check -----------------------------------------------------------------------

// Runs the shell script of docs/audit-format.md, as it stands there, on this store.
static char *check_by_the_page(struct fixture *f)
{
    return sqlite_file_shell(
        "cd '%s' && awk '/^## /{on=0} /^## Checking/{on=1} /^```/{code=!code;next} on&&code' "
        "'%s/docs/audit-format.md' | sed 's|^db=.*|db=store.db|' > check.sh && sh check.sh",
        f->file.folder, SOURCE_ROOT);
}

static void the_documented_script_checks_the_chain(void **state)
{
    struct fixture *f = *state;
    struct contract *c = &f->contract;
    int64_t job = contract_publish(c, "a", "s");
    for (int i = 1; i <= 3; i++) {
        contract_advance(&c->clock, 1000);
        struct store_slot slot = contract_claim(c, job, 1000 * i);
        contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    }
    struct store_op_audit note = {.op.kind = STORE_AUDIT,
                                  .event = "NOTE",
                                  .job = "tab\there",
                                  .actor = "Zoë",
                                  .detail = "{\"it's\":\"100%\\\\\"}"};
    CALL_OK(c, &note);
    contract_seal(c);
    shell_prints("", check_by_the_page(f));
    // Also after pruning.
    struct store_op_prune prune = {
        .op.kind = STORE_PRUNE, .audit_before = at_ms(1500), .limit = 100};
    CALL_OK(c, &prune);
    assert_int_equal(prune.deleted, 4);
    shell_prints("", check_by_the_page(f));
    // And it sees what was changed, and what was taken out.
    free(sqlite_file_shell(
        "sqlite3 '%s' \"drop trigger audit_no_update; update audit set event = 'FAILED' "
        "where id = 6\"",
        f->file.path));
    shell_prints("row 6: its content does not have its hash\n", check_by_the_page(f));
    free(sqlite_file_shell(
        "sqlite3 '%s' \"drop trigger audit_no_delete; delete from audit where id = 7\"",
        f->file.path));
    shell_prints("row 6: its content does not have its hash\nrow 8: the row before it is missing\n",
                 check_by_the_page(f));
}

static void the_documented_example_is_right(void **state)
{
    struct fixture *f = *state;
    contract_seal(&f->contract);
    char *hash = sqlite_file_shell(
        "sqlite3 -readonly '%s' 'select hash from audit_log where seq = 1'", f->file.path);
    char *printed =
        sqlite_file_shell("awk '/^## /{on=0} /^## A worked/{on=1} /^```sh/{code=1;next} "
                          "/^```/{code=0} on&&code' '%s/docs/audit-format.md' | sh | cut -d' ' -f1",
                          SOURCE_ROOT);
    assert_string_equal(hash, printed);
    free(printed);
    hash[strlen(hash) - 1] = '\0';
    free(sqlite_file_shell("grep -q '^%s  -$' '%s/docs/audit-format.md'", hash, SOURCE_ROOT));
    free(hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(the_documented_script_checks_the_chain),
        SQLITE_TEST(the_documented_example_is_right),
    };
    return cmocka_run_group_tests_name("audit format", tests, NULL, NULL);
}
