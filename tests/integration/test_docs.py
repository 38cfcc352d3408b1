"""What the pages tell a newcomer to type is typed, in order, as it stands there."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT, environment


def commands(page, heading):
    """The indented blocks below a heading, in order."""
    text = (ROOT / page).read_text()
    part = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return re.sub(r"^    ", "", "\n".join(re.findall(r"^    .*$|^$", part, re.M)), flags=re.M)


def test_the_tour_of_the_readme(tmp_path):
    tour = commands("README.md", "Five minutes")
    first, rest = re.match(r"\s*(?:apt install make\b[^\n]*\n)?(make && [^\n]*)\n(.*)", tour, re.S).groups()
    assert first.endswith("mkdir /tmp/tour && cd /tmp/tour")
    (tmp_path / "bin").mkdir()
    shutil.copy(BINARY, tmp_path / "bin/ironcron")
    (tmp_path / "tour").mkdir()
    # The one command that ends by design with something else than 0: `timeout` ends it.
    rest = rest.replace("timeout 12 ironcron serve", "timeout 12 ironcron serve || [ $? = 124 ]")
    # `status` says 1 since `flaky` fails, which is the point of it.
    rest = re.sub(r"^ironcron status\b.*$", "ironcron status || [ $? = 1 ]", rest, flags=re.M)
    (tmp_path / "tour.sh").write_text(f"set -eux -o pipefail\n{rest}\nwait\n")
    words = ["bash", str(tmp_path / "tour.sh")]
    if os.geteuid() == 0:  # with a network of its own, so that port 8321 is free
        words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words]
    done = subprocess.run(words, cwd=tmp_path / "tour", capture_output=True, text=True, timeout=300, check=False,
                          env={**environment(tmp_path), "PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/bin"})
    if done.returncode != 0 and "Operation not permitted" in done.stderr:
        pytest.skip("this machine allows no network namespace")
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("hello from slot", "PASS", "job_runs_total{", "greet|"):
        assert expected in done.stdout + done.stderr, expected
