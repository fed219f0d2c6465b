"""A cable between two hosts that loses, delays, reorders and repeats what goes through it: a thread between two TAP
devices, since not every kernel can do this to its own interfaces."""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.network.direct.namespaces import Host, inside, ip, namespace

_TUNSETIFF = 0x400454CA
_TAP_NO_HEADER = 0x0002 | 0x1000


class RoughCable:
    """`loss` and `twice` are chances, delays are in seconds. `cut` while nothing goes through."""

    def __init__(self, ends: tuple[int, int], *, loss: float, twice: float, delay: float, jitter: float) -> None:
        self._ends = ends
        self._loss, self._twice, self._delay, self._jitter = loss, twice, delay, jitter
        self._chance = random.Random(11)
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._over = threading.Event()
        self.cut = False
        self.carried = self.lost = 0
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        number = 0
        while not self._over.is_set():
            pause = max(self._waiting[0][0] - time.monotonic(), 0) if self._waiting else 0.1
            for end in select.select(self._ends, (), (), min(pause, 0.1))[0]:
                frame = os.read(end, 65_536)
                other = self._ends[1 - self._ends.index(end)]
                if self.cut or self._chance.random() < self._loss:
                    self.lost += 1
                    continue
                for _ in range(2 if self._chance.random() < self._twice else 1):
                    number += 1
                    due = time.monotonic() + self._delay + self._chance.random() * self._jitter
                    heapq.heappush(self._waiting, (due, number, other, frame))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, end, frame = heapq.heappop(self._waiting)
                self.carried += 1
                os.write(end, frame)

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def _tap(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP_NO_HEADER))
    except OSError:
        os.close(device)
        raise
    return device


@contextmanager
def rough_network(
    *, loss: float = 0.05, twice: float = 0.02, delay: float = 0.02, jitter: float = 0.02
) -> Iterator[tuple[Host, Host, RoughCable]]:
    """Two hosts at the ends of such a cable. Skips the test where there can be none."""
    with ExitStack() as stack:
        hosts, ends = [], []
        for number in (1, 2):
            name = stack.enter_context(namespace())
            try:
                with inside(name):
                    ends.append(_tap("eth0"))
            except OSError as error:
                pytest.skip(f"TAP devices cannot be made here: {error}")
            stack.callback(os.close, ends[-1])
            ip("-n", name, "addr", "add", f"10.7.0.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            host = Host(name)
            stack.callback(host.close)
            hosts.append(host)
        cable = RoughCable((ends[0], ends[1]), loss=loss, twice=twice, delay=delay, jitter=jitter)
        stack.callback(cable.close)
        yield hosts[0], hosts[1], cable
