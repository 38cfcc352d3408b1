"""A real PostgreSQL cluster of the tests' own: initdb in a temporary folder, a free port of loopback, no socket in the
file system, never as root. Fast rather than durable. One for the session; each test has a database of its own."""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from conftest import PATIENCE, free_port, until

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PASSWORD = "hunter2-of-the-cluster"  # must never be seen in what ironcron prints or stores
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "full_page_writes": "off",
            "shared_buffers": "32MB", "max_connections": "60", "autovacuum": "off",
            "log_min_messages": "warning", "max_prepared_transactions": "5", "lc_messages": "C"}


def unprivileged():
    """What puts a command under a user that PostgreSQL accepts, and ends it with us."""
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        prefix += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    return prefix


class Cluster:
    """A cluster that can be stopped, killed and started again, on the same port."""

    def __init__(self, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ironcron-pg-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.settings = {**SETTINGS, **settings}
        self.process = None
        self.make()

    def make(self):
        words = self.folder / "password"
        words.write_text(PASSWORD + "\n")
        if os.geteuid() == 0:
            for path in (self.folder, words):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run([*unprivileged(), BIN / "initdb", "--no-sync", "-U", "tester", "-A", "scram-sha-256", "--pwfile",
                        words, "-E", "UTF8", "--no-locale", "-D", self.data], check=True, capture_output=True,
                       cwd=self.folder)
        self.start()

    def log(self):
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")
        return ""

    def start(self):
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*unprivileged(), BIN / "postgres", "-D", self.data, "-p", str(self.port), *settings],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        until(lambda: self.process.poll() is None and self.answers(), lambda: f"the cluster answers:\n{self.log()}")

    def answers(self):
        return self.psql("select 1", check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        """INT: fast, as a restart does it; QUIT: at once, as a crash."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def environment(self):
        return {"PATH": f"{BIN}:/usr/bin:/bin", "PGPASSWORD": PASSWORD, "PGCONNECT_TIMEOUT": "10", "LANG": "C.UTF-8"}

    def psql(self, statement, database="postgres", check=True):
        return subprocess.run([BIN / "psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                               str(self.port), "-U", "tester", "-d", database, "-c", statement], check=check,
                              capture_output=True, text=True, env=self.environment(), timeout=PATIENCE)

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Standby(Cluster):
    """Of another cluster, whose writes it follows until it is promoted."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__(**primary.settings)

    def make(self):
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        subprocess.run([*unprivileged(), BIN / "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-h", "127.0.0.1",
                        "-p", str(self.primary.port), "-U", "tester"], check=True, capture_output=True, cwd=self.folder,
                       env=self.primary.environment())
        self.start()

    def promote(self):
        self.psql("select pg_promote()")


class Database:
    """One database of a cluster."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = f"t_{secrets.token_hex(4)}"
        self.url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{cluster.port}/{self.name}"
        cluster.psql(f"create database {self.name}")

    def execute(self, statement):
        """Rows as lists of texts."""
        done = self.cluster.psql(statement, self.name, check=False)
        assert done.returncode == 0, f"{statement}\n{done.stderr}"
        return [line.split("|") for line in done.stdout.splitlines()]

    def value(self, statement):
        return self.execute(statement)[0][0]

    def backends(self, where="true"):
        """Rows (pid, application_name, state, query) of who is connected to it, but for the asking one."""
        answer = self.cluster.psql("select pid, application_name, state, query from pg_stat_activity where datname = "
                                   f"'{self.name}' and backend_type = 'client backend' and {where}")
        return [line.split("|") for line in answer.stdout.splitlines()]

    def drop(self):
        self.cluster.psql(f"drop database if exists {self.name} with (force)", check=False)


class Pooler:
    """A PgBouncer in front of a cluster."""

    def __init__(self, cluster, mode):
        self.port = free_port()
        folder = cluster.folder / f"pooler-{self.port}"
        folder.mkdir()
        (folder / "users").write_text(f'"tester" "{PASSWORD}"\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nauth_type = scram-sha-256\nauth_file = {folder}/users\nunix_socket_dir =\n"
            f"pool_mode = {mode}\nlogfile = {folder}/log\n")
        if os.geteuid() == 0:
            for path in (folder, folder / "users", folder / "ini"):
                shutil.chown(path, "postgres", "postgres")
        self.process = subprocess.Popen([*unprivileged(), "/usr/sbin/pgbouncer", folder / "ini"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers, "the pooler listens")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def cluster():
    """Stays up; who stops clusters has one of their own (`own_cluster`)."""
    server = Cluster()
    yield server
    server.remove()


@pytest.fixture
def own_cluster():
    server = Cluster()
    yield server
    server.remove()


@pytest.fixture
def database(cluster):
    made = Database(cluster)
    yield made
    made.drop()
