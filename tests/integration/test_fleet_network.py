"""A fleet of three real nodes while what carries their messages fails, and while a clock is wrong; see test_fleet.py for
how it is judged."""

import time

from conftest import until
from fleet import Clock, fleets  # noqa: F401: a fixture


def test_connections_cut_around_a_commit(fleets):
    fleet = fleets(proxied=(0, 1))
    fleet.start_all()
    fleet.resumes()
    for statement in ("decide_scheduled", "finish", "beat"):
        for when in ("before", "after"):
            for number in (0, 1):
                fleet.proxies[number].cut_at(when, statement)
            until(lambda: not fleet.proxies[0].trap and not fleet.proxies[1].trap,
                  f"both were cut {when} the commit of {statement}")
    fleet.resumes()
    assert fleet.proxies[0].sprung == fleet.proxies[1].sprung == 6
    fleet.judge()


def test_half_open_and_slow_connections(fleets):
    fleet = fleets(proxied=(0, 1))
    fleet.start_all()
    fleet.resumes()
    for way in ("up", "down"):
        fleet.proxies[0].hold(way)
        fleet.resumes()  # the others take over
        fleet.proxies[0].let_go()
        fleet.resumes()
    for proxy in fleet.proxies.values():
        proxy.delay = 0.1
    fleet.resumes()
    fleet.judge()


def test_a_clock_that_is_wrong_and_steps(fleets, tmp_path):
    fleet = fleets()
    clock = Clock(tmp_path)
    clock.step(600)
    fleet.start(0, env=clock.environment())
    fleet.start(1)
    fleet.start(2)
    fleet.resumes()
    for seconds in (-600, 0, 600, -3):
        clock.step(seconds)
        time.sleep(1)
        fleet.resumes()
    late = fleet.value("select count(*) from ironcron.job_runs where trigger = 'schedule' and started_at < due_at")
    assert late == "0", "only the database's clock decides what is due"
    fleet.judge()
