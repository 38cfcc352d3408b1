"""The alert rules for Prometheus, each put before the real rule engine: it fires in the trouble that it is for, and only then."""

import json
import shutil
import subprocess

import pytest
from conftest import ROOT

RULES = ROOT / "packaging/prometheus/ironcron-rules.yml"
A, B = 'instance="a:8321", job="ironcron"', 'instance="b:8321", job="ironcron"'
# A fleet of two that is well, for six hours: one sample a minute.
WELL = {
    f"up{{{A}}}": "1x360", f"up{{{B}}}": "1x360",
    f"ironcron_store_up{{{A}}}": "1x360", f"ironcron_fenced_total{{{A}}}": "0x360",
    f"ironcron_nodes_live{{{A}}}": "2x360", f"ironcron_node_draining{{{A}}}": "0x360",
    f"ironcron_node_draining{{{B}}}": "0x360", f"ironcron_definitions_refused{{{A}}}": "0x360",
    f"ironcron_store_locks_ratio{{{A}}}": "0.2x360", f"ironcron_clock_skew_seconds{{{A}}}": "0.1x360",
    f'job_failures_total{{{A}, job_name="j", reason="exit"}}': "0x360",
}


def from_then_on(before, after, minutes=10):
    """Six hours of which the last minutes are something else."""
    return f"{before}x{359 - minutes} {after}x{minutes}"


# What is other than well, and which alerts that makes at the end of the six hours.
TROUBLE = {
    "all is well": ({}, []),
    "down": ({f"up{{{B}}}": from_then_on(1, 0)}, ["IroncronDown"]),
    "store down": ({f"ironcron_store_up{{{A}}}": from_then_on(1, 0)}, ["IroncronStoreDown"]),
    "fenced": ({f"ironcron_fenced_total{{{A}}}": from_then_on(0, 1)}, ["IroncronNodeFenced"]),
    "missing": ({f"ironcron_nodes_live{{{A}}}": from_then_on(2, 1)}, ["IroncronNodeMissing"]),
    "missing for a moment": ({f"ironcron_nodes_live{{{A}}}": from_then_on(2, 1, 2)}, []),
    "smaller on purpose": ({f"ironcron_nodes_live{{{A}}}": from_then_on(2, 1, 90)}, []),
    "drained": ({f"ironcron_node_draining{{{A}}}": from_then_on(0, 1, 60)}, []),
    "drained for long": ({f"ironcron_node_draining{{{A}}}": from_then_on(0, 1, 250)}, ["IroncronDrainedForLong"]),
    "all drained": ({f"ironcron_node_draining{{{A}}}": from_then_on(0, 1), f"ironcron_node_draining{{{B}}}": from_then_on(0, 1)},
                    ["IroncronAllDrained"]),
    "refused": ({f"ironcron_definitions_refused{{{A}}}": from_then_on(0, 1)}, ["IroncronDefinitionsRefused"]),
    "locks": ({f"ironcron_store_locks_ratio{{{A}}}": from_then_on(0.2, 0.85)}, ["IroncronLockTableFills"]),
    "clock": ({f"ironcron_clock_skew_seconds{{{A}}}": from_then_on(0.1, -3)}, ["IroncronClockOff"]),
    "failing": ({f'job_failures_total{{{A}, job_name="j", reason="exit"}}': from_then_on(0, 1)}, ["JobFailing"]),
}


def fired(folder, series):
    """Names of the alerts: of each it is said that it does not fire, and promtool says where that is wrong."""
    shutil.copy(RULES, folder / "rules.yml")
    names = [line.split()[-1] for line in RULES.read_text().splitlines() if "- alert:" in line]
    expected = [{"eval_time": "358m", "alertname": name, "exp_alerts": []} for name in names]
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [{
        "interval": "1m", "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "alert_rule_test": expected}]}
    (folder / "test.yml").write_text(json.dumps(test))  # JSON is YAML
    done = subprocess.run(["promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    wrong = [name for name in names if f"alertname: {name}," in said]
    assert (done.returncode == 0) == (not wrong), said
    return wrong


@pytest.mark.parametrize("what", TROUBLE)
def test_a_rule_fires_in_its_trouble_and_only_then(tmp_path, what):
    series, alerts = TROUBLE[what]
    assert fired(tmp_path, {**WELL, **series}) == alerts
