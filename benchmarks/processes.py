"""Servers as processes of their own, and what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from roost.wire.addresses import RelayAddress
from roost.wire.links import parse_relay_link

ROOT = Path(__file__).resolve().parent.parent
ACCESS = "benchmark"  # an open relay would let one connection make few mailboxes
CONFIG = f'access = "{ACCESS}"\nrequests_per_second = 1e9\n[quotas]\nmailbox_envelopes = 1000000\n'
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class RunningRelay:
    address: RelayAddress
    pid: int

    def cpu_s(self) -> float:
        return cpu_seconds(self.pid)


@contextmanager
def server(module: str, *options: str, cpus: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """A server's process id and the line that it prints when it is ready; it and its children stay on `cpus`."""
    command = [sys.executable, "-m", module, *options]
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or everywhere)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    finally:
        os.sched_setaffinity(0, everywhere)
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def relay(cpus: set[int] | None = None) -> Iterator[RunningRelay]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "relay.toml"
        config.write_text(CONFIG)
        options = ("--config", str(config), "--data", folder, "--listen", "127.0.0.1:0", "--json")
        with server("roost", "relay", *options, cpus=cpus) as (pid, line):
            yield RunningRelay(parse_relay_link(json.loads(line)["link"]).address, pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with its children (proc(5), fields 14 and 15), Linux only."""
    pids, total = [pid], 0
    while pids:
        one = pids.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            pids += [int(child) for child in children.read_text().split()]
    return total / TICKS


def memory(pid: int) -> int:
    """Bytes of memory that a process holds, its share of what it shares with others (proc(5), Pss)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
