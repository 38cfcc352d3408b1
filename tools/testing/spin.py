"""The Promela model of the claim protocol: the rules hold, and each of them broken is found."""

import os
import re
import tempfile

from testing.result import ROOT, run, tail

MODEL = os.path.join(ROOT, "spec/claim.pml")
SOUND = {"the rules": [], "the rules, when a standby is promoted": ["PROMOTION"]}
BROKEN = ["TRUST_FROM_ANSWER", "LATE_START", "START_ON_UNKNOWN", "SETTLED_BY_READ", "NO_RUNNER", "LOCK_FREE_EARLY",
          "FREE_LOCK_IS_DEATH", "CLAIM_BESIDE_FENCING", "END_WITHOUT_FENCE", "NO_GRACE", "SLOW_KILL",
          "FENCE_AFTER_PROMOTION"]


def search(switches):
    """What pan says: ('sound' | 'broken' | 'unknown', everything that was printed)."""
    with tempfile.TemporaryDirectory() as folder:
        defines = " ".join(f"-D{name}=true" for name in switches)
        code, out = run(["sh", "-c", f"cd {folder} && spin -a {defines} {MODEL} && "
                         "gcc -w -O1 -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c && "
                         "./pan -E -n -m500000 -w22"])
    found = re.search(r"errors: (\d+)", out)
    if code == 0 and found and "Search not completed" not in out and found[1] == "0":
        return "sound", out
    if "assertion violated" in out and found and found[1] == "1":
        return "broken", out
    return "unknown", out


def spin(result):
    for name, switches in SOUND.items():
        verdict, out = search(switches)
        result.check(f"spin: {name}", "" if verdict == "sound" else tail(out))
    for rule in BROKEN:
        switches = [rule, "PROMOTION"] if rule == "FENCE_AFTER_PROMOTION" else [rule]
        verdict, out = search(switches)
        result.check(f"spin: {rule} is found", "" if verdict == "broken" else tail(out))
