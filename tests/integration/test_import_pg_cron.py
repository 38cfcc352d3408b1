"""`import pg_cron` on a real cluster with pg_cron: what it prints loads, passes validation and runs."""

import json
import re

import pytest
from conftest import until
from postgres import PASSWORD, Cluster

JOBS = """
create extension pg_cron;
create role alice login;
grant usage on schema cron to alice;
create table done(what text);
grant all on done to alice;
select cron.schedule('tick tock', '* * * * *', $$insert into done values ('tick $1')$$);
select cron.schedule('0 3 * * 1-5', 'vacuum done');
select cron.schedule('call-it', '@hourly', 'call work()');
select cron.schedule('two', '*/5 8-18 1 * mon', $$insert into done values ('a'); insert into done values ('b')$$);
create procedure work() language sql as $$insert into done values ('work')$$;
update cron.job set schedule = '30 seconds' where jobname = 'call-it';
update cron.job set schedule = '0 12 $ * *', username = 'alice' where jobname = 'two';
select cron.schedule('asleep', '0 4 * * *', 'select 1');
update cron.job set active = false where jobname = 'asleep';
insert into cron.job(schedule, command, nodename, nodeport, database, username, jobname) values
  ('0 5 * * *', 'select 2', 'db2.internal', 5433, 'Other DB', 'tester', 'elsewhere'),
  ('0 6 30 2 *', 'select 3', 'localhost', 5432, 'postgres', 'tester', 'never'),
  ('0 7 * * *', 'select $nothing', 'localhost', 5432, 'postgres', 'tester', 'wrong');
insert into cron.job_run_details(jobid, runid, job_pid, database, username, command, status, start_time, end_time)
  select jobid, 1000 + n, 1, database, username, command, case n when 2 then 'failed' else 'succeeded' end,
    timestamptz '2026-01-01 00:00Z' + n * interval '1 hour', timestamptz '2026-01-01 00:00:40Z' + n * interval '1 hour'
  from cron.job, generate_series(1, 3) n where jobname = 'asleep';
insert into cron.job_run_details(jobid, runid, database, username, command, status)
  select jobid, 2000 + n, database, username, command, 'failed' from cron.job, generate_series(1, 2) n where jobname = 'elsewhere';
"""


@pytest.fixture(scope="module")
def pg_cron():
    server = Cluster(shared_preload_libraries="pg_cron", **{"cron.database_name": "postgres",
                                                            "cron.use_background_workers": "on",
                                                            "max_worker_processes": "20"})
    for statement in JOBS.split(";\n"):
        if statement.strip():
            server.psql(statement)
    yield server
    server.remove()


def url(cluster, user="tester", database="postgres"):
    return f"postgresql://{user}@127.0.0.1:{cluster.port}/{database}"


def imported(ironcron, cluster, *arguments, code=1):
    return ironcron.run("import", "pg_cron", *(arguments or [url(cluster)]), code=code, env={"PGPASSWORD": PASSWORD})


def test_who_may_not_read_is_told_what_to_grant(ironcron, pg_cron):
    pg_cron.psql(f"create role bob login password '{PASSWORD}'")
    said = imported(ironcron, pg_cron, url(pg_cron, "bob")).stderr
    assert "2 runs, 2 failed; none ever began" in imported(ironcron, pg_cron).stdout
    assert "permission denied for schema cron" in said and "grant usage on schema cron to bob" in said


def test_what_it_prints_loads_and_runs(ironcron, pg_cron):
    done = imported(ironcron, pg_cron)
    assert PASSWORD not in done.stdout + done.stderr
    ironcron.config(done.stdout.replace("'* * * * *'", '"* * * * * *"').replace('"* * * * *"', '"* * * * * *"')
                    .replace("db2.internal:5433", f"127.0.0.1:{pg_cron.port}")
                    .replace("Other%20DB", "postgres"))
    secret = {"PGPASSWORD": PASSWORD}
    text = ironcron.run("validate", env=secret).stdout
    assert "5 jobs" in text
    jobs = {job["job"]: ironcron.json("jobs", "show", job["job"], env=secret)
            for job in ironcron.json("jobs", env=secret)}
    assert set(jobs) == {"tick-tock", "pg-cron-2", "call-it", "two", "elsewhere"}
    assert jobs["call-it"]["schedule"] == "@every 30s" and jobs["two"]["schedule"] == "0 12 L * *"
    sql = {name: job["definition"]["sql"] for name, job in jobs.items()}
    assert sql["tick-tock"] == {"database": "postgres", "statement": "insert into done values ('tick $1')",
                                "transaction": True, "role": None}
    assert sql["two"]["role"] == "alice" and sql["two"]["transaction"] is True
    assert sql["pg-cron-2"]["transaction"] is False and sql["call-it"]["transaction"] is False
    assert all(job["timezone"] == "UTC" and job["definition"]["missed"] == "skip" for job in jobs.values())
    with ironcron.serve(env=secret):
        until(lambda: any(row["job"] == "tick-tock" for row in ironcron.query("select job from job_runs where state = "
                                                                             "'SUCCESS'")), "a run by its schedule")
        for name in ("pg-cron-2", "call-it", "two"):
            ironcron.run("run", name, env=secret)
    assert int(pg_cron.psql("select count(*) from done where what = 'tick $1'").stdout) > 0
    assert int(pg_cron.psql("select count(distinct what) from done where what in ('a', 'b', 'work')").stdout) == 3


