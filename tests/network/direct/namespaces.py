"""Networks of this machine's own making, for tests that run as root on Linux: hosts with interfaces on bridges.

A host is a network namespace with a thread and an event loop in it, so carriers of several hosts run in one process.
Where namespaces cannot be made, tests that ask for them are skipped (and fail with ROOST_REQUIRE_ALL=1).
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


def ip(*arguments: str, may_fail: bool = False) -> None:
    subprocess.run(["ip", *arguments], check=not may_fail, capture_output=True, text=True)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread is in the namespace meanwhile; what it opens there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/var/run/netns/{name}", os.O_RDONLY)
        try:
            if libc.setns(there, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(there)
        try:
            yield
        finally:
            assert libc.setns(before, _CLONE_NEWNET) == 0
    finally:
        os.close(before)


@contextmanager
def namespace() -> Iterator[str]:
    """An empty namespace's name. Skips the test where there can be none."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need root on Linux")
    name = f"roost-{os.getpid()}-{next(_numbers)}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("network namespaces need `ip` (Debian: iproute2)")
    if made.returncode != 0:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr}")
    try:
        with inside(name):
            # An address is good at once, without asking whether somebody else has it.
            Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name, may_fail=True)


class Host:
    """A device on bridges, with an event loop of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run() -> None:
            with inside(name):
                ready.set()
                asyncio.set_event_loop(self.loop)
                self.loop.run_forever()

        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()
        ready.wait()

    def run(self, doing: Coroutine[Any, Any, T], within_s: float = 30) -> T:
        """Do this on the host's loop, and wait for what comes of it."""
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(within_s)

    def call(self, function: Callable[[], T]) -> T:
        """Call this there."""

        async def calling() -> T:
            return function()

        return self.run(calling())

    def close(self) -> None:
        async def rest() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)  # what was aborted is closed

        self.run(rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Lan:
    """Bridges and hosts that last as long as the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.switch = stack.enter_context(namespace())
        self._cables = itertools.count(1)
        self.bridge()

    def bridge(self, name: str = "br0") -> None:
        """Another network."""
        ip("-n", self.switch, "link", "add", name, "type", "bridge", "mcast_snooping", "0")
        ip("-n", self.switch, "link", "set", name, "up")

    def host(self, *addresses: str) -> Host:
        """A host that is plugged into br0; with no address it has its link-local IPv6 one alone."""
        host = Host(self._stack.enter_context(namespace()))
        self._stack.callback(host.close)
        self.plug(host, *addresses)
        return host

    def plug(self, host: Host, *addresses: str, interface: str = "eth0", bridge: str = "br0", v6: bool = True) -> None:
        """Put a cable between a host and a bridge. Its end at the switch has the name that `cable` says."""
        end = f"port{next(self._cables)}"
        add = ("link", "add", interface, "netns", host.name, "type", "veth", "peer", "name", end, "netns", self.switch)
        ip(*add)
        ip("-n", self.switch, "link", "set", end, "alias", f"{host.name} {interface}", "master", bridge, "up")
        if not v6:
            with inside(host.name):
                Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6").write_text("1")
        for address in addresses:
            ip("-n", host.name, "addr", "add", address, "dev", interface)
        ip("-n", host.name, "link", "set", interface, "up")

    def pull(self, cable: int) -> None:
        """The cable that was plugged in as number `cable` (from 1) is pulled: its host sees no carrier."""
        ip("-n", self.switch, "link", "set", f"port{cable}", "down")

    def push(self, cable: int) -> None:
        """... and is back."""
        ip("-n", self.switch, "link", "set", f"port{cable}", "up")


@contextmanager
def local_network() -> Iterator[Lan]:
    """A bridge without hosts; skips the test where there can be none."""
    with ExitStack() as stack:
        yield Lan(stack)
