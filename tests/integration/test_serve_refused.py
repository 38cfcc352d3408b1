"""What a start refuses, and how it says so: configurations, programs, ports and stores that are no good."""

import contextlib
import re
import socket
import sqlite3

import pytest

from serve_jobs import TICK, jobs, wait_state


def test_every_configuration_error_at_once(ironcron):
    ironcron.config("""jobs:
  - name: a
    schedul: "* * * * *"
    command: ["/bin/true"]
  - name: b
    schedule: "0 0 30 2 *"
    command: ["/bin/true"]
  - name: c
    schedule: "* * * * *"
    timezone: Europe/Berlim
    shell: "${NOT_SET_AT_ALL}"
""")
    done = ironcron.run("serve", code=78)
    lines = ironcron.config_path.read_text().splitlines()
    for wrong, said in (("schedul:", "unknown key"), ("30 2 *", "never fires"), ("Berlim", "Europe/Berlin"),
                        ("NOT_SET_AT_ALL", "NOT_SET_AT_ALL is not set")):
        line = next(i for i, text in enumerate(lines, 1) if wrong in text)
        assert re.search(rf"yml:{line}:\d+: .*{said}", done.stderr), (line, said, done.stderr)
    assert not ironcron.store_path.exists()


def test_a_program_that_is_missing_is_refused(ironcron):
    ironcron.config(jobs("""
  - name: gone
    schedule: "* * * * *"
    command: ["/no/such/program"]
"""))
    done = ironcron.run("serve", code=1)
    assert "/no/such/program" in done.stderr


def test_a_port_in_use_is_refused_by_address(ironcron):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ironcron.config(jobs(TICK, folder=ironcron.folder, head=f'http: {{ listen: "127.0.0.1:{port}" }}\n'), http=False)
        done = ironcron.run("serve", code=1)
        assert "127.0.0.1" in done.stderr and str(port) in done.stderr


def test_a_store_of_a_newer_version_is_refused_and_kept(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve():
        wait_state(ironcron, "tick", "SUCCESS")
    with contextlib.closing(sqlite3.connect(ironcron.store_path)) as db:
        db.execute("pragma user_version = 9999")
    before = ironcron.store_path.read_bytes()
    done = ironcron.run("serve", code=78)
    assert "9999" in done.stderr
    assert ironcron.store_path.read_bytes() == before


@pytest.mark.parametrize("damage", ["garbage", "truncated", "holes"])
def test_a_damaged_store_is_refused_with_the_remedy(ironcron, damage):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve():
        wait_state(ironcron, "tick", "SUCCESS")
    content = ironcron.store_path.read_bytes()
    pages = {"garbage": b"this is no database at all" * 100, "truncated": content[: len(content) // 2],
             "holes": content[:4096] + b"\xff" * (len(content) - 4096)}
    ironcron.store_path.write_bytes(pages[damage])
    done = ironcron.run("serve", code=None)
    assert done.returncode in (1, 75), done.stderr
    assert "recover" in done.stderr or "copy" in done.stderr or "not an SQLite database" in done.stderr, done.stderr
    assert "bug" not in done.stderr
