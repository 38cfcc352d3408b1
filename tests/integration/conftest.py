"""Fixtures: a folder with a configuration, the real binary as one-shot commands and as a node."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("IRONCRON_BIN", str(ROOT / "build/release/ironcron"))
# How long a thing that must come may take, on a slow machine that has much else to do. Nothing waits for it to pass.
PATIENCE = float(os.environ.get("IRONCRON_TEST_PATIENCE", "120"))
FAR = "@once 2099-01-01T00:00:00Z"  # a schedule that is never due: not on the hour, not at midnight, not at New Year
HTTP_LISTEN = 'http: { listen: "127.0.0.1:0" }\n'
PORTS = []  # what claims them
NODE_DRAIN = "node: { drain: 5s }\n"  # far less than our patience


def until(what, described, patience=PATIENCE, every=0.02):
    """Polls until `what()` is true and returns its answer; the only way in which a test waits."""
    deadline = time.monotonic() + patience
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience:g} s: {described() if callable(described) else described}")
        time.sleep(every)


def free_port():
    """A port of loopback that stays ours as long as this process lives, also while nobody listens there: not one of
    those that the kernel gives to whoever asks for none, and claimed by a name that another process can't take."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        below = int(file.read().split()[0])
    for port in random.SystemRandom().sample(range(max(below - 20000, 1024), below), 1000):
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            claim.bind(f"\0ironcron-test-port-{port}")
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            PORTS.append(claim)
            return port
        claim.close()
    pytest.fail("no port of loopback is free")


def environment(home, extra=None):
    """Built from nothing, so that no setting of the developer's shell decides a test."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(home), "LANG": "C.UTF-8",
            "TZ": "UTC", **(extra or {})}


def processes(tag):
    """Pids of all processes whose environment, command line or working folder holds the text `tag`."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            state = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            words = pathlib.Path(f"/proc/{entry}/environ").read_bytes()
            words += pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
            words += os.readlink(f"/proc/{entry}/cwd").encode()
        except OSError:
            continue
        if state not in "ZX" and tag.encode() in words:
            found.append(int(entry))
    return found


