"""A throw-away host: this machine's own root below an overlay in memory, in namespaces of its own, with a real systemd as
its first process. Whatever is installed, started or deleted in there is gone with it, and nothing of it is seen outside."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import until

NEEDED = ["unshare", "nsenter", "pivot_root", "ip", "systemctl"]
# Units of this machine are not started in there: only what systemd itself needs.
SETUP = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
for node in null zero full random urandom tty; do touch "dev/$node"; mount --bind "/dev/$node" "dev/$node"; done
mkdir dev/shm dev/pts
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
ip link set lo up
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires usr/sbin/policy-rc.d
# Images for containers leave out manual pages and documentation.
rm -rf etc/dpkg/dpkg.cfg.d/*
# The host may be a container whose own first process is something else.
[ -e etc/machine-id ] && [ -s etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir run/outside
pivot_root . run/outside
umount --lazy /run/outside
rmdir /run/outside
exec env -i container=ironcron PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
"""


class Box:
    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.pid = None

    def start(self):
        where = self.folder / "box"
        where.mkdir()
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup", "--kill-child", "--mount-proc",
             "sh", "-c", SETUP, "sh", str(where)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "box.log", "wb"))
        until(self.is_up, lambda: f"systemd is up in the box; {self.complaints()}", every=0.1)

    def complaints(self):
        return (self.folder / "box.log").read_text(errors="replace")

    def is_up(self):
        if self.process.poll() is not None:
            pytest.skip(f"this machine allows no box with a systemd of its own: {self.complaints().strip()[-300:]}")
        if self.pid is None:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            with contextlib.suppress(OSError):
                if children and pathlib.Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
                    self.pid = int(children[0])
        return self.pid and self.run("systemctl", "is-active", "--quiet", "basic.target", code=None).returncode == 0

    def run(self, *command, code=0, timeout=300, user=None):
        """One command in there, as root or as `user`."""
        words = ["nsenter", "-t", str(self.pid), "--all", f"--root=/proc/{self.pid}/root", "--wd=/"]
        words += ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        done = subprocess.run([*words, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)
        if code is not None and done.returncode != code:
            pytest.fail(f"in the box: {' '.join(map(str, command))}\nended with {done.returncode}, expected {code}\n"
                        f"stdout:\n{done.stdout}\nstderr:\n{done.stderr}\n{self.journal()}")
        return done

    def journal(self):
        return self.run("journalctl", "--no-pager", "-n", "60", "-u", "ironcron", code=None).stdout if self.pid else ""

    def path(self, name):
        return pathlib.Path(f"/proc/{self.pid}/root{name}")

    def copy(self, file, target):
        shutil.copyfile(file, self.path(target))

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.pid:
                with contextlib.suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)  # the first process of its namespace: all others go with it
            else:
                self.process.kill()
            self.process.wait()


def reason_against():
    """Why there can be no box here, or None."""
    if os.geteuid() != 0:
        return "a box with a systemd of its own needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {' '.join(missing)}" if missing else None
