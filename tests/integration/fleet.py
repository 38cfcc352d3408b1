"""A fleet of real nodes on a PostgreSQL cluster of its own: jobs that witness their own execution, proxies and processes
to break, and one judgement of what came of it."""

import collections
import os
import pathlib
import re
import secrets
import struct
import subprocess
import time

import pytest

from conftest import PATIENCE, Ironcron, environment, until
from pg_proxy import Proxy
from postgres import BIN, PASSWORD, Cluster, Database

HERE = pathlib.Path(__file__).parent
LEASE = 6  # seconds; margin and grace follow from it
GRACE = LEASE / 6
# docs/guarantees.md: how long after the end of a fault all is as before. It holds where the machine has time: one on which
# somebody waited for a processor for longer than that share of it is given our patience instead.
BOUND = LEASE + GRACE + 10
IDLE = 0.2
COUNTS = {"skip": 12, "queue": 8, "allow": 8, "replace": 6, "long": 6, "sql": 160}


IDENTITY = r'event=started node=([0-9a-f-]{36})'


def compiled(source, output, *flags):
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", *flags, "-o", output, HERE / source], check=True)
    return output


def waited_for_processors():
    """Seconds since the machine began; None where the kernel does not count them."""
    try:
        text = pathlib.Path("/proc/pressure/cpu").read_text(encoding="ascii")
        return int(re.search(r"some .*total=(\d+)", text).group(1)) / 1e6
    except OSError:
        return None