def resident(pid):
    """Its memory, in kB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))


def command_lines(pids):
    lines = []
    for pid in pids:
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            lines.append(f"{pid}: {words.decode(errors='replace').strip()}")
    return "\n".join(lines)


class Node:
    """A running `ironcron serve`."""

    def __init__(self, process, log):
        self.process = process
        self.pid = process.pid
        self.log_path = log
        self.address = None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def logged(self, pattern):
        """The first match of a regular expression in the log, or None."""
        return re.search(pattern, self.log())

    def wait_logged(self, pattern, patience=PATIENCE):
        return until(lambda: self.logged(pattern), lambda: f"/{pattern}/ in the log:\n{self.log()}", patience)

    def find_address(self):
        match = self.logged(r'event"?[=:]\s?"?listening\b.*?address"?[=:]\s?"?([^\s",}]+)')
        return match.group(1) if match else None

    def get(self, path, headers=None):
        """(status, headers, text) of a GET; 0 when nobody answers."""
        request = urllib.request.Request(f"http://{self.address}{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()
        except OSError:
            return 0, {}, ""

    def metrics(self):
        """{'name{label="x"}': value} of /metrics."""
        values = {}
        for line in self.get("/metrics")[2].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def wait_ready(self, patience=PATIENCE):
        def ready():
            if not self.alive():
                pytest.fail(f"serve ended with {self.process.returncode}:\n{self.log()}")
            self.address = self.address or self.find_address()
            return self.address and self.get("/readyz")[0] == 200

        until(ready, lambda: f"/readyz is 200 at {self.address}; log:\n{self.log()}", patience)

    def signal(self, number):
        """Sends it and waits until it has been taken: of two that are pending the kernel keeps one."""
        self.process.send_signal(number)

        def taken():
            try:
                text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            except OSError:
                return True
            pending = int(re.search(r"^ShdPnd:\s*(\w+)", text, re.M).group(1), 16)
            return re.search(r"^State:\s*[TZX]", text, re.M) or not pending >> (number - 1) & 1

        until(taken, f"signal {number} is taken")

    def stop(self, patience=PATIENCE):
        """TERM, and the exit code."""
        if self.alive():
            self.process.terminate()
        return self.wait(patience)

    def wait(self, patience=PATIENCE):
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            pytest.fail(f"serve did not end within {patience:g} s; log:\n{self.log()}")

    def kill(self):
        """KILL, as a crash would."""
        self.process.kill()
        self.process.wait()


class Ironcron:
    """The program with one folder: its configuration, store and witness files."""

    def __init__(self, folder):
        self.folder = folder
        self.config_path = folder / "ironcron.yml"
        self.store_path = folder / "ironcron.db"
        self.nodes = []

    def config(self, text, name="ironcron.yml", http=True):
        """Writes a configuration; the store is ironcron.db in the folder, HTTP listens on a free port, and a stop
        waits a few seconds for what runs, unless the text says otherwise."""
        head = "" if name != "ironcron.yml" else "store: sqlite:ironcron.db\n"
        if http and head and "http:" not in text:
            head += HTTP_LISTEN
        if head and "node:" not in text:  # at the end: tests count lines
            text += ("" if text.endswith("\n") else "\n") + NODE_DRAIN
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + text)
        return path

    def command(self, *arguments):
        return [BINARY, "-c", str(self.config_path), *[str(a) for a in arguments]]

    def run(self, *arguments, code=0, env=None, stdin=None, timeout=PATIENCE, config=True):
        """One command. `code`: the exit code that it must have, None for any."""
        command = self.command(*arguments) if config else [BINARY, *[str(a) for a in arguments]]
        done = subprocess.run(command, cwd=self.folder, env=environment(self.folder, env), input=stdin or "",
                              capture_output=True, text=True, timeout=timeout, check=False)
        if code is not None and done.returncode != code:
            pytest.fail(f"{' '.join(command)}\nended with {done.returncode}, expected {code}\n"
                        f"stdout:\n{done.stdout}\nstderr:\n{done.stderr}")
        return done

    def json(self, *arguments, **options):
        """The one document that a command with --json prints."""
        return json.loads(self.run("--json", *arguments, **options).stdout)

    def query(self, statement, *values):
        """Rows of the store, as any SQLite client sees them."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store_path}?mode=ro", uri=True, timeout=PATIENCE)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(statement, values)]

    def start(self, *arguments, env=None, ready=True):
        log = self.folder / f"serve.{len(self.nodes)}.log"
        with open(log, "wb") as file:
            process = subprocess.Popen(self.command("serve", *arguments), cwd=self.folder, stdout=file, stderr=file,
                                       stdin=subprocess.DEVNULL, env=environment(self.folder, env))
        node = Node(process, log)
        self.nodes.append(node)
        if ready:
            node.wait_ready()
        return node

    @contextlib.contextmanager
    def serve(self, *arguments, env=None, ready=True):
        """A node for a while; it must stop cleanly, and leave no process behind."""
        node = self.start(*arguments, env=env, ready=ready)
        try:
            yield node
            if node.alive():
                assert node.stop() == 0, f"serve did not stop cleanly:\n{node.log()}"
        finally:
            if node.alive():
                node.kill()
        self.expect_no_process()

    def expect_no_process(self, patience=PATIENCE):
        tag = str(self.folder)
        until(lambda: not processes(tag), lambda: f"no process is left; left:\n{command_lines(processes(tag))}",
              patience)

    def clean_up(self):
        for node in self.nodes:
            if node.alive():
                node.kill()
        for pid in processes(str(self.folder)):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what each node logged."""
    outcome = yield
    report = outcome.get_result()
    ironcron = getattr(item, "funcargs", {}).get("ironcron")
    if report.failed and ironcron:
        for node in ironcron.nodes:
            report.sections.append((f"log of serve {node.pid}", node.log()[-20000:]))


@pytest.fixture
def ironcron(tmp_path):
    program = Ironcron(tmp_path)
    yield program
    program.clean_up()
