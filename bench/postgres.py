#!/usr/bin/env python3
"""postgres.py NOOP_POSTGRES FOLDER [ROUNDS]: no-op jobs a second through the engine and the PostgreSQL store, on two
connections, beside what others reach on the same server: pgbench with batches of 500 (claimed by advisory locks, inserted as
STARTED, updated to SUCCESS), graphile-worker and pg-boss at their best. They take turns. A backend's processor time for a
run is given too, since it hardly depends on what else the machine does.
"""

import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

from server import BIN, Server

ROUNDS = 3
JOBS = 20000  # of the peers
BATCH = 500
TABLE = """create table audit (id bigint generated always as identity primary key, job_id int not null,
due timestamptz not null, status text not null, node text, started_at timestamptz not null default clock_timestamp(),
ended_at timestamptz, exit_code int); create index on audit (job_id, due)"""
SCRIPT = f"""\\set b random(1, 100000000)
with c as materialized (select j, pg_try_advisory_lock(j) ok from unnest(array(select generate_series(:b::int, :b::int + {BATCH - 1}))) j), ins as (insert into audit (job_id, due, status, node) select j, now(), 'STARTED', 'n1' from c where ok returning id) select array_agg(id)::text as ids from ins \\gset
update audit set status = 'SUCCESS', ended_at = clock_timestamp(), exit_code = 0 where id = any(:ids::bigint[]);
select count(*) from unnest(array(select generate_series(:b::int, :b::int + {BATCH - 1}))) j where pg_advisory_unlock(j);
"""


class Backends(threading.Thread):
    """The processor time of a database's backends, looked at again and again, since it goes with them."""

    def __init__(self, server, database):
        super().__init__(daemon=True)
        self.server, self.database = server.process.pid, database
        self.ticks = {}
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            for pid in pathlib.Path(f"/proc/{self.server}/task/{self.server}/children").read_text().split():
                try:
                    if f" {self.database} " in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                        self.ticks[pid] = int(fields[11]) + int(fields[12])
                except OSError:
                    pass

    def microseconds(self, runs):
        self.over.set()
        self.join()
        return sum(self.ticks.values()) * 10000 / runs


def fresh(server, name):
    server.psql(f"drop database if exists {name}")
    server.psql(f"create database {name}")
    server.psql("checkpoint")
    time.sleep(0.5)


def ours(server, binary, jobs=4000, rounds=25):
    fresh(server, "ours")
    backends = Backends(server, "ours")
    done = subprocess.run([binary, server.url("ours").replace("127.0.0.1", "").replace(f":{server.port}", "")
                           + f"?host={server.folder}&port={server.port}", str(jobs), str(rounds)], check=True,
                          capture_output=True, text=True)
    return float(done.stdout), backends.microseconds(jobs * rounds)


def pgbench(server, folder):
    fresh(server, "plain")
    server.psql(TABLE, "plain")
    script = folder / "batch.sql"
    script.write_text(SCRIPT)
    backends = Backends(server, "plain")
    done = subprocess.run([BIN + "pgbench", "-n", "-M", "prepared", "-c", "1", "-T", "5", "-f", script, "plain"], check=True,
                          capture_output=True, text=True, env=server.environment())
    batches = int(re.search(r"actually processed: (\d+)", done.stdout).group(1))
    rate = float(re.search(r"^tps = ([\d.]+)", done.stdout, re.M).group(1)) * BATCH
    return rate, backends.microseconds(batches * BATCH)


def peer(server, folder, which):
    done = subprocess.run(["node", "worker.js", which, str(JOBS)], check=True, capture_output=True, text=True, cwd=folder,
                          env=server.environment())
    return float(done.stdout)


def install(folder):
    """Whether the peers can be measured."""
    if not shutil.which("node") or not shutil.which("npm"):
        print("postgres: node and npm are missing; graphile-worker and pg-boss are not measured")
        return False
    for name in ("worker.js", "package.json"):
        shutil.copy(pathlib.Path(__file__).parent / "peer" / name, folder)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], check=True, cwd=folder, capture_output=True)
    return True


def main():
    binary, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    peers = install(folder)
    server = Server()
    ratios = []
    try:
        for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS):
            plain, plain_cpu = pgbench(server, folder)
            rate, cpu = ours(server, binary)
            ratios.append(rate / plain)
            print(f"postgres: no-op jobs; engine and store {rate:.0f}/s, pgbench in batches of {BATCH} {plain:.0f}/s, ratio "
                  f"{rate / plain:.2f}; backend {cpu:.1f} and {plain_cpu:.1f} microseconds a run", flush=True)
            if peers:
                graphile, boss = peer(server, folder, "graphile"), peer(server, folder, "pgboss")
                print(f"postgres: graphile-worker {graphile:.0f}/s, ratio {rate / graphile:.2f}; pg-boss {boss:.0f}/s, ratio "
                      f"{rate / boss:.2f}", flush=True)
        print(f"postgres: median ratio to pgbench {statistics.median(ratios):.2f}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
