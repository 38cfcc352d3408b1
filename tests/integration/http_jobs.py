"""Configurations with http jobs, and what became of their runs."""

import json

from conftest import FAR, HTTP_LISTEN, until

SECRET = "0123456789abcdef0123456789abcdef"
NEVER = f'"{FAR}"'


def job(url, name="call", schedule=NEVER, more="", **keys):
    """One http job; `keys` go under http, `more` beside it."""
    lines = "".join(f", {key}: {json.dumps(value)}" for key, value in keys.items())
    return f"  - name: {name}\n    schedule: {schedule}\n{more}    http: {{ url: \"{url}\"{lines} }}\n"


def configure(ironcron, *jobs, head=""):
    head += "" if "listen:" in head else HTTP_LISTEN
    ironcron.config(head + "jobs:\n" + "".join(jobs))
    ironcron.config_path.chmod(0o600)


def runs(ironcron, name="call"):
    return ironcron.query("select * from job_runs where job = ? order by fence", name)


def detail(ironcron, run):
    """What the record of its end says besides."""
    row = ironcron.query("select detail from audit_log where run_id = ? and event = ?", run["run_id"], run["state"])
    return json.loads(row[0]["detail"])


def output(ironcron, run):
    return ironcron.run("runs", "output", run["run_id"]).stdout


def run_once(ironcron, name="call", *arguments, code=None, env=None):
    """One manual run by a short-lived node; the row of the run."""
    ironcron.run("run", name, *arguments, code=code, env=env)
    return runs(ironcron, name)[-1]


def verified(ironcron):
    ironcron.run("audit", "verify")


def ended(ironcron, state, name="call", count=1):
    until(lambda: [r["state"] for r in runs(ironcron, name)].count(state) >= count,
          lambda: f"{count} {state} of {name}: {runs(ironcron, name)}")
    return [r for r in runs(ironcron, name) if r["state"] == state]


def hang(connection, request, peer):
    """What a Peer does that never answers."""
    peer.hang()
