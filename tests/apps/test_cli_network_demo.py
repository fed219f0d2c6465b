"""`roost network demo`: a network for trying out, and nothing of it is left when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.apps.processes import Person, Process

READY_S = 170.0  # six processes start and agree twice


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(300)
def test_a_network_that_comes_and_goes(tmp_path: Path) -> None:
    options = ("--nodes", "5", "--period", "8s", "--data", str(tmp_path / "network"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's `&` starts it
    try:
        network = Process("network", "demo", *options)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        ready = network.next(READY_S)
        assert ready["event"] == "ready"
        assert ready["link"].startswith("roost-network:")
        pids = [one["pid"] for one in ready["processes"]]
        names = [one["name"] for one in ready["processes"]]
        assert names == [f"authority-{number}" for number in range(3)] + [f"node-{number}" for number in range(5)]
        assert all(map(runs, pids))
        person = Person(tmp_path / "alice")
        report, *nodes = person.lines("network", "consensus", ready["link"])
        assert (report["name"], report["nodes"], report["threshold"]) == ("demo", 5, 2)
        assert all(node["serves"] for node in nodes)
        assert person.one("init", "--name", "Alice", "--onion", ready["link"], "--no-passphrase")["name"] == "Alice"
        assert network.end(signal.SIGTERM, within_s=40) == 0
        assert not any(map(runs, pids))
        assert (tmp_path / "network" / "node-0").is_dir(), "with --data it can go on"
    finally:
        network.close()


def test_too_few_nodes_are_refused(tmp_path: Path) -> None:
    refused = Person(tmp_path / "nobody").process("network", "demo", "--nodes", "2")
    assert refused.returncode == 2
    assert b"--nodes" in refused.stderr
