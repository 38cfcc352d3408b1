#!/usr/bin/env python3
"""The demo: validate, move in, dry-run, live, verdict. A small rehearsal of a soak, with real jobs and a real store.

    rehearse.py IRONCRON FOLDER [--cycles N] [--start-delay-limit SECONDS]

FOLDER is emptied, and holds everything afterwards: store, outputs, logs, metrics, evidence.
"""

import argparse
import contextlib
import getpass
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import evidence
import moving_in
import plan
import verdict

HERE = os.path.dirname(os.path.abspath(__file__))
DRY_SECONDS = 6
FILES = 200
PATIENCE = 30
EVENTS_SQL = f"""
pragma journal_mode = wal;
create table analytics_events(id integer primary key, created_at integer not null, kind text not null,
                              amount integer not null);
create table events_by_day(day text, kind text, events integer, amount integer);
create table rollups(run_id text primary key, events integer not null);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {verdict.EVENTS_PLACED})
insert into analytics_events
    select i, 1700000000 + i * 7, case i % 3 when 0 then 'view' when 1 then 'click' else 'buy' end, i % 100 from n;
"""


def say(text):
    print(text, flush=True)


class Broken(Exception):
    """The demo itself could not go on; there is nothing to judge."""


class Node:
    """One `ironcron serve`, from its start until it has ended."""

    def __init__(self, demo, name, *arguments, config=None):
        self.log_path = os.path.join(demo.folder, f"{name}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(demo.command("serve", *arguments, config=config), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=demo.folder)
        self.address = None
        self.wait(self.is_ready, "is ready")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, condition, described, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"serve never {described} (exit {self.process.poll()}); its log:\n{self.log()}")
            time.sleep(0.05)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def is_ready(self):
        match = re.search(r"event=listening\b.*\baddress=(\S+)", self.log())
        self.address = match.group(1) if match else None
        return bool(self.address and self.get("/readyz"))

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Demo:
    def __init__(self, arguments):
        self.binary = os.path.abspath(arguments.ironcron)
        self.folder = os.path.abspath(arguments.folder)
        self.cycles = arguments.cycles
        self.user = getpass.getuser()
        self.store = os.path.join(self.folder, "ironcron.db")
        self.node = None
        self.seen = {"start_delay_limit": arguments.start_delay_limit, "serve_exits": []}

    def command(self, *arguments, config=None):
        return [self.binary, "-c", config or os.path.join(self.folder, "ironcron.yml"), *arguments]

    def execute(self, *command, errors=subprocess.DEVNULL):
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                              stderr=errors, timeout=120, check=False)
        return {"exit": done.returncode, "output": done.stdout}

    def call(self, *arguments):
        return self.execute(*self.command(*arguments), errors=subprocess.STDOUT)

    @contextlib.contextmanager
    def node_of(self, config, name, *arguments):
        """A node of another configuration, for a while."""
        self.node = Node(self, name, *arguments, config=config)
        yield self.node
        self.stop()

    def prepare(self):
        say(f"1. Prepare: {verdict.EVENTS_PLACED:,} analytics_events and {FILES} files in {self.folder}")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(HERE, self.folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.md"))
        os.mkdir(os.path.join(self.folder, "archive"))
        os.mkdir(os.path.join(self.folder, "inbox"))
        for number in range(FILES):
            with open(os.path.join(self.folder, "inbox", f"upload-{number:04}.csv"), "w", encoding="utf-8") as file:
                file.writelines(f"{number},{line},{line * number}\n" for line in range(500))
        subprocess.run(["sqlite3", "-bail", os.path.join(self.folder, "app.db")], input=EVENTS_SQL, text=True,
                       stdout=subprocess.DEVNULL, check=True)

    def validate(self):
        say("2. Validate: ironcron validate")
        self.seen["validate"] = self.call("validate")
        say(indent(self.seen["validate"]["output"]))
        if self.seen["validate"]["exit"] != 0:
            raise Broken("validation failed")

    def move_in(self):
        seen = self.seen["moving_in"] = moving_in.move_in(self, os.path.join(self.folder, "crontab"))
        say(f"3. Move in: ironcron import crontab: {seen['lines']} lines, {seen['jobs']} jobs, each run once in dry-run")
        say(indent("\n".join(f"not carried over: {text}" for text in seen["lost"])))

    def dry_run(self):
        say(f"4. Dry-run: every slot is claimed and audited for {DRY_SECONDS} s, nothing is executed")
        self.node = Node(self, "serve-dry-run", "--dry-run")
        begin = math.floor(time.time()) + 2
        self.seen["dry_window"] = [begin, begin + DRY_SECONDS]
        self.watch(begin + DRY_SECONDS)
        self.settle(begin, begin + DRY_SECONDS)
        self.stop()
        self.seen["dry_witness"] = evidence.witness(self.folder)

    def live(self):
        node = self.node = Node(self, "serve-live")
        # The first whole cycle that the node sees from its beginning.
        begin = math.ceil((time.time() + 1) / plan.CYCLE) * plan.CYCLE
        end = begin + self.cycles * plan.CYCLE
        self.seen["live_window"] = [begin, end]
        say(f"5. Live: {len(plan.slots(begin, end))} slots of {len(plan.JOBS)} jobs planned in {end - begin} s;"
            f" metrics at http://{node.address}/metrics")
        self.watch(end)
        self.settle(begin, end)
        paused = self.call("pause", "--all", "--reason", "end of the demo")
        if paused["exit"] != 0:
            raise Broken(f"pause failed: {paused['output']}")
        node.wait(self.is_quiet, "came to rest after the pause", 60)
        self.seen["metrics"] = node.get("/metrics")
        with open(os.path.join(self.folder, "metrics.txt"), "w", encoding="utf-8") as file:
            file.write(self.seen["metrics"])

    def stop(self):
        self.seen["serve_exits"].append(self.node.stop())
        self.node = None

    def settle(self, begin, end):
        """Until every planned slot has its outcome; what is missing is for the verdict to name."""
        planned = set(plan.slots(begin, end))

        def decided():
            return planned <= {(s["job"], s["due"]) for s in evidence.slots(self.store) if s["outcome"]}

        deadline = time.monotonic() + PATIENCE
        while not decided() and self.node.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)

    def is_quiet(self):
        """Paused for good: nothing runs and no job's slots have been claimed since."""
        busy = evidence.rows(self.store, "select count(*) from job_runs where state = 'STARTED'")[0][0]
        open_slots = evidence.rows(self.store, "select count(*) from slots where outcome is null")[0][0]
        paused = evidence.rows(self.store, "select count(distinct job) from slots where reason = 'paused'")[0][0]
        return busy == 0 and open_slots == 0 and paused > 0 and self.metrics_caught_up()

    def metrics_caught_up(self):
        return not re.search(r"^job_running\{[^}]*\} [1-9]", self.node.get("/metrics"), re.M)

    def watch(self, end):
        """Live progress until `end`."""
        on_terminal = sys.stdout.isatty()
        begin, last_line = time.time(), 0.0
        while time.time() < end:
            if self.node.process.poll() is not None:
                raise Broken(f"serve ended early with {self.node.process.returncode}:\n{self.node.log()}")
            if on_terminal or time.time() - last_line >= 5:
                last_line = time.time()
                line = f"   {max(0, math.ceil(end - time.time())):>3} s to go  {self.progress(begin)}"
                print(f"\r{line:<100}" if on_terminal else line, end="" if on_terminal else "\n", flush=True)
            time.sleep(min(0.5, max(0.0, end - time.time())))
        if on_terminal:
            print(f"\r{'   ' + self.progress(begin):<100}")

    def progress(self, begin):
        counts = {}
        if os.path.exists(self.store):
            for row in evidence.rows(
                    self.store, "select coalesce(outcome, 'open'), count(*) from slots"
                    " where due_at >= strftime('%Y-%m-%dT%H:%M:%fZ', ?, 'unixepoch') group by 1", (math.ceil(begin),)):
                counts[row[0]] = row[1]
        return " · ".join(f"{name.lower().replace('_', ' ')} {counts[name]}" for name in (
            "DRY_RUN", "SUCCESS", "FAILED", "TIMED_OUT", "SKIPPED", "MISSED", "LOST", "open") if name in counts)

    def verify(self):
        say("6. Audit: ironcron audit verify")
        self.seen["verify"] = self.call("audit", "verify")
        say(indent(self.seen["verify"]["output"]))

    def collect(self):
        node = evidence.live_node(self.store)
        self.seen.update(slots=evidence.slots(self.store), runs=evidence.runs(self.store), live_node=node,
                         audit=evidence.audit(self.store, node),
                         live_witness=evidence.witness(self.folder),
                         effects=evidence.effects(self.folder, FILES))
        with open(os.path.join(self.folder, "evidence.json"), "w", encoding="utf-8") as file:
            json.dump(self.seen, file, indent=1)

    def where(self):
        config = os.path.relpath(os.path.join(self.folder, "ironcron.yml"))
        program = os.path.relpath(self.binary)
        say(f"\nWhere to look:\n  metrics   {os.path.relpath(self.folder)}/metrics.txt\n"
            f"  ledger    {os.path.relpath(self.store)}  (any SQLite client; views slots, job_runs, audit_log)\n"
            f"  outputs   {program} -c {config} runs   and   runs output ID\n"
            f"  logs      {os.path.relpath(self.folder)}/serve-moving-in.log, serve-dry-run.log, serve-live.log\n"
            f"  evidence  {os.path.relpath(self.folder)}/evidence.json; judged again by"
            f" {os.path.relpath(HERE)}/verdict.py FILE")

    def rehearse(self):
        try:
            self.prepare()
            self.validate()
            self.move_in()
            self.dry_run()
            self.live()
            self.stop()
            self.seen["left_running"] = evidence.processes(self.folder)
            self.verify()
            self.collect()
        except Broken as why:
            say(f"\n{why}\n\nVerdict: FAIL (the demo could not be finished)")
            return 1
        finally:
            if self.node:
                self.node.stop()
        say("7. Verdict")
        passed = verdict.show(verdict.judge(self.seen))
        self.where()
        return 0 if passed else 1


def indent(text):
    return "\n".join("   " + line for line in text.rstrip().splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ironcron")
    parser.add_argument("folder")
    parser.add_argument("--cycles", type=int, default=4, help=f"of {plan.CYCLE} s each")
    parser.add_argument("--start-delay-limit", type=float, default=1.0, metavar="SECONDS")
    return Demo(parser.parse_args()).rehearse()


if __name__ == "__main__":
    sys.exit(main())
