"""Onion nodes: packets through several, what is dropped, sessions, floods, other nodes. Every node is a whole relay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from roost.crypto import PacketPublic, SigningKey, solve_work
from roost.crypto.onion import ONION_DATA, make_packet
from roost.errors import Unreachable
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import connect_relay
from roost.network.federation import open_answer, seal_request
from roost.relay.onion import peers as peers_module
from roost.relay.onion.peers import proof
from roost.relay.onion.sessions import SESSION_DATA
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    AttachOnion,
    BlobData,
    Delivery,
    DirectoryDocument,
    DirectoryPart,
    Done,
    Entries,
    Forward,
    Get,
    GetBallots,
    GetBlob,
    GetCard,
    GetDirectory,
    GetInfo,
    Goodbye,
    OnionPacket,
    Packet,
    Ping,
    Put,
    PutBlob,
    Refusal,
    RefusalCode,
    RelayInfo,
    SealedAnswer,
    SignedInfo,
    Stored,
    Subscribe,
    Subscribed,
    SwarmAnswer,
    SwarmCall,
    WorkChallenge,
)
from roost.wire.onion import MAX_PARTS, SessionDown, SessionUp, SignedConsensus, admission_hash
from roost.wire.sizes import ONION_PACKET_SIZE
from tests.relay.onion_helpers import Traveller, World, refused, travelling
from tests.relay.onion_local import Running, relays
from tests.relay.relay_core import blob_data, capability, create, envelope, hold, name32
from tests.relay.relay_process import linked, running


@pytest.fixture
async def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async with relays(World(tmp_path, 4), monkeypatch) as started:
        yield started


async def admitted(traveller: Traveller, host: int, name: str) -> None:
    """Make a mailbox, with the work that is asked for."""
    request = replace(create(name), place=capability(f"{name} get")[:16])
    asked = await traveller.call(host, request)
    assert isinstance(asked, Refusal)
    assert asked.code is RefusalCode.WORK_NEEDED
    challenge = decode(WorkChallenge, asked.detail)
    proof = solve_work(challenge.nonce, bytes(32), admission_hash(request), challenge.bits)
    assert await traveller.call(host, replace(request, admission=proof)) == Done()


def put(text: str) -> Put:
    return Put(capability("a put"), envelope(text))


# --- sessions -------------------------------------------------------------------------------------------------------


async def test_a_mailbox_behind_three_hops(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        await admitted(client, 3, "a")
        assert isinstance(await client.call(3, put("hello")), Stored)
        page = await client.call(3, Get(capability("a get"), 0, 1))
        assert isinstance(page, Entries)
        assert [entry.envelope for entry in page.entries] == [envelope("hello")]
        assert not net.dropped()


async def test_what_is_larger_than_a_packet_goes_in_parts(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        await admitted(client, 3, "a")
        blob = PutBlob(capability("a put"), hold("h"), name32("b"), blob_data("file"))
        packets = client.packets(3, blob)
        assert len(packets) > 9
        await client.send(packets[::-1])  # in any order
        assert await client.reply(client.calls) == Done()
        await client.send(client.packets(3, GetBlob(capability("a get"), name32("b"))))
        for _ in range(5):
            await client.send(client.packets(3, None))
        assert await client.reply(client.calls) == BlobData(blob_data("file"))
        assert client.left > 0


async def test_deliveries_wait_for_reply_blocks_and_none_is_lost(net: Running) -> None:
    async with travelling(net.world, 0) as reader, travelling(net.world, 1) as writer:
        await admitted(reader, 3, "a")
        assert isinstance(await reader.call(3, Subscribe(capability("a get"), 0)), Subscribed)
        for number in range(40):
            assert isinstance(await writer.call(3, put(str(number))), Stored)
        await net.settled()
        came = len(reader.frames)
        assert came < 40
        assert reader.left == 0
        while len(reader.frames) < 40:
            await reader.send(reader.packets(3, None))
            await net.settled()
        deliveries = [frame for frame in reader.frames if isinstance(frame, Delivery)]
        assert [frame.envelope for frame in deliveries] == [envelope(str(number)) for number in range(40)]
        assert not net.dropped()


async def test_a_call_that_is_repeated_is_answered_again_and_done_once(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        await admitted(client, 3, "a")
        stored = await client.call(3, put("once"))
        for _ in range(3):
            await client.send(client.packets(3, put("once"), call=client.calls))
            assert await client.reply(client.calls) == stored
        page = await client.call(3, Get(capability("a get"), 0, 1))
        assert isinstance(page, Entries)
        assert not page.more
        assert net.swarm(3).service.requests["Put"] == 1


async def test_what_a_session_may_ask(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        assert await client.call(3, Ping()) == Done()
        assert isinstance(await client.call(3, GetInfo(net.world.nodes[1].address)), SignedInfo)
        for request in (Packet(b"x"), GetInfo(), AttachOnion(bytes(16)), OnionPacket(bytes(ONION_PACKET_SIZE))):
            assert await client.call(3, request) == Refusal(RefusalCode.UNSUPPORTED)
        malformed = SessionUp(client.session, 99, 0, 1, encode([7, [99]]), (client.block(3),))
        await client.send([make_packet(net.world.hops(0, 1, 3), encode(malformed), ENTROPY)])
        assert await client.reply(7) == Refusal(RefusalCode.BAD_REQUEST)


async def test_a_session_reaches_relays_too(net: Running) -> None:
    """Who is on the onion network alone writes to people at relays: the host forwards as relays do."""
    async with travelling(net.world, 0) as client:
        relay = net.world.nodes[2].address
        info = await client.call(3, GetInfo(relay))
        assert isinstance(info, SignedInfo)
        key = PacketPublic(decode(RelayInfo, info.info).packet_key.public)
        packet, answer = seal_request(key, GetCard(name32("none")), ENTROPY)
        await client.send(client.packets(3, Forward(relay, packet)))
        await client.send(client.packets(3, None))
        sealed = await client.reply(client.calls)
        assert isinstance(sealed, SealedAnswer)
        assert open_answer(answer, sealed) == Refusal(RefusalCode.NOT_FOUND)


async def test_a_session_that_the_node_forgot_ends(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        await client.send(client.packets(3, None))
        await client.until(lambda: bool(client.frames))
        assert client.frames == [Goodbye(0)]


async def test_a_node_that_stops_sends_sessions_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with relays(World(tmp_path, 4), monkeypatch) as net, travelling(net.world, 0) as client:
        assert await client.call(3, Ping()) == Done()
        await net.node(3).drain()
        await client.until(lambda: bool(client.frames))
        assert isinstance(client.frames[0], Goodbye)
        link = await connect_relay(net.world.nodes[3].address)
        assert await refused(link, OnionPacket(bytes(ONION_PACKET_SIZE))) == "slow_down"
        await link.close()


# --- packets --------------------------------------------------------------------------------------------------------


async def test_replays_and_forgeries_are_dropped_and_nobody_is_told(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        packets = client.packets(3, Ping())
        await client.send(packets)
        assert await client.reply(client.calls) == Done()
        await client.send(packets * 3)
        changed = bytearray(client.packets(3, Ping())[0])
        changed[-1] ^= 1
        random = bytes([net.world.period & 0xFF, 3]) + ENTROPY.bytes(ONION_PACKET_SIZE - 2)
        other_period = bytes([(net.world.period + 100) & 0xFF]) + random[1:]
        looped = make_packet([*net.world.hops(0), *net.world.hops(1), *net.world.hops(0)], b"x", ENTROPY)
        await client.send([bytes(changed), random, other_period, looped])
        await net.settled()
        assert net.dropped() == {"replayed": 3, "payload": 1, "header": 1, "no_key": 1, "no_session": 1}
        assert not client.frames


async def test_cover_ends_silently(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        await client.send([make_packet(net.world.hops(0, 1, 2), b"", ENTROPY, cover=True)])
        await net.settled()
        assert net.node(2).packets["cover"] == 1
        assert not net.dropped()


async def test_packets_wait_as_long_as_their_layers_say(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        slow = make_packet(net.world.hops(0, delay_ms=60_000), b"", ENTROPY, cover=True)
        await client.send([slow])
        assert await client.call(3, Ping()) == Done()
        assert net.node(0).mixing.delayed == 1
        assert net.node(0).packets["cover"] == 0
        short = make_packet(net.world.hops(0, delay_ms=20), b"", ENTROPY, cover=True)
        await client.send([short])
        while not net.node(0).packets["cover"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert net.node(0).mixing.delayed == 1


async def test_packets_for_nodes_that_are_unknown_or_down(net: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "_PATIENCE_S", 0.2)
    stranger = World(net.world.folder / "other", 1)
    async with travelling(net.world, 0) as client:
        unknown = make_packet([*net.world.hops(0), *stranger.hops(0)], b"x", ENTROPY)
        await client.send([unknown])
        await net.settled()
        assert net.dropped() == {"no_node": 1}
        gone = replace(net.world.consensus, nodes=tuple(sorted((*net.world.nodes, *stranger.nodes), key=_key)))
        net.node(0).on_consensus(gone, net.world.consensus)
        await client.send([make_packet([*net.world.hops(0), *stranger.hops(0)], b"x", ENTROPY)])
        await net.settled()
        assert net.dropped() == {"no_node": 1, "node_down": 1}


def _key(node: object) -> bytes:
    return node.key  # type: ignore[attr-defined,no-any-return]


async def test_a_node_that_asks_to_slow_down_gets_everything_later(net: Running) -> None:
    busy = net.node(1)
    busy.mixing._queue._share = 1  # sixteen packets of each node
    async with travelling(net.world, 0) as client:
        packets = [make_packet(net.world.hops(0, 1), b"", ENTROPY, cover=True) for _ in range(100)]
        await asyncio.gather(*(client.send([packet]) for packet in packets))
        while busy.packets["cover"] < 100:
            assert not net.dropped()
            await asyncio.sleep(0.01)


async def test_work_of_the_period_before_counts_also_after_a_restart(net: Running) -> None:
    world, node = net.world, net.node(0)
    assert node._nonces.valid(0) == (bytes(16),)
    before = replace(world.consensus, period=world.period + 1, shared_random=b"1" * 32)
    now = replace(world.consensus, period=world.period + 2, shared_random=b"2" * 32)
    node.on_consensus(now, before)
    assert node._nonces.valid(0) == (b"2" * 16, b"1" * 16)


# --- other nodes ----------------------------------------------------------------------------------------------------


async def test_nodes_of_the_network_talk_and_nobody_else_does(net: Running) -> None:
    answer = await net.node(0).peers.send(net.world.nodes[1].key, SwarmCall(b"abc"))
    assert answer == SwarmAnswer(b"cba")
    assert net.swarm(1).asked == [(net.world.nodes[0].key, b"abc")]
    to = net.world.nodes[1].address
    stranger = SigningKey.generate(ENTROPY)
    link = await connect_relay(to)
    try:
        assert await refused(link, SwarmCall(b"abc")) == "denied"
        now = 1_000.0
        assert await refused(link, proof(stranger, to.key, now)) == "denied", "an old proof"
        assert await refused(link, proof(stranger, net.world.nodes[2].key, time.time())) == "denied"
        assert await link.call(proof(stranger, to.key, time.time())) == Done()
        assert await refused(link, SwarmCall(b"abc")) == "denied", "proven, and not of the network"
    finally:
        await link.close()
    with pytest.raises(Unreachable):
        await net.node(0).peers.send(stranger.public.raw, SwarmCall(b"abc"))


async def test_nodes_mirror_the_directory(net: Running) -> None:
    link = await connect_relay(net.world.nodes[2].address)
    try:
        document = await link.call(GetDirectory(net.world.document.id, DirectoryDocument.NETWORK))
        assert document == DirectoryPart(encode(net.world.document), 1)
        consensus = await link.call(GetDirectory(net.world.document.id, DirectoryDocument.CONSENSUS))
        assert isinstance(consensus, DirectoryPart)
        assert decode(SignedConsensus, consensus.data).consensus == encode(net.world.consensus)
        newer = GetDirectory(net.world.document.id, DirectoryDocument.CONSENSUS, net.world.period)
        assert await refused(link, newer) == "not_found"
        assert await refused(link, GetDirectory(bytes(32), DirectoryDocument.NETWORK)) == "not_found"
        assert await refused(link, GetBallots(net.world.document.id, 1)) == "unsupported"
    finally:
        await link.close()


async def test_a_relay_without_a_network_knows_nothing_of_one(tmp_path: Path) -> None:
    with running(tmp_path / "data") as relay:
        async with linked(relay) as link:
            for request in (OnionPacket(bytes(ONION_PACKET_SIZE)), AttachOnion(bytes(16)), SwarmCall(b"x")):
                assert await refused(link, request) == "unsupported"


def test_a_part_fits_a_packet() -> None:
    most = SessionDown(bytes(16), 2**53, MAX_PARTS - 1, MAX_PARTS, bytes(SESSION_DATA), 2**53)
    assert len(encode(most)) <= ONION_DATA
