"""Who looks needs no secrets: reading commands work where the variables of the configuration are not set."""

from conftest import until

SECRET = {"THE_TOKEN": "hunter2hunter2"}
CONFIG = """
jobs:
  - name: secretive
    schedule: "@every 1s"
    env: { TOKEN: "${THE_TOKEN}", FILE: "${file:token}" }
    shell: "test $TOKEN = hunter2hunter2 && test $FILE = fromfile"
"""


def test_readers_need_no_secrets_and_runners_do(ironcron):
    (ironcron.folder / "token").write_text("fromfile\n")
    ironcron.config(CONFIG)
    with ironcron.serve(env=SECRET):
        until(lambda: ironcron.query("select 1 from job_runs where state = 'SUCCESS'"), "a run")
        (ironcron.folder / "token").unlink()
        for command in (["status"], ["jobs"], ["runs"], ["nodes"], ["audit"], ["audit", "verify"], ["next", "secretive"],
                        ["pause", "secretive"], ["resume", "secretive"]):
            ironcron.run(*command)
        # The live node has the secrets, so that it can be asked to run.
        ironcron.run("run", "secretive", code=None)
    for command in (["serve"], ["validate"], ["run", "secretive"], ["reload"]):
        done = ironcron.run(*command, code=78)
        assert "THE_TOKEN" in done.stderr
    runs = ironcron.query("select state from job_runs")
    assert {run["state"] for run in runs} == {"SUCCESS"}
