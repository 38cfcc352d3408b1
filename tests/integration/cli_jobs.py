"""The jobs that the tests of the command line run."""

import pytest

JOBS = r"""
environment: test
timezone: Europe/Berlin
jobs:
  - name: greet
    description: says hello
    schedule: "0 0 1 1 *"
    shell: 'echo "hello $IRONCRON_PARAM_WHO"'
  - name: breaks
    schedule: "0 0 1 1 *"
    shell: "echo going down; exit 3"
  - name: waits
    schedule: "0 0 1 1 *"
    shell: "echo begun; while ! test -e go; do sleep 0.05; done; echo over"
    workdir: WORKDIR
    kill_after: 1s
  - name: ticks
    schedule: "* * * * * *"
    command: ["/bin/true"]
  - name: paints
    schedule: "0 0 1 1 *"
    shell: "printf '\\033[31mred\\033[0m b\\303\\244r \\377\\n'"
    env: { SECRET_WORD: "swordfish" }
"""


@pytest.fixture
def jobs(ironcron):
    ironcron.config(JOBS.replace("WORKDIR", str(ironcron.folder)))
    return ironcron


def last_run(program, job):
    return program.json("runs", "--job", job, "--limit", "1")[0]
