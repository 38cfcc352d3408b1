"""`next --all`: all jobs' slots, and the report of clock changes, against Python's own zoneinfo."""

import datetime
import itertools
import json
import zoneinfo

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Nuuk", "Pacific/Apia",
         "Asia/Kathmandu", "UTC"]
# minutes and hours of each schedule; hours None = every hour, which follows elapsed time
SCHEDULES = {"30 2 * * *": ({30}, {2}), "*/20 2 * * *": ({0, 20, 40}, {2}), "0 2,3 * * *": ({0}, {2, 3}),
             "15 1-3 * * *": ({15}, {1, 2, 3}), "45 23 * * *": ({45}, {23}), "0 0 * * *": ({0}, {0}),
             "30 12 * * *": ({30}, {12}), "15 * * * *": ({15}, None), "*/10 * * * *": (set(range(0, 60, 10)), None)}


def offset(zone, t):
    return t.astimezone(zone).utcoffset()


def changes_of(zone, start, end):
    """(instant, offset before, offset after) of every change in (start, end]."""
    t = start
    while t < end:
        later = min(t + datetime.timedelta(hours=6), end)
        if offset(zone, t) != offset(zone, later):
            low, high = t, later
            while high - low > datetime.timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
            at = high.replace(microsecond=0)
            yield at, offset(zone, t), offset(zone, later)
        t = later


def expected_effect(schedule, dst, at, before, after):
    """(effect, affected, first, last) by going through the minutes that the clock leaves out or shows twice."""
    minutes, hours = SCHEDULES[schedule]

    def matches(wall):
        return wall.minute in minutes and (hours is None or wall.hour in hours)

    start, end = sorted((at.replace(tzinfo=None) + before, at.replace(tzinfo=None) + after))
    walls = [wall for wall in itertools.takewhile(lambda w: w < end, (start + i * MINUTE for i in itertools.count()))
             if matches(wall)]
    if not walls:
        return None
    found = (len(walls), walls[0].isoformat(), walls[-1].isoformat())
    if before > after:
        return ("twice" if hours is None else "once", *found)
    if hours is None:
        # Which minutes are slots by elapsed time, and how far from each other are they around the change?
        last = next(t for t in (at - i * MINUTE for i in itertools.count(1)) if matches(t.replace(tzinfo=None) + before))
        first = next(t for t in (at + i * MINUTE for i in itertools.count()) if matches(t.replace(tzinfo=None) + after))
        wall = last.replace(tzinfo=None) + before
        usual = next(i for i in itertools.count(1) if matches(wall + i * MINUTE)) * MINUTE
        return ("stretched", *found) if first - last > usual else None
    if dst == "skip":
        return ("skipped", *found)
    return ("joined" if matches(end) else "moved", *found)


def expected_report(jobs, start, end):
    report = {}
    for name, schedule, zone, dst in jobs:
        for at, before, after in changes_of(zoneinfo.ZoneInfo(zone), start, end):
            effects = report.setdefault((at.strftime("%Y-%m-%dT%H:%M:%S.000Z"), zone), {})
            effect = expected_effect(schedule, dst, at, before, after)
            if effect:
                effects[name] = effect
    return report


def write_jobs(ironcron):
    jobs = [(f"{zone.replace('/', '-')}.{i}.{dst}", schedule, zone, dst)
            for zone in ZONES for i, schedule in enumerate(SCHEDULES) for dst in ("run", "skip")]
    lines = [f'  - {{ name: {name}, schedule: "{schedule}", timezone: {zone}, dst: {dst}, shell: "true" }}'
             for name, schedule, zone, dst in jobs]
    lines.append('  - { name: often, schedule: "@every 30s", shell: "true" }')
    ironcron.config("jobs:\n" + "\n".join(lines) + "\n")
    return jobs