def test_what_is_lost_or_different_is_told(ironcron, pg_cron):
    done = imported(ironcron, pg_cron)
    assert re.search(r"^never: not carried over: .*never fires", done.stderr, re.M)
    assert re.search(r"^wrong: not carried over: .*nothing", done.stderr, re.M)
    assert re.search(r"^tick-tock: note: has another name under pg_cron", done.stderr, re.M)
    assert re.search(r"^call-it: note: pg_cron counts the seconds from its own start", done.stderr, re.M)
    assert re.search(r"^two: note: has several statements", done.stderr, re.M)
    assert re.search(r"^elsewhere: note: connects to another server", done.stderr, re.M)
    assert re.search(r"^asleep: note: is not active under pg_cron", done.stderr, re.M)
    assert "note: set PGPASSWORD" in done.stderr and "cron.alter_job" in done.stderr
    assert "5 jobs, and 1 inactive; 2 things not carried over" in done.stderr
    assert "  #  - name: asleep\n" in done.stdout
    assert "3 runs since 2026-01-01T01:00:00Z, 1 failed; the last 2026-01-01T03:00:00Z succeeded, the longest took 40s" \
        in done.stdout
    assert '"postgresql://tester:${PGPASSWORD}@db2.internal:5433/Other%20DB"' in done.stdout

    def between_two_runs():
        """Of pg_cron, which counts its own."""
        asked = ironcron.run("--json", "import", "pg_cron", url(pg_cron), code=1, env={"PGPASSWORD": PASSWORD})
        document = json.loads(asked.stdout)
        return document["yaml"] == imported(ironcron, pg_cron).stdout and document

    document = until(between_two_runs, "both say the same")
    assert (document["jobs"], document["inactive"], document["lost"]) == (5, 1, 2)
    assert {remark["job"] for remark in document["remarks"] if remark["kind"] == "lost"} == {"never", "wrong"}


def test_who_sees_only_their_own_jobs_is_told(ironcron, pg_cron):
    pg_cron.psql(f"alter role alice password '{PASSWORD}'")
    done = imported(ironcron, pg_cron, url(pg_cron, "alice"), code=0)
    assert "alice sees only its own jobs" in done.stderr
    assert "name: two\n" in done.stdout and "tick-tock" not in done.stdout and "role:" not in done.stdout


def test_what_cannot_be_read_is_refused_with_its_remedy(ironcron, pg_cron):
    pg_cron.psql("create database bare")
    done = imported(ironcron, pg_cron, url(pg_cron, database="bare"))
    assert "database bare has no pg_cron" in done.stderr and "cron.database_name" in done.stderr
    done = imported(ironcron, pg_cron, "postgresql://tester@127.0.0.1:1/postgres", code=75)
    assert "cannot be reached" in done.stderr and "is it up" in done.stderr
    done = imported(ironcron, pg_cron, "postgresql://u:hunter5@h:x/%zz", code=2)
    assert "hunter5" not in done.stderr and "postgresql://USER@HOST:PORT/DATABASE" in done.stderr
    done = imported(ironcron, pg_cron, f"postgresql://tester:{PASSWORD}x@127.0.0.1:{pg_cron.port}/postgres", code=75)
    assert PASSWORD not in done.stderr
    done = ironcron.run("import", "pg_cron", url(pg_cron), code=75)
    assert "no password supplied: give one in $PGPASSWORD or ~/.pgpass" in done.stderr
