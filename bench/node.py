"""A running `ironcron serve` for a benchmark."""

import os
import re
import signal
import subprocess
import time
import urllib.request


class Node:
    def __init__(self, binary, folder, config, *options, store="sqlite:ironcron.db"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        binary, folder = os.path.abspath(binary), os.path.abspath(folder)
        self.store = os.path.join(folder, "ironcron.db")
        with open(os.path.join(folder, "ironcron.yml"), "w", encoding="utf-8") as file:
            file.write(f'store: "{store}"\nhttp: {{ listen: "127.0.0.1:0" }}\n' + config)
        if store.startswith("postgresql:"):
            subprocess.run([binary, "-c", os.path.join(folder, "ironcron.yml"), "migrate", "deploy", "--store"], check=True,
                           capture_output=True)
        self.log_path = os.path.join(folder, "serve.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([binary, "-c", os.path.join(folder, "ironcron.yml"), "serve", *options],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        self.pid = self.process.pid
        self.address = None
        self.wait_ready()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            match = re.search(r"event=listening\b.*\baddress=(\S+)", self.log())
            try:
                if match and urllib.request.urlopen(f"http://{match.group(1)}/readyz", timeout=5).status == 200:
                    self.address = match.group(1)
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"serve did not become ready:\n{self.log()[-4000:]}")

    def pids(self):
        """serve and its runner."""
        found = [self.pid]
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return found + [int(pid) for pid in file.read().split()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)
