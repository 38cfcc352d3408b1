// SPDX-License-Identifier: MIT
// What each mistake gets: exactly these complaints, at exactly these places.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JOB         "jobs:\n  - name: a\n    schedule: \"@daily\"\n    shell: x\n"
#define DATABASES   "databases: [{name: app, url: \"sqlite:x\"}]\n"
#define PG_DATABASE "databases: [{name: app, url: \"postgresql://u@h/d\"}]\n"
#define JOB_HEAD    "jobs:\n  - name: a\n    schedule: \"@daily\"\n"
#define LISTEN      "http:\n  listen: \"0.0.0.0:80\"\n"

#define NEXT(name, after)                                                                          \
    "  - name: " name "\n    schedule: \"@daily\"\n    shell: x\n    after: " after "\n"

#define EXPECTED_MAX 6

struct mistake {
    const char *text;
    const char *expected[EXPECTED_MAX]; // "LINE:COLUMN: part of the text", in order; all there are
};

static const struct mistake mistakes[] = {
    // ---- bytes and YAML
    {"", {"1:1: the file is empty"}},
    {"# nothing\n", {"1:1: the file is empty"}},
    {"a: \xff\n", {"1:4: a byte that is not valid UTF-8"}},
    {"# \xc3\xa4\n\xc3\xa4: \xc3\n", {"2:4: a byte that is not valid UTF-8"}},
    {"a: \x01\n", {"1:4: a control character"}},
    {"\tjobs: []\n", {"1:1: not valid YAML: found character that cannot start any token"}},
    {"jobs: [\n", {"2:1: not valid YAML: did not find expected node content"}},
    {"jobs:\n - {name: a\n", {"3:1: not valid YAML: did not find expected ',' or '}'"}},
    {"jobs: \"abc\n", {"2:1: not valid YAML: found unexpected end of stream"}},
    {"a: b: c\n", {"1:5: not valid YAML: mapping values are not allowed"}},
    {"jobs:\n  - schedule: * * * * *\n",
     {"2:16: not valid YAML: did not find expected alphabetic"}},
    {"jobs: []\n---\njobs: []\n", {"2:1: a second document"}},
    {"- a\n", {"1:1: the file must be a map of keys such as \"jobs:\", not a list"}},
    {"text\n", {"1:1: the file must be a map of keys such as \"jobs:\", not text"}},
    {"jobs: []\njobs: []\n", {"2:1: \"jobs\" is given twice; first in line 1"}},
    {"timezone: &z UTC\n", {"1:11: anchors (&name) are not supported"}},
    {"revision: &z a\nenvironment: *z\n",
     {"1:11: anchors (&name)", "2:14: aliases (*name) are not supported"}},
    {"node:\n  <<: {}\n", {"2:3: merge keys (<<) are not supported"}},
    {"revision: !!str 1\n", {"1:11: tags (!name) are not supported"}},
    {"revision: !x 1\n", {"1:11: tags (!name) are not supported"}},
    {"! {a: b}\n", {"1:1: tags"}},
    {"? [a]\n: b\n", {"1:3: a key must be a plain word"}},
    {"revision: \"a\\0b\"\n", {"1:11: a NUL character"}},
    {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", {"1:35: nested more than 32 levels deep"}},
    // ---- keys
    {"enviroment: x\n", {"1:1: unknown key \"enviroment\"; did you mean \"environment\"?"}},
    {"Jobs: []\n", {"1:1: unknown key \"Jobs\"; did you mean \"jobs\"?"}},
    {"zebra: 1\n", {"1:1: unknown key \"zebra\"; valid here: environment, revision, store"}},
    {"max_running: 1\n", {"1:1: unknown key \"max_running\" here; it belongs under \"node\""}},
    {"node: {store: 1}\n", {"1:8: unknown key \"store\" here; it belongs at the top of the file"}},
    {"jobs:\n  - name: a\n    schedul: \"@daily\"\n    shell: x\n",
     {"3:5: unknown key \"schedul\"; did you mean \"schedule\"?"}},
    {"jobs:\n  - {}\n",
     {"2:5: \"name\" is missing in this job", "2:5: \"schedule\" is missing in this job",
      "2:5: this job has nothing to run"}},
    {"jobs:\n  - a\n", {"2:5: jobs[]: must be a map of keys, not text"}},
    {"jobs: {a: b}\n", {"1:7: jobs: must be a list such as \"- name: …\", not a map"}},
    {"jobs:\n", {"1:6: jobs: must be a list such as \"- name: …\", not nothing"}},
    {"node: 5\n", {"1:7: node: must be a map of keys, not text"}},
    {"defaults: {schedule: x}\n", {"1:12: \"schedule\" cannot have a default; set it in each job"}},
    {"defaults: {timout: 1s}\n", {"1:12: unknown key \"timout\"; did you mean \"timeout\"?"}},
    // ---- what comes later
    {"alerts: {receivers: [{name: \"${NOPE}\"}]}\n", {"1:1: \"alerts\" is not in this version"}},
    {"retention: []\nsnapshots: []\nsoak: {}\n",
     {"1:1: \"retention\" is not", "2:1: \"snapshots\" is not", "3:1: \"soak\" is not"}},
    {JOB "    nodes: eu\n", {"5:12: nodes: must be a map such as { NAME: value }, not text"}},
    {JOB "    nodes: { region: [eu] }\n", {"5:22: nodes: must be a map of texts, not a list"}},
    {JOB "    nodes: { region: }\n", {"5:22: nodes: \"region\" has no value"}},
    {JOB "    after: b\n", {"5:12: after: must be a list such as [rollup-daily], not text"}},
    {JOB "    after: [b]\n", {"5:13: after: there is no job \"b\""}},
    {JOB "    after: [a]\n",
     {"5:13: after: these would wait for one another for ever: a waits for a"}},
    {JOB "    after: [b, b]\n" NEXT("b", "[]"), {"5:16: after: \"b\" is named twice"}},
    {JOB "    after: [bb]\n" NEXT("bbb", "[c]") NEXT("c", "[bbb, a]"),
     {"5:13: after: there is no job \"bb\"; did you mean \"bbb\"?",
      "13:13: after: these would wait for one another for ever: bbb waits for c, c for bbb"}},
    {JOB "    after: []\n    after_within: 0s\n", {"6:19: after_within: 0s is out of bounds"}},
    {JOB "    after_within: 6h\ndefaults: {after: [a]}\n",
     {"6:12: \"after\" cannot have a default"}},
    {JOB "    params: [day]\n", {"5:13: params: must be a map such as { day: today, tenant: ~ }"}},
    {JOB "    params: {day: ~}\n", {"5:14: params: \"day\" must be given, and who gives it"}},
    {JOB "    params: {day: null, b: }\n",
     {"5:14: params: \"day\" must be given", "5:25: params: \"b\" must be given"}},
    {JOB "    params: {Day: a}\n", {"5:14: params: \"Day\" is not a name for a parameter"}},
    {JOB "    params: {a: [b]}\n", {"5:17: params: must be a map of texts, not a list"}},
    {"jobs:\n  - {name: a, schedule: \"@daily\", retension: x}\n",
     {"2:5: this job has nothing to run", "2:35: unknown key \"retension\"; did you mean "
                                          "\"retention\"?"}},
    {"store: mysql://u@h/d\n", {"1:8: store: must be sqlite:FILE, such as sqlite:ironcron.db, or"}},
    {"store: postgresql:d\n", {"1:8: store: must be sqlite:FILE, such as sqlite:ironcron.db, or"}},
    {"store: \"postgresql://u:p@h:x/d?nope=1\"\n",
     {"1:8: store: is no URL that libpq understands"}},
    {"store: \"postgresql://u@h:54322x/d\"\n", {"1:8: store: its port is no number"}},
    {"store: \"postgresql://u:p@ss@h/d\"\n", {"1:8: store: its host has an @: percent-encode"}},
    {"store: \"postgresql://u:p@s/s@h/d\"\n", {"1:8: store: its database has an @: percent-enc"}},
    {"store: \"postgresql://u:1/p@h/d\"\n", {"1:8: store: its database has an @: percent-enc"}},
    {"node: {state: run/}\n", {"1:15: state: must be the name of a file"}},
    // ---- databases
    {"databases: [{name: app}]\n", {"1:13: \"url\" is missing in databases[]"}},
    {"databases: [{name: \"a b\", url: \"sqlite:x\"}]\n",
     {"1:20: name: \"a b\" is not a name for a database"}},
    {"databases: [{name: a, url: mysql://h/d}]\n", {"1:28: url: names no kind of database"}},
    {"databases: [{name: a, url: \"postgresql://u:p@h:x/d?nope=1\"}]\n",
     {"1:28: url: is no URL that libpq understands"}},
    {"databases: [{name: a, url: \"postgresql://u@h:54322x/d\"}]\n",
     {"1:28: url: its port is no number"}},
    {"databases: [{name: a, url: \"postgresql://u@h:5432,i:65536/d\"}]\n",
     {"1:28: url: its port is no number"}},
    {"databases: [{name: a, url: \"sqlite:\"}]\n", {"1:28: url: the part behind \"sqlite:\""}},
    {"databases: [{name: a, url: \"sqlite::memory:\"}]\n", {"1:28: url: a database in memory"}},
    {"databases: [{name: a, url: \"sqlite:x\", connections: 0}]\n",
     {"1:53: connections: 0 is out of bounds: from 1 to 100"}},
    {DATABASES "databases:\n", {"2:1: \"databases\" is given twice"}},
    {"databases:\n  - {name: a, url: \"sqlite:x\"}\n  - {name: a, url: \"sqlite:y\"}\n",
     {"3:12: name: there is a database \"a\" already"}},
    {DATABASES JOB_HEAD "    sql: {database: ap, statement: select 1}\n",
     {"5:21: database: there is no database \"ap\"; did you mean \"app\"?"}},
    {DATABASES JOB_HEAD "    sql: {database: zebra, statement: select 1}\n",
     {"5:21: database: there is no database \"zebra\"; define it under \"databases\""}},
    {DATABASES JOB_HEAD "    sql: {database: app}\n",
     {"5:10: \"statement\" is missing in jobs[].sql"}},
    {DATABASES JOB_HEAD "    sql: select 1\n", {"5:10: jobs[].sql: must be a map of keys"}},
    {DATABASES JOB_HEAD "    sql: {database: app, statement: select 1, role: x}\n",
     {"5:53: role: \"app\" is on SQLite, which has no roles"}},
    {PG_DATABASE JOB_HEAD "    sql: {database: app, statement: select 1}\n    user: root\n"
                          "    env: {A: b}\n",
     {"6:5: \"user\" is for a process, and a job with \"sql\" has none",
      "7:5: \"env\" is for a process"}},
    // On SQLite it runs in a worker process, which has a user and limits.
    {DATABASES JOB_HEAD "    sql: {database: app, statement: select 1}\n    user: root\n"
                        "    limits: {memory: 100M}\n    env: {A: b}\n",
     {"8:5: \"env\" is for a process"}},
    {DATABASES JOB_HEAD "    sql: {database: app, statement: \"select $due_on\"}\n",
     {"5:37: statement: line 1, column 8: $due_on is unknown, did you mean $due_at?"}},
    {DATABASES JOB_HEAD "    sql: {database: app, statement: \"select ?\"}\n",
     {"5:37: statement: line 1, column 8: ? is no parameter here"}},
    {PG_DATABASE JOB_HEAD "    sql: {database: app, statement: \"select ?, $1\"}\n",
     {"5:37: statement: line 1, column 11: $1 is no parameter here"}},
    {PG_DATABASE JOB_HEAD "    params: {day: \"1\"}\n    sql:\n      database: app\n"
                          "      statement: |\n        select $day;\n        select 2\n",
     {"8:18: statement: line 1, column 8: $day can be bound in a single statement only, and at "
      "line "
      "2, column 1"}},
    {PG_DATABASE JOB_HEAD
     "    params: {day: \"1\"}\n    sql: {database: app, statement: \"$dat\"}\n",
     {"6:37: statement: line 1, column 1: $dat is unknown, did you mean $day?"}},
    {DATABASES JOB_HEAD "    sql: {database: app, statement: \"-- nothing\"}\n",
     {"5:37: statement: there is no statement in it"}},
    {DATABASES JOB_HEAD "    sql: {database: app, statement: select 1}\n    shell: x\n",
     {"6:5: this job has \"sql\" already; a job does one thing"}},
    // ---- settings
    {"store: ironcron.db\n", {"1:8: store: must be sqlite:FILE"}},
    {"store: \"sqlite::memory:\"\n", {"1:8: store: a store in memory would forget"}},
    {"store: \"sqlite:a/\"\n", {"1:8: store: the part behind \"sqlite:\" must be the name"}},
    {"timezone: Europe/Berln\n",
     {"1:11: timezone: there is no time zone 'Europe/Berln'; did you "
      "mean 'Europe/Berlin'?"}},
    {"timezone: ../etc\n", {"1:11: timezone: "}},
    {"jobs:\n  - {name: a, timezone: Mars, schedule: \"61 * * * *\", shell: x}\n",
     {"2:25: timezone: there is no time zone 'Mars'", "2:41: schedule: minute 61"}},
    {"node: {max_running: 0}\n", {"1:21: max_running: 0 is out of bounds: from 1 to 10000"}},
    {"node: {max_running: 0600}\n", {"1:21: max_running: \"0600\" begins with 0"}},
    {"node: {max_running: 1e3}\n", {"1:21: max_running: \"1e3\" is not a whole number"}},
    {"node: {max_running: 99999999999999999999}\n", {"1:21: max_running: "}},
    {"node: {drain: 30}\n", {"1:15: drain: \"30\" is not a duration such as 90s"}},
    {"node: {lease: 2h}\n", {"1:15: lease: 2h is out of bounds: from 1s to 1h"}},
    {"node: {drain: [1s]}\n", {"1:15: drain: must be a single value, not a list"}},
    {"node: {drain: }\n", {"1:15: drain: has no value"}},
    {"history: {output_max: 1X}\n", {"1:23: output_max: \"1X\" is not a size such as 512K"}},
    {"history: {output_max: 2G}\n", {"1:23: output_max: 2G is out of bounds: from 1K to 1G"}},
    // ---- http
    {"http: {listen: 8321}\n", {"1:16: listen: \"8321\": no port from 0 to 65535"}},
    {"http: {listen: \":8321\"}\n", {"1:16: listen: \":8321\": no IP address before the port"}},
    {"http: {listen: \"::1:8321\"}\n",
     {"1:16: listen: \"::1:8321\": an IPv6 address stands in "
      "brackets"}},
    {"http: {listen: \"127.0.0.1:65536\"}\n", {"1:16: listen: \"127.0.0.1:65536\": no port"}},
    {"http: {listen: \"127.0.0.1:080\"}\n", {"1:16: listen: "}},
    {"http: {listen: \"myhost:80\"}\n", {"1:16: listen: \"myhost:80\": no IP address"}},
    {LISTEN,
     {"2:11: listen: an address beyond loopback needs \"tokens\"",
      "2:11: listen: an address beyond loopback needs \"tls\""}},
    {LISTEN "  tls_terminated: true\n",
     {"2:11: listen: an address beyond loopback needs \"tokens\""}},
    {LISTEN "  tokens: []\n  tls_terminated: true\n",
     {"2:11: listen: an address beyond loopback "
      "needs \"tokens\""}},
    {LISTEN "  tokens: [{name: a, role: viewer, token: abcd}]\n",
     {"2:11: listen: an address beyond loopback needs \"tls\""}},
    {"http:\n  tokens: [{name: a, role: viewr, token: abcd}]\n",
     {"2:28: role: \"viewr\" is not one of viewer|operator|admin; did you mean \"viewer\"?"}},
    {"http:\n  tokens: [{name: a, role: viewer}]\n", {"2:12: a token needs one of \"token\""}},
    {"http:\n  tokens: [{name: a, role: viewer, token: abc}]\n",
     {"2:43: token: the text is shorter than 4 bytes"}},
    {"http:\n  tokens: [{name: a, role: viewer, token_sha256: abc}]\n",
     {"2:50: token_sha256: the text is shorter than 64 bytes"}},
    {"http:\n  tokens:\n    - {name: a, role: viewer, token: abcd}\n"
     "    - {name: a, role: admin, token: efgh}\n    - {name: b, role: admin, token: abcd}\n",
     {"4:7: the token name \"a\" is given twice", "5:7: this token is the same as that of \"a\""}},
    {"http: {tls: {cert: a}}\n", {"1:13: \"key\" is missing in http.tls"}},
    {"http: {tls_terminated: maybe}\n", {"1:24: tls_terminated: \"maybe\" is neither true nor"}},
    // ---- jobs
    {"jobs:\n  - name: a b\n    schedule: \"@daily\"\n    shell: x\n",
     {"2:11: name: \"a b\" is not a job name"}},
    {"jobs:\n  - name: _a\n    schedule: \"@daily\"\n    shell: x\n",
     {"2:11: name: \"_a\" is not a job name"}},
    {JOB "  - name: a\n    schedule: \"@daily\"\n    shell: x\n",
     {"5:11: name: there is a job \"a\" already, defined at t.yml:2:5"}},
    {JOB "    command: [x]\n", {"5:5: this job has \"shell\" already"}},
    {"jobs:\n  - name: a\n    schedule: \"@daily\"\n    command: /bin/true --x\n",
     {"4:14: command: must be a list, such as"}},
    {"jobs:\n  - name: a\n    schedule: \"@daily\"\n    command: []\n",
     {"4:14: command: names no program"}},
    {"jobs:\n  - name: a\n    schedule: \"@daily\"\n    command: [a, [b]]\n",
     {"4:18: command: must be a list of texts, not a list"}},
    {"jobs:\n  - name: a\n    schedule: \"61 * * * *\"\n    shell: x\n", {"3:15: schedule: "}},
    {"jobs:\n  - name: a\n    schedule: \"0 0 30 2 *\"\n    shell: x\n",
     {"3:15: schedule: \"0 0 30 2 *\" never fires"}},
    {"jobs:\n  - name: a\n    schedule: often\n    shell: x\n", {"3:15: schedule: "}},
    {JOB "    timezone: Mars/Base\n", {"5:15: timezone: "}},
    {JOB "    timeout: 5\n", {"5:14: timeout: \"5\" is not a duration"}},
    {JOB "    overlap: skp\n",
     {"5:14: overlap: \"skp\" is not one of skip|queue|allow|replace; did "
      "you mean \"skip\"?"}},
    {JOB "    retries: {}\n", {"5:14: \"max\" is missing in jobs[].retries"}},
    {JOB "    retries: 3\n",
     {"5:14: jobs[].retries: must be a map of keys, not text; write { max: 3 }"}},
    {JOB "    retries: {max: 101}\n", {"5:20: max: 101 is out of bounds: from 0 to 100"}},
    {JOB "    retries: {max: -1}\n", {"5:20: max: -1 is out of bounds"}},
    {JOB "    retries: {max: 1, jitter: 1.5}\n",
     {"5:31: jitter: 1.5 is out of bounds: from 0 to 1"}},
    {JOB "    retries: {max: 1, factor: 1e1}\n", {"5:31: factor: \"1e1\" is not a number"}},
    {JOB "    retries: {max: 1, backoff: 1m, max_backoff: 1s}\n",
     {"5:49: max_backoff: is shorter than \"backoff\""}},
    {JOB "    limits: {nice: 20}\n", {"5:20: nice: 20 is out of bounds: from -20 to 19"}},
    {JOB "    limits: {memory: 1}\n", {"5:22: memory: 1 is out of bounds: from 1M to"}},
    {JOB "    env: {1A: x}\n", {"5:11: env: \"1A\" is not a name for a variable"}},
    {JOB "    env: {IRONCRON_JOB: x}\n", {"5:11: env: \"IRONCRON_JOB\" is set by ironcron"}},
    {JOB "    env: {A: }\n", {"5:14: env: \"A\" has no value; write \"\" for an empty one"}},
    {JOB "    env: [A]\n", {"5:10: env: must be a map such as { NAME: value }, not a list"}},
    {JOB "    pass_env: HOME\n", {"5:15: pass_env: must be a list such as"}},
    {JOB "    pass_env: [A B]\n", {"5:16: pass_env: \"A B\" is not a name for a variable"}},
    // ---- substitution
    {"revision: \"${IRONCRON_TEST_UNSET}\"\n",
     {"1:11: revision: the environment variable IRONCRON_TEST_UNSET is not set"}},
    {"revision: \"${\"\n", {"1:11: revision: \"${\" has no closing \"}\""}},
    {"revision: \"${a-b}\"\n", {"1:11: revision: ${a-b} is neither ${NAME} nor ${file:PATH}"}},
    {"revision: \"${file:}\"\n", {"1:11: revision: ${file:} names no file"}},
    {"revision: \"${file:/nonexistent/x}\"\n",
     {"1:11: revision: ${file:/nonexistent/x} cannot be opened: No such file"}},
    {"revision: \"${file:/dev}\"\n", {"1:11: revision: ${file:/dev} is not a regular file"}},
    // ---- include
    {"include: [nothere.yml]\n", {"1:11: include: there is no file \"nothere.yml\""}},
    {"include: nothere.yml\n", {"1:10: include: must be a list such as"}},
    // ---- several at once, in the order in which they stand
    {"jobs:\n  - name: a\n    schedule: x\n    timeout: y\n    shell: z\n  - name: b\n    typo: 1\n"
     "timezone: Nowhere\n",
     {"3:15: schedule: ", "4:14: timeout: ", "6:5: \"schedule\" is missing",
      "6:5: this job has nothing to run", "7:5: unknown key \"typo\"", "8:11: timezone: "}},
};

// One line of the problems against "LINE:COLUMN: part of the text".
static bool line_fits(const char *line, const char *expected)
{
    const char *place_end = strchr(strchr(expected, ':') + 1, ':') + 1;
    size_t place = (size_t)(place_end - expected);
    return strncmp(line, "t.yml:", 6) == 0 && strncmp(line + 6, expected, place) == 0 &&
           strstr(line + 6 + place, place_end) != NULL;
}

// Tells each line that is wrong; returns how many.
static size_t check_mistake(const struct mistake *mistake, size_t index)
{
    struct fixture fixture = fixture_load(mistake->text);
    char *rest = fixture.text.data;
    size_t found = 0;
    size_t wrong = 0;
    for (char *line = rest == NULL ? NULL : strsep(&rest, "\n"); line != NULL && *line != '\0';
         line = strsep(&rest, "\n")) {
        const char *expected = found < EXPECTED_MAX ? mistake->expected[found] : NULL;
        found++;
        if (expected == NULL || !line_fits(line, expected)) {
            wrong++;
            print_error("case %zu: got \"%s\", expected \"%s\" in:\n%s\n", index, line,
                        expected == NULL ? "nothing more" : expected, mistake->text);
        }
    }
    if (found < EXPECTED_MAX && mistake->expected[found] != NULL) {
        wrong++;
        print_error("case %zu: missing \"%s\" in:\n%s\n", index, mistake->expected[found],
                    mistake->text);
    }
    fixture_release(&fixture);
    return wrong;
}

static void each_mistake_has_its_complaint(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
        wrong += check_mistake(&mistakes[i], i);
    }
    assert_int_equal(wrong, 0);
}

