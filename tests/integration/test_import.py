"""`import crontab` through the real binary: what it reads, what it says, and that what it prints loads and runs."""

import json
import os
import pwd
import re
import shutil
import stat
import subprocess

import pytest
from conftest import BINARY, environment, until

ENTRY = "5 4 * * * "
SYSTEM_CRONTAB = """\
SHELL=/bin/sh
PATH=/opt/bin:/usr/bin:/bin
# Example of job definition:
# .---------------- minute (0 - 59)
# |  .------------- hour (0 - 23)
# *  *  *  *  * user-name command to be executed
17 * * * * root cd / && run-parts --report /etc/cron.hourly
1 2 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
0 3 * * * nobody work
"""
# Packages of Debian that bring something for cron.
PACKAGES = ("sysstat logrotate man-db exim4-base php-common certbot mdadm e2fsprogs apt dpkg cron "
            "cron-daemon-common popularity-contest anacron debsums ntpsec munin munin-node mailman3 mailman3-web "
            "amavisd-new spamassassin cacti roundcube-core logcheck backupninja awstats tiger dma rkhunter chkrootkit "
            "plocate quota etckeeper acct inn2").split()
# Of those, what this test knows to be there once they are downloaded: a line of each cron.d, by its job's name.
KNOWN = {"sysstat-debian-sa1": "5-55/10 * * * *", "mdadm-checkarray": "57 0 * * 0", "php-sessionclean": "09,39 * * * *",
         "certbot": "0 */12 * * *", "e2scrub_all_cron": "30 3 * * 0"}


def jobs_of(ironcron, yaml):
    """{name: job} as `jobs show` tells it; the YAML must load."""
    ironcron.config(yaml)
    return {job["job"]: job for job in ironcron.json("jobs")}


