"""A carrier without any medium: devices in one process that are near each other because somebody says so.

For tests and simulated worlds. It keeps every promise of `carrier`, so that what works over it works over the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from roost.errors import Unreachable
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.wire.addresses import DeviceHost

CAPACITY: Final = 64 * 1_024  # written and not read yet: beyond it `write` waits


class MemoryStream:
    """One end of a pair; `memory_pair` makes both."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def over(self) -> bool:
        return self._incoming.broken or self._outgoing.broken

    async def read(self) -> bytes:
        return await self._incoming.take()

    async def write(self, data: bytes) -> None:
        await self._outgoing.put(data)

    async def close(self) -> None:
        self._outgoing.end()
        self._incoming.break_off()

    def abort(self) -> None:
        self._outgoing.break_off()
        self._incoming.break_off()


def memory_pair() -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one stream."""
    there, back = _Pipe(), _Pipe()
    return MemoryStream(back, there), MemoryStream(there, back)


class Air:
    """What carries: all carriers of one air that are switched on are near each other."""

    def __init__(self) -> None:
        self.carriers: list[MemoryCarrier] = []

    def look(self) -> None:
        """Everybody looks who is there; called whenever somebody comes or changes."""
        for carrier in tuple(self.carriers):
            carrier.look()

    def host(self, meeting: bytes) -> MemoryCarrier | None:
        return next((carrier for carrier in self.carriers if meeting in carrier.people.own), None)


class MemoryCarrier:
    """A carrier over an `Air`. Where it stands among the others is its maker's choice (`name`)."""

    name: ClassVar[CarrierName] = CarrierName.LAN

    def __init__(self, air: Air) -> None:
        self.people = People()
        self._air = air
        self._accept: Accept | None = None
        self._met: Met | None = None
        self._changed: Callable[[], None] = lambda: None
        self._reachable = True
        self._streams: list[MemoryStream] = []

    @property
    def state(self) -> CarrierState:
        if self._accept is None:
            return CarrierState(self.name, ready=False, why="It is switched off.", hint="Switch it on.")
        if not self._reachable:
            return CarrierState(self.name, ready=False, why="Nobody is in reach.", hint="Come nearer.")
        return CarrierState(self.name, ready=True)

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        self._accept, self._met, self._changed = accept, met, changed
        self._enter()

    def serve(self, people: People) -> None:
        self.people = people
        if self in self._air.carriers:
            self._air.look()

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:  # noqa: ARG002
        other = self._air.host(host.meeting) if self in self._air.carriers else None
        if other is None or other._accept is None:
            raise Unreachable("this device is not near", code="not_near")
        mine, theirs = memory_pair()
        self._remember(mine)
        other._remember(theirs)
        other._accept(theirs)
        return mine

    def places(self) -> tuple[Place, ...]:
        return ()

    async def stop(self) -> None:
        self._leave()
        self._accept = self._met = None

    def reachable(self, reachable: bool) -> None:
        """Come into reach of everybody, or go out of it: then every stream breaks."""
        if reachable == self._reachable:
            return
        self._reachable = reachable
        if self._accept is not None:
            if reachable:
                self._enter()
            else:
                self._leave()
                for stream in self._streams:
                    stream.abort()
                self._streams.clear()
        self._changed()

    def look(self) -> None:
        for host in self.people.sought:
            if self._met is not None and self._air.host(host.meeting) not in (None, self):
                asyncio.get_running_loop().call_soon(self._met, host)

    def _remember(self, stream: MemoryStream) -> None:
        self._streams = [*(known for known in self._streams if not known.over), stream]

    def _enter(self) -> None:
        if self._reachable:
            self._air.carriers.append(self)
            self._air.look()

    def _leave(self) -> None:
        if self in self._air.carriers:
            self._air.carriers.remove(self)


class _Pipe:
    """Bytes in one direction."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._ended = False
        self.broken = False
        self._waiting: set[asyncio.Future[None]] = set()

    async def put(self, data: bytes) -> None:
        while True:
            if self._ended or self.broken:
                raise Unreachable("the connection has ended")
            room = CAPACITY - len(self._held)
            self._held += data[:room]
            data = data[room:]
            self._tell()
            if not data:
                return
            await self._change()

    async def take(self) -> bytes:
        while not self._held and not self._ended and not self.broken:
            await self._change()
        taken = bytes(self._held)
        self._held.clear()
        self._tell()
        return taken

    def end(self) -> None:
        """Nothing more comes; what is held can be read."""
        self._ended = True
        self._tell()

    def break_off(self) -> None:
        self.broken = True
        self._held.clear()
        self._tell()

    async def _change(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _tell(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