class Fleet:
    """Three nodes as long as nobody says otherwise; node K has a folder, and a proxy where it was asked for."""

    def __init__(self, folder, nodes=3, proxied=(), cluster=None, lease=LEASE, counts=None, app_proxied=False):
        self.folder = folder
        self.lease = lease
        self.cluster = cluster or Cluster(max_connections="100")
        self.database = Database(self.cluster)
        self.database.execute("create table witness (job text, run_id uuid, fence bigint, due_at timestamptz)")
        self.witness = folder / "witness"
        self.counts = {**COUNTS, **(counts or {})}
        self.program = compiled("fleet_witness.c", folder / "witness-program")
        self.proxies = {}
        self.app = Proxy(self.cluster.port) if app_proxied else None
        self.hosts = []
        for number in range(nodes):
            self.add(number, number in proxied)
        self.hosts[0].run("migrate", "deploy", "--store")

    def add(self, number, is_proxied):
        place = self.folder / f"node{number}"
        place.mkdir()
        port = self.cluster.port
        if is_proxied:
            self.proxies[number] = Proxy(port)
            port = self.proxies[number].port
        (place / "app-url").write_text(self.url(self.app.port if self.app else self.cluster.port))
        host = Ironcron(place)
        host.config_path.write_text(
            f'store: "{self.url(port)}"\nhttp: {{ listen: "127.0.0.1:0" }}\n'
            f"node: {{ lease: {self.lease}s, drain: 5s, max_running: 200, state: node }}\n" + self.definitions())
        self.hosts.append(host)

    def url(self, port):
        return (f"postgresql://tester:{PASSWORD}@127.0.0.1:{port}/{self.database.name}"
                "?sslmode=disable&gssencmode=disable")

    def definitions(self):
        lines = ['databases: [{ name: app, url: "${file:app-url}", connections: 6 }]', "jobs:"]
        for kind, count in self.counts.items():
            lines += [self.job(kind, f"{kind}-{number}") for number in range(count)]
        return "\n".join(lines) + "\n"

    def job(self, kind, name):
        if kind == "sql":
            return (f'  - {{ name: {name}, schedule: "@every 2s", missed: last, sql: {{ database: app, statement: "insert '
                    f"into witness values ('{name}', $run_id, $fence, $due_at)\" }} }}")
        lock = "" if kind == "allow" else f', "{self.folder}/lock-{name}"'
        lasts, every = {"long": (5000, "1s"), "replace": (3000, "2s"), "allow": (2500, "2s")}.get(kind, (150, "2s"))
        overlap = "skip" if kind == "long" else kind
        return (f'  - {{ name: {name}, schedule: "@every {every}", overlap: {overlap}, missed: last, '
                f'command: ["{self.program}", "{self.witness}", "{lasts}"{lock}] }}')

    def jobs(self):
        return sum(self.counts.values())

    # ---- nodes ----

    def start(self, number, env=None, ready=True):
        return self.hosts[number].start(env=env, ready=ready)

    def start_all(self):
        for number in range(len(self.hosts)):
            self.start(number, ready=False)
        for number in range(len(self.hosts)):
            self.node(number).wait_ready()

    def revive(self):
        """What a service manager does: who ended for a temporary reason (exit code 75) is started again."""
        ended = [number for number, host in enumerate(self.hosts)
                 if host.nodes and self.node(number).process.poll() == 75]
        for number in ended:
            self.start(number, ready=False)
        return ended

    def node(self, number):
        return self.hosts[number].nodes[-1]

    def pid(self, number):
        return self.node(number).pid

    def runner(self, number):
        """The runner: the child that is called as the node is."""
        children = pathlib.Path(f"/proc/{self.pid(number)}/task/{self.pid(number)}/children").read_text().split()
        assert children, "a node has a runner"
        return int(children[0])

    def backends(self, number):
        """Pids of the server's processes that this node's store talks to."""
        return [int(row[0]) for row in self.database.backends(f"application_name like '%{self.identity(number)}%'")]

    def identity(self, number):
        """The node's id, as it says itself, the newest where it began anew."""
        self.node(number).wait_logged(IDENTITY)
        return re.findall(IDENTITY, self.node(number).log())[-1]

    # ---- the ways to the server ----

    def ways(self):
        return [*self.proxies.values(), *([self.app] if self.app else [])]

    def hang_up(self):
        """Nobody reaches the server, until all are led to one."""
        for proxy in self.ways():
            proxy.refuses = True
            proxy.cut()

    def lead_to(self, cluster):
        self.cluster = self.database.cluster = cluster
        for proxy in self.ways():
            proxy.to = cluster.port
            proxy.refuses = False

    # ---- what is seen ----

    def value(self, statement):
        return self.database.value(statement)

    def now(self):
        return self.value("select clock_timestamp()")

    def idle_jobs(self, since):
        """Jobs without a run that started since and that is over, or goes on and is long."""
        rows = self.database.execute("select distinct job from ironcron.job_runs where state in ('SUCCESS', 'STARTED') "
                                     f"and started_at > '{since}'")
        seen = {row[0] for row in rows}
        return [f"{kind}-{n}" for kind, count in self.counts.items() for n in range(count) if f"{kind}-{n}" not in seen]

    def resumes(self, since=None, bound=None):
        """All jobs run again within the bound."""
        since = since or self.now()
        begun, waited = time.monotonic(), waited_for_processors()
        bound = bound or BOUND
        until(lambda: not self.revive() and not self.idle_jobs(since), lambda: f"these do not run since {since}: {self.idle_jobs(since)[:20]}\n"
              f"{self.logs()}", bound + PATIENCE, 0.25)
        took = time.monotonic() - begun
        had_time = waited is not None and waited_for_processors() - waited < IDLE * took
        assert took <= bound or not had_time, f"{took:.1f} s instead of {bound:.1f} s\n{self.logs()}"
        return took

    def is_beating(self, since):
        """Each node has beaten since then, under the id that it says. One that is stopped before leaves its row."""
        ids = [self.identity(number) for number, host in enumerate(self.hosts) if host.nodes and self.node(number).alive()]
        beating = f"state = 'live' and last_seen > '{since}' and node = any('{{{','.join(ids)}}}'::uuid[])"
        return self.value(f"select count(*) from ironcron.nodes where {beating}") == str(len(ids))

    def logs(self):
        return "\n".join(f"---- node {n}\n{host.nodes[-1].log()[-3000:]}" for n, host in enumerate(self.hosts)
                         if host.nodes)

    # ---- judgement ----

    def judge(self, forgotten=()):
        """Stops what runs, and says whether all of it was right. `forgotten`: runs whose record a database has lost."""
        since = self.now()
        until(lambda: not self.revive() and self.is_beating(since), self.logs)
        for number, host in enumerate(self.hosts):
            if host.nodes and self.node(number).alive():
                self.node(number).process.terminate()
        for number, host in enumerate(self.hosts):
            if host.nodes:
                self.node(number).wait()
        for host in self.hosts:
            host.expect_no_process()
        self.judge_ledger()
        self.judge_witnesses(forgotten)

    def judge_ledger(self):
        verify = self.hosts[0].run("audit", "verify", code=None)
        assert verify.returncode == 0, f"{verify.stdout}\n{verify.stderr}\n{self.logs()}"
        assert self.value("select count(*) from ironcron.job_runs where state = 'STARTED'") == "0"
        assert self.value("select count(*) from ironcron.nodes where state = 'live'") == "0"
        # Not even where a run was LOST: no job here is tried again.
        assert self.value("select count(*) from ironcron.slots where outcome is null and reason is null") == "0"
        doubled = self.database.execute("select job, due_at, count(*) from ironcron.job_runs where trigger in ('schedule', "
                                        "'catchup') group by 1, 2 having count(*) > 1")
        assert not doubled, doubled

    def judge_witnesses(self, forgotten):
        states = {row[0]: (row[1], row[2]) for row in
                  self.database.execute("select run_id, state, job from ironcron.job_runs where job not like 'sql-%'")}
        lines = [line.split() for line in self.witness.read_text().splitlines()]
        overlaps = [line for line in lines if line[0] == "overlap"]
        assert not overlaps, f"two runs at once: {overlaps[:10]}"
        begun = collections.Counter(line[2] for line in lines if line[0] == "begin")
        twice = [run for run, count in begun.items() if count > 1]
        assert not twice, f"executed more than once: {twice[:10]}"
        unknown = [run for run in begun if run not in states and run not in forgotten]
        assert not unknown, f"executed without a record: {unknown[:10]}"
        never = [(run, *states[run]) for run in states if states[run][0] == "SUCCESS" and run not in begun]
        assert not never, f"SUCCESS without an execution: {never[:10]}"
        ended = {line[2] for line in lines if line[0] == "end"}
        early = [(run, *states[run]) for run in begun if run in states and states[run][0] == "SUCCESS" and run not in ended]
        assert not early, f"SUCCESS before its end: {early[:10]}"
        self.judge_sql()

    def judge_sql(self):
        twice = self.database.execute("select run_id, count(*) from witness group by 1 having count(*) > 1")
        assert not twice, f"executed more than once: {twice[:10]}"
        wrong = self.database.execute(
            "select r.run_id, r.state from ironcron.job_runs r left join witness w using (run_id) where r.job like 'sql-%' "
            "and r.state = 'SUCCESS' and w.run_id is null union all select w.run_id, 'no record' from witness w "
            "left join ironcron.job_runs r using (run_id) where r.run_id is null")
        assert not wrong, f"the effects are not those of the record: {wrong[:10]}"

    def states(self):
        return dict(self.database.execute("select state, count(*) from ironcron.job_runs group by 1"))

    def remove(self):
        for host in self.hosts:
            host.clean_up()
        for proxy in self.ways():
            proxy.stop()
        self.cluster.remove()


