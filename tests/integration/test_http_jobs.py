"""Jobs of kind http against real servers on real sockets, well-behaved and not."""

import json
import socket

import pytest

from conftest import free_port, resident, until
from http_jobs import SECRET, configure, detail, ended, hang, job, output, run_once, runs, verified
from http_peer import Peer, is_signed, reply, reset


# ---- a good request ------------------------------------------------------------------------------


def test_a_request_carries_the_facts_and_its_body_is_signed(ironcron):
    with Peer(lambda c, r, p: reply(c, body=b"did 7 rows\n")) as peer:
        configure(ironcron, job(peer.url("/jobs/warm?x=1"), secret=SECRET, headers={"X-Team": "data", "X-Empty": ""}))
        run = run_once(ironcron, code=0)
        request = peer.requests[0]
        assert (request.method, request.target, request.version) == ("POST", "/jobs/warm?x=1", "HTTP/1.1")
        assert request["Host"] == f"127.0.0.1:{peer.port}"
        assert request["X-Ironcron-Job"] == "call"
        assert request["X-Ironcron-Run-Id"] == run["run_id"]
        assert request["X-Ironcron-Due-At"] == run["due_at"]
        assert request["X-Ironcron-Attempt"] == "1"
        assert request["X-Ironcron-Fence"] == str(run["fence"])
        assert request["Idempotency-Key"] == run["run_id"]  # a manual run
        assert request["X-Team"] == "data" and request["X-Empty"] == ""
        assert request["User-Agent"].startswith("ironcron/")
        assert is_signed(request, SECRET) and not is_signed(request, SECRET + "x")
        assert json.loads(request.body) == {"job": "call", "run_id": run["run_id"], "due_at": run["due_at"], "attempt": 1,
                                            "fence": run["fence"], "trigger": "manual", "params": {}}
        assert run["state"] == "SUCCESS" and run["exit_code"] is None
        facts = detail(ironcron, run)
        assert facts["status"] == 200 and facts["bytes"] == 11 and facts["time_ms"] >= 0
        assert output(ironcron, run) == "did 7 rows\n"
        assert len(peer.requests) == 1
    verified(ironcron)


def test_slots_are_requested_and_recorded(ironcron):
    with Peer() as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"'))
        with ironcron.serve() as node:
            ended(ironcron, "SUCCESS", count=3)
            assert node.metrics()['job_runs_total{job_name="call",status="success"}'] >= 1
        for run, request in zip(runs(ironcron), peer.requests):
            assert request["Idempotency-Key"] == f"call/{run['due_at']}" == f"call/{request['X-Ironcron-Due-At']}"
    verified(ironcron)


def test_each_method_sends_its_body_and_no_other(ironcron):
    with Peer() as peer:
        configure(ironcron, *[job(peer.url(), name=name, method=name, **keys) for name, keys in {
            "GET": {}, "HEAD": {}, "PUT": {"body": "a"}, "PATCH": {}, "DELETE": {}, "POST": {"body": ""}}.items()])
        for name in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"):
            run_once(ironcron, name, code=0)
        bodies = {request.method: request.body for request in peer.requests}
        assert json.loads(bodies.pop("PATCH"))["job"] == "PATCH"
        assert bodies == {"GET": b"", "HEAD": b"", "PUT": b"a", "DELETE": b"", "POST": b""}
        lengths = {request.method: request["Content-Length"] for request in peer.requests}
        assert lengths["GET"] is None and lengths["POST"] == "0" and lengths["PUT"] == "1"


def test_retries_have_the_same_idempotency_key(ironcron):
    answers = iter(["500 Oh", "503 No"])
    with Peer(lambda c, r, p: reply(c, next(answers, "200 OK"))) as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"', secret=SECRET,
                                more="    retries: { max: 3, backoff: 100ms }\n"))
        with ironcron.serve():
            ended(ironcron, "SUCCESS")
        first = runs(ironcron)[0]["due_at"]  # newer slots are passed over while this one waits
        asked = [request for request in peer.requests if request["X-Ironcron-Due-At"] == first]
        assert asked == peer.requests[:3] and {request["Idempotency-Key"] for request in asked} == {f"call/{first}"}
        assert [request["X-Ironcron-Attempt"] for request in asked] == ["1", "2", "3"]
        assert len({request["X-Ironcron-Fence"] for request in asked}) == 3
        assert all(is_signed(request, SECRET) for request in asked)
    assert ironcron.query("select outcome from slots where due_at = ?", first)[0]["outcome"] == "SUCCESS"
    verified(ironcron)


