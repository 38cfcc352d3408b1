"""Jobs with complete: callback: their end is told over HTTP, once, by who can prove it."""

import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from conftest import until
from http_jobs import NEVER, SECRET, configure, detail, ended, hang, job, output, runs, verified
from http_peer import Peer, reply, sign, tell_end

TOKENS = """http:
  listen: "127.0.0.1:0"
  tokens:
    - { name: oncall, role: operator, token: operator-0123456789 }
    - { name: grafana, role: viewer, token: viewer-0123456789 }
"""


def accept(connection, request, peer):
    reply(connection, "202 Accepted", b"queued\n")


def start(ironcron, peer, name="call"):
    """A run whose request has been answered with 202; its row."""
    before = len(peer.requests)
    ironcron.run("run", name, "--detach")
    until(lambda: len(peer.requests) > before, "the request")
    return runs(ironcron, name)[-1]


def end_of(run, state="SUCCESS", **more):
    return {"fence": run["fence"], "state": state, **more}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def peer():
    with Peer(accept) as server:
        yield server


def test_a_callback_ends_the_run(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        assert run["state"] == "STARTED"
        until(lambda: output(ironcron, run) == "queued\n", "the response is there, before the callback")
        assert tell_end(node, run["run_id"], end_of(run, output="did 7 rows\n"), SECRET) == (
            200, {"run_id": run["run_id"], "job": "call", "state": "SUCCESS"})
        run = runs(ironcron)[0]  # at once: 200 means that it is recorded
        assert run["state"] == "SUCCESS" and run["error"] is None
        assert detail(ironcron, run) == {**detail(ironcron, run), "status": 202, "callback": "signature"}
        until(lambda: output(ironcron, run) == "queued\ndid 7 rows\n", lambda: output(ironcron, run))
    verified(ironcron)


def test_a_callback_says_that_it_failed(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        assert tell_end(node, run["run_id"], end_of(run, "FAILED", error=f"disk\nfull, {SECRET}"), SECRET)[0] == 200
        run = runs(ironcron)[0]
        assert run["state"] == "FAILED" and run["error"] == "disk full, ***"
        assert node.metrics()['job_failures_total{job_name="call",reason="http"}'] == 1
        # The same again, also though what is recorded is masked.
        assert tell_end(node, run["run_id"], end_of(run, "FAILED", error=f"disk\nfull, {SECRET}"), SECRET)[0] == 200
        run = start(ironcron, peer)
        for _ in range(2):
            assert tell_end(node, run["run_id"], end_of(run, "FAILED"), SECRET)[0] == 200
        assert runs(ironcron)[1]["error"] == "the callback says FAILED"
    verified(ironcron)


def test_the_same_end_again_gets_the_same_answer_and_another_one_is_refused(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        first = tell_end(node, run["run_id"], end_of(run), SECRET)
        assert first[0] == 200
        for _ in range(3):
            assert tell_end(node, run["run_id"], end_of(run), SECRET) == first
        status, problem = tell_end(node, run["run_id"], end_of(run, "FAILED", error="no"), SECRET)
        assert status == 409 and "has ended as SUCCESS already" in problem["detail"]
        assert tell_end(node, run["run_id"], {"fence": run["fence"] + 1, "state": "SUCCESS"}, SECRET)[0] == 409
    assert [r["state"] for r in runs(ironcron)] == ["SUCCESS"]
    with ironcron.serve() as node:  # a restart has forgotten nothing
        assert tell_end(node, run["run_id"], end_of(run), SECRET) == first
        assert tell_end(node, run["run_id"], end_of(run, "FAILED"), SECRET)[0] == 409
    assert len(ironcron.query("select * from audit_log where run_id = ?", run["run_id"])) == 2
    verified(ironcron)


def test_forged_callbacks_change_nothing(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"), job(peer.url(), name="other", secret="x" * 32))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        end = json.dumps(end_of(run)).encode()
        forged = [None, "", "nonsense", sign("x" * 32, end), sign(SECRET, end + b" "), sign(SECRET, end, time.time() - 400),
                  sign(SECRET, end, time.time() + 400), sign(SECRET, end)[:-1], f"t={int(time.time())},v1=" + "0" * 64]
        for signature in forged:
            status, problem = tell_end(node, run["run_id"], end, signature=signature)
            assert status == 401 and problem["status"] == 401, (signature, problem)
            assert SECRET not in str(problem)
        assert tell_end(node, run["run_id"], end, headers=bearer("anything"))[0] == 401  # no tokens are configured
        assert runs(ironcron)[0]["state"] == "STARTED"
        assert tell_end(node, run["run_id"], end, SECRET)[0] == 200
        assert SECRET not in node.log()


def test_wrong_fences_ids_and_bodies(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        for fence in (run["fence"] + 1, run["fence"] - 1 or 99, 1 << 40):
            status, problem = tell_end(node, run["run_id"], {"fence": fence, "state": "SUCCESS"}, SECRET)
            assert status == 409 and "another fence" in problem["detail"]
        for unknown in ("01890000-0000-7000-8000-000000000000", "00000000-0000-0000-0000-000000000000", "x", "call"):
            assert tell_end(node, unknown, end_of(run), SECRET)[0] == 404
        assert tell_end(node, "%00", end_of(run), SECRET)[0] in (400, 404)
        for body in (b"", b"{}", b"[]", b'{"fence":1}', b'{"state":"SUCCESS"}', b"\xff", b'{"fence":"1","state":"SUCCESS"}',
                     json.dumps(end_of(run, "LOST")).encode(), json.dumps(end_of(run, exit_code=1)).encode()):
            status, problem = tell_end(node, run["run_id"], body, SECRET)
            assert status == 400 and problem["detail"], (body, status, problem)
        with contextlib.suppress(OSError):  # it may close before all is sent
            assert tell_end(node, run["run_id"], b"x" * (1 << 20), SECRET)[0] == 413
        status, problem = tell_end(node, run["run_id"], b"", SECRET, method="GET")
        assert status == 405
        assert runs(ironcron)[0]["state"] == "STARTED"
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 200


def test_tokens(ironcron, peer):
    configure(ironcron, job(peer.url(), complete="callback"), job(peer.url(), name="signed", secret=SECRET, complete="callback"),
              head=TOKENS)
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        assert tell_end(node, run["run_id"], end_of(run))[0] == 401
        assert tell_end(node, run["run_id"], end_of(run), headers=bearer("wrong"))[0] == 401
        assert tell_end(node, run["run_id"], end_of(run), headers=bearer("viewer-0123456789"))[0] == 403
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 401  # this job has no secret
        assert tell_end(node, run["run_id"], end_of(run), headers=bearer("operator-0123456789"))[0] == 200
        assert detail(ironcron, runs(ironcron)[0])["callback"] == "token oncall"
        run = start(ironcron, peer, "signed")
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 200  # where tokens exist as well
        run = start(ironcron, peer, "signed")
        assert tell_end(node, run["run_id"], end_of(run), headers=bearer("operator-0123456789"))[0] == 200


def test_a_callback_that_is_faster_than_the_response(ironcron):
    answers = []

    def behave(connection, request, peer):
        run = {"fence": int(request["X-Ironcron-Fence"])}
        answers.append(tell_end(peer.node, request["X-Ironcron-Run-Id"], end_of(run, output="early\n"), SECRET)[0])
        reply(connection, "202 Accepted")

    with Peer(behave) as peer:
        configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
        with ironcron.serve() as node:
            peer.node = node
            ironcron.run("run", "call")
            assert runs(ironcron)[0]["state"] == "SUCCESS" and answers == [200]
    verified(ironcron)


def test_no_callback_in_time_and_then_one_that_is_late(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback", more="    timeout: 3s\n"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        error = ended(ironcron, "TIMED_OUT")[0]["error"]
        assert "answered 202, and no callback came within the timeout of 3s" in error
        status, problem = tell_end(node, run["run_id"], end_of(run), SECRET)
        assert status == 409 and "has ended as TIMED_OUT already" in problem["detail"]
    verified(ironcron)


def test_an_answer_that_is_not_expected_ends_the_run_without_a_callback(ironcron):
    with Peer(lambda c, r, p: reply(c, "500 Oh")) as peer:
        configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
        with ironcron.serve() as node:
            start(ironcron, peer)
            run = ended(ironcron, "FAILED")[0]
            assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 409


def test_runs_that_no_callback_ends(ironcron):
    with Peer(hang) as peer:
        configure(ironcron, job(peer.url(), secret=SECRET), f"  - name: shell\n    schedule: {NEVER}\n    shell: exec sleep 600\n",
                  head=TOKENS)
        with ironcron.serve() as node:
            run = start(ironcron, peer)
            status, problem = tell_end(node, run["run_id"], end_of(run), SECRET)
            assert status == 409 and "complete: callback" in problem["detail"]
            ironcron.run("run", "shell", "--detach")
            until(lambda: runs(ironcron, "shell"), "the process runs")
            run = runs(ironcron, "shell")[0]
            assert tell_end(node, run["run_id"], end_of(run), headers=bearer("operator-0123456789"))[0] == 409
            ironcron.run("runs", "cancel", "--job", "call")
            ironcron.run("runs", "cancel", "--job", "shell")
            ended(ironcron, "CANCELLED", "shell")


def test_cancelled_while_it_waits(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        ironcron.run("runs", "cancel", "--job", "call")
        ended(ironcron, "CANCELLED")
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 409
    verified(ironcron)


def test_after_a_restart_the_run_is_lost_and_its_fence_stale(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    node = ironcron.start()
    run = start(ironcron, peer)
    node.kill()
    with ironcron.serve() as node:
        assert ended(ironcron, "LOST")
        status, problem = tell_end(node, run["run_id"], end_of(run), SECRET)
        assert status == 409 and "has ended as LOST already" in problem["detail"]
    verified(ironcron)


def test_a_node_that_stood_still_for_too_long_gives_its_runs_up(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"),
              head="node: { lease: 6s, drain: 5s }\n")
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        os.kill(node.pid, signal.SIGSTOP)
        time.sleep(7)  # longer than the lease, which is what this is about
        os.kill(node.pid, signal.SIGCONT)
        lost = ended(ironcron, "LOST")[0]
        assert "stood still for longer than its lease" in lost["error"], lost
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 409
    verified(ironcron)


def test_a_short_lived_node_refuses_what_it_cannot_hear_of(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    ironcron.run("run", "call", code=1)
    run = runs(ironcron)[0]
    assert run["state"] == "FAILED" and "start `ironcron serve`" in run["error"] and not peer.requests


def test_a_reload_keeps_the_secret_that_the_run_began_with(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        configure(ironcron, job(peer.url(), secret="y" * 32, complete="callback"))
        node.signal(signal.SIGHUP)
        node.wait_logged("event=reloaded")
        assert tell_end(node, run["run_id"], end_of(run), "y" * 32)[0] == 401
        assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 200


def test_an_end_is_confirmed_only_once_it_is_recorded(ironcron, peer):
    configure(ironcron, job(peer.url(), secret=SECRET, complete="callback"))
    with ironcron.serve() as node:
        run = start(ironcron, peer)
        with contextlib.closing(sqlite3.connect(ironcron.store_path, isolation_level=None)) as other:
            other.execute("begin immediate")  # somebody writes, and does not finish
            status, problem = tell_end(node, run["run_id"], end_of(run), SECRET)
            assert status == 503 and "Tell it again" in problem["detail"], problem
            assert tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 503
            assert runs(ironcron)[0]["state"] == "STARTED"
            other.execute("rollback")
        until(lambda: tell_end(node, run["run_id"], end_of(run), SECRET)[0] == 200, "the end is recorded")
        assert runs(ironcron)[0]["state"] == "SUCCESS"
    verified(ironcron)
