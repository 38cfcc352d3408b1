"""The Debian package, in a box with a real systemd: built, installed, used, upgraded, taken back, removed, purged."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from box import Box, reason_against
from conftest import ROOT, until
from test_docs import commands

JOB = """
jobs:
  - { name: tick, schedule: "@every 1s", shell: 'echo "as $(id -un)"' }
"""
SLOW = """
  - name: slow
    schedule: "@once 2020-01-01T00:00:00Z"
    shell: "touch /var/lib/ironcron/slow.up; sleep 4; touch /var/lib/ironcron/slow.done"
"""
VIEWS = "select count(*) from job_runs where job = 'tick' and state = 'SUCCESS'"


def shell(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package():
    """The path of the package, built from this checkout; $IRONCRON_DEB names one that is built already."""
    if "IRONCRON_DEB" in os.environ:
        return pathlib.Path(os.environ["IRONCRON_DEB"])
    if shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None:
        pytest.skip("debhelper and dpkg-dev are not installed")
    shell("scripts/deb", cwd=ROOT, timeout=3600)
    found = [path for path in (ROOT / "build/deb").glob("ironcron_*.deb")]
    assert len(found) == 1
    return found[0]


def repacked(package, folder, version):
    """The same package under another version, as its control file and its scripts name it."""
    tree = folder / f"tree-{version}"
    shell("dpkg-deb", "-R", package, tree)
    old = shell("dpkg-deb", "-f", package, "Version").strip()
    for name in ("control", "preinst"):
        path = tree / "DEBIAN" / name
        path.write_text(path.read_text().replace(old, version))
    (tree / "usr/share/doc/ironcron/NEWER").write_text(version)
    config = tree / "etc/ironcron/ironcron.yml"  # so that dpkg has to decide about the administrator's own
    config.write_text(config.read_text() + f"# of {version}\n")
    target = folder / f"ironcron_{version}.deb"
    shell("dpkg-deb", "--root-owner-group", "-b", tree, target)
    return target


@pytest.fixture
def box(tmp_path):
    against = reason_against()
    if against:
        pytest.skip(against)
    host = Box(tmp_path)
    host.start()
    yield host
    host.stop()


def test_lintian_finds_no_error(package):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *map(str, package.parent.glob("*.deb"))],
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def successes(box):
    done = box.run("sqlite3", "/var/lib/ironcron/ironcron.db", VIEWS, code=None)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0


def wait_for_more(box, than):
    until(lambda: successes(box) > than, lambda: f"more than {than} runs of tick\n{box.journal()}", every=0.2)


def property_of(box, name):
    return box.run("systemctl", "show", "-P", name, "ironcron").stdout.strip()


def install(box, package, *options):
    box.copy(package, "/tmp/ironcron.deb")
    return box.run("dpkg", *options, "-i", "/tmp/ironcron.deb")


def configure(box, text):
    path = box.path("/etc/ironcron/ironcron.yml")
    path.write_text(re.sub(r"(?ms)^jobs: \[\].*", "", path.read_text()) + text)


def test_the_life_of_a_package(package, box, tmp_path):
    # Installed: the service lives, as its own user, with a configuration that has no job yet.
    install(box, package)
    until(lambda: property_of(box, "ActiveState") == "active", lambda: f"active\n{box.journal()}")
    assert property_of(box, "UnitFileState") == "enabled"
    assert property_of(box, "StatusText").startswith("live: 0 jobs")
    main = box.run("ps", "-o", "user=", "-p", property_of(box, "MainPID")).stdout.strip()
    assert main == "ironcron"
    mode = box.run("stat", "-c", "%a %U:%G", "/var/lib/ironcron", "/var/lib/ironcron/ironcron.db").stdout.splitlines()
    assert mode == ["750 ironcron:ironcron", "600 ironcron:ironcron"]
    assert "ironcron" in box.run("man", "-w", "ironcron.yml").stdout

    # Used: the administrator adds a job and reloads.
    configure(box, JOB)
    box.run("ironcron", "validate")
    box.run("systemctl", "reload", "ironcron")
    wait_for_more(box, 1)
    until(lambda: property_of(box, "StatusText").startswith("live: 1 jobs"), lambda: property_of(box, "StatusText"))
    run = box.run("ironcron", "runs", "--job", "tick", "--limit", "1", "--json").stdout
    run_id = re.search(r'"run_id": ?"([^"]+)"', run).group(1)
    assert box.run("ironcron", "runs", "output", run_id).stdout == "as ironcron\n"
    box.run("ironcron", "run", "tick", "--reason", "by hand", code=None)
    assert box.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8321/readyz").stdout == "200"

    # A reload that is refused fails, and changes nothing.
    good = box.path("/etc/ironcron/ironcron.yml").read_text()
    configure(box, JOB.replace("schedule", "shcedule"))
    assert box.run("systemctl", "reload", "ironcron", code=None).returncode != 0
    box.path("/etc/ironcron/ironcron.yml").write_text(good)
    assert property_of(box, "ActiveState") == "active"

    # Upgraded, while a job runs: it finishes, the administrator's file stays, the ledger verifies.
    configure(box, SLOW)
    box.run("systemctl", "reload", "ironcron")
    box.run("ironcron", "run", "slow", "--detach")
    until(box.path("/var/lib/ironcron/slow.up").exists, "slow runs")
    before, main = successes(box), property_of(box, "MainPID")
    done = install(box, repacked(package, tmp_path, "0.9.0"), "--force-confdef", "--force-confold")
    assert "step back" not in done.stderr
    assert box.path("/var/lib/ironcron/slow.done").exists(), "the upgrade has not waited for a job that runs"
    assert property_of(box, "MainPID") != main, "the upgrade has not restarted the service"
    assert box.path("/etc/ironcron/ironcron.yml").read_text() == good + SLOW
    assert box.path("/usr/share/doc/ironcron/NEWER").exists()
    wait_for_more(box, before + 1)
    assert "PASS" in box.run("ironcron", "audit", "verify").stdout
    states = box.run("sqlite3", "/var/lib/ironcron/ironcron.db", "select state from job_runs where job = 'slow'").stdout
    assert states.split() == ["SUCCESS"]

    # Taken back: it is said what that means.
    assert "step back" in install(box, package, "--force-confdef", "--force-confold").stderr

    # Killed: the service manager starts it again, and nothing is in the way.
    main, before = property_of(box, "MainPID"), successes(box)
    box.run("kill", "-KILL", main)
    until(lambda: property_of(box, "MainPID") not in ("0", main), lambda: f"started anew\n{box.journal()}")
    wait_for_more(box, before + 1)

    # A configuration that is wrong by itself is not tried again and again.
    box.path("/etc/ironcron/ironcron.yml").write_text("jobs: 7\n")
    box.run("systemctl", "restart", "ironcron", code=1)
    assert property_of(box, "ExecMainStatus") == "78"
    assert property_of(box, "ActiveState") == "failed"
    assert property_of(box, "NRestarts") == "0"
    box.path("/etc/ironcron/ironcron.yml").write_text(good)
    box.run("systemctl", "restart", "ironcron")

    # Removed: what people have written and what has happened stays.
    box.run("dpkg", "-r", "ironcron")
    assert not box.path("/usr/bin/ironcron").exists()
    assert box.run("pgrep", "-u", "ironcron", code=None).stdout == ""
    assert box.path("/etc/ironcron/ironcron.yml").read_text() == good
    assert successes(box) > 0

    # Purged: said and gone, but for what is not the package's.
    purge = box.run("dpkg", "-P", "ironcron")
    assert "deleting /var/lib/ironcron/ironcron.db" in purge.stderr
    assert "/var/lib/ironcron stays" in purge.stderr
    left = sorted(path.name for path in box.path("/var/lib/ironcron").iterdir())
    assert left == ["slow.done", "slow.up"]
    assert not box.path("/etc/ironcron").exists()


def test_a_newcomer_s_first_job_as_getting_started_has_it(package, box):
    install(box, package)
    text = commands("docs/getting-started.md", "A first job")
    job, typed = text[text.index("jobs:"):text.index("sudo ")], text[text.index("sudo "):]
    configure(box, job)
    lines = [line.replace("sudo ", "") for line in typed.strip().splitlines()]
    assert len(lines) == 5
    for line in lines:
        box.run("sh", "-ec", line)
    assert "SUCCESS" in box.run("ironcron", "runs", "--job", "disk-space").stdout.upper()


def test_the_way_back_from_a_backup(package, box):
    install(box, package)
    configure(box, JOB)
    box.run("systemctl", "reload", "ironcron")
    wait_for_more(box, 1)
    box.run("mkdir", "-p", "/var/backups")
    text = commands("docs/running-in-production.md", "Back up, restore")
    backup, restore = text[:text.index("systemctl stop")], text[text.index("systemctl stop"):]
    box.run("sh", "-ec", backup)
    saved = successes(box)
    wait_for_more(box, saved)
    box.run("sh", "-ec", restore)
    wait_for_more(box, 0)
    assert "PASS" in box.run("ironcron", "audit", "verify").stdout


def test_jobs_as_other_users_by_the_documented_drop_in(package, box):
    install(box, package)
    folder = box.path("/etc/systemd/system/ironcron.service.d")
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "packaging/systemd/jobs-as-other-users.conf", folder)
    configure(box, JOB.replace("schedule:", "user: daemon, schedule:"))
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "ironcron")
    wait_for_more(box, 0)
    run = box.run("ironcron", "runs", "--job", "tick", "--state", "success", "--limit", "1", "--json").stdout
    run_id = re.search(r'"run_id": ?"([^"]+)"', run).group(1)
    assert box.run("ironcron", "runs", "output", run_id).stdout == "as daemon\n"
    box.run("systemctl", "stop", "ironcron")
    assert property_of(box, "Result") == "success"


def test_a_hung_node_is_ended_by_the_watchdog_and_started_anew(package, box):
    install(box, package)
    folder = box.path("/etc/systemd/system/ironcron.service.d")
    folder.mkdir(parents=True)
    (folder / "watchdog.conf").write_text("[Service]\nWatchdogSec=5s\nRestartSec=100ms\n")
    configure(box, JOB)
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "ironcron")
    wait_for_more(box, 1)
    main = property_of(box, "MainPID")
    box.run("kill", "-STOP", main)
    until(lambda: property_of(box, "MainPID") not in ("0", main), lambda: f"started anew\n{box.journal()}")
    assert "watchdog" in box.journal().lower()
    before = successes(box)
    wait_for_more(box, before)
    assert "PASS" in box.run("ironcron", "audit", "verify").stdout
