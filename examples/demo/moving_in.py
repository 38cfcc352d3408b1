"""Moving in: a crontab is imported, and every job of it runs once in dry-run, on a store of its own."""

import json
import os
import sqlite3

SETTINGS = 'store: sqlite:ironcron.db\nhttp: { listen: "127.0.0.1:0" }\n'


def entries(crontab):
    """The lines that cron would run."""
    with open(crontab, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and line[0] in "0123456789*@"]


def prepare(demo, crontab):
    """Imports the crontab into a folder with a configuration of its own; what there is to say of it."""
    folder = os.path.join(demo.folder, "moving-in")
    os.makedirs(os.path.join(folder, "marks"))
    done = demo.execute(demo.binary, "--json", "import", "crontab", "--user", demo.user, crontab)
    imported = json.loads(done["output"])
    with open(os.path.join(folder, "ironcron.yml"), "w", encoding="utf-8") as file:
        file.write(SETTINGS + imported["yaml"])
    lost = [remark["text"] for remark in imported["remarks"] if remark["kind"] == "lost"]
    return folder, {"lines": len(entries(crontab)), "jobs": imported["jobs"], "lost": lost}


def jobs_in_dry_run(demo, folder):
    """A run of each job, asked of a node that is in dry-run; (validation, jobs, their states, marks left)."""
    config = os.path.join(folder, "ironcron.yml")

    def call(*arguments):
        return demo.execute(demo.binary, "-c", config, *arguments)

    validation = call("validate")
    names = [job["job"] for job in json.loads(call("--json", "jobs")["output"])]
    with demo.node_of(config, "serve-moving-in", "--dry-run"):
        for name in names:
            call("run", name)
    with sqlite3.connect(f"file:{folder}/ironcron.db?mode=ro", uri=True) as store:
        states = dict(store.execute("select job, group_concat(distinct state) from job_runs group by job").fetchall())
    return {"validate": validation["exit"], "names": names, "states": states,
            "marks": sorted(os.listdir(os.path.join(folder, "marks")))}


def move_in(demo, crontab):
    folder, evidence = prepare(demo, crontab)
    evidence.update(jobs_in_dry_run(demo, folder))
    return evidence
