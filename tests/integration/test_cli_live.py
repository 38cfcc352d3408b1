"""What acts goes to the live node through the unix socket beside its store; a proxy in its place counts."""

import contextlib
import os
import pwd
import socket
import socketserver
import threading

import pytest
from conftest import FAR, until

JOBS = f"""
jobs:
  - {{ name: greet, schedule: "{FAR}", shell: "echo hello" }}
  - {{ name: broken, schedule: "*/2 * * * * *", shell: "exit 3" }}
  - {{ name: long, schedule: "{FAR}", shell: "sleep 600" }}
"""


class Proxy(socketserver.ThreadingUnixStreamServer):
    """Stands where the node's socket was, passes requests on, and may swallow the answers."""

    daemon_threads = True

    def __init__(self, path):
        self.node = f"{path}.node"
        os.rename(path, self.node)
        self.asked = []
        self.swallows = False
        super().__init__(str(path), Handler)

    @contextlib.contextmanager
    def serving(self):
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            os.replace(self.node, self.server_address)


def message(connection):
    """One request or response as it comes: all of it, and its head."""
    whole, wanted = b"", None
    while wanted is None or len(whole) < wanted:
        more = connection.recv(65536)
        if not more:
            break
        whole += more
        head, end, _ = whole.partition(b"\r\n\r\n")
        if end and wanted is None:
            lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line]
            wanted = len(head) + len(end) + sum(lengths)
    return whole, whole.partition(b"\r\n\r\n")[0]


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        request, head = message(self.request)
        self.server.asked.append(head.split(b"\r\n")[0].decode().rpartition(" ")[0])
        with socket.socket(socket.AF_UNIX) as node:
            node.connect(self.server.node)
            node.sendall(request)
            answer, _ = message(node)
            if not self.server.swallows:
                self.request.sendall(answer)


@pytest.fixture
def proxied(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve():
        with Proxy(f"{ironcron.store_path}.sock").serving() as proxy:
            yield ironcron, proxy


def last_failed(ironcron):
    rows = ironcron.query("select run_id from job_runs where job = 'broken' and state = 'FAILED' and exists "
                          "(select 1 from slots where slots.run_id = job_runs.run_id) order by fence desc limit 1")
    return rows[0]["run_id"] if rows else None


def test_everything_that_acts_is_asked_of_the_node(proxied):
    ironcron, proxy = proxied
    run = until(lambda: last_failed(ironcron), "a failed run")
    ironcron.run("pause", "broken", "--reason", "disk")
    ironcron.run("resume", "broken")
    ironcron.run("throttle", "--all", "x2")
    ironcron.run("throttle", "--all", "off")
    ironcron.run("dry-run", "on", "greet")
    ironcron.run("dry-run", "off", "greet")
    ironcron.run("reload")
    assert ironcron.run("run", "greet").stdout == "hello\n"
    ironcron.run("pause", "broken")
    ironcron.run("runs", "retry", run, code=1)
    ironcron.run("resume", "broken")
    ironcron.run("backfill", "broken", "--from", "-1m", "--to", "-0s", code=None)
    ironcron.run("run", "long", "--detach")
    until(lambda: ironcron.query("select 1 from job_runs where job = 'long'"), "the long run")
    ironcron.run("runs", "cancel", "--job", "long")
    assert proxy.asked == [
        "POST /api/v1/jobs/broken/pause", "POST /api/v1/jobs/broken/resume", "POST /api/v1/throttle",
        "POST /api/v1/throttle", "POST /api/v1/jobs/greet/dry-run", "POST /api/v1/jobs/greet/dry-run",
        "POST /api/v1/reload", "POST /api/v1/jobs/greet/run", "POST /api/v1/jobs/broken/pause",
        f"POST /api/v1/runs/{run}/retry", "POST /api/v1/jobs/broken/resume", "POST /api/v1/jobs/broken/backfill",
        "POST /api/v1/jobs/long/run", "POST /api/v1/jobs/long/cancel"]
    actors = {row["actor"] for row in ironcron.query("select actor from audit_log where event in ('PAUSED', 'RESUMED')")}
    assert actors == {f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"}


def test_a_lost_answer_makes_no_second_run(proxied):
    ironcron, proxy = proxied
    proxy.swallows = True
    assert ironcron.run("run", "greet").stdout == "hello\n"
    assert proxy.asked == ["POST /api/v1/jobs/greet/run"]
    assert len(ironcron.query("select 1 from job_runs where job = 'greet'")) == 1
    ironcron.run("pause", "greet")
    assert len(ironcron.query("select 1 from audit_log where event = 'PAUSED'")) == 1


def test_without_the_socket_the_store_is_the_way(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve():
        os.remove(f"{ironcron.store_path}.sock")
        assert ironcron.run("run", "greet").stdout == "hello\n"
        ironcron.run("pause", "greet")
        assert ironcron.query("select actor from audit_log where event = 'PAUSED'")
