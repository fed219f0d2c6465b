"""A carrier inside one process: two connected ends, for tests and simulated worlds. No bytes, only frames."""

from __future__ import annotations

import asyncio

from roost.network.carriers.base import Receiver
from roost.network.identity import ShownCertificate


class MemoryConnection:
    """One end of a pair; a `Connection`. Frames arrive in order, on a later turn of the loop."""

    kind = "memory"

    def __init__(self, shown: ShownCertificate) -> None:
        self.shown = shown
        self._other: MemoryConnection | None = None
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._open = True

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver
        early, self._early = self._early, []
        for frame in early:
            receiver.received(frame)
        if not self._open:
            receiver.lost(False)

    def send(self, frame: bytes) -> None:
        if self._open and self._other is not None:
            asyncio.get_running_loop().call_soon(self._other._arrived, frame)

    async def close(self) -> None:
        self.abort()
        await asyncio.sleep(0)

    def abort(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self._ended)
        if self._other is not None:
            loop.call_soon(self._other._ended)

    def _arrived(self, frame: bytes) -> None:
        if not self._open:
            return
        if self._receiver is None:
            self._early.append(frame)
        else:
            self._receiver.received(frame)

    def _ended(self) -> None:
        if self._open:
            self._open = False
            if self._receiver is not None:
                self._receiver.lost(False)


def memory_pair(shown: ShownCertificate) -> tuple[MemoryConnection, MemoryConnection]:
    """Two ends of one connection; `shown` is what the first (the client's) sees of the second (the relay's)."""
    client, relay = MemoryConnection(shown), MemoryConnection(ShownCertificate(b""))
    client._other, relay._other = relay, client
    return client, relay
