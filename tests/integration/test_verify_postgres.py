"""A ledger on PostgreSQL that somebody with every right on the database has changed by hand: `audit verify` says what, where
and since when, or the tables refuse it. It never breaks off, and has nothing to say of a ledger that nobody touched."""

import re

import pytest

from conftest import until
from postgres import Database, cluster  # noqa: F401 (fixture)
from postgres_store import on_postgres

JOBS = """jobs:
  - { name: tick, schedule: "@every 1s", shell: "true" }
  - { name: tock, schedule: "@every 1s", shell: "true" }
  - { name: slow, schedule: "@every 1s", shell: "sleep 2.5", overlap: skip }
"""
OPEN = "".join(f"alter table ironcron.{table} disable trigger user; " for table in ("audit", "audit_seal", "audit_ends"))
LAST = "seq = (select max(seq) from ironcron.audit_seal)"
SOME = "seq = (select seq from ironcron.audit_seal where cardinality(starts) > 1 order by seq limit 1)"
ROWS = "delete from ironcron.audit a using ironcron.audit_seal s where a.id >= s.id and a.id < s.id + cardinality(s.starts) and s."
CUT = f"{ROWS}{LAST}; delete from ironcron.audit_seal where {LAST}"
FORGE = ("; update ironcron.audit_ends set (sealed_id, head_seq, head_hash) = (select id + cardinality(starts) - 1, "
         "seq + length(hashes) / 32 - 1, substr(hashes, length(hashes) - 31) from ironcron.audit_seal order by seq desc limit 1)")
RUN = "where run_id = (select run_id from ironcron.run_ended where state = 1 order by fence limit 1)"


class Ledger:
    """What a node has written, and copies of it that can be spoiled."""

    def __init__(self, ironcron, server):
        self.ironcron, self.server = ironcron, server
        self.databases = [Database(server)]
        on_postgres(ironcron, self.databases[0], JOBS)

    def copy(self, *statements):
        """From here on it is the store."""
        fresh = Database(self.server)
        self.server.psql(f"drop database {fresh.name}")
        self.server.psql(f"create database {fresh.name} template {self.databases[0].name}")
        text = self.ironcron.config_path.read_text().replace(self.databases[-1].name, fresh.name)
        self.ironcron.config_path.write_text(text)
        self.databases.append(fresh)
        for statement in statements:
            fresh.execute(statement)
        return fresh

    def verify(self, *options):
        return self.ironcron.json("audit", "verify", *options, code=None)

    def texts(self, *options):
        report = self.verify(*options)
        assert (report["verdict"] == "PASS") == (report["finding_total"] == 0), report
        return [finding["text"] for finding in report["findings"]]


@pytest.fixture(name="ledger")
def lived(ironcron, cluster):  # noqa: F811
    made = Ledger(ironcron, cluster)
    store = made.databases[0]
    with ironcron.serve():
        until(lambda: int(store.value("select count(*) from ironcron.slots where outcome = 'SKIPPED'")) > 1
              and int(store.value("select count(*) from ironcron.audit_seal where cardinality(starts) > 1")) > 1,
              "blocks of several rows, slots that were skipped")
        assert made.texts() == []  # while it lives
    assert made.texts() == []
    yield made
    for database in made.databases:
        database.drop()


FOUND = {
    "the newest rows cut off": (CUT, "the chain ends with audit row .* but the store has noted that row"),
    "the newest seal removed": (f"delete from ironcron.audit_seal where {LAST}", "the chain ends with audit row"),
    "the note of the end moved": ("update ironcron.audit_ends set head_seq = head_seq + 1", "the store has noted"),
    "another hash noted": ("update ironcron.audit_ends set head_hash = sha256('x')", "the store has noted"),
    "the note removed": ("delete from ironcron.audit_ends", "was removed"),
    "a seal removed": (f"delete from ironcron.audit_seal where {SOME}", "audit row .* follows row"),
    "a block removed": (f"{ROWS}{SOME}; delete from ironcron.audit_seal where {SOME}", "audit row .* follows row"),
    "a row removed": (f"delete from ironcron.audit where id = (select id + 1 from ironcron.audit_seal where {SOME})",
                      "audit row .* follows row"),
    "more hashes than rows": (f"update ironcron.audit_seal set hashes = hashes || sha256('x') where {SOME}", "the seal of audit row"),
    "more hashes at the end": (f"update ironcron.audit_seal set hashes = hashes || sha256('x') where {LAST}", "the seal of audit row"),
    "another hash": (f"update ironcron.audit_seal set hashes = overlay(hashes placing '\\x00' from 5) where {SOME}",
                     "was changed after it was sealed"),
    "another hash before": (f"update ironcron.audit_seal set prev = sha256('x') where {SOME}", "says that the hash before it is"),
    "other starts": (f"update ironcron.audit_seal set starts[2] = starts[2] + 1 where {SOME}", "audit row .* follows row"),
    "other rows": (f"update ironcron.audit_seal set id = id + 1 where {LAST}", "the chain ends with audit row|was changed after"),
    "rows passed over": ("update ironcron.audit_ends set sealed_id = sealed_id + 100; "
                         "insert into ironcron.audit (at, events) values (1, '{HIDDEN}')", "audit_log does not show them"),
    "rows sealed twice": ("insert into ironcron.audit_gap values (2, 3, pg_current_xact_id())", "twice"),
    "the beginning moved": ("update ironcron.audit_ends set anchor_seq = 3", "follows row 3"),
    "history pruned in future": ("insert into ironcron.meta values ('slots_from', '99999999999999')", "has not come yet"),
    "a run's start": (f"update ironcron.run_ended set started_at = started_at + 1 {RUN}", "other times in job_runs"),
    "a run's end": (f"update ironcron.run_ended set ended_at = 9223372036854775807 {RUN}", "other times in job_runs"),
    "a run's state": (f"update ironcron.run_ended set state = 257 {RUN}", "of an unknown state"),
    "a run gone": (f"delete from ironcron.run_ended {RUN}", "not in job_runs"),
    "a skipped slot made good": ("update ironcron.slot_closed set outcome = 1 where outcome = 7", "by no run"),
    "a skipped slot moved": ("update ironcron.slot_closed set due_at = 9223372036854775807 where due_at = "
                             "(select min(due_at) from ironcron.slot_closed)", "above the job's high-water mark"),
    "a mark without end": ("update ironcron.job set high_water = 9223372036854775807", "cannot have been decided"),
    "a schedule since ever": ("update ironcron.in_force set from_ms = -9223372036854775808", "as well as 100,000 before it"),
}


