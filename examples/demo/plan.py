"""What each slot of the demo must become, written down before it runs and without asking ironcron.

All schedules repeat every ten seconds, so a slot's fate follows from its second alone.
"""

CYCLE = 10


class Fate:
    """A slot's planned outcome, and the attempts that lead to it: (state, exit code) each."""

    def __init__(self, outcome, attempts, reason=""):
        self.outcome = outcome
        self.attempts = attempts
        self.reason = reason


SUCCESS = Fate("SUCCESS", [("SUCCESS", 0)])
FAILURE = Fate("FAILED", [("FAILED", 3)])
SECOND_TRY = Fate("SUCCESS", [("FAILED", 1), ("SUCCESS", 0)])
TIMEOUT = Fate("TIMED_OUT", [("TIMED_OUT", None)])
OVERLAPPED = Fate("SKIPPED", [], "overlap")

JOBS = {
    "rollup-events": {1: SUCCESS},
    "archive-uploads": {0: SUCCESS, 5: SUCCESS},
    "heartbeat": {second: SUCCESS for second in range(CYCLE)},
    "import-feed": {3: FAILURE, 8: FAILURE},
    "upload-report": {6: SECOND_TRY},
    "hang-with-children": {0: TIMEOUT},
    "slow-report": {0: SUCCESS, 2: OVERLAPPED},
}
MAY_OVERLAP = {"heartbeat"}


def slots(begin, end):
    """{(job, due): fate} for begin <= due < end, in Unix seconds."""
    return {(job, due): fates[due % CYCLE]
            for job, fates in JOBS.items() for due in range(begin, end) if due % CYCLE in fates}
