"""A network of the benchmark's own: a namespace with one interface, in which this thread and its children live."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INTERFACE = "lan0"
_CLONE_NEWNET = 0x40000000


@contextmanager
def own_network() -> Iterator[None]:
    """Raises RuntimeError where namespaces cannot be made: that takes root on Linux."""
    name = f"roost-bench-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if made.returncode != 0:
        raise RuntimeError(f"a network of its own needs root on Linux: {made.stderr.strip()}")
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        for command in (
            ("link", "set", "lo", "up"),
            ("link", "add", INTERFACE, "type", "veth", "peer", "name", "lan1"),  # a cable whose other end lies here too
            ("link", "set", "lan1", "up"),
            ("addr", "add", "192.0.2.1/24", "dev", INTERFACE),
            ("link", "set", INTERFACE, "up", "multicast", "on"),
        ):
            subprocess.run(["ip", "-n", name, *command], check=True)
        _enter(os.open(f"/var/run/netns/{name}", os.O_RDONLY))
        yield
    finally:
        _enter(before)
        subprocess.run(["ip", "netns", "del", name], check=False)


def _enter(namespace: int) -> None:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(namespace)


def bytes_so_far() -> int:
    """What all interfaces here have sent."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return sum(int(line.partition(":")[2].split()[8]) for line in lines)
