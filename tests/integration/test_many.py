"""Very many jobs: counted, never timed."""

import time

from conftest import PATIENCE

JOBS = 15000


def test_everybody_is_heard_while_thousands_are_claimed(ironcron):
    """All are due at the same instant. A request that is sent while some are claimed and others are not yet is
    answered before the last one is."""
    ironcron.config("jobs:\n" + "".join(
        f'  - {{ name: job-{i:05}, schedule: "*/15 * * * * *", command: [/bin/true] }}\n' for i in range(JOBS)))
    with ironcron.serve("--dry-run") as node:
        def in_the_middle():
            count = ironcron.query("select count(*) as count from slots")[0]["count"]
            return count // JOBS if count % JOBS else None

        heard = False
        deadline = time.monotonic() + 60
        while not heard and time.monotonic() < deadline:
            before = in_the_middle()
            answered = node.get("/livez")[0] == 200
            heard = answered and before is not None and in_the_middle() == before
        assert heard, "no request was answered while slots were being claimed"