def test_params_are_headers_and_part_of_the_signed_body(ironcron):
    with Peer() as peer:
        configure(ironcron, job(peer.url(), secret=SECRET, more="    params: { day: today, dry_run: \"\" }\n"))
        run_once(ironcron, "call", "--param", "day=2026-01-02", code=0)
        request = peer.requests[0]
        assert request["X-Ironcron-Param-day"] == "2026-01-02" and request["X-Ironcron-Param-dry-run"] == ""
        assert json.loads(request.body)["params"] == {"day": "2026-01-02", "dry_run": ""} and is_signed(request, SECRET)
        run = run_once(ironcron, "call", "--param", "day=a\r\nX-Evil: 1")
        assert run["state"] == "FAILED" and "line break" in run["error"] and len(peer.requests) == 1


def test_a_dry_run_sends_nothing(ironcron):
    with Peer() as peer:
        configure(ironcron, job(peer.url()))
        assert run_once(ironcron, "call", "--dry-run", code=0)["state"] == "DRY_RUN"
        assert peer.connections == 0


def test_ipv6(ironcron):
    try:
        peer = Peer(family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with peer:
        configure(ironcron, job(peer.url(host="[::1]")))
        assert run_once(ironcron)["state"] == "SUCCESS"
        assert peer.requests[0]["Host"] == f"[::1]:{peer.port}"


def test_proxies_of_the_environment_are_not_used(ironcron):
    with Peer() as peer, Peer(lambda c, r, p: reply(c, "502 Proxy")) as proxy:
        configure(ironcron, job(peer.url()))
        env = {name: proxy.url("/") for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
        assert run_once(ironcron, env=env)["state"] == "SUCCESS"
        assert not proxy.requests


# ---- what is expected ----------------------------------------------------------------------------


@pytest.mark.parametrize("status, expect, state", [
    ("204 No Content", "2xx", "SUCCESS"), ("299 X", "2xx", "SUCCESS"), ("404 Not Found", ["2xx", 404], "SUCCESS"),
    ("302 Found", "302", "SUCCESS"), ("205 Reset", "200-204", "FAILED"), ("500 Oh", "2xx", "FAILED"),
    ("200 OK", "404", "FAILED"), ("999 Odd", "2xx", "FAILED")])
def test_statuses(ironcron, status, expect, state):
    with Peer(lambda c, r, p: reply(c, status, b"" if status[:3] in ("204", "205") else b"first line\nsecond line")) as peer:
        configure(ironcron, job(peer.url(), expect=expect))
        run = run_once(ironcron)
        assert run["state"] == state, run
        assert detail(ironcron, run)["status"] == int(status[:3])
        if state == "FAILED":
            assert f"POST {peer.url()} answered {status}, expected" in run["error"]
            assert "second line" not in run["error"]
            assert ("first line" in run["error"]) == (status[:3] != "205")
    verified(ironcron)


def test_redirects_are_not_followed(ironcron):
    with Peer() as target:
        with Peer(lambda c, r, p: reply(c, "301 Moved Permanently", b"", [f"Location: {target.url('/new?key=hidden-key')}"])) as peer:
            configure(ironcron, job(peer.url()))
            run = run_once(ironcron)
            assert run["state"] == "FAILED" and "redirects are not followed" in run["error"]
            assert f"301 Moved Permanently to {target.url('/new')};" in run["error"]
            assert "hidden-key" not in run["error"] and not target.requests


def test_secrets_are_in_no_log_error_answer_or_store(ironcron):
    """Even where the server sends back what it got."""
    def echo(connection, request, peer):
        reply(connection, "401 Unauthorized", (request["Authorization"] + " " + request.target).encode())

    env = {"KEY": "key-0123456789-in-url", "SECRET": SECRET, "TOKEN": "bearer-0123456789"}
    with Peer(echo) as peer:
        base = peer.url("/${KEY}/job?token=${KEY}")
        configure(ironcron, job(base, schedule='"@every 1s"', secret="${SECRET}",
                                headers={"Authorization": "Bearer ${TOKEN}", "X-Api-Key": "literal-0123456789"}))
        with ironcron.serve(env=env) as node:
            run = ended(ironcron, "FAILED")[0]
            text = node.log() + node.get("/metrics")[2]
        assert f"POST http://127.0.0.1:{peer.port}/…/job answered 401" in run["error"], run
        for command in (["runs"], ["--json", "runs"], ["--json", "jobs"], ["jobs", "show", "call"],
                        ["--json", "jobs", "show", "call"], ["audit"], ["--json", "audit"], ["status"], ["validate"]):
            done = ironcron.run(*command, code=None, env=env)
            text += done.stdout + done.stderr
        text += str(ironcron.query("select * from audit_log")) + str(ironcron.query("select * from job_runs"))
        for secret in ("key-0123456789", SECRET, "bearer-0123456789", "literal-0123456789"):
            assert peer.requests and secret not in text


# ---- servers that do wrong -----------------------------------------------------------------------


def hang_after_headers(connection, request, peer):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    peer.hang()


def drip(connection, request, peer):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not peer.leaving.wait(0.05):
        connection.sendall(b"1\r\nx\r\n")


def drip_headers(connection, request, peer):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not peer.leaving.wait(0.05):
        connection.sendall(b"X-Y: z\r\n")


def provisional_for_ever(connection, request, peer):
    while not peer.leaving.wait(0.05):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("behave, words", [
    (hang, "had not answered"), (hang_after_headers, "answered 200 OK and had sent 4 bytes"), (drip, "answered 200 OK and had"),
    (drip_headers, ""), (provisional_for_ever, "had not answered")])
def test_the_timeout_holds_however_slow(ironcron, behave, words):
    with Peer(behave) as peer:
        configure(ironcron, job(peer.url(), more="    timeout: 3s\n"))
        run = run_once(ironcron)
        assert run["state"] == "TIMED_OUT" and words in run["error"], run
        assert "within the timeout of 3s" in run["error"] and "the server may go on" in run["error"]
    verified(ironcron)


def raw(data, close=socket.socket.close):
    def behave(connection, request, peer):
        connection.sendall(data)
        close(connection)
    return behave


@pytest.mark.parametrize("behave, words", [
    (raw(b""), "closed without an answer"),
    (raw(b"", reset), "closed without an answer"),
    (raw(b"HTTP/1.1 200 OK\r\nX-A: b", reset), "broke after 0 bytes"),
    (raw(b"hello, I am a mail server\r\n"), "does not speak HTTP"),
    (raw(b"\x00\x01\x02\x03" * 100), "does not speak HTTP"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "broke after 3 bytes"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", reset), "broke after 3 bytes"),
    (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "broke after 2 bytes"),
    (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "http://127.0.0.1"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "http://127.0.0.1"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "http://127.0.0.1"),
    (raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 10\r\n\r\nabc"), "answered 500 Oh"),
    (raw(b"HTTP/1.1 \xff\xfe\r\nContent-Length: 0\r\n\r\n"), "http://127.0.0.1"),
    (raw(b"HTTP/1.1 500 \xff\x1b[31m\x07 bad\r\nContent-Length: 0\r\n\r\n"), "answered 500 ??[31m? bad"),
    (raw(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 70000 + b"\r\n\r\n"), "more than 64 KB of headers"),
])
def test_answers_that_are_none(ironcron, behave, words):
    with Peer(behave) as peer:
        configure(ironcron, job(peer.url()))
        run = run_once(ironcron)
        assert run["state"] == "FAILED" and words in run["error"], run
        assert len(peer.requests) == 1, "a request is never sent twice"
    verified(ironcron)


def test_endless_headers_are_cut_off(ironcron):
    def behave(connection, request, peer):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not peer.leaving.is_set():
            connection.sendall(b"X-Y: 0123456789012345678901234567890123456789\r\n")

    with Peer(behave) as peer:
        configure(ironcron, job(peer.url()))
        run = run_once(ironcron)
        assert run["state"] == "FAILED" and "more than 64 KB of headers" in run["error"]


def test_an_answer_that_comes_twice_counts_once(ironcron):
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad"
    with Peer(raw(twice)) as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"'))
        with ironcron.serve():
            ended(ironcron, "SUCCESS", count=2)
        assert {run["state"] for run in runs(ironcron)} == {"SUCCESS"}
        assert output(ironcron, runs(ironcron)[0]) == "ok"
    verified(ironcron)


def test_a_body_of_a_gigabyte_takes_no_memory(ironcron):
    sent = []

    def behave(connection, request, peer):
        block = b"x" * 65536
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nbegin")
        for _ in range(16384):
            connection.sendall(block)
            sent.append(len(block))

    with Peer(behave) as peer:
        configure(ironcron, job(peer.url(), name="small"), job(peer.url(), schedule='"@every 1s"'))
        with ironcron.serve() as node:
            until(lambda: len(peer.requests) >= 1, "the first request")
            ended(ironcron, "SUCCESS")
            before = resident(node.pid)
            ended(ironcron, "SUCCESS", count=3)
            assert resident(node.pid) < before + 32 * 1024
        run = runs(ironcron)[0]
        facts = detail(ironcron, run)
        assert facts["body_cut"] is True and 64 << 20 < facts["bytes"] < 66 << 20
        kept = output(ironcron, run)
        assert kept.startswith("begin") and "bytes left out" in kept and len(kept) < (1 << 20) + 200
    verified(ironcron)


def test_a_connection_refused_and_then_not(ironcron):
    port = free_port()
    configure(ironcron, job(f"http://127.0.0.1:{port}/job", schedule='"@every 1s"'))
    with ironcron.serve():
        run = ended(ironcron, "FAILED")[0]
        assert f"cannot connect to 127.0.0.1:{port}: Connection refused" in run["error"], run
        with Peer(port=port):
            ended(ironcron, "SUCCESS")
    verified(ironcron)


def test_a_host_that_is_not_there(ironcron):
    configure(ironcron, job("http://nowhere.invalid/job"))
    run = run_once(ironcron)
    assert run["state"] == "FAILED" and "its host is not found" in run["error"], run
    done = ironcron.run("validate")
    assert "the host nowhere.invalid is not found" in done.stdout
    assert "passed, with warnings" in done.stdout


def test_validate_sends_no_request(ironcron):
    with Peer() as peer:
        configure(ironcron, job(peer.url(), secret=SECRET))
        ironcron.run("validate")
        assert peer.connections == 0


def test_many_at_once(ironcron):
    """200 runs whose server lets none go before all have come."""
    def behave(connection, request, peer):
        until(lambda: len(peer.requests) >= 200 or peer.leaving.is_set(), "all have come")
        reply(connection, body=b"done")

    with Peer(behave) as peer:
        configure(ironcron, *[job(peer.url(f"/{i}"), name=f"call-{i}", schedule='"@every 10s"') for i in range(200)],
                  head="node: { max_running: 300, drain: 20s }\n")
        with ironcron.serve():
            until(lambda: ironcron.query("select count(distinct job) n from job_runs where state = 'SUCCESS'")[0]["n"] == 200,
                  lambda: f"200 runs: {ironcron.query('select state, error, count(*) from job_runs group by 1, 2')}")
        assert len({request.target for request in peer.requests[:200]}) == 200, "one of each before the second of any"
        assert len({request["X-Ironcron-Run-Id"] for request in peer.requests}) == len(peer.requests)
    verified(ironcron)


# ---- ending it -----------------------------------------------------------------------------------


def test_cancelling_drops_the_request(ironcron):
    gone = []

    def behave(connection, request, peer):
        gone.append(connection.recv(1))  # until the client goes

    with Peer(behave) as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"'))
        with ironcron.serve():
            until(lambda: peer.requests, "a request")
            ironcron.run("runs", "cancel", "--job", "call")
            run = ended(ironcron, "CANCELLED")[0]
            assert "cancelled by" in run["error"] and "the server may go on with it" in run["error"]
            until(lambda: gone, "the connection is closed")
            assert gone[0] == b""
    verified(ironcron)


def test_a_stop_ends_what_does_not_finish(ironcron):
    with Peer(hang) as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"'), head="node: { drain: 1s }\n")
        with ironcron.serve():
            until(lambda: peer.requests, "a request")
        assert runs(ironcron)[0]["state"] == "CANCELLED"
    verified(ironcron)


def test_a_node_that_dies_leaves_its_request_lost(ironcron):
    with Peer(hang) as peer:
        configure(ironcron, job(peer.url(), schedule='"@every 1s"'))
        node = ironcron.start()
        until(lambda: peer.requests, "a request")
        node.kill()
        ironcron.run("pause", "call")
        with ironcron.serve():
            assert ended(ironcron, "LOST")
    verified(ironcron)
