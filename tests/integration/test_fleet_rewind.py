"""A fleet of three real nodes whose asynchronous standby is promoted without the primary's last commits, which had been
acknowledged: no node goes on as if nothing were lost, neither one that is there then nor one that comes later."""

import os
import re
import signal

from conftest import until
from fleet import fleets  # noqa: F401: a fixture
from postgres import Standby
from test_fleet_database import lives_on

RUNS = "select run_id from ironcron.job_runs"


def cut_off(standby):
    """What it has it keeps; nothing more comes."""
    standby.psql("alter system set primary_conninfo = 'host=127.0.0.1 port=1'")
    standby.psql("select pg_reload_conf()")
    receiving = "select count(*) from pg_stat_wal_receiver where status = 'streaming'"
    until(lambda: standby.psql(receiving).stdout.strip() == "0", "it receives nothing any more")


def accept(fleet, number):
    refused = fleet.start(number, ready=False)
    assert refused.wait() == 1, refused.log()
    assert re.search(r"went back in time.*ironcron doctor --accept-rewind", refused.log()), refused.log()
    told = [check["remedy"] for check in fleet.hosts[number].json("validate", code=1)["checks"] if check["remedy"]]
    assert any("ironcron doctor --accept-rewind" in remedy for remedy in told), told
    fleet.hosts[number].run("doctor", "--accept-rewind")


def test_a_standby_is_promoted_without_the_last_commits(fleets):
    fleet = fleets(proxied=(0, 1, 2), app_proxied=True)
    old = fleet.cluster
    fleet.start_all()
    standby = Standby(old)
    try:
        fleet.resumes()
        caught_up = "select count(*) from pg_stat_replication where state = 'streaming'"
        until(lambda: old.psql(caught_up).stdout.strip() == "1", "the standby receives")
        cut_off(standby)
        fleet.resumes()  # acknowledged, and on the primary only
        assert fleet.node(2).stop() == 0  # it comes back when all is over
        fleet.resumes()
        fleet.hang_up()  # so that nothing more is acknowledged
        forgotten = {row[0] for row in fleet.database.execute(RUNS)}
        os.kill(old.process.pid, signal.SIGKILL)
        old.process.wait()
        until(lambda: not lives_on(old), "all of its processes are gone")
        standby.promote()
        fleet.lead_to(standby)
        kept = {row[0] for row in fleet.database.execute(RUNS)}
        assert kept < forgotten, "it lacks some"
        for number in (0, 1):
            assert fleet.node(number).wait() == 75, "it does not go on"
            assert re.search(r"event=store_changed.*went back in time.*does not know of it", fleet.node(number).log())
        assert {row[0] for row in fleet.database.execute(RUNS)} == kept, "nothing is begun in a database of the past"
        for number in (0, 1):
            accept(fleet, number)
        for number in (0, 1):
            fleet.start(number)
        fleet.resumes()
        # By now the audit may be longer than what the third host has seen of it; it is another one all the same.
        accept(fleet, 2)
        fleet.start(2)
        fleet.resumes()
        assert fleet.value("select count(*) from ironcron.audit_log where event = 'REWIND_ACCEPTED'") == "3"
        fleet.judge(forgotten - kept)
    finally:
        old.remove()
