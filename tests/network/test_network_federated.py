"""Other people's relays: through an own one, which learns nothing and cannot speak for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from roost.crypto import PacketSecret, capability_hash
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY, BackoffPolicy, Link, Network
from roost.network.errors import no_answer
from roost.network.federation import PAGE
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE
from tests.network.tiny_relay import TinyRelay, eventually

ADMIN, GET, PUT = (bytes([each]) * 32 for each in range(3))
ENVELOPE = bytes(ENVELOPE_SIZE)


@dataclass
class World:
    """Two own relays, one of someone else, and what is up."""

    own: TinyRelay
    second: TinyRelay
    theirs: TinyRelay
    net: Network
    down: set[bytes]

    async def connect(self, address: RelayAddress) -> Link:
        relays = {relay.address: relay for relay in (self.own, self.second, self.theirs)}
        if address not in relays or address.key in self.down:
            raise no_answer()
        return await relays[address].connect(address)

    async def call(self, request: m.Request) -> m.Response:
        return await self.net.call(self.theirs.address, request)

    def asked(self, relay: TinyRelay, kind: type[m.Request]) -> int:
        return sum(isinstance(request, kind) for request in relay.requests)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async def connect(address: RelayAddress) -> Link:
        return await world.connect(address)

    net = Network(SYSTEM_ENTROPY, lambda *_: None, connect=connect, backoff=BackoffPolicy(0.02, 0.1))
    own, second, theirs = TinyRelay(access="mine"), TinyRelay(access="also mine"), TinyRelay()
    world = World(own, second, theirs, net, set())
    own.reach = second.reach = connect
    grants = zip((ADMIN, GET, PUT), (m.Right.ADMIN, m.Right.GET, m.Right.PUT), strict=True)
    box = tuple(m.Grant(capability_hash(cap), right) for cap, right in grants)
    assert await theirs.answer(m.Create(m.MailboxKind.ORDINARY, box)) == m.Done()
    async with net:
        net.set_relays([own.link, second.link])
        yield world


async def test_what_each_relay_sees(world: World) -> None:
    assert world.net.route(world.theirs.address) == "federated"
    assert await world.call(m.Put(PUT, ENVELOPE)) == m.Stored(1)
    assert await world.call(m.Get(GET, 0)) == m.Entries((m.Entry(1, ENVELOPE),), False)
    info, *forwards = world.own.requests
    assert info == m.GetInfo(world.theirs.address, b"mine")
    sizes = set()
    for forward in forwards:
        assert isinstance(forward, m.Forward)
        assert (forward.to, forward.admission) == (world.theirs.address, b"mine")
        assert PUT not in forward.packet
        sizes.add(len(forward.packet))
    assert len(forwards) == 2  # the packet key was asked for once
    assert len(sizes) == 1  # writing an envelope and reading look alike
    assert {type(request) for request in world.theirs.requests} == {m.Packet}
    assert b"mine" not in b"".join(encode(request) for request in world.theirs.requests)
    assert world.second.requests == []


async def test_their_refusal_is_told_as_such(world: World) -> None:
    with pytest.raises(Refused) as caught:
        await world.call(m.Put(GET[:31] + b"?", ENVELOPE))
    assert caught.value.code == "denied"


async def test_blobs_and_pages_fit_packets(world: World) -> None:
    for _ in range(40):
        await world.call(m.Put(PUT, ENVELOPE))
    page = await world.call(m.Get(GET, 0))
    assert isinstance(page, m.Entries)
    assert (len(page.entries), page.more) == (PAGE, True)
    assert PAGE >= 16
    assert await world.call(m.PutBlob(PUT, bytes(16), bytes(32), bytes(BLOB_SIZE))) == m.Done()


async def test_a_packet_key_that_changed_is_asked_for_once_more(world: World) -> None:
    await world.call(m.Get(GET, 0))
    world.theirs.packet = PacketSecret.generate(SYSTEM_ENTROPY)
    assert await world.call(m.Put(PUT, ENVELOPE)) == m.Stored(1)
    assert world.asked(world.own, m.GetInfo) == 2
    assert world.asked(world.own, m.Forward) == 3


async def test_a_packet_key_that_never_fits_is_given_up(world: World) -> None:
    world.theirs.reply = lambda _: m.Refusal(m.RefusalCode.STALE_PACKET)
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))
    assert world.asked(world.own, m.Forward) == 2


async def test_an_expired_packet_key_is_not_used(world: World) -> None:
    await world.call(m.Get(GET, 0))
    world.net._federation._now = lambda: time.time() + 7_200
    await world.call(m.Get(GET, 0))
    assert world.asked(world.own, m.GetInfo) == 2


async def test_many_calls_at_once_ask_for_the_key_once(world: World) -> None:
    answers = await asyncio.gather(*(world.call(m.Get(GET, 0)) for _ in range(20)))
    assert answers == [m.Entries((), False)] * 20
    assert world.asked(world.own, m.GetInfo) == 1


async def test_those_who_ask_together_fail_together_and_a_cancelled_one_takes_nobody_along(world: World) -> None:
    world.own.mute = True
    calls = [asyncio.ensure_future(world.call(m.Get(GET, 0))) for _ in range(5)]
    await eventually(lambda: world.asked(world.own, m.GetInfo) == 1)
    world.own.mute = False
    calls[0].cancel()
    assert await asyncio.gather(*calls[1:]) == [m.Entries((), False)] * 4
    world.down.add(world.theirs.key.public.raw)
    world.net._federation._known.clear()
    results = await asyncio.gather(*(world.call(m.Get(GET, 0)) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, Unreachable) for result in results)
    assert world.asked(world.own, m.GetInfo) == 3


async def test_the_next_own_relay_forwards_when_the_primary_is_down(world: World) -> None:
    world.down.add(world.own.key.public.raw)
    for client in world.own.clients:
        client.send(b"\xc1")  # ends the link
    assert await world.call(m.Put(PUT, ENVELOPE)) == m.Stored(1)
    assert world.asked(world.second, m.Forward) == 1
    world.down.add(world.second.key.public.raw)
    for client in world.second.clients:
        client.send(b"\xc1")
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))


async def test_their_relay_down_is_no_reason_to_tell_another_own_relay(world: World) -> None:
    world.down.add(world.theirs.key.public.raw)
    with pytest.raises(Unreachable, match="other person") as caught:
        await world.call(m.Put(PUT, ENVELOPE))
    assert "127.0.0.1" not in caught.value.message + caught.value.hint
    assert world.second.requests == []


# --- an own relay that lies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [m.RefusalCode.DENIED, m.RefusalCode.SEALED, m.RefusalCode.NOT_FOUND])
async def test_it_cannot_make_a_mailbox_seem_gone(world: World, code: m.RefusalCode) -> None:
    world.own.reply = lambda request: m.Refusal(code) if isinstance(request, m.Forward) else None
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))


@pytest.mark.parametrize("code", [m.RefusalCode.NOT_ADMITTED, m.RefusalCode.BAD_DESTINATION, m.RefusalCode.SLOW_DOWN])
async def test_it_may_refuse_to_forward(world: World, code: m.RefusalCode) -> None:
    world.own.reply = lambda request: m.Refusal(code, 5) if isinstance(request, m.Forward) else None
    with pytest.raises(Refused) as caught:
        await world.call(m.Put(PUT, ENVELOPE))
    assert caught.value.code == code


async def test_it_cannot_make_a_message_seem_stored(world: World) -> None:
    world.own.reply = lambda request: m.SealedAnswer(bytes(8_208)) if isinstance(request, m.Forward) else None
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))


async def test_it_cannot_replay_an_older_answer(world: World) -> None:
    kept: list[m.Response] = []

    async def keep(to: RelayAddress, request: m.Request) -> m.Response:
        kept.append(await forwarded(to, request))
        return kept[-1]

    forwarded, world.own.forwarded = world.own.forwarded, keep  # type: ignore[method-assign]
    assert await world.call(m.Put(PUT, ENVELOPE)) == m.Stored(1)
    world.own.reply = lambda request: kept[-1] if isinstance(request, m.Forward) else None
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, bytes([1]) * ENVELOPE_SIZE))


async def test_it_cannot_hand_out_its_own_packet_key(world: World) -> None:
    world.own.reply = lambda request: world.own.signed_info() if isinstance(request, m.GetInfo) else None
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))
    assert world.asked(world.own, m.Forward) == 0


async def test_a_stale_statement_costs_one_more_question(world: World) -> None:
    world.own.shown_info[world.theirs.key.public.raw] = world.theirs.signed_info()
    world.theirs.packet = PacketSecret.generate(SYSTEM_ENTROPY)
    assert await world.call(m.Put(PUT, ENVELOPE)) == m.Stored(1)


async def test_their_relay_of_the_future(world: World) -> None:
    world.theirs.future = True
    world.own.shown_info[world.theirs.key.public.raw] = world.theirs.signed_info()
    with pytest.raises(Unreachable) as caught:
        await world.call(m.Put(PUT, ENVELOPE))
    assert caught.value.code == "relay_too_new"


async def test_their_answer_must_be_one_to_the_request(world: World) -> None:
    inner = world.theirs.answer

    async def answer(request: m.Request, *context: object) -> m.Response:
        return m.Done() if isinstance(request, m.Put) else await inner(request, *context)  # type: ignore[arg-type]

    world.theirs.answer = answer  # type: ignore[method-assign,assignment]
    with pytest.raises(Unreachable):
        await world.call(m.Put(PUT, ENVELOPE))


async def test_the_whole_address_counts(world: World) -> None:
    """A relay key at two places is asked at both: what one of them showed is not used for the other."""
    elsewhere = msgspec.structs.replace(world.theirs.address, port=2)
    await world.call(m.Get(GET, 0))
    with pytest.raises(Unreachable):
        await world.net.call(elsewhere, m.Get(GET, 0))
    assert world.asked(world.own, m.GetInfo) == 2
