"""The short way of puts answers, stores and delivers exactly what the ordinary way does."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relay_core import CoreRelay, capability, create, envelope
from test_relay_link_limits import FakeTransport, call

from roost.relay.core.limits import Limits
from roost.relay.core.packets import PacketKeys
from roost.relay.server.link import Link, Server
from roost.relay.server.service import Service
from roost.relay.storage import MemoryEngine, ThreadedStorage
from roost.wire.mailbox import (
    ChangeGrants,
    MailboxKind,
    Put,
    Reply,
    Request,
    Seal,
    ServerFrame,
    SignedInfo,
    Subscribe,
    Trim,
)

LIMITS = Limits(mailbox_envelopes=8, total_bytes=200_000, request_burst=30, work_bits=0)
boxes = st.sampled_from(["a", "b", "knock", "limited", "shared"])


def putting(box: str, right: str, text: str, ephemeral: bool) -> Put:
    return Put(capability(f"{box} {right}"), envelope(text), ephemeral)


puts = st.builds(
    putting,
    boxes,
    st.sampled_from(["put", "put", "put", "admin", "get", "none"]),
    st.text("ab", max_size=3),
    st.booleans(),
)
trims = st.builds(lambda box, upto: Trim(capability(f"{box} admin"), upto), boxes, st.sampled_from([0, 2**52]))
others = st.one_of(
    st.builds(lambda box: Seal(capability(f"{box} admin")), boxes),
    st.builds(lambda box: ChangeGrants(capability(f"{box} admin"), (), ()), boxes),
)
turns = st.lists(st.lists(st.one_of(puts, puts, puts, trims, others), min_size=1, max_size=6), max_size=8)


class Side:
    """A relay with one client, whose links take the short way or not."""

    def __init__(self, short: bool) -> None:
        self.engine = MemoryEngine()
        self.storage = ThreadedStorage(self.engine, pytest.fail)
        core = CoreRelay(MemoryEngine(), LIMITS)
        info = SignedInfo(b"info", bytes(64))
        service = Service(core.desk, self.storage, PacketKeys(), None, lambda: info, lambda: core.now)  # type: ignore[arg-type]
        server = Server(service, lambda: info, lambda: b"{}", lambda: core.now, 10)
        if not short:
            server.express.put = lambda *_: False  # type: ignore[method-assign]
        self.server = server
        self.link, self.transport = Link(server), FakeTransport()
        self.link.connection_made(self.transport)  # type: ignore[arg-type]

    async def ask(self, requests: list[Request], first: int) -> list[ServerFrame]:
        """All at once; what comes back: replies by their ids (a refusal may wait for the reader), then deliveries."""
        self.link.data_received(b"".join(call(first + n, request) for n, request in enumerate(requests)))
        while self.link.outstanding:  # noqa: ASYNC110 - a thread writes
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        frames, self.transport.frames = self.transport.frames, []
        replies = sorted((each for each in frames if isinstance(each, Reply)), key=lambda reply: reply.id)
        return [*replies, *(each for each in frames if not isinstance(each, Reply))]


async def both(turns: list[list[Request]]) -> None:
    short, ordinary = Side(short=True), Side(short=False)
    kinds = {"knock": MailboxKind.REQUEST, "shared": MailboxKind.SHARED}
    made: list[Request] = [
        create(box, kinds.get(box, MailboxKind.ORDINARY), limit=2 if box == "limited" else 0)
        for box in ("a", "b", "knock", "limited", "shared")
    ]
    subscribed: list[Request] = [Subscribe(capability(f"{box} get"), 0) for box in ("a", "knock", "limited", "shared")]
    first = 1
    for turn in [made, subscribed, *turns]:
        assert await short.ask(turn, first) == await ordinary.ask(turn, first)
        first += len(turn)
    await short.storage.close()
    await ordinary.storage.close()
    assert short.engine.totals() == ordinary.engine.totals()
    for number in range(1, 6):
        assert short.engine.mailbox(number) == ordinary.engine.mailbox(number)
    assert ordinary.server.express.puts == 0


@settings(max_examples=60, deadline=None)
@given(turns)
def test_both_ways_are_one(turns: list[list[Request]]) -> None:
    asyncio.run(both(turns))


async def test_it_is_taken() -> None:
    side = Side(short=True)
    await side.ask([create("a"), Subscribe(capability("a get"), 0)], 1)
    await side.ask([putting("a", "put", "first", ephemeral=False)], 3)
    await side.ask([putting("a", "put", str(n), ephemeral=False) for n in range(5)], 4)
    assert side.server.express.puts == 5
    await side.storage.close()