def test_what_somebody_changes_is_found(ledger):
    for name, (statement, text) in FOUND.items():
        ledger.copy(OPEN + statement)
        report = ledger.verify()
        assert report["verdict"] == "FAIL", name
        found = [finding for finding in report["findings"] if re.search(text, finding["text"])]
        if name == "a schedule since ever":  # after the first thousand
            assert report["finding_total"] > 300000
        else:
            assert found, (name, report["findings"][:5])
            assert found[0]["at"] or name == "the note removed", (name, found[0])


REFUSED = {
    "lists of two dimensions": "insert into ironcron.audit (at, events) values (1, '{{A,B},{C,D}}')",
    "lists of several lengths": "insert into ironcron.audit (at, events, jobs) values (1, '{A,B}', '{x}')",
    "a number of before": "insert into ironcron.audit (id, at, events) values (0, 1, '{A}')",
    "a number without end": "insert into ironcron.audit (id, at, events) values (9223372036854775807, 1, '{A}')",
    "half a hash": "update ironcron.audit_seal set hashes = substr(hashes, 2)",
    "no hash": "update ironcron.audit_seal set hashes = ''",
    "starts of two dimensions": "update ironcron.audit_seal set starts = array[starts]",
    "a gap that ends before it begins": "insert into ironcron.audit_gap values (9, 3, pg_current_xact_id())",
    "no time": "insert into ironcron.meta values ('slots_from', 'long ago')",
}


def test_what_nobody_could_read_is_refused(ledger):
    ledger.copy(OPEN)
    for name, statement in REFUSED.items():
        done = ledger.server.psql(statement, ledger.databases[-1].name, check=False)
        assert "violates check constraint" in done.stderr, (name, done.stderr)
    assert ledger.texts() == []


def test_lists_of_two_dimensions_are_sealed_as_they_are_shown(ledger):
    ledger.copy("alter table ironcron.audit drop constraint lists_are_alike",
                "insert into ironcron.audit (at, events, jobs) values (1, '{{A,B},{C,D}}', '{{a,b},{c,d}}')")
    assert ledger.texts() == []
    rows = ledger.ironcron.json("audit", "--limit", "4")
    assert [(row["event"], row["job"]) for row in rows] == [("D", "d"), ("C", "c"), ("B", "b"), ("A", "a")]


def test_what_cannot_be_sealed_is_said(ledger):
    ledger.copy("alter table ironcron.audit drop constraint lists_are_alike",
                "insert into ironcron.audit (id, at, events) values (9223372036854775800, 1, '{A}')")
    assert any("cannot be sealed" in text for text in ledger.texts())


def test_a_note_kept_elsewhere_is_what_nobody_forges(ledger):
    head = ledger.verify()["head"]
    kept = f"{head['seq']}:{head['hash']}"
    assert f"chain head     {kept}" in ledger.ironcron.run("audit", "verify").stdout
    assert ledger.texts("--expect", kept) == []
    ledger.copy(OPEN + CUT + FORGE)
    assert not any(re.search("chain|seal", text) for text in ledger.texts())  # nothing in the store tells of it
    assert any("its end was cut off" in text for text in ledger.texts("--expect", kept))
    ledger.copy()
    other = f"{head['seq'] - 1}:{head['hash']}"
    assert any("the chain up to there is another one" in text for text in ledger.texts("--expect", other))
    for nonsense in ("7", "x:y", f"0:{head['hash']}", kept[:-1], kept + "0"):
        assert "is not SEQ:HASH" in ledger.ironcron.run("audit", "verify", "--expect", nonsense, code=2).stderr


def test_a_host_remembers_what_its_node_has_seen(ledger):
    store = ledger.databases[0]
    assert ledger.texts() == []
    store.execute(OPEN + CUT + FORGE)
    assert any("by what this host has seen it went to row" in text for text in ledger.texts())


def test_a_hole_stays_where_somebody_has_cut(ledger):
    """A node that goes on does not seal over it."""
    store = ledger.copy(OPEN + CUT)
    before = int(store.value("select head_seq from ironcron.audit_ends"))
    (ledger.ironcron.folder / "ironcron.node").unlink(missing_ok=True)
    done = ledger.ironcron.run("pause", "tick", code=None)
    assert ledger.texts(), done
    assert int(store.value("select head_seq from ironcron.audit_ends")) > before
    assert any(re.search(f"audit row {before + 1} follows row", text) for text in ledger.texts())