class Session:
    """A session on the server that stays, driven by psql."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            [BIN / "psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(database.cluster.port), "-U", "tester", "-d",
             database.name], env=database.cluster.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def execute(self, statement):
        """All that it prints, errors as well."""
        self.process.stdin.write(f"{statement};\n\\echo done\n")
        self.process.stdin.flush()
        lines = []
        while not lines or lines[-1] != "done":
            line = self.process.stdout.readline()
            if not line:
                return "\n".join(lines)
            lines.append(line.rstrip("\n"))
        return "\n".join(lines[:-1])

    def close(self):
        self.process.kill()
        self.process.communicate()


class Clock:
    """The wall clock of one node, off by what we say, at any moment."""

    def __init__(self, folder):
        self.path = folder / f"clock-{secrets.token_hex(4)}"
        self.preload = compiled("fleet_clock.c", folder / "clock.so", "-shared", "-fPIC")
        self.path.write_bytes(bytes(8))

    def environment(self):
        return {"LD_PRELOAD": str(self.preload), "FLEET_CLOCK": str(self.path)}

    def step(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("<q", int(seconds * 1_000_000_000)))


@pytest.fixture
def fleets(tmp_path):
    """Makes fleets, and shows their logs where a test fails."""
    made = []

    def make(**options):
        folder = tmp_path / f"fleet{len(made)}"
        folder.mkdir()
        made.append(Fleet(folder, **options))
        return made[-1]

    yield make
    for fleet in made:
        fleet.remove()