static void a_flood_of_mistakes_is_cut_off(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, (size_t)1024 * 1024);
    for (int i = 0; i < 5000; i++) {
        buf_printf(&text, "key%d: 1\n", i);
    }
    struct fixture fixture = fixture_load(buf_string(&text));
    assert_int_equal(fixture.problems.count, 201);
    assert_non_null(strstr(fixture.problems.list[200].text, "more than 200 problems"));
    fixture_release(&fixture);
    buf_release(&text);
}

static void a_nul_byte_has_its_place(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    char *path = fixture_file(folder, "a.yml", "");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite("revision: a\nb: \0c\n", 1, 18, file);
    fclose(file);
    struct fixture fixture = fixture_load_file(path);
    assert_non_null(strstr(buf_string(&fixture.text), "a.yml:2:4: a NUL byte"));
    fixture_release(&fixture);
    free(path);
    fixture_folder_remove(folder);
}

// A pipe that nobody writes to would hang the load, and a node that hangs loses its runs.
static void only_regular_files_are_read(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    char *pipe = fixture_file(folder, "pipe.yml", "");
    char *path = fixture_file(folder, "a.yml", "include: [\"p*.yml\"]\n");
    assert_int_equal(remove(pipe), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    struct fixture fixture = fixture_load_file(path);
    assert_non_null(strstr(buf_string(&fixture.text), "the included file is not a regular file"));
    fixture_release(&fixture);
    fixture = fixture_load_file(pipe);
    assert_non_null(strstr(buf_string(&fixture.text), "the configuration is not a regular file"));
    fixture_release(&fixture);
    free(path);
    free(pipe);
    fixture_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_has_its_complaint),
        cmocka_unit_test(a_flood_of_mistakes_is_cut_off),
        cmocka_unit_test(a_nul_byte_has_its_place),
        cmocka_unit_test(only_regular_files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
