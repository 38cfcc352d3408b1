"""Configurations with sql jobs, and what became of their runs."""

import json

FAR = "schedule: \"0 0 1 1 *\""  # never during a test; runs are started by hand


def config(ironcron, database, jobs, connections=4, name="app", more=""):
    """Jobs as {name: text of the sql map, or (that, further keys)}."""
    text = f"databases: [{{ name: {name}, url: \"{database.url}\", connections: {connections} }}]\n{more}jobs:\n"
    for job, sql in jobs.items():
        sql, keys = sql if isinstance(sql, tuple) else (sql, "")
        text += f"  - {{ name: {job}, {FAR}, sql: {{ database: {name}, {sql} }}{', ' + keys if keys else ''} }}\n"
    ironcron.config(text)


def statement(text):
    return f"statement: {json.dumps(text)}"


def last(ironcron, job):
    """The run, its audit detail and its output."""
    run = ironcron.query("select * from job_runs where job = ? order by fence desc", job)[0]
    rows = ironcron.query("select detail from audit_log where run_id = ? and event <> 'STARTED'", run["run_id"])
    run["detail"] = json.loads(rows[0]["detail"]) if rows and rows[0]["detail"] else {}
    run["output"] = ironcron.run("runs", "output", run["run_id"]).stdout
    return run


def run_once(ironcron, job, *arguments, code=0):
    ironcron.run("run", job, *arguments, code=code)
    return last(ironcron, job)


def sleeping(database):
    return database.backends("state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()")


def checks(ironcron, code):
    """{name: (result, detail)} of validate."""
    done = json.loads(ironcron.run("--json", "validate", code=code).stdout)
    rows = done["checks"] if isinstance(done, dict) else done
    return {row["check"]: (row["result"], row["detail"]) for row in rows}
