// SPDX-License-Identifier: MIT
// `doctor`: what needs a hand, each with the remedy.
#include <stdio.h>

#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "serve/rewind.h"

static const char *const level_names[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_TODO] = "to do"};

static void print_findings(const struct doctor *doctor)
{
    static const enum colour colours[] = {
        [DOCTOR_OK] = COLOUR_GOOD, [DOCTOR_NOTE] = COLOUR_WARN, [DOCTOR_TODO] = COLOUR_BAD};
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->findings[i];
        terminal_print(stdout, colours[finding->level], "%-5s", level_names[finding->level]);
        printf("  %-6s ", finding->name);
        terminal_put(stdout, COLOUR_NONE, finding->detail);
        putchar('\n');
        if (finding->remedy != NULL) {
            printf("%15s", "-> ");
            terminal_put(stdout, COLOUR_NONE, finding->remedy);
            putchar('\n');
        }
    }
    if (doctor->todo == 0) {
        puts("\nall well");
    } else {
        printf("\n%zu thing%s to do\n", doctor->todo, words_plural(doctor->todo));
    }
}

static json_t *json_findings(const struct doctor *doctor)
{
    static const char *const names[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_TODO] = "todo"};
    json_t *findings = json_array();
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->findings[i];
        json_array_append_new(findings,
                              json_pack("{s:s, s:s, s:o, s:o}", "check", finding->name, "result",
                                        names[finding->level], "detail", json_text(finding->detail),
                                        "remedy", json_text(finding->remedy)));
    }
    return json_pack("{s:b, s:i, s:o}", "well", (int)(doctor->todo == 0), "todo", (int)doctor->todo,
                     "checks", findings);
}

static bool accept_rewind(const struct invocation *invocation, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    bool news = false;
    if (!session_config(&session, invocation, err) || !session_write(&session, err) ||
        !rewind_accept(session.config, session.store, session.actor, &news, err)) {
        return false;
    }
    if (invocation->json) {
        json_print(json_pack("{s:b}", "accepted", (int)news));
    } else {
        puts(news ? "accepted, and written to the audit: ironcron serve goes on with the store as "
                    "it is"
                  : "the store is the one that this host knows: nothing to accept");
    }
    return true;
}

bool command_doctor(struct invocation *invocation, int *exit_out, struct error *err)
{
    if (invocation_has(invocation, "accept-rewind")) {
        return accept_rewind(invocation, err);
    }
    AUTO(session_release) struct session session = {0};
    if (!session_config_to_look(&session, invocation, err) || !session_read(&session, err)) {
        return false;
    }
    AUTO(doctor_release) struct doctor doctor;
    if (!doctor_load(&doctor, &session, invocation_has(invocation, "deep"), err)) {
        return false;
    }
    if (invocation->json) {
        json_print(json_findings(&doctor));
    } else {
        print_findings(&doctor);
    }
    *exit_out = doctor.todo == 0 ? 0 : 1;
    return true;
}
