"""Collects what was seen: from the store's public views, the metrics, the jobs' own marks, /proc.

The evidence is one JSON document:
    dry_window, live_window   [begin, end) in Unix seconds that the plan is compared with
    slots, runs               rows of the views slots and job_runs; times in Unix seconds
    audit                     events and how often the live node wrote them
    dry_witness, live_witness lines that executed jobs wrote: "JOB RUN-ID ATTEMPT"
    live_node                 id of the node that served live
    metrics                   text of its last /metrics, scraped when nothing ran
    verify, validate          exit code and output of those commands
    serve_exits               exit codes of the dry-run node and the live node
    left_running              processes that outlived the live node
    effects                   what the work left: rows rolled up, files archived
    start_delay_limit         seconds
"""

import collections
import contextlib
import datetime
import os
import sqlite3
import tarfile


def seconds(text):
    """Unix seconds of a stored time; None stays None."""
    if text is None:
        return None
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def whole(text):
    """Of a due time: whole seconds where it is whole, so that a wrong one stays wrong."""
    value = seconds(text)
    return int(value) if value == int(value) else value


def rows(path, statement, values=()):
    """What any SQLite client reads while ironcron runs."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as store:
        store.row_factory = sqlite3.Row
        return store.execute(statement, values).fetchall()


def slots(store):
    return [{"job": r["job"], "due": whole(r["due_at"]), "outcome": r["outcome"], "reason": r["reason"] or ""}
            for r in rows(store, "select job, due_at, outcome, reason from slots")]


def runs(store):
    return [{"run_id": r["run_id"], "job": r["job"], "due": whole(r["due_at"]), "attempt": r["attempt"],
             "trigger": r["trigger"], "state": r["state"], "node": r["node"], "started": seconds(r["started_at"]),
             "ended": seconds(r["ended_at"]), "exit_code": r["exit_code"]}
            for r in rows(store, "select * from job_runs")]


def live_node(store):
    """The newest one."""
    return rows(store, "select node from nodes order by started_at desc limit 1")[0]["node"]


def audit(store, node):
    return dict(collections.Counter(r["event"] for r in rows(
        store, "select event from audit_log where node = ?", (node,))))


def witness(folder):
    path = os.path.join(folder, "witness.log")
    return open(path, encoding="utf-8").read().splitlines() if os.path.exists(path) else []


def effects(folder, files_placed):
    database = os.path.join(folder, "app.db")
    archived = []
    for name in sorted(os.listdir(os.path.join(folder, "archive"))):
        with tarfile.open(os.path.join(folder, "archive", name)) as archive:
            archived += archive.getnames()
    return {"rolled_up": rows(database, "select coalesce(sum(events), 0) from events_by_day")[0][0],
            "rollups": rows(database, "select count(*) from rollups")[0][0],
            "files_placed": files_placed, "files_archived": len(set(archived)),
            "files_waiting": len(os.listdir(os.path.join(folder, "inbox")))}


def processes(folder):
    """Everything alive that was started for a run in this folder, whatever its parent or session is now."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                is_run = b"IRONCRON_RUN_ID=" in file.read()
            here = os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(folder)
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                dead = file.read().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            continue
        if is_run and here and not dead:
            found.append(f"{pid} {words}")
    return found
