"""The HTTP API of a live node: who may, what it answers, what it does, and what bad clients can't do."""

import contextlib
import os
import pathlib
import random
import socket
import stat
import subprocess
import time
import uuid

import pytest

from api_client import Api, connect_unix, matches
from conftest import FAR, PATIENCE, until

JOBS = f"""jobs:
  - {{ name: hello, schedule: "{FAR}", params: {{ who: you }}, shell: "echo hello $IRONCRON_PARAM_WHO" }}
  - {{ name: slow, schedule: "{FAR}", shell: "sleep 600" }}
  - {{ name: tick, schedule: "@every 1s", shell: "true" }}
"""
TOKENS = """http:
  listen: "127.0.0.1:0"
  tokens:
    - { name: grafana, role: viewer, token: viewer-0123456789 }
    - { name: oncall, role: operator, token: operator-0123456789 }
"""
UNKNOWN = "0190a1b2-0000-7000-8000-000000000000"


@pytest.fixture
def api(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve():
        yield Api(ironcron)


def run_of(api, run_id, state="SUCCESS"):
    return until(lambda: (found := api.get(f"/api/v1/runs/{run_id}")).status == 200 and found.json["state"] == state
                 and found.json, f"{run_id} is {state}")


def settled(api, path, body=None):
    """The answer to a wish once the node has taken it; a node that is busy answers 202 before that. The same id makes it
    the same wish each time."""
    wish = {**(body or {}), "intent_id": str(uuid.uuid4())}
    return until(lambda: (answer := api.post(path, wish)).status != 202 and answer, f"{path} is settled")


def audited(api, event):
    return until(lambda: api.get(f"/api/v1/audit?event={event}").json, f"{event} is sealed")[0]


# ---- acting -----------------------------------------------------------------------------------------------------


def test_an_intent_id_stands_for_one_request(api):
    first = api.post("/api/v1/jobs/hello/run", {"params": {"who": "me"}, "intent_id": UNKNOWN})
    again = api.post("/api/v1/jobs/hello/run", {"params": {"who": "me"}, "intent_id": UNKNOWN})
    assert first.status in (200, 202) and again.status in (200, 202), (first.text, again.text)
    for path in ("/api/v1/jobs/slow/run", "/api/v1/jobs/hello/cancel", f"/api/v1/runs/{UNKNOWN}/cancel",
                 "/api/v1/reload"):
        other = api.post(path, {"intent_id": UNKNOWN})
        assert other.status == 409 and "another request" in other.json["detail"], (path, other.text)
    zeros = api.post("/api/v1/reload", {"intent_id": "00000000-0000-0000-0000-000000000000"})
    assert zeros.status == 400 and "all zeros" in zeros.json["detail"], zeros.text


def test_a_run_through_the_socket(api, ironcron):
    answer = api.post("/api/v1/jobs/hello/run", {"params": {"who": "me"}, "reason": "to see", "as": "anna"})
    assert answer.status in (200, 202), answer.text
    intent = until(lambda: (i := api.get(answer.headers["Location"]).json)["state"] == "done" and i, "it is done")
    run = run_of(api, intent["run_id"])
    assert (run["job"], run["trigger"], run["reason"]) == ("hello", "manual", None)
    assert api.get(f"/api/v1/runs/{run['run_id']}/output").text == "hello me\n"
    assert api.get(f"/api/v1/runs/{run['run_id']}/output?offset=6").text == "me\n"
    row = ironcron.query("select actor, detail from audit_log where event = 'STARTED' and job = 'hello'")[0]
    assert row["actor"] == f"root@{socket.gethostname()}" and '"as":"anna"' in row["detail"]


def test_the_same_wish_twice_is_one_run(api, ironcron):
    for _ in range(3):
        assert api.post("/api/v1/jobs/hello/run", {"intent_id": UNKNOWN}).status in (200, 202)
    until(lambda: ironcron.query("select 1 from job_runs where job = 'hello' and state = 'SUCCESS'"), "it ran")
    assert len(ironcron.query("select 1 from job_runs where job = 'hello'")) == 1


def test_cancel_and_refusals(api):
    run = settled(api, "/api/v1/jobs/slow/run").json["run_id"]
    run_of(api, run, "STARTED")
    assert settled(api, f"/api/v1/runs/{run}/retry").status == 409
    assert api.post(f"/api/v1/runs/{run}/cancel", {"reason": "enough"}).status in (200, 202)
    run_of(api, run, "CANCELLED")
    again = settled(api, f"/api/v1/runs/{run}/cancel")
    assert again.status == 409 and again.json["intent_id"]
    retried = settled(api, f"/api/v1/runs/{run}/retry").json["run_id"]
    assert retried != run and api.post("/api/v1/jobs/slow/cancel").status in (200, 202)
    run_of(api, retried, "CANCELLED")
    assert api.post(f"/api/v1/runs/{UNKNOWN}/retry").status == 404
    assert api.post("/api/v1/jobs/hello/run", {"params": {"wrong": "x"}}).status == 400


def test_controls_take_effect_at_once(api, ironcron):
    until(lambda: api.get("/api/v1/runs?job=tick").json, "tick runs")
    outcome = api.post("/api/v1/jobs/tick/pause", {"reason": "mail is down"}).json
    assert outcome["changed"] and outcome["undo"] == "ironcron resume tick"
    assert api.post("/api/v1/jobs/tick/pause").json["changed"] is False
    assert [c["control"] for c in api.get("/api/v1/controls").json] == ["pause"]
    paused_at = ironcron.query("select at from audit_log where event = 'PAUSED'")[0]["at"]
    late = "select 1 from job_runs where job = 'tick' and started_at > ?"
    until(lambda: ironcron.query("select 1 from slots where job = 'tick' and outcome = 'SKIPPED'"), "a slot is skipped")
    assert not ironcron.query(late, paused_at)  # not even within the two seconds
    assert api.get("/api/v1/jobs/tick").json["state"] == "paused"
    assert api.post("/api/v1/jobs/tick/resume").json["changed"]
    until(lambda: ironcron.query(late, paused_at), "it runs again")
    assert api.post("/api/v1/throttle", {"factor": 3}).json["value"] == 3
    assert api.post("/api/v1/throttle", {"factor": 1}).status == 400
    assert api.post("/api/v1/throttle", {"factor": 0}).json["changed"]
    assert api.post("/api/v1/dry-run", {"on": True}).json["control"] == "dry-run"
    assert api.get("/api/v1/status").json["mode"] == "dry-run"


def test_a_reload(api, ironcron):
    ironcron.config(JOBS + f'  - {{ name: fresh, schedule: "{FAR}", shell: "true" }}\n')
    assert api.post("/api/v1/reload").status in (200, 202)
    until(lambda: api.get("/api/v1/jobs/fresh").status == 200, "the new job is there")


def test_a_backfill(api):
    until(lambda: len(api.get("/api/v1/slots?job=tick").json) > 2, "slots")
    slots = api.get("/api/v1/slots?job=tick&limit=2")
    first, second = slots.json
    assert first["due_at"] < second["due_at"]
    following = api.get(slots.next_page()).json
    assert following[0]["due_at"] > second["due_at"]
    body = {"from": first["due_at"], "to": second["due_at"], "force": True}
    intent = api.post("/api/v1/jobs/tick/backfill", body)
    assert intent.status in (200, 202), intent.text
    until(lambda: len([r for r in api.get("/api/v1/runs?job=tick&limit=1000").json if r["trigger"] == "backfill"]) == 2,
          "both are run again")
    assert api.post("/api/v1/jobs/tick/backfill", {"from": "-1h"}).status == 400
    assert api.post("/api/v1/jobs/tick/backfill", {"from": "-1h", "to": "-2h"}).status == 400


# ---- who may ----------------------------------------------------------------------------------------------------


def test_tokens_and_roles(ironcron):
    ironcron.config(TOKENS + JOBS)
    with ironcron.serve() as node:
        nobody, wrong = Api(ironcron, node), Api(ironcron, node, "nonsense")
        viewer, operator = Api(ironcron, node, "viewer-0123456789"), Api(ironcron, node, "operator-0123456789")
        for api in (nobody, wrong):
            answer = api.get("/api/v1/runs")
            assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert viewer.get("/api/v1/runs").status == 200
        refused = viewer.post("/api/v1/jobs/hello/pause")
        assert refused.status == 403 and "operator" in refused.json["detail"]
        assert operator.post("/api/v1/jobs/hello/pause").status == 200
        assert audited(operator, "PAUSED")["actor"] == "oncall"
        assert "0123456789" not in node.log()


def test_without_tokens_tcp_only_reads(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        api = Api(ironcron, node)
        assert api.get("/api/v1/jobs").status == 200
        answer = api.post("/api/v1/pause")
        assert answer.status == 401 and "unix socket" in answer.json["detail"]
        evil = Api(ironcron).post("/api/v1/pause", None, Origin="https://evil.example")
        assert evil.status == 403
        assert not ironcron.query("select 1 from audit_log where event = 'PAUSED'")


def test_the_socket_is_its_owners_alone(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve():
        path = f"{ironcron.store_path}.sock"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        for folder in pathlib.Path(path).parents:
            with contextlib.suppress(OSError):
                folder.chmod(folder.stat().st_mode | 0o055)
        curl = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-o", "/dev/null",
                "-w", "%{http_code}", "--unix-socket", path, "http://localhost/api/v1/jobs"]
        os.chmod(path, 0o600)
        assert subprocess.run(curl, capture_output=True, text=True, check=False).stdout == "000"
        os.chmod(path, 0o666)  # and where somebody opens it, the peer's uid is looked at
        if len(path) < 100:
            assert subprocess.run(curl, capture_output=True, text=True, check=False).stdout == "403"


def test_a_stale_socket_is_replaced_and_a_clean_stop_removes_it(ironcron):
    ironcron.config(JOBS + "http: { listen: off }\n", http=False)
    path = pathlib.Path(f"{ironcron.store_path}.sock")
    first = ironcron.start(ready=False)
    until(path.exists, "the socket")
    first.kill()
    assert path.exists()
    with ironcron.serve(ready=False):
        def answered():
            with contextlib.suppress(OSError):
                return Api(ironcron).get("/api/v1/status").status == 200
            return False
        until(answered, "the new node answers, with http.listen off as well")
    assert not path.exists()


# ---- reading ----------------------------------------------------------------------------------------------------


def test_pages_are_stable_while_runs_come(api, ironcron):
    until(lambda: len(ironcron.query("select 1 from job_runs")) >= 6, "some runs")
    path, seen = "/api/v1/runs?limit=2&job=tick", []
    while path:
        page = api.get(path)
        assert len(page.json) <= 2
        seen += [run["fence"] for run in page.json]
        api.post("/api/v1/jobs/hello/run")  # comes before the first page: changes none of the others
        path = page.next_page()
    assert seen == sorted(set(seen), reverse=True) and len(seen) >= 5
    audit, path = [], "/api/v1/audit?limit=3"
    while path:
        page = api.get(path)
        audit += [row["seq"] for row in page.json]
        path = page.next_page()
    assert audit == list(range(audit[0], 0, -1))
    jobs = api.get("/api/v1/jobs?limit=2")
    assert [job["job"] for job in jobs.json] == ["hello", "slow"]
    assert [job["job"] for job in api.get(jobs.next_page()).json] == ["tick"]


def test_answers_are_as_described(api):
    description = api.get("/api/v1/openapi.json").json
    schemas = description["components"]["schemas"]
    run = settled(api, "/api/v1/jobs/hello/run").json["run_id"]
    run_of(api, run)
    values = {"{job}": "hello", "{run}": run, "{intent}": UNKNOWN}
    checked = 0
    for path, methods in description["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content")
        for name, value in values.items():
            path = path.replace(name, value)
        if content and UNKNOWN not in path:
            answer = api.get(path + ("?job=hello" if path == "/api/v1/slots" else ""))
            assert answer.status == 200, path
            assert matches(answer.json, content["application/json"]["schema"], schemas) is None, path
            checked += 1
    assert checked >= 8
    for path, schema in [("/api/v1/jobs/hello/run", "Intent"), ("/api/v1/jobs/hello/pause", "ControlOutcome")]:
        assert matches(api.post(path).json, schemas[schema], schemas) is None, path
    assert matches({"seq": "x"}, schemas["Audit"], schemas)  # the check can fail


def test_documents_are_those_of_the_commands(api, ironcron):
    run = settled(api, "/api/v1/jobs/hello/run").json["run_id"]
    run_of(api, run)
    ours = [row for row in ironcron.json("runs", "--job", "hello") if row["run_id"] == run]
    assert ours == [row for row in api.get("/api/v1/runs?job=hello").json if row["run_id"] == run]
    until(lambda: ironcron.json("nodes") == api.get("/api/v1/nodes").json, "both see the node as it is between two ticks")
    jobs = {job["job"]: job for job in api.get("/api/v1/jobs").json}
    assert {job["job"]: job for job in ironcron.json("jobs")}["hello"] == jobs["hello"]


BY_COMMAND = [
    ("/api/v1/jobs/hello/why", ("why", "hello")),
    ("/api/v1/jobs/hello/why?at=2098-01-01T00:00:00Z", ("why", "hello", "--at", "2098-01-01T00:00:00Z")),
    ("/api/v1/jobs/hello/next?explain=true", ("next", "hello", "--explain")),
    ("/api/v1/next?schedule=30%202%20*%20*%20*&tz=Europe/Berlin&from=2027-03-27T00:00:00Z&count=2&explain=true",
     ("next", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2027-03-27T00:00:00Z", "--count", "2", "--explain")),
    ("/api/v1/next?from=2098-12-31T00:00:00Z&count=3", ("next", "--all", "--from", "2098-12-31T00:00:00Z", "-n", "3")),
]


def test_what_commands_answer_is_answered_over_http(api, ironcron):
    for path, command in BY_COMMAND:
        assert without_time(api.get(path).json) == without_time(ironcron.json(*command, code=None)), path
    for path, command in [("/api/v1/doctor", "doctor"), ("/api/v1/validate", "validate")]:
        told, printed = api.get(path).json, ironcron.json(command, code=None)
        assert told.keys() == printed.keys(), path
        assert [check["check"] for check in told["checks"]] == [check["check"] for check in printed["checks"]], path
    assert api.get("/api/v1/overview").json.keys() == ironcron.json("status", code=None).keys()
    assert api.get("/api/v1/audit/verify").json["verdict"] == "PASS"


def test_jobs_in_a_state(api):
    assert api.post("/api/v1/jobs/slow/pause").status == 200
    assert [job["job"] for job in api.get("/api/v1/jobs?state=paused").json] == ["slow"]
    page = api.get("/api/v1/jobs?state=paused&limit=1")  # hello, which is not
    assert page.json == [] and api.get(page.next_page()).json[0]["job"] == "slow"


def without_time(document):
    """But for what goes on while it is looked at."""
    policy = document.get("policy")
    return {**document, "policy": policy and {**policy, "running": None}}


def test_what_a_command_refuses_is_a_problem(api):
    for path, status, word in [("/api/v1/jobs/nobody/why", 404, "nobody"),
                               ("/api/v1/jobs/--accept-rewind/why", 400, "--accept-rewind"),
                               ("/api/v1/jobs/nobody/next", 404, "nobody"),
                               ("/api/v1/jobs/hello/why?at=soon", 400, "soon"),
                               ("/api/v1/next?schedule=--explain", 400, "--explain"),
                               ("/api/v1/next?schedule=61%20*%20*%20*%20*", 400, "61"),
                               ("/api/v1/next?tz=UTC", 400, "each job has its own"),
                               ("/api/v1/next?tz=Mars&schedule=@daily", 400, "Mars"),
                               ("/api/v1/jobs?state=sad", 400, "never_ran"),
                               ("/api/v1/next?count=0", 400, "count"),
                               ("/api/v1/doctor?deep=perhaps", 400, "deep"),
                               ("/api/v1/audit/verify?since=soon", 400, "soon")]:
        answer = api.get(path)
        assert (answer.status, word in answer.json["detail"]) == (status, True), (path, answer.text)
        assert "--json" not in answer.text


def test_a_run_in_full_is_that_of_the_command(api, ironcron):
    manual = settled(api, "/api/v1/jobs/hello/run", {"as": "anna", "reason": "to see"}).json["run_id"]
    run_of(api, manual)
    scheduled = until(lambda: api.get("/api/v1/runs?job=tick&state=success").json, "tick runs")[0]["run_id"]
    wanted = {manual: ["STARTED", "SUCCESS"], scheduled: ["STARTED", "SUCCESS"]}
    for run, events in wanted.items():
        def is_sealed(run=run):
            found = api.get(f"/api/v1/runs/{run}").json
            return found["complete"] and all(event["seq"] for event in found["events"]) and found
        document = until(is_sealed, "its events are sealed")
        assert document == ironcron.json("runs", "show", run)
        assert [event["event"] for event in document["events"]] == events and document["complete"]
        assert document["facts"]["memory_peak"] > 0
    assert document["slot_outcome"] == "SUCCESS" and [a["run_id"] for a in document["attempts"]] == [scheduled]
    assert api.get(f"/api/v1/runs/{manual}").json["output_bytes"] == len("hello you\n")


def test_a_job_in_full_is_that_of_the_command(ironcron):
    ironcron.config("""jobs:
  - { name: fails, schedule: "@every 1s", shell: "exit 3" }
  - { name: never, schedule: "0 0 29 2 *", shell: "true" }
  - { name: behind, schedule: "0 0 29 2 *", after: [never], shell: "true" }
""")
    with ironcron.serve():
        api = Api(ironcron)
        until(lambda: len(ironcron.query("select 1 from job_runs where job = 'fails' and state = 'FAILED'")) > 2, "runs")
        assert api.post("/api/v1/jobs/fails/pause", {"reason": "to stand still"}).status == 200
        until(lambda: not api.get("/api/v1/runs?state=started").json, "nothing runs")

        def pair(job):
            """Both within the same second, between two slots."""
            ours, theirs = ironcron.json("jobs", "show", job), api.get(f"/api/v1/jobs/{job}").json
            return theirs["complete"] and ours == theirs and theirs
        documents = {job: until(lambda job=job: pair(job), f"both say the same of {job}")
                     for job in ("fails", "never", "behind")}
        assert documents["fails"]["last_failure"]["exit_code"] == 3 and documents["fails"]["durations"]["count"] > 2
        assert "FAILED" in [slot["outcome"] for slot in documents["fails"]["slots"]]
        assert documents["fails"]["state"] == "paused" and not documents["never"]["slots"]
        assert len(api.get("/api/v1/jobs/fails?next=7").json["next"]) == 7


def test_problems(api):
    cases = [("GET", "/api/v1/nothing", None, 404), ("GET", "/api/v1/runs?limit=1001", None, 400),
             ("GET", "/api/v1/runs?nope=1", None, 400), ("GET", "/api/v1/runs?state=BAD", None, 400),
             ("GET", "/api/v1/runs?since=yesterday", None, 400), ("GET", f"/api/v1/runs/{UNKNOWN}", None, 404),
             ("GET", "/api/v1/jobs/hallo", None, 404), ("DELETE", "/api/v1/jobs", None, 405),
             ("POST", "/api/v1/pause", "not json", 400), ("POST", "/api/v1/pause", '{"reason":1}', 400),
             ("POST", "/api/v1/pause", '{"reason":"' + "x" * 2000 + '"}', 400),
             ("POST", "/api/v1/pause", "x" * 70000, 413)]
    for method, path, body, status in cases:
        answer = api.ask(method, path, body, {"Content-Type": "application/json"} if body else None)
        assert answer.status == status, (method, path, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["status"] == status and answer.json["detail"]
    assert "hello" in api.get("/api/v1/jobs/hallo").json["detail"]
    assert api.ask("DELETE", "/api/v1/jobs").headers["Allow"] == "GET, HEAD"
    assert api.ask("POST", "/api/v1/pause", "{}", {"Content-Type": "text/plain"}).status == 415
    assert api.ask("HEAD", "/api/v1/jobs").text == ""


def test_events_tell_of_a_run(api, ironcron):
    with contextlib.closing(connect_unix(api.socket)) as stream:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""

        def heard(words):
            nonlocal got
            deadline = time.monotonic() + PATIENCE
            while words not in got and time.monotonic() < deadline:
                got += stream.recv(65536)
            assert words in got, got

        heard(b"retry: 2000")
        api.post("/api/v1/jobs/hello/run")
        heard(b'"job":"hello"')
        heard(b"event: run_ended")
        api.post("/api/v1/jobs/hello/pause")
        heard(b"event: control")
        # A node that stops lets its listeners go.
        assert ironcron.nodes[0].stop() == 0


# ---- bad clients ------------------------------------------------------------------------------------------------


def noise(random_source):
    """A request that is more or less one."""
    choose = random_source.choice
    method = choose(["GET", "POST", "PUT", "", "get", "G\0T", "POST" * 50])
    target = choose(["/api/v1/runs", "/api/v1/resume", "/api/v1/jobs/hello/run", "/%", "/%00", "*", "//", "/api/v1/runs?"
                     + "a=1&" * random_source.randrange(60), "/" + "x" * random_source.randrange(20000)])
    version = choose(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "HTTP/1.1\r"])
    headers = choose(["Host: localhost\r\n", "", "Host: a\r\nHost: b\r\n", "X: y\r\n" * 90, "Content-Length: -1\r\n",
                      "Content-Length: 999999999999\r\n", "Content-Type: application/json\r\nContent-Length: 20\r\n",
                      "Transfer-Encoding: chunked\r\n", ": \r\n", "Host localhost\r\n"])
    body = choose([b"", b'{"reason":"x"}', b"[" * 500, b"\xff\xfe", b"ffffffffffffffff\r\n", b"0\r\n\r\n"])
    request = f"{method} {target} {version}\r\n{headers}\r\n".encode() + body
    return request[:random_source.randrange(len(request) + 1)] if random_source.random() < 0.3 else request


def test_a_node_survives_thousands_of_bad_requests(ironcron):
    seed = int(os.environ.get("IRONCRON_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    source = random.Random(seed)
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        host, _, port = node.address.rpartition(":")
        open_ones = []
        for _ in range(3000):
            with contextlib.suppress(OSError):
                local = source.random() < 0.5
                connection = (connect_unix(f"{ironcron.store_path}.sock") if local
                              else socket.create_connection((host, int(port)), 5))
                connection.settimeout(0.01)
                connection.sendall(noise(source))
                open_ones.append(connection)
                if source.random() < 0.2:
                    connection.recv(1000)
            if len(open_ones) > 20:
                with contextlib.suppress(OSError):
                    open_ones.pop(source.randrange(len(open_ones))).close()
        for connection in open_ones:
            connection.close()
        assert node.alive() and "AddressSanitizer" not in node.log() and "runtime error" not in node.log()
        assert until(lambda: Api(ironcron).get("/api/v1/status").status == 200, "it answers")
        before = len(ironcron.query("select 1 from job_runs where job = 'tick'"))
        until(lambda: len(ironcron.query("select 1 from job_runs where job = 'tick'")) > before, "it keeps its schedule")
        missed = ironcron.query("select 1 from slots where job = 'tick' and outcome = 'MISSED'")
        assert not missed


def test_more_connections_than_allowed(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        host, _, port = node.address.rpartition(":")
        idle = [socket.create_connection((host, int(port)), 5) for _ in range(100)]  # over half of 128 from one address
        assert Api(ironcron).get("/api/v1/status").status == 200  # the unix socket has places of its own
        for connection in idle:
            connection.close()
        until(lambda: node.get("/livez")[0] == 200, "TCP answers again")
