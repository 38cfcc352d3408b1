"""A PostgreSQL server of a benchmark's own, with default durability, under a user that PostgreSQL accepts."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

BIN = "/usr/lib/postgresql/15/bin/"


class Server:
    def __init__(self, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ironcron-bench-pg.", dir="/var/tmp"))
        self.prefix = ["setpriv", "--pdeathsig", "INT"]
        if os.geteuid() == 0:
            self.prefix += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
            subprocess.run(["chown", "postgres:", self.folder], check=True)
            self.folder.chmod(0o755)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        data = self.folder / "data"
        subprocess.run([*self.prefix, BIN + "initdb", "-U", "bench", "-A", "trust", "-D", data], check=True,
                       capture_output=True, cwd=self.folder)
        options = {"port": self.port, "unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1",
                   "max_connections": 200, **options}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([*self.prefix, BIN + "postgres", "-D", data, *words], stdout=log, stderr=log,
                                            cwd=self.folder)
        while self.psql("select 1", check=False) != "1":
            time.sleep(0.1)

    def psql(self, statement, database="postgres", check=True):
        done = subprocess.run([BIN + "psql", "-XAtq", "-h", self.folder, "-p", str(self.port), "-U", "bench", "-c",
                               statement, database], check=False, capture_output=True, text=True)
        if check and done.returncode != 0:
            sys.exit(f"{statement}\n{done.stderr}")
        return done.stdout.strip()

    def url(self, database="postgres"):
        return f"postgresql://bench@127.0.0.1:{self.port}/{database}"

    def environment(self):
        return {**os.environ, "PGHOST": str(self.folder), "PGPORT": str(self.port), "PGUSER": "bench"}

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        subprocess.run(["rm", "-rf", self.folder], check=True)
