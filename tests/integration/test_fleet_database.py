"""A fleet of three real nodes while its PostgreSQL is in trouble; see test_fleet.py for how it is judged. The full length
of an outage with `IRONCRON_TEST_OUTAGE=90`, in seconds, under the default lease."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from conftest import PATIENCE, until
from fleet import LEASE, Session, fleets  # noqa: F401: a fixture
from postgres import Cluster, Standby

OUTAGE = float(os.environ.get("IRONCRON_TEST_OUTAGE", "0"))


def test_the_server_is_killed_stopped_at_once_and_away(fleets):
    fleet = fleets(lease=60 if OUTAGE else LEASE)
    fleet.start_all()
    fleet.resumes()
    os.kill(fleet.cluster.process.pid, signal.SIGKILL)
    fleet.cluster.process.wait()
    until(lambda: not lives_on(fleet.cluster), "all of its processes are gone")
    fleet.cluster.start()
    fleet.resumes()
    fleet.cluster.stop(signal.SIGQUIT)  # pg_ctl stop -m immediate
    fleet.cluster.start()
    fleet.resumes()
    fleet.cluster.stop()
    time.sleep(OUTAGE or 1.5 * fleet.lease)  # past the deadlines of all nodes
    fleet.cluster.start()
    fleet.resumes(bound=fleet.lease * 7 / 6 + 10)
    fleet.judge()


def lives_on(cluster):
    """Somebody still has the dead server's shared memory: it cannot be started again yet."""
    return any(cluster.data.as_posix() in pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
               or os.path.realpath(f"/proc/{pid}/cwd") == str(cluster.data)
               for pid in os.listdir("/proc") if pid.isdigit() and os.path.exists(f"/proc/{pid}/cwd"))


# ---- a standby is promoted ------------------------------------------------------------------------


def test_a_standby_is_promoted_while_the_old_primary_still_answers(fleets):
    fleet = fleets(proxied=(0, 1, 2), app_proxied=True)
    old = fleet.cluster
    fleet.start_all()
    standby = Standby(old)
    try:
        old.psql("alter system set synchronous_standby_names = '*'")
        old.psql("select pg_reload_conf()")
        fleet.resumes()
        # As a virtual address that moves: all at once, and the old one goes on answering.
        fleet.hang_up()
        standby.promote()
        old.psql("alter system reset synchronous_standby_names")
        old.psql("select pg_reload_conf()")
        fleet.lead_to(standby)
        fleet.resumes()
        # One is led back to the old primary, which would take its writes.
        count = "select count(*) from ironcron.job_runs"
        before = old.psql(count, fleet.database.name).stdout
        fleet.proxies[0].to = old.port
        fleet.proxies[0].cut()
        fleet.resumes()
        assert old.psql(count, fleet.database.name).stdout == before, "nothing is claimed in a database of the past"
        fleet.proxies[0].to = standby.port
        fleet.proxies[0].cut()
        fleet.resumes()
        fleet.judge()
    finally:
        old.remove()


# ---- a server without room ------------------------------------------------------------------------


def test_no_connections_and_no_locks_are_left(fleets):
    fleet = fleets(cluster=Cluster(max_connections="40", max_locks_per_transaction="32"))
    fleet.start_all()
    fleet.resumes()
    control = Session(fleet.database)
    holders = []
    try:
        until(lambda: takes_a_slot(fleet, control, holders), "all connections are taken", 60 + PATIENCE, 0)
        time.sleep(fleet.lease / 2)
    finally:
        for holder in holders:
            holder.close()
    fleet.resumes()
    answer = control.execute("select count(pg_advisory_lock(77, n)) from generate_series(1, 1000000) n")
    assert "out of shared memory" in answer, answer
    time.sleep(fleet.lease / 2)
    control.close()
    fleet.resumes()
    fleet.judge()


def takes_a_slot(fleet, control, holders):
    """One connection more, of all that there are; those of the nodes are ended so that they must come again."""
    holders.append(Session(fleet.database))
    full = "too many clients" in holders[-1].execute("select 1")
    if full and len(holders) < 36:
        control.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{fleet.database.name}' "
                        "and application_name not like 'psql%' limit 4")
    return len(holders) >= 36


class SmallDisk(Cluster):
    """On a small file system of its own, in memory."""

    def make(self):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(self.folder)], check=False)
        if mounted.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            pytest.skip("no right to mount a file system")
        super().make()

    def fill(self):
        """To the last byte."""
        with contextlib.suppress(OSError), open(self.folder / "filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    def remove(self):
        self.stop(signal.SIGQUIT)
        subprocess.run(["umount", "-l", str(self.folder)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def test_the_servers_disk_is_full(fleets):
    fleet = fleets(cluster=SmallDisk(max_connections="60", min_wal_size="32MB", max_wal_size="48MB"))
    fleet.start_all()
    fleet.resumes()
    fleet.cluster.fill()
    time.sleep(fleet.lease)
    (fleet.cluster.folder / "filler").unlink()
    if fleet.cluster.process.poll() is not None:  # it gave up: its operator starts it again
        fleet.cluster.start()
    fleet.resumes()
    fleet.judge()
