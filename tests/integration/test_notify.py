"""The service manager's protocol, spoken by the real binary to a real datagram socket: what systemd hears, and when."""

import contextlib
import ctypes
import os
import signal
import socket
import time

import pytest

from conftest import FAR, until

JOBS = 'jobs:\n  - { name: tick, schedule: "@every 1s", shell: "true" }\n'
SLOW = """node: { drain: 60s }
jobs:
  - name: slow
    schedule: "@every 1s"
    workdir: FOLDER
    shell: echo >up; while [ ! -e go ]; do sleep 0.1; done
"""
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Manager:
    """Where a service manager listens."""

    def __init__(self, name):
        self.name = name
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)

    def listen(self):
        """All messages so far, each a dictionary."""
        with contextlib.suppress(BlockingIOError):
            while True:
                message = self.socket.recv(4096).decode()
                self.heard.append(dict(line.split("=", 1) for line in message.split("\n")))
        return self.heard

    def values(self, name):
        return [message[name] for message in self.listen() if name in message]

    def states(self):
        """What was said in which order, without the watchdog, the status lines and requests for time."""
        words = [next(iter(message)) for message in self.listen()]
        return [word for word in words if word in ("READY", "RELOADING", "STOPPING")]

    def wait(self, name, count=1):
        until(lambda: len(self.values(name)) >= count, lambda: f"{count} times {name} in {self.listen()}")
        return self.values(name)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    listening = Manager(f"@ironcron-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield listening
    listening.socket.close()


@pytest.fixture
def by_path(tmp_path):
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.socket.close()


def test_start_reload_and_stop_in_the_manager_s_words(ironcron, manager):
    ironcron.config(JOBS)
    with ironcron.serve(env={"NOTIFY_SOCKET": manager.name}) as node:
        manager.wait("READY")
        assert node.get("/livez")[0] == 200, "ready was said before HTTP was served"
        assert "live: 1 jobs" in manager.wait("STATUS")[0]
        before = time.monotonic_ns() // 1000
        node.signal(signal.SIGHUP)
        manager.wait("READY", 2)
        assert before <= int(manager.values("MONOTONIC_USEC")[0]) <= time.monotonic_ns() // 1000
        node.process.terminate()
        node.wait()
        assert manager.states() == ["READY", "RELOADING", "READY", "STOPPING"]
        assert "WATCHDOG" not in {name for message in manager.listen() for name in message}


def test_a_refused_reload_ends_as_well(ironcron, by_path):
    ironcron.config(JOBS)
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name}) as node:
        ironcron.config("jobs: 7\n")
        node.signal(signal.SIGHUP)
        node.wait_logged("reload_refused")
        by_path.wait("READY", 2)
        assert by_path.states() == ["READY", "RELOADING", "READY"]


def test_a_start_that_is_refused_is_never_ready(ironcron, by_path):
    ironcron.config("jobs: 7\n")
    node = ironcron.start(env={"NOTIFY_SOCKET": by_path.name}, ready=False)
    assert node.wait() == 78
    assert by_path.states() == []


def test_a_drain_asks_for_the_time_that_it_may_take(ironcron, by_path):
    ironcron.config(SLOW.replace("FOLDER", str(ironcron.folder)))
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name}) as node:
        until((ironcron.folder / "up").exists, "the job runs")
        asked = len(by_path.values("EXTEND_TIMEOUT_USEC"))
        node.process.terminate()
        longer = by_path.wait("EXTEND_TIMEOUT_USEC", asked + 2)[asked:]
        assert all(60_000_000 < int(time_asked) <= 90_000_000 for time_asked in longer), longer
        assert any("stopping" in status for status in by_path.wait("STATUS", 2))
        (ironcron.folder / "go").write_text("")
        assert node.wait() == 0


def test_no_job_can_speak_for_the_node(ironcron, by_path):
    ironcron.config(f"""jobs:
  - name: env
    schedule: "@every 1s"
    pass_env: [HOME]
    workdir: {ironcron.folder}
    shell: env >env.new; mv env.new env.txt
""")
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name, "WATCHDOG_USEC": "60000000"}):
        until((ironcron.folder / "env.txt").exists, "the job has run")
        seen = (ironcron.folder / "env.txt").read_text()
        assert "HOME=" in seen and "NOTIFY_SOCKET" not in seen and "WATCHDOG" not in seen


@contextlib.contextmanager
def main_thread_stopped(pid):
    """The thread of the loop stands still; all others of the process go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, pid, None, None) != 0:
            pytest.skip(f"this system allows no ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, 0x40000000)  # __WALL: until it stands
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)


def test_the_watchdog_is_fed_by_the_loop_and_by_nothing_else(ironcron, by_path):
    ironcron.config(JOBS.replace("@every 1s", FAR))
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name, "WATCHDOG_USEC": "5000000"}) as node:
        by_path.wait("WATCHDOG", 3)
        with main_thread_stopped(node.pid):
            by_path.listen()
            fed = len(by_path.values("WATCHDOG"))
            time.sleep(4)  # an idle node says it each 1.5 s
            assert len(by_path.values("WATCHDOG")) == fed, "the watchdog is fed while the loop stands still"
        by_path.wait("WATCHDOG", fed + 1)


def test_another_process_s_watchdog_is_left_alone(ironcron, by_path):
    ironcron.config(JOBS)
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}) as node:
        by_path.wait("STATUS", 1)
        node.signal(signal.SIGHUP)
        by_path.wait("READY", 2)
        assert not by_path.values("WATCHDOG")


def test_a_watchdog_that_is_too_short_is_named(ironcron, by_path):
    ironcron.config(JOBS)
    with ironcron.serve(env={"NOTIFY_SOCKET": by_path.name, "WATCHDOG_USEC": "2000000"}) as node:
        node.wait_logged("watchdog_short")
