"""One connection's limits, on a fake transport and clock: silence, dripping, not reading, asking too much at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from relay_core import CoreRelay, capability, create, envelope

from roost.relay.core.limits import Limits
from roost.relay.core.packets import PacketKeys
from roost.relay.server import link as module
from roost.relay.server.link import Link, Server
from roost.relay.server.service import Service
from roost.relay.storage import MemoryEngine, ThreadedStorage
from roost.wire.codec import decode, encode
from roost.wire.frames import FrameReader, frame
from roost.wire.mailbox import Call, Done, Hello, Ping, Put, Reply, Request, ServerFrame, SignedInfo, Subscribe


class Tls:
    def selected_alpn_protocol(self) -> str:
        return module.ALPN_RAW


class FakeTransport:
    """Takes everything, or nothing while `stuck`."""

    def __init__(self) -> None:
        self.reader = FrameReader()
        self.frames: list[ServerFrame] = []
        self.aborted = False
        self.reading = True

    def get_extra_info(self, name: str) -> object:
        return Tls() if name == "ssl_object" else None

    def set_write_buffer_limits(self, high: int) -> None: ...

    def write(self, data: bytes) -> None:
        self.frames += [decode(ServerFrame, body) for body in self.reader.feed(data)]  # type: ignore[arg-type]

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    close = abort

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Bench:
    def __init__(self, limits: Limits) -> None:
        self.storage = ThreadedStorage(MemoryEngine(), pytest.fail)
        core = CoreRelay(MemoryEngine(), limits)
        info = SignedInfo(b"info", bytes(64))
        clock: Callable[[], float] = lambda: core.now  # noqa: E731
        self.service = Service(core.desk, self.storage, PacketKeys(), None, lambda: info, clock)  # type: ignore[arg-type]
        self.server = Server(self.service, lambda: info, lambda: b"{}", clock, 10)
        self.start = asyncio.get_running_loop().time()

    def link(self) -> tuple[Link, FakeTransport]:
        link, transport = Link(self.server), FakeTransport()
        link.connection_made(transport)  # type: ignore[arg-type]
        return link, transport


@pytest.fixture
async def bench() -> Any:
    bench = Bench(Limits(outstanding=4))
    yield bench
    await bench.storage.close()


def call(number: int, request: Request) -> bytes:
    return frame(encode(Call(number, request)))


async def settle(bench: Bench) -> None:
    """Until what was asked is read, answered and written."""
    for wait in (bench.storage.count, lambda done: bench.storage.submit((), done)):
        done = asyncio.get_running_loop().create_future()
        wait(lambda *_, done=done: done.set_result(None))  # type: ignore[misc]
        await done
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_the_relay_speaks_first(bench: Bench) -> None:
    _, transport = bench.link()
    await settle(bench)
    assert [type(each) for each in transport.frames] == [Hello]


async def test_who_never_calls_is_cut_off(bench: Bench) -> None:
    link, transport = bench.link()
    await settle(bench)
    link.check(bench.start + module.FIRST_CALL_S - 1)
    assert not transport.aborted
    link.check(bench.start + module.FIRST_CALL_S + 2)
    assert transport.aborted


async def test_dripping_bytes_are_no_sign_of_life(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    link, transport = bench.link()
    loop = asyncio.get_running_loop()
    now = bench.start
    monkeypatch.setattr(loop, "time", lambda: now)
    link.data_received(call(1, Ping()))
    for byte in call(2, Put(capability("p"), envelope("x")))[:160]:
        now += 1
        link.data_received(bytes([byte]))
        link.check(now)
    assert transport.aborted
    assert now - bench.start > module.IDLE_S


async def test_heart_beats_keep_a_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    link, transport = bench.link()
    now = bench.start
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    for beat in range(20):
        now += 46.0
        link.check(now)
        link.data_received(call(beat, Ping()))
    assert not transport.aborted
    assert sum(isinstance(each, Reply) for each in transport.frames) <= 20


async def test_who_takes_nothing_is_given_little_and_cut_off(bench: Bench) -> None:
    link, transport = bench.link()
    link.data_received(call(1, create("a")))
    await settle(bench)
    link.data_received(call(2, Subscribe(capability("a get"), 0)))
    await settle(bench)
    await settle(bench)
    link.pause_writing()
    assert not link.writable
    writer, _ = bench.link()
    for number in range(50):
        writer.data_received(call(number, Put(capability("a put"), envelope(str(number)))))
        await settle(bench)
    assert link._queued < 64_000
    link.check(bench.start + module.STUCK_S / 2)
    assert not transport.aborted
    link.check(asyncio.get_running_loop().time() + module.STUCK_S + 1)
    assert transport.aborted


async def test_who_asks_too_much_at_once_is_not_read_from(bench: Bench) -> None:
    link, transport = bench.link()
    link.data_received(call(1, create("a")))
    await settle(bench)
    puts = [call(n, Put(capability("a put"), envelope(str(n)))) for n in range(2, 10)]
    link.data_received(b"".join(puts))
    assert not transport.reading
    assert link.outstanding == 8
    await settle(bench)
    assert transport.reading
    assert link.outstanding == 0
    replies = [each for each in transport.frames if isinstance(each, Reply)]
    assert sorted(reply.id for reply in replies) == list(range(1, 10))
    assert replies[0].response == Done()


async def test_a_subscription_that_comes_too_late_for_its_link_is_not_kept(bench: Bench) -> None:
    link, _ = bench.link()
    link.data_received(call(1, create("a")) + call(2, Subscribe(capability("a get"), 0)))
    link.abort()
    link.connection_lost(None)
    await settle(bench)
    await settle(bench)
    assert len(bench.service.deliveries.subscriptions) == 0
    assert bench.server.links == set()
