"""examples/nextjs for real: built and served by Next.js, called by ironcron with the example's own configuration.

What npm installs and Next.js builds stays in build/nextjs for the next time."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE, ROOT, free_port, until
from http_jobs import runs, verified
from http_peer import sign

EXAMPLE = ROOT / "examples/nextjs"
FOLDER = ROOT / "build/nextjs"
SECRET = "next-0123456789abcdef0123456789abcdef"


def digest(*names):
    files = sorted(file for name in names for file in EXAMPLE.glob(name) if file.is_file())
    return hashlib.sha256(b"\0".join(str(f).encode() + b"\0" + f.read_bytes() for f in files)).hexdigest()


def tool(*command):
    env = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "npm_config_cache": str(FOLDER / "cache"), "CI": "1"}
    done = subprocess.run(command, cwd=FOLDER / "app", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=1800, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"


def once(mark, wanted, make):
    """Makes it unless the mark says that it was made of the same."""
    path = FOLDER / mark
    if not path.exists() or path.read_text() != wanted:
        path.unlink(missing_ok=True)
        make()
        path.write_text(wanted)


@pytest.fixture(scope="module")
def built():
    app = FOLDER / "app"
    app.mkdir(parents=True, exist_ok=True)
    for path in EXAMPLE.iterdir():
        if path.name in ("node_modules", ".next", "data"):
            continue
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, app / path.name, **({"dirs_exist_ok": True} if path.is_dir() else {}))
    once("installed", digest("package.json", "package-lock.json"), lambda: tool("npm", "ci", "--no-audit", "--no-fund"))
    once("built", digest("*", "app/**/*", "lib/*"), lambda: tool("npm", "run", "build"))
    return app


class App:
    def __init__(self, folder, ironcron_port):
        self.port = free_port()
        self.folder = folder
        self.log = FOLDER / "next.log"
        env = {"PATH": os.environ["PATH"], "HOME": str(FOLDER), "JOB_SECRET": SECRET, "NEXT_TELEMETRY_DISABLED": "1",
               "IRONCRON_URL": f"http://127.0.0.1:{ironcron_port}"}
        shutil.rmtree(folder / "data", ignore_errors=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["node_modules/.bin/next", "start", "-H", "127.0.0.1", "-p", str(self.port)],
                                            cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
        until(lambda: "Ready in" in self.log.read_text(), lambda: self.log.read_text())

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def done(self):
        """What the jobs did: (job, due at, attempt), one for each time that the work was done."""
        log = self.folder / "data/done.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [tuple(re.fullmatch(r"(\S+) (\S+) attempt (\d+)", line).groups()) for line in lines]

    def post(self, path, run, key=None, at=None, secret=SECRET, signature=None):
        body = json.dumps(run).encode()
        headers = {"Idempotency-Key": key or f"{run['job']}/{run['due_at']}",
                   "X-Ironcron-Signature": sign(secret, body, at) if signature is None else signature}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


@pytest.fixture
def app(built, ironcron):
    ironcron.port = free_port()
    program = App(built, ironcron.port)
    yield program
    program.close()


def run_of(job, due_at="2026-01-02T03:04:05.000Z"):
    return {"job": job, "run_id": "01890000-0000-7000-8000-000000000000", "due_at": due_at, "attempt": 1, "fence": 1,
            "trigger": "schedule", "params": {}}


def test_the_example_runs_its_jobs(ironcron, app):
    text = (EXAMPLE / "ironcron.yml").read_text().replace("127.0.0.1:8321", f"127.0.0.1:{ironcron.port}")
    ironcron.config(re.sub(r'schedule: ".*"', 'schedule: "@every 2s"', text))
    env = {"JOB_SECRET": SECRET, "APP_URL": f"http://127.0.0.1:{app.port}"}
    ironcron.run("validate", env=env)
    with ironcron.serve(env=env):
        for name in ("send-digest", "flaky", "rebuild-search"):
            until(lambda: [r["state"] for r in runs(ironcron, name)].count("SUCCESS") >= 2,
                  lambda: f"two runs of {name}: {runs(ironcron, name)}\n{app.log.read_text()}")
    assert {run["state"] for run in runs(ironcron, "send-digest")} == {"SUCCESS"}
    assert "the mail server is away" in runs(ironcron, "flaky")[0]["error"]
    done = app.done()
    assert len({(job, due) for job, due, _ in done}) == len(done), "each slot once"
    assert {attempt for job, _, attempt in done if job == "flaky"} == {"2"}
    for name in ("send-digest", "flaky", "rebuild-search"):
        due = {run["due_at"] for run in runs(ironcron, name) if run["state"] == "SUCCESS"}
        assert due <= {due for job, due, _ in done if job == name}
    assert SECRET not in app.log.read_text()
    verified(ironcron)


def test_what_is_forged_old_or_repeated_does_nothing(app):
    path, run = "/api/jobs/send-digest", run_of("send-digest")
    assert app.post(path, run, signature="")[0] == 401
    assert app.post(path, run, secret="somebody else's secret")[0] == 401
    assert app.post(path, run, signature=sign(SECRET, b"another body"))[0] == 401
    assert app.post(path, run, at=time.time() - 400)[0] == 401  # genuine once, and replayed
    assert app.post(path, run, at=time.time() + 400)[0] == 401
    assert app.post(path, run, key="send-digest/2026-01-02T03:04:06.000Z")[0] == 401
    assert app.post("/api/jobs/flaky", run)[0] == 400
    assert app.post("/api/jobs/nothing", run_of("nothing"))[0] == 404
    assert app.done() == []
    assert app.post(path, run) == (200, "done\n")
    assert app.post(path, run) == (200, "done before\n")
    assert app.post(path, {**run, "attempt": 2, "fence": 9}) == (200, "done before\n")
    assert app.done() == [("send-digest", run["due_at"], "1")]
    assert pathlib.Path(app.folder / "data/keys").exists()
