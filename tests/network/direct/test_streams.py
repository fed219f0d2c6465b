"""Streams over TCP and over Unix sockets keep the promises of carriers' streams, on both event loops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop

from roost.errors import Unreachable
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.network.direct.streams import READ_AHEAD, ByteStream, notice_dead_ends
from roost.wire.addresses import DeviceHost
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice, device_host, noise


class Loopback:
    """A carrier whose devices stand at ports of this machine that everybody knows: only the streams are of interest."""

    name = CarrierName.LAN

    def __init__(self, ports: dict[bytes, int]) -> None:
        self.ports = ports
        self.people = People()
        self.server: asyncio.Server | None = None

    @property
    def state(self) -> CarrierState:
        ready = self.server is not None
        return CarrierState(self.name, ready, "" if ready else "It is switched off.")

    async def start(self, accept: Accept, met: Met, changed: object) -> None:
        self.server = await asyncio.get_running_loop().create_server(lambda: ByteStream(accept), "127.0.0.1", 0)
        for meeting in self.people.own:
            self.ports[meeting] = self.server.sockets[0].getsockname()[1]

    def serve(self, people: People) -> None:
        self.people = people

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        if host.meeting not in self.ports:
            raise Unreachable("not here", code="not_near")
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                ByteStream, "127.0.0.1", self.ports[host.meeting]
            )
        except OSError as error:
            raise Unreachable("nobody listens") from error
        return stream

    def places(self) -> tuple[Place, ...]:
        return ()

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        self.server = None


class TestTcp(CarrierConformance):
    finds = False

    @pytest.fixture
    def make(self) -> MakeDevice:
        ports: dict[bytes, int] = {}

        async def make(who: str) -> Device:
            return Device(Loopback(ports), device_host(who))

        return make


PROMISES = sorted(name for name in dir(CarrierConformance) if name.startswith("test_"))


@pytest.mark.parametrize("promise", PROMISES)
def test_on_uvloop(promise: str) -> None:
    ports: dict[bytes, int] = {}

    async def make(who: str) -> Device:
        return Device(Loopback(ports), device_host(who))

    uvloop.run(getattr(TestTcp(), promise)(make))


async def test_a_unix_socket_carries_it_as_well(tmp_path: Path) -> None:
    accepted: asyncio.Queue[ByteStream] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: ByteStream(accepted.put_nowait), tmp_path / "socket")
    _, near = await loop.create_unix_connection(ByteStream, str(tmp_path / "socket"))
    far = await accepted.get()
    await near.write(b"one two")
    assert await far.read_exactly(4) == b"one "
    assert await far.read_exactly(3) == b"two"
    await asyncio.gather(near.close(), far.close())
    with pytest.raises(Unreachable):
        await far.read_exactly(1)
    server.close()


async def test_what_nobody_reads_stays_with_who_sends() -> None:
    here, there = socket.socketpair()
    _, stream = await asyncio.get_running_loop().connect_accepted_socket(ByteStream, here)
    there.setblocking(False)
    sent = 0
    block = noise(READ_AHEAD)
    for _ in range(100):
        try:
            sent += there.send(block)
        except BlockingIOError:
            await asyncio.sleep(0.005)
    assert sent < 20 * READ_AHEAD
    read = 0
    while read < sent:
        read += len(await stream.read())
    stream.abort()
    there.close()


def test_dead_ends_are_noticed_by_the_system() -> None:
    with socket.socket() as connection:
        notice_dead_ends(connection, 12)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