def script(path, text="#!/bin/sh\ntouch ran\n", mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def etc(tmp_path):
    """A folder such as /etc."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "crontab").write_text(SYSTEM_CRONTAB)
    (folder / "cron.d").mkdir()
    (folder / "cron.d/stats").write_text("*/10 * * * * www-data stats --all\n")
    (folder / "cron.d/stats.dpkg-old").write_text("* * * * * root old\n")
    (folder / "cron.d/.placeholder").write_text("")
    script(folder / "cron.hourly/tick")
    script(folder / "cron.daily/rotate")
    script(folder / "cron.daily/notes", mode=0o644)
    script(folder / "cron.daily/backup.sh")
    script(folder / "cron.weekly/index")
    return folder


def test_a_folder_such_as_etc(ironcron, etc):
    done = ironcron.run("import", "crontab", etc, config=False)
    jobs = jobs_of(ironcron, done.stdout)
    assert {name: job["schedule"] for name, job in jobs.items()} == {
        "hourly-tick": "17 * * * *", "daily-rotate": "1 2 * * *", "crontab-work": "0 3 * * *",
        "stats": "*/10 * * * *", "weekly-index": "47 6 * * 7"}
    assert f'command: [{etc}/cron.daily/rotate]' in done.stdout
    assert done.stdout.count("PATH: \"/opt/bin:/usr/bin:/bin\"") == 3  # those at the crontab's times
    for said in ("crontab:7: note: the programs of this folder", "stats.dpkg-old: note: left out",
                 "cron.daily/notes: note: left out, because it is not executable",
                 "cron.daily/backup.sh: note: left out, because run-parts"):
        assert said in done.stderr
    assert "placeholder" not in done.stderr


def test_the_crontab_alone_keeps_its_lines(ironcron, etc):
    done = ironcron.run("import", "crontab", etc / "crontab", config=False)
    assert sorted(jobs_of(ironcron, done.stdout)) == ["crontab-run-parts", "crontab-run-parts-2", "crontab-work"]


@pytest.mark.parametrize(("path", "options", "user"), [
    ("cron.d/x", [], "bob"), ("crontab", [], "bob"), ("mine", ["--system"], "bob"),
    ("crontabs/alice", ["--system"], "bob"),
])
def test_files_with_a_user_column(ironcron, tmp_path, path, options, user):
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{ENTRY}{user} work\n")
    done = ironcron.run("import", "crontab", *options, file, config=False)
    assert f"user: {user}\n" in done.stdout and "shell: work\n" in done.stdout


@pytest.mark.parametrize(("path", "options", "user"), [
    ("mine", [], None), ("crontabs/alice", [], "alice"), ("cron.d/x", ["--user", "carol"], "carol"),
    ("mine", ["--user", "carol"], "carol"),
])
def test_files_without_a_user_column(ironcron, tmp_path, path, options, user):
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{ENTRY}work hard\n")
    done = ironcron.run("import", "crontab", *options, file, config=False)
    assert 'shell: "work hard"\n' in done.stdout
    assert (f"user: {user}\n" in done.stdout) if user else ("user:" not in done.stdout)


def test_ones_own_name_is_left_out(ironcron):
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    done = ironcron.run("import", "crontab", "-", "--user", me, stdin=f"{ENTRY}work\n", config=False)
    assert "user:" not in done.stdout and f"name: {me}-work" in done.stdout


def test_standard_input_zone_and_exit_codes(ironcron):
    done = ironcron.run("import", "crontab", "-", "--tz", "Asia/Tokyo", stdin=f"{ENTRY}work\n", config=False)
    assert 'timezone: Asia/Tokyo\n' in done.stdout
    assert done.stderr == "1 job from 1 file or folder; 0 things not carried over, 0 notes\n"
    lines = "\n" * 9999 + "61 * * * * work\n" + f"{ENTRY}more\n"
    done = ironcron.run("import", "crontab", "-", stdin=lines, code=1, config=False)
    assert "-:10000: not carried over: minute 61" in done.stderr and "crontab-more" in done.stdout
    document = json.loads(ironcron.run("--json", "import", "crontab", "-", stdin=lines, code=1, config=False).stdout)
    assert (document["jobs"], document["lost"]) == (1, 1)
    assert document["remarks"][0]["line"] == 10000 and "crontab-more" in document["yaml"]


@pytest.mark.parametrize(("arguments", "code", "says"), [
    ([], 2, "FILE"), (["/nowhere"], 1, "/nowhere cannot be read"),
    (["-", "--system", "--user", "x"], 2, "--system says"), (["-", "--tz", "Europe/Berln"], 2, "Europe/Berlin"),
])
def test_wrong_usage(ironcron, arguments, code, says):
    done = ironcron.run("import", "crontab", *arguments, code=code, config=False)
    assert says in done.stderr and done.stdout == ""


def test_what_cannot_be_read_is_named(ironcron, tmp_path):
    folder = tmp_path / "cron.d"
    folder.mkdir()
    (folder / "big").write_bytes(b"#" * (16 * 1024 * 1024 + 1))
    (folder / "fits").write_bytes(b"#" * (16 * 1024 * 1024 - 20) + b"\n* * * * * root a\n")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "escape").write_text("* * * * * \033[31mx y\n")
    done = ironcron.run("import", "crontab", folder, code=1, config=False)
    assert "big: not carried over: larger than 16 MB" in done.stderr
    assert "loop: not carried over: " in done.stderr and "folder: not carried over: " in done.stderr
    assert "pipe: not carried over: not a file" in done.stderr
    assert "\033" not in done.stderr
    assert "fits-a" in done.stdout


def test_a_pipe_from_the_shell(ironcron):
    line = f"{BINARY} import crontab <(echo '{ENTRY}work')"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False,
                          cwd=ironcron.folder, env=environment(ironcron.folder))
    assert done.returncode == 0 and "shell: work\n" in done.stdout, done.stderr


def test_nothing_is_written(ironcron, etc):
    before = sorted(str(path) for path in ironcron.folder.rglob("*"))
    ironcron.run("import", "crontab", etc, config=False)
    assert sorted(str(path) for path in ironcron.folder.rglob("*")) == before


def test_an_imported_job_does_what_cron_did(ironcron, tmp_path):
    """Percent signs, input, quotes, dollars and the shell, by a run of each."""
    crontab = (f"HOME={tmp_path}\nWHO=you\n"
               "@yearly cat >a%Dear $WHO,%100\\% 'yours'\n"
               "@yearly echo \"$WHO $((1+1))\" '\\d' >b; date +\\%Y >>b\n"
               "SHELL=/bin/bash\n"
               "@yearly [[ -n $BASH_VERSION ]] && cat >c%bash\n")
    done = ironcron.run("import", "crontab", "-", stdin=crontab, config=False)
    names = list(jobs_of(ironcron, done.stdout))
    assert len(names) == 3
    for name in names:
        ironcron.run("run", name)
    assert (tmp_path / "a").read_text() == "Dear $WHO,\n100% 'yours'\n"
    assert (tmp_path / "b").read_text().startswith("you 2 \\d\n20")
    assert (tmp_path / "c").read_text() == "bash\n"


def test_a_crontab_of_100_000_lines(ironcron, tmp_path):
    """In parts that each are a configuration file; nothing is lost, and no name comes twice."""
    crontab = tmp_path / "crontab.txt"
    with open(crontab, "w", encoding="utf-8") as file:
        file.write("MAILTO=\n" + "".join(f"{i % 60} {i % 24} * * * /usr/bin/work-{i % 50000} {'x' * 80}\n"
                                         for i in range(100000)))
    assert crontab.stat().st_size > 10_000_000
    done = ironcron.run("import", "crontab", crontab, code=1, config=False)
    parts = int(re.search(r"This is part 1 of (\d+)", done.stderr).group(1))
    assert "--part N" in done.stderr and done.stdout.startswith("jobs:\n")
    (ironcron.folder / "jobs.d").mkdir()
    for part in range(1, parts + 1):
        done = ironcron.run("import", "crontab", crontab, "--part", part, config=False)
        (ironcron.folder / f"jobs.d/{part}.yml").write_text(done.stdout)
    assert "only" in ironcron.run("import", "crontab", crontab, "--part", parts + 1, code=2, config=False).stderr
    ironcron.config('include: [ "jobs.d/*.yml" ]\n')
    assert len(ironcron.run("jobs").stdout.splitlines()) == 100000 + 1


def test_what_steps_aside_for_a_timer_is_said(ironcron, etc):
    script(etc / "cron.daily/timed", "#!/bin/sh\nif [ -d /run/systemd/system ]; then exit 0; fi\n")
    (etc / "cron.d/certs").write_text("0 1 * * * root test -d /run/systemd/system || renew\n")
    lines = ironcron.run("import", "crontab", etc, config=False).stderr.splitlines()
    said = [line for line in lines if "whether systemd runs" in line]
    assert len(said) == 2 and "cron.daily/timed: note:" in said[1] + said[0] and "cron.d/certs:1: note:" in said[0] + said[1]


def test_the_crontabs_of_users(ironcron, tmp_path):
    """A folder such as /var/spool/cron/crontabs: each file is its user's."""
    spool = tmp_path / "spool/cron/crontabs"
    spool.mkdir(parents=True)
    (spool / "alice").write_text(f"MAILTO=a@example.org\n{ENTRY}work\n@reboot greet\n")
    (spool / "bob").write_text(f"PATH=/opt/bin\n{ENTRY}work\n")
    done = ironcron.run("import", "crontab", spool, code=1, config=False)
    assert done.stdout.count("user: alice\n") == 2 and done.stdout.count("user: bob\n") == 1
    assert "alice:1: not carried over: MAILTO" in done.stderr
    assert {"alice-work", "alice-greet", "bob-work"} == set(jobs_of(ironcron, done.stdout))


def download(folder):
    """Unpacks what this system's archive has of the packages; the root of the result, or None."""
    apt = shutil.which("apt-get")
    debs = folder / "debs"
    debs.mkdir()
    if apt is None:
        return None
    with open(debs / "log", "ab") as log:
        done = subprocess.run([apt, "download", *PACKAGES], cwd=debs, stdout=log, stderr=log, timeout=300, check=False)
        # One by one, where a name that a release does not have has spoilt the others.
        for package in PACKAGES if done.returncode != 0 else ():
            subprocess.run([apt, "download", package], cwd=debs, stdout=log, stderr=log, timeout=300, check=False)
    root = folder / "root"
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    return root if root.exists() else None


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    root = download(tmp_path_factory.mktemp("debian"))
    if root is None:
        pytest.skip("NOT TESTED: the crontabs of Debian's packages, because apt-get download brings none here")
    return root


PERIODS = ("cron.hourly", "cron.daily", "cron.weekly", "cron.monthly")


def entries_of(path):
    return [line for line in path.read_text().splitlines() if line and line[0] in "0123456789*@"]


def test_the_crontabs_of_debian_packages(ironcron, debian):
    done = ironcron.run("import", "crontab", debian / "etc", code=None, config=False)
    lost = [line for line in done.stderr.splitlines() if "not carried over: " in line]
    assert all("anacrontab" in line or ": MAILTO=" in line for line in lost), done.stderr
    jobs = jobs_of(ironcron, done.stdout)
    scripts = [path for path in debian.glob("etc/cron.*ly/*")
               if path.name != ".placeholder" and path.stat().st_mode & stat.S_IXUSR]
    lines = [line for path in debian.glob("etc/cron.d/*") if path.name != ".placeholder"
             for line in entries_of(path)]
    crontab = debian / "etc/crontab"  # its lines stay jobs where the folder that they run is not there
    own = [line for line in (entries_of(crontab) if crontab.exists() else ())
           if not any((debian / "etc" / period).is_dir() for period in PERIODS if f"/{period}" in line)]
    assert len(scripts) >= 5 and len(lines) >= 5
    assert len(jobs) == len(scripts) + len(lines) + len(own), done.stderr
    with_cron = {path.name for path in debian.glob("etc/cron.*/*")}
    assert len(with_cron) >= 12, f"crontabs of a dozen packages: {with_cron}"
    for name, schedule in KNOWN.items():
        assert jobs[name]["schedule"] == schedule, sorted(jobs)


def test_what_was_imported_runs_in_dry_run(ironcron, debian, tmp_path):
    """All of it once: the schedules are replaced by one that is due each second."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: the imported jobs name users, which needs root")
    yaml = ironcron.run("import", "crontab", debian / "etc", code=None, config=False).stdout
    names = set(jobs_of(ironcron, yaml))
    known = {entry.pw_name for entry in pwd.getpwall()}  # those that the packages would make are not here

    def adapted(line):
        key, _, value = line.strip().partition(": ")
        if line.startswith("    schedule:"):
            return '    schedule: "* * * * * *"\n'
        return "    user: nobody\n" if line.startswith("    ") and key == "user" and value not in known else line

    ironcron.config("".join(adapted(line) for line in yaml.splitlines(keepends=True)))
    ironcron.run("validate")
    with ironcron.serve(env={"JOB_DRY_RUN": "1"}):
        until(lambda: {row["job"] for row in ironcron.query("select distinct job from slots")} == names,
              lambda: f"a slot of each of {names}")
    rows = ironcron.query("select distinct outcome from slots where outcome is not null")
    assert [row["outcome"] for row in rows] == ["DRY_RUN"]