def test_the_report_agrees_with_zoneinfo(ironcron):
    jobs = write_jobs(ironcron)
    # Apia left out a whole day in 2011; Casablanca changes four times in some years.
    for year in (2011, 2014, 2027):
        start = datetime.datetime(year, 6, 1, tzinfo=UTC)
        end = start + datetime.timedelta(days=366)
        document = json.loads(ironcron.run("--json", "next", "--all", "--explain", "--from", start.isoformat()).stdout)
        found = {}
        for change in document["changes"]:
            effects = found.setdefault((change["at"], change["timezone"]), {})
            for effect in change["effects"]:
                for job in effect["jobs"]:
                    effects[job] = (effect["effect"], effect["affected"], effect["first_local"], effect["last_local"])
            assert change["touched"] == len(effects)
        assert found == expected_report(jobs, start, end)
        assert found and document["touched"] == len({job for effects in found.values() for job in effects})


def test_the_report_in_words(ironcron):
    ironcron.config("""
jobs:
  - { name: early, schedule: "30 2 * * *", timezone: Europe/Berlin, shell: "true" }
  - { name: never, schedule: "15 2 * * *", timezone: Europe/Berlin, dst: skip, shell: "true" }
  - { name: hourly, schedule: "5 * * * *", timezone: Europe/Berlin, shell: "true" }
  - { name: noon, schedule: "0 12 * * *", timezone: Europe/Berlin, shell: "true" }
  - { name: tokyo, schedule: "30 2 * * *", timezone: Asia/Tokyo, shell: "true" }
""")
    text = ironcron.run("next", "--all", "--explain", "--from", "2027-01-01").stdout
    top = text.partition("\n\n")[0]
    assert "2 clock changes between 2027-01-01 and 2028-01-02 in 2 time zones; 3 of 5 jobs are touched." in top
    assert "2 of 5 jobs are touched by the change of Sunday 28 March 2027 in Europe/Berlin" in top
    assert "3 of 5 jobs are touched by the change of Sunday 31 October 2027 in Europe/Berlin" in top
    assert "The clock is not changed in Asia/Tokyo." in top
    assert "02:30 does not exist; it runs instead at 2027-03-28T03:00:00+02:00" in text
    assert "02:15 does not exist; it is skipped (dst: skip)" in text
    assert ("02:05 comes twice and runs both times: at 2027-10-31T02:05:00+02:00 and again at "
            "2027-10-31T02:05:00+01:00") in text
    assert "noon" not in text and "tokyo (" not in text and "  3 other jobs are not touched." in text


def test_validate_tells_of_clock_changes(ironcron):
    ironcron.config('jobs:\n  - { name: a, schedule: "30 2 * * *", timezone: Europe/Berlin, shell: "true" }\n')
    text = ironcron.run("validate").stdout
    assert "1 of 1 job is touched within a year" in text and "ironcron next --all --explain" in text
    ironcron.config('jobs:\n  - { name: a, schedule: "30 2 * * *", timezone: Asia/Tokyo, shell: "true" }\n')
    assert "clock changes" not in ironcron.run("validate").stdout


def test_the_slots_of_all_jobs(ironcron):
    ironcron.config("""
jobs:
  - { name: b, schedule: "0 6 * * *", timezone: Europe/Berlin, shell: "true" }
  - { name: a, schedule: "30 5 * * *", shell: "true" }
  - { name: boot, schedule: "@reboot", shell: "true" }
""")
    lines = ironcron.run("next", "--all", "--from", "2027-01-01", "--count", "3").stdout.splitlines()
    assert [line.split() for line in lines] == [["2027-01-01T06:00:00+01:00", "b"], ["2027-01-01T05:30:00Z", "a"],
                                                ["2027-01-02T06:00:00+01:00", "b"]]
    document = json.loads(ironcron.run("--json", "next", "--all", "--from", "2027-01-01").stdout)
    assert len(document["slots"]) == 20 and document["slots"][0]["job"] == "b"
    assert "each job has its own zone" in ironcron.run("next", "--all", "--tz", "UTC", code=2).stderr
