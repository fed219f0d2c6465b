"""Streams of the internet carrier on this machine, beside iroh's own and beside plain TCP, which does not encrypt."""

from __future__ import annotations

import asyncio

import iroh
import uvloop

from benchmarks.measure import Clock, Result
from benchmarks.streams import BLOCK, ENVELOPE, EchoedStream, compare
from roost.network.direct.internet import InternetCarrier
from roost.network.direct.streams import ByteStream
from tests.network.direct.conformance import Device, device_host

ALPN = b"h3"


class QuicPair:
    """iroh's streams without the carrier."""

    def __init__(self, one: iroh.BiStream, other: iroh.BiStream) -> None:
        self._one, self._other = (one.send(), one.recv()), (other.send(), other.recv())

    async def round_trip(self) -> None:
        await self._one[0].write_all(ENVELOPE)
        await _read(self._other[1], len(ENVELOPE))
        await self._other[0].write_all(ENVELOPE)
        await _read(self._one[1], len(ENVELOPE))

    async def move(self, blocks: int) -> None:
        reading = asyncio.create_task(_read(self._other[1], blocks * len(BLOCK)))
        for _ in range(blocks):
            await self._one[0].write_all(BLOCK)
        await reading


async def _read(stream: iroh.RecvStream, size: int) -> None:
    while size > 0:
        size -= len(await stream.read(64 * 1_024))


def run(clock: Clock) -> list[Result]:
    return uvloop.run(_run(clock))


async def _run(clock: Clock) -> list[Result]:
    one, other = [Device(InternetCarrier(), device_host(who)) for who in ("one", "other")]
    for device in (one, other):
        await device.start()
        await device.until(lambda device=device: device.carrier.state.ready)  # type: ignore[misc]
    dialled = await one.carrier.dial(other.host, other.carrier.places())
    await dialled.write(b"!")
    accepted = await other.accepted.get()
    await accepted.read()
    tcp, quic = await _tcp(), await _quic()
    try:
        pairs = {"iroh, bare": quic[0], "plain TCP": tcp, "the carrier": EchoedStream(dialled, accepted)}
        return await compare(clock, pairs, floor="iroh, bare")
    finally:
        for end in (dialled, accepted):
            end.abort()
        for device in (one, other):
            await device.carrier.stop()
        for endpoint in quic[1:]:
            await endpoint.close()


async def _tcp() -> EchoedStream:
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[ByteStream] = asyncio.Queue()
    server = await loop.create_server(lambda: ByteStream(came.put_nowait), "127.0.0.1", 0)
    _, one = await loop.create_connection(ByteStream, *server.sockets[0].getsockname())
    return EchoedStream(one, await came.get())


async def _quic() -> tuple[QuicPair, iroh.Endpoint, iroh.Endpoint]:
    one, other = [await _endpoint() for _ in range(2)]

    async def accept() -> iroh.BiStream:
        incoming = await other.accept_next()
        assert incoming is not None
        return await (await (await incoming.accept()).connect()).accept_bi()

    accepting = asyncio.create_task(accept())
    connection = await one.connect(other.addr(), ALPN)
    dialled = await connection.open_bi()
    await dialled.send().write_all(b"!")
    accepted = await accepting
    await accepted.recv().read_exact(1)
    return QuicPair(dialled, accepted), one, other


async def _endpoint() -> iroh.Endpoint:
    settings = iroh.EndpointOptions(preset=iroh.preset_minimal(), relay_mode=iroh.RelayMode.disabled(), alpns=[ALPN])
    return await iroh.Endpoint.bind(settings)
