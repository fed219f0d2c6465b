"""Links over real TLS sockets: both carriers, and everything else that may listen at a relay's address."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from roost.crypto import capability_hash
from roost.errors import Refused, Unreachable
from roost.network import LinkTiming, NotARelay, RelayKeyChanged, RelayTooNew, connect_relay
from roost.network.link import WINDOW
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE
from tests.network.tiny_relay import TinyRelay

ADMIN, GET, PUT = (bytes([each]) * 32 for each in range(3))
BOX = m.Create(
    m.MailboxKind.ORDINARY,
    (
        m.Grant(capability_hash(ADMIN), m.Right.ADMIN),
        m.Grant(capability_hash(GET), m.Right.GET),
        m.Grant(capability_hash(PUT), m.Right.PUT),
    ),
)


@pytest.fixture
async def relay() -> AsyncIterator[TinyRelay]:
    async with TinyRelay().listening() as relay:
        yield relay


def envelope(number: int) -> bytes:
    return number.to_bytes(4, "big") * (ENVELOPE_SIZE // 4)


@pytest.mark.parametrize("raw", [True, False])
async def test_calls_and_deliveries(relay: TinyRelay, raw: bool) -> None:
    link = await connect_relay(relay.address, raw=raw)
    assert link.carrier == ("raw" if raw else "websocket")
    await link.call(BOX)
    arrived: list[tuple[int, bytes]] = []
    subscription = await link.subscribe(GET, 0, lambda number, body: arrived.append((number, body)))
    assert subscription.end == 0
    stored = await asyncio.gather(*(link.call(m.Put(PUT, envelope(each))) for each in range(1, 201)))
    assert stored == [m.Stored(each) for each in range(1, 201)]
    assert await link.call(m.Get(GET, 199)) == m.Entries((m.Entry(200, envelope(200)),), False)
    assert arrived == [(each, envelope(each)) for each in range(1, 201)]
    await link.unsubscribe(subscription.call)
    await link.call(m.Put(PUT, envelope(201)))
    assert len(arrived) == 200
    with pytest.raises(Refused) as caught:
        await link.call(m.Get(PUT[:31] + b"?", 0))
    assert caught.value.code == "denied"
    await link.close()
    with pytest.raises(Unreachable):
        await link.call(m.Ping())


async def test_posts_are_answered_without_waiting_for_each_other(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address)
    await link.call(BOX)
    answers = await asyncio.gather(*(link.post(m.Put(PUT, envelope(each))) for each in range(1, 201)))
    assert answers == [m.Stored(each) for each in range(1, 201)]
    refused = await link.post(m.Get(PUT[:31] + b"?", 0))
    assert isinstance(refused, m.Refusal)
    lost = link.post(m.Ping())
    await link.close()
    with pytest.raises(Unreachable):
        await lost
    with pytest.raises(Unreachable):
        link.post(m.Ping())


async def test_a_proxy_that_knows_only_http_gets_a_websocket() -> None:
    relay = TinyRelay()
    relay.alpn = ["http/1.1"]
    async with relay.listening():
        link = await connect_relay(relay.address)
        assert link.carrier == "websocket"
        assert await link.call(m.Ping()) == m.Done()
        await link.close()


async def test_a_resolved_address_is_used_instead_of_the_name(relay: TinyRelay) -> None:
    address = msgspec.structs.replace(relay.address, host="relay.invalid")
    link = await connect_relay(address, resolved_ip="127.0.0.1")
    await link.close()
    with pytest.raises(Unreachable, match="name cannot be found"):
        await connect_relay(address)


async def test_calls_of_one_turn_leave_in_one_write(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address)
    transport = link._connection._transport  # type: ignore[attr-defined]
    writes: list[int] = []
    write: Callable[[bytes], None] = transport.write

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(transport, name)

        def write(self, data: bytes) -> None:
            writes.append(len(data))
            write(data)

    link._connection._transport = Counting()  # type: ignore[attr-defined]
    await asyncio.gather(*(link.call(m.Ping()) for _ in range(50)))
    assert len(writes) == 1
    await link.close()


async def test_large_calls_wait_for_their_turn(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address)
    most = 0

    def reply(request: m.Request) -> m.Response:
        nonlocal most
        most = max(most, link._core.in_flight)
        return m.Done()

    relay.reply = reply
    put = m.PutBlob(PUT, bytes(16), bytes(32), bytes(BLOB_SIZE))
    await asyncio.gather(*(link.call(put) for _ in range(60)), *(link.call(m.Ping()) for _ in range(60)))
    assert WINDOW / 2 < most <= WINDOW + BLOB_SIZE + 1_000
    waiting = [asyncio.ensure_future(link.call(put)) for _ in range(30)]
    await asyncio.sleep(0)
    for task in waiting[5:20]:
        task.cancel()
    await asyncio.wait(waiting)
    assert sum(task.cancelled() for task in waiting) == 15
    assert await link.call(m.Ping()) == m.Done()
    await link.close()


async def test_a_call_that_gets_no_answer_ends_and_its_late_answer_hurts_nobody(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address)
    relay.mute = True
    with pytest.raises(Unreachable):
        await link.call(m.Ping(), timeout_s=0.05)
    assert link.usable
    relay.mute = False
    relay.clients[0].send(encode(m.Reply(1, m.Done())))
    assert await link.call(m.Ping()) == m.Done()
    await link.close()


# --- what else may be there -------------------------------------------------------------------------------------------


async def test_another_relay_at_the_address(relay: TinyRelay) -> None:
    address = msgspec.structs.replace(relay.address, key=TinyRelay().key.public.raw)
    with pytest.raises(RelayKeyChanged):
        await connect_relay(address)
    assert relay.requests == []


async def test_a_relay_whose_tls_ends_elsewhere(relay: TinyRelay) -> None:
    impostor = TinyRelay()
    relay.der = impostor.der  # it signs another TLS key than the one it shows
    with pytest.raises(RelayKeyChanged):
        await connect_relay(relay.address)
    assert relay.requests == []


async def test_a_relay_of_the_future(relay: TinyRelay) -> None:
    relay.future = True
    with pytest.raises(RelayTooNew) as caught:
        await connect_relay(relay.address)
    assert caught.value.code == "relay_too_new"


async def test_nothing_listens() -> None:
    async with TinyRelay().listening() as relay:
        address = relay.address
    with pytest.raises(Unreachable, match="Nothing listens") as caught:
        await connect_relay(address)
    assert caught.value.code == "unreachable"


async def serve(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], context: ssl.SSLContext | None = None
) -> AsyncIterator[RelayAddress]:
    jobs: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        jobs.add(task)
        try:
            result = talk(reader, writer)
            if asyncio.iscoroutine(result):
                await result
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    yield RelayAddress("127.0.0.1", server.sockets[0].getsockname()[1], TinyRelay().key.public.raw)
    server.close()
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    await server.wait_closed()
    await asyncio.sleep(0.01)  # for what was aborted to go


async def test_a_plain_http_server() -> None:
    async for address in serve(lambda _, writer: writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
        with pytest.raises(Unreachable) as caught:
            await connect_relay(address)
        assert caught.value.code in {"not_a_relay", "unreachable"}


async def test_an_https_server_of_something_else(relay: TinyRelay) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        await reader.read()

    relay.context.set_alpn_protocols(["http/1.1"])
    async for address in serve(page, relay.context):
        with pytest.raises(NotARelay):
            await connect_relay(address)


async def test_a_server_without_tls_1_3(relay: TinyRelay) -> None:
    relay.context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(Unreachable) as caught:
        await connect_relay(relay.address)
    assert caught.value.code in {"not_a_relay", "unreachable"}  # asyncio's server cuts without sending its alert


@pytest.mark.parametrize("garbage", [b"\0\0\0\3abc", b"\xff" * 100, b"\0\0\0\0"])
async def test_garbage_instead_of_a_hello(relay: TinyRelay, garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await reader.read()

    async for address in serve(talk, relay.context):
        with pytest.raises(NotARelay):
            await connect_relay(address)


@pytest.mark.parametrize("garbage", [b"\0\0\0\3abc", b"\xff" * 100])
async def test_garbage_later_ends_the_link_and_its_calls(relay: TinyRelay, garbage: bytes) -> None:
    link = await connect_relay(relay.address)
    relay.mute = True
    call = asyncio.ensure_future(link.call(m.Ping()))
    await asyncio.sleep(0.01)
    (writer,) = relay._open
    writer.write(garbage)
    with pytest.raises(NotARelay):
        await call
    assert not link.usable
    await link.close()


async def test_silence_instead_of_a_hello(relay: TinyRelay) -> None:
    relay.mute = True
    with pytest.raises(Unreachable, match="does not answer"):
        await connect_relay(relay.address, timing=LinkTiming(hello_s=0.1))
    with pytest.raises(Unreachable, match="does not answer"):
        await connect_relay(relay.address, timeout_s=0.1)


async def test_a_cut_during_the_tls_handshake() -> None:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(100)

    async for address in serve(talk):
        with pytest.raises(Unreachable, match="cut off") as caught:
            await connect_relay(address)
        assert caught.value.code == "unreachable"


async def test_a_middlebox_that_minds_the_offer_of_raw_frames(relay: TinyRelay) -> None:
    """It cuts every handshake whose first flight names roost/1, and passes others on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(65_536)
        if b"roost/1" in hello:
            return
        there, back = await asyncio.open_connection("127.0.0.1", relay.port)
        back.write(hello)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)

        pumps = [asyncio.ensure_future(pump(reader, back)), asyncio.ensure_future(pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            back.transport.abort()

    async for address in serve(talk):
        link = await connect_relay(msgspec.structs.replace(address, key=relay.key.public.raw))
        assert link.carrier == "websocket"
        await link.close()


async def test_a_half_open_connection_is_noticed(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address, timing=LinkTiming(idle_s=0.1, waiting_s=0.05, answer_s=0.1))
    await asyncio.sleep(0.3)
    assert link.usable
    relay.mute = True
    began = time.monotonic()
    over = await asyncio.wait_for(link.ended(), 5)
    assert over.error.code == "unreachable"
    assert 0.05 < time.monotonic() - began < 2
    await link.close()


async def test_a_subscriber_that_fails_ends_the_link_loudly(relay: TinyRelay) -> None:
    link = await connect_relay(relay.address)
    await link.call(BOX)
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail(_: int, __: bytes) -> None:
        raise ZeroDivisionError

    await link.subscribe(GET, 0, fail)
    with pytest.raises(Unreachable):
        await link.call(m.Put(PUT, envelope(1)))
    assert not link.usable
    assert any(isinstance(context.get("exception"), ZeroDivisionError) for context in reported)
    await link.close()
