"""What a monitoring system sees of a node: the real Prometheus scrapes it, promtool reads it, probes ask it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.parse
import urllib.request

import pytest

from conftest import PATIENCE, free_port, until

JOBS = """
jobs:
  - { name: works, schedule: "0 0 1 1 *", shell: "true" }
  - { name: breaks, schedule: "0 0 1 1 *", shell: "exit 3" }
  - { name: hangs, schedule: "0 0 1 1 *", shell: "exec sleep 600", timeout: 1s, kill_after: 1s }
  - { name: never, schedule: "0 0 1 1 *", shell: "true" }
  - { name: ticks, schedule: "@every 1s", shell: "true" }
"""
TOKENS = """http:
  listen: "127.0.0.1:0"
  metrics_public: %s
  tokens:
    - { name: eyes, role: viewer, token: "viewer-token-0123456789" }
    - { name: hands, role: operator, token: "operator-token-0123456789" }
"""
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def runs(name, status):
    return f'job_runs_total{{job_name="{name}",status="{status}"}}'


def failures(name, reason):
    return f'job_failures_total{{job_name="{name}",reason="{reason}"}}'


def wait_for(node, series, value):
    until(lambda: node.metrics().get(series) == value, lambda: f"{series} is {node.metrics().get(series)}, not {value}")


def play(ironcron, node):
    """Known runs by hand: 2 of works, 3 of breaks, 1 of hangs; ticks goes on by itself."""
    for name, times, code in (("works", 2, 0), ("breaks", 3, 1), ("hangs", 1, 1)):
        for _ in range(times):
            ironcron.run("run", name, code=code)
    wait_for(node, runs("works", "success"), 2)
    wait_for(node, runs("breaks", "failed"), 3)
    wait_for(node, runs("hangs", "timed_out"), 1)


def test_metrics_tell_what_happened(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        values = node.metrics()
        assert values[runs("never", "success")] == 0
        assert values[failures("never", "exit")] == 0
        assert 'job_duration_ms_count{job_name="never"}' not in values
        play(ironcron, node)
        values = node.metrics()
        assert values[failures("breaks", "exit")] == 3
        assert values[failures("hangs", "timeout")] == 1
        assert values['job_duration_ms_count{job_name="breaks"}'] == 3
        assert values['job_duration_ms_bucket{job_name="hangs",le="500"}'] == 0
        assert values['job_duration_ms_bucket{job_name="hangs",le="+Inf"}'] == 1
        assert values['job_duration_seconds_sum{job_name="hangs"}'] >= 1
        assert values['job_duration_ms_sum{job_name="hangs"}'] == pytest.approx(
            values['job_duration_seconds_sum{job_name="hangs"}'] * 1000)
        assert values['job_info{job_name="works",schedule="0 0 1 1 *",timezone="UTC",kind="shell"}'] == 1
        assert values['job_last_success_timestamp_seconds{job_name="breaks"}'] == 0
        assert values["ironcron_store_up"] == 1
        assert values["process_resident_memory_bytes"] > 1e6


def test_metrics_equal_the_ledger(ironcron):
    ironcron.config(JOBS)
    names = ("SUCCESS", "FAILED", "TIMED_OUT")

    def ledger():
        rows = ironcron.query("select job, state, count(*) as n from job_runs group by job, state")
        return {runs(row["job"], row["state"].lower()): row["n"] for row in rows if row["state"] in names}

    def agree():
        before = ledger()
        values = node.metrics()
        return before == ledger() and before and all(values[key] == n for key, n in before.items())

    with ironcron.serve() as node:
        play(ironcron, node)
        until(lambda: node.metrics().get(runs("ticks", "success"), 0) >= 2, "two ticks")
        until(agree, lambda: f"ledger {ledger()}\nmetrics {node.metrics()}")
        success = ironcron.query("select max(ended_at) as at from job_runs where job = 'works'")[0]["at"]
        shown = node.metrics()['job_last_success_timestamp_seconds{job_name="works"}']
        expected = subprocess.run(["date", "-u", "-d", success, "+%s.%3N"], capture_output=True, text=True, check=True)
        assert shown == pytest.approx(float(expected.stdout), abs=1)
        values = node.metrics()
        assert values['job_start_delay_seconds_count{job_name="ticks"}'] >= 2
        assert values['job_queue_seconds_count{job_name="ticks"}'] >= 2
        assert 'job_start_delay_seconds_count{job_name="breaks"}' not in values  # by hand: never late


def test_promtool_dislikes_one_name_only(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        play(ironcron, node)
        status, headers, text = node.get("/metrics")
        assert (status, headers["Content-Type"]) == (200, TEXT)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 3, done
        complaints = (done.stdout + done.stderr).splitlines()
        assert complaints and all(line.startswith("job_duration_ms ") for line in complaints), complaints
        status, headers, text = node.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
        assert (status, headers["Content-Type"]) == (200, OPENMETRICS)
        assert text.endswith("\n# EOF\n")


# ---- Prometheus ---------------------------------------------------------------------------------------


class Prometheus:
    def __init__(self, folder, target, token=None):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "prometheus.log"
        job = {"job_name": "ironcron", "static_configs": [{"targets": [target]}]}
        if token:
            job["authorization"] = {"credentials": token}
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
        (folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                 f"--web.listen-address={self.url[7:]}"], stdout=log, stderr=log, cwd=folder)

    def ask(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=5) as answer:
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    def query(self, expression):
        """{labels as sorted pairs: value} of an instant query; {} until there is an answer."""
        data = self.ask("/api/v1/query", query=expression)
        rows = data["result"] if data else []
        return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in rows}

    def value(self, expression):
        values = list(self.query(expression).values())
        return values[0] if len(values) == 1 else None

    def wait_value(self, expression, value):
        until(lambda: self.value(expression) == value,
              lambda: f"{expression} is {self.query(expression)}, not {value}; targets: {self.ask('/api/v1/targets')}\n"
                      f"{self.log.read_text()[-2000:]}")


@contextlib.contextmanager
def prometheus(folder, target, token=None):
    server = Prometheus(folder, target, token)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def test_prometheus_scrapes_the_series(ironcron, tmp_path_factory):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        play(ironcron, node)
        with prometheus(tmp_path_factory.mktemp("prometheus"), node.address) as server:
            server.wait_value('up{job="ironcron"}', 1)
            server.wait_value('job_runs_total{job_name="works",status="success"}', 2)
            server.wait_value('job_runs_total{job_name="breaks",status="failed"}', 3)
            server.wait_value('job_runs_total{job_name="never",status="success"}', 0)
            server.wait_value('job_failures_total{job_name="breaks",reason="exit"}', 3)
            server.wait_value('job_failures_total{job_name="hangs",reason="timeout"}', 1)
            server.wait_value('job_duration_ms_bucket{job_name="breaks",le="+Inf"}', 3)
            server.wait_value('job_duration_ms_bucket{job_name="hangs",le=~"500(\\\\.0)?"}', 0)
            server.wait_value('count(job_duration_ms_bucket{job_name="breaks"})', 17)
            server.wait_value('job_duration_seconds_count{job_name="breaks"}', 3)
            server.wait_value('count(job_info{job="ironcron"})', 5)
            assert server.query('{exported_job=~".+"}') == {}
            kinds = server.ask("/api/v1/metadata")
            assert kinds["job_duration_ms"][0]["type"] == "histogram"
            assert kinds["job_runs_total" if "job_runs_total" in kinds else "job_runs"][0]["type"] == "counter"
            # An increase is seen although the first failure came before the first scrape.
            ironcron.run("run", "breaks", code=1)
            server.wait_value('job_failures_total{job_name="breaks",reason="exit"}', 4)


def test_prometheus_scrapes_with_a_token(ironcron, tmp_path_factory):
    ironcron.config(TOKENS % "false" + JOBS)
    with ironcron.serve() as node:
        assert node.get("/metrics")[0] == 401
        with prometheus(tmp_path_factory.mktemp("prometheus"), node.address, "viewer-token-0123456789") as server:
            server.wait_value('up{job="ironcron"}', 1)
            server.wait_value('job_runs_total{job_name="never",status="success"}', 0)


# ---- access, probes, reload ---------------------------------------------------------------------------


@pytest.mark.parametrize("public", ["false", "true"])
def test_metrics_need_a_viewer_once_tokens_exist(ironcron, public):
    ironcron.config(TOKENS % public + JOBS)
    with ironcron.serve() as node:
        status, headers, text = node.get("/metrics")
        if public == "true":
            assert status == 200
        else:
            assert (status, headers["Content-Type"]) == (401, "application/problem+json")
            assert headers["WWW-Authenticate"].startswith("Bearer")
            assert json.loads(text)["status"] == 401
            assert node.get("/metrics", {"Authorization": "Bearer viewer-token-012345678"})[0] == 401
        for token in ("viewer-token-0123456789", "operator-token-0123456789"):
            assert node.get("/metrics", {"Authorization": f"Bearer {token}"})[0] == 200
        assert node.get("/livez")[0] == 200
        assert node.get("/readyz")[0] == 200


def test_answers_of_the_server(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        status, headers, text = node.get("/")
        assert status == 200 and "/metrics" in text
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        status, headers, text = node.get("/nowhere")
        assert (status, headers["Content-Type"], json.loads(text)["status"]) == (404, "application/problem+json", 404)
        assert node.get("/metrics", {"Host": "evil.example"})[0] == 421
        for method, path, expected in (("POST", "/metrics", 405), ("HEAD", "/metrics", 200), ("DELETE", "/", 405)):
            request = urllib.request.Request(f"http://{node.address}{path}", method=method)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    assert (answer.status, answer.read()) == (expected, b"")
            except urllib.error.HTTPError as error:
                assert (error.code, error.headers["Allow"]) == (expected, "GET, HEAD")


def test_readyz_names_what_is_not_ready(ironcron):
    ironcron.config(f"""node: {{ drain: 60s }}
jobs:
  - name: slow
    schedule: "@every 1s"
    shell: "while ! test -e {ironcron.folder}/go; do sleep 0.05; done"
""")
    with ironcron.serve() as node:
        assert node.get("/livez")[::2] == (200, "ok\n")
        status, headers, text = node.get("/readyz", {"Accept": "application/json"})
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert {c["name"]: c["ok"] for c in json.loads(text)["checks"]} == {
            "loop": True, "store": True, "runner": True, "draining": True, "definitions": True}
        until(lambda: node.metrics().get('job_running{job_name="slow"}') == 1, "slow runs")
        node.signal(signal.SIGTERM)
        until(lambda: node.get("/readyz")[0] == 503, "/readyz is 503 while it drains")
        assert "[-] draining failed" in node.get("/readyz")[2]
        status, headers, text = node.get("/readyz", {"Accept": "application/json"})
        assert (status, headers["Content-Type"]) == (503, "application/problem+json")
        assert [c["name"] for c in json.loads(text)["checks"] if not c["ok"]] == ["draining"]
        assert node.get("/livez")[0] == 200
        assert node.metrics()['job_running{job_name="slow"}'] == 1
        (ironcron.folder / "go").touch()
        assert node.wait() == 0


def test_a_reload_keeps_counters_of_jobs_that_remain(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        play(ironcron, node)
        added = JOBS.replace("name: never", "name: fresh").replace('"exit 3"', '"exit 4"')
        ironcron.config(added)
        node.signal(signal.SIGHUP)
        wait_for(node, runs("fresh", "success"), 0)
        values = node.metrics()
        assert not [series for series in values if 'job_name="never"' in series]
        assert values[runs("breaks", "failed")] == 3
        ironcron.run("run", "breaks", code=1)
        wait_for(node, runs("breaks", "failed"), 4)


def test_a_flood_of_clients_disturbs_nothing(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node, contextlib.ExitStack() as open_clients:
        host, port = node.address.split(":")
        for number in range(200):
            client = open_clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((host, int(port)))
            with contextlib.suppress(OSError):
                client.send((b"GET /metrics HTTP/1.1\r\n", b"\x16\x03\x01", b"", b"POST / HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: 99999\r\n\r\nabc")[number % 4])
        before = len(ironcron.query("select 1 from job_runs where job = 'ticks' and state = 'SUCCESS'"))
        until(lambda: len(ironcron.query("select 1 from job_runs where job = 'ticks' and state = 'SUCCESS'")) > before + 1,
              "jobs go on")
        open_clients.close()
        until(lambda: node.get("/livez")[0] == 200, "answers again")
        until(lambda: len(os.listdir(f"/proc/{node.pid}/fd")) < 60, lambda: os.listdir(f"/proc/{node.pid}/fd"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_tls(ironcron):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out",
                    "cert.pem"], cwd=ironcron.folder, check=True, capture_output=True)
    ironcron.config('http: { listen: "127.0.0.1:0", tls: { cert: cert.pem, key: key.pem } }\n' + JOBS)
    with ironcron.serve(ready=False) as node:
        address = until(node.find_address, lambda: f"listening:\n{node.log()}")
        trust = ssl.create_default_context(cafile=ironcron.folder / "cert.pem")

        def get(path):
            try:
                with urllib.request.urlopen(f"https://{address}{path}", timeout=PATIENCE, context=trust) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, ""

        until(lambda: get("/readyz")[0] == 200, "/readyz over TLS")
        status, text = get("/metrics")
        assert status == 200 and runs("never", "success") in text
        node.address = address
        assert node.get("/livez")[0] in (0, 400)  # plain HTTP to a TLS port gets nothing
        assert get("/livez")[0] == 200
