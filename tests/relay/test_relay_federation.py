"""Packets and forwarding between two real relays on loopback, and where a relay forwards at all."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from relay_core import blob_data, capability, code, create, envelope, hold, name32
from relay_process import RelayProcess, linked, running

from roost.crypto import PacketPublic, PacketSecret, seal_packet
from roost.errors import Refused
from roost.network import Link, Network, read_info
from roost.network.federation import open_answer, seal_request
from roost.relay.core.forwarding import ForwardPolicy
from roost.relay.core.limits import Limits
from roost.relay.core.packets import (
    GRACE_S,
    PAGE,
    WEEK_S,
    PacketKeys,
    TagSet,
    WeeklyKey,
    allowed,
    answer_class,
)
from roost.relay.core.refusal import RefusedRequest
from roost.relay.files import DataDirectory
from roost.relay.server.statement import load_packet_keys, rotate_packet_keys
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import (
    BlobData,
    CardData,
    ChangeGrants,
    Done,
    Entries,
    Entry,
    Forward,
    Get,
    GetBlob,
    GetCard,
    GetInfo,
    Needs,
    Packet,
    Ping,
    Put,
    PutBlob,
    PutCard,
    Refusal,
    RefusalCode,
    SealedAnswer,
    SignedInfo,
    Stored,
    Subscribe,
    Trim,
)
from roost.wire.sizes import CARD_SIZE, PACKET_LARGE, PACKET_SMALL


class OsEntropy:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


ENTROPY = OsEntropy()
PUT, GET, ADMIN = capability("a put"), capability("a get"), capability("a admin")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(tmp_path_factory.mktemp("ours") / "data") as relay:
        yield relay


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(tmp_path_factory.mktemp("theirs") / "data") as relay:
        yield relay


@asynccontextmanager
async def network(relay: RelayProcess) -> AsyncIterator[Network]:
    async with Network(ENTROPY, lambda *_: None) as made:
        made.set_relays([relay.link])
        assert await made.connected(relay.link.address.key, 10)
        yield made


async def packet_key(link: Link) -> PacketPublic:
    return PacketPublic(link.info.packet_key.public)


# --- two relays -------------------------------------------------------------------------------------------------------


async def test_everything_but_subscribing_works_through_ones_own_relay(
    ours: RelayProcess, theirs: RelayProcess
) -> None:
    to = theirs.link.address
    async with network(ours) as net:
        assert net.route(to) == "federated"
        assert await net.call(to, create("a", admission=theirs.access)) == Done()
        for index in range(PAGE + 4):
            assert isinstance(await net.call(to, Put(PUT, envelope(str(index)))), Stored)
        page = await net.call(to, Get(GET, 0))
        assert isinstance(page, Entries)
        assert [entry.envelope for entry in page.entries] == [envelope(str(index)) for index in range(PAGE)]
        assert page.more
        one = await net.call(to, Get(GET, 0, 1))
        assert isinstance(one, Entries)
        assert len(one.entries) == 1
        assert await net.call(to, Trim(ADMIN, page.entries[-1].number)) == Done()
        assert await net.call(to, PutBlob(PUT, hold("h"), name32("b"), blob_data("x"))) == Done()
        assert isinstance(await net.call(to, Put(PUT, envelope("file"), needs=(Needs(hold("h"), 1),))), Stored)
        assert await net.call(to, GetBlob(GET, name32("b"))) == BlobData(blob_data("x"))
        card = PutCard(name32("place"), capability("w"), 1, b"c" * CARD_SIZE, 2**33, theirs.access)
        assert await net.call(to, card) == Done()
        assert await net.call(to, GetCard(name32("place"))) == CardData(b"c" * CARD_SIZE)
        with pytest.raises(Refused) as caught:
            await net.call(to, PutCard(name32("place"), capability("w"), 1, b"c" * (CARD_SIZE + 1), 2**33))
        assert caught.value.code == "bad_request"
        with pytest.raises(Refused) as caught:
            await net.call(to, create("b"))
        assert caught.value.code == "not_admitted", "what one client showed admits no other on the same link"
        with pytest.raises(Refused) as caught:
            await net.call(to, Subscribe(GET, 0))
        assert caught.value.code == "unsupported"


async def test_a_packet_is_valid_once_also_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "data") as relay:
        async with linked(relay) as link:
            packet, key = seal_request(await packet_key(link), GetCard(name32("nowhere")), ENTROPY)
            answer = await link.call(Packet(packet))
            assert isinstance(answer, SealedAnswer)
            assert open_answer(key, answer) == Refusal(RefusalCode.NOT_FOUND)
            with pytest.raises(Refused) as caught:
                await link.call(Packet(packet))
            assert caught.value.code == "stale_packet"
            await link.call(create("a", admission=relay.access))  # commits what came before it
        relay.kill()
    with running(tmp_path / "data", relay.listen) as relay:
        async with linked(relay) as link:
            with pytest.raises(Refused) as caught:
                await link.call(Packet(packet))
            assert caught.value.code == "stale_packet"
            other = seal_request(PacketSecret.generate(ENTROPY).public, GetInfo(), ENTROPY)[0]
            with pytest.raises(Refused) as caught:
                await link.call(Packet(other))
            assert caught.value.code == "stale_packet"


async def test_forwarding_is_for_admitted_clients_and_to_relays_that_prove_their_key(
    ours: RelayProcess, theirs: RelayProcess
) -> None:
    to = theirs.link.address
    forger = msgspec.structs.replace(to, key=bytes(32))
    gone = msgspec.structs.replace(to, port=1)
    async with linked(ours) as link:
        for request in (Forward(to, b"packet"), GetInfo(to), GetInfo(to, b"wrong")):
            with pytest.raises(Refused) as caught:
                await link.call(request)
            assert caught.value.code == "not_admitted"
        answer = await link.call(GetInfo(to, ours.access))
        assert isinstance(answer, SignedInfo)
        assert read_info(answer, to.key).packet_key.public
        for unproven in (forger, gone):
            with pytest.raises(Refused) as caught:
                await link.call(GetInfo(unproven))
            assert caught.value.code == "unreachable"
        with pytest.raises(Refused) as caught:
            await link.call(Forward(to, b"no packet"))
        assert caught.value.code == "stale_packet"
        nested, _ = seal_request(PacketPublic(link.info.packet_key.public), GetInfo(to), ENTROPY)
        own = await link.call(Forward(ours.link.address, nested))
        assert isinstance(own, SealedAnswer), "a packet to the relay itself needs no detour"


async def test_a_destination_that_restarted_is_reached_again(ours: RelayProcess, tmp_path: Path) -> None:
    with running(tmp_path / "data") as other:
        async with network(ours) as net:
            to = other.link.address
            assert await net.call(to, create("a", admission=other.access)) == Done()
            assert isinstance(await net.call(to, Put(PUT, envelope("1"))), Stored)
            other.kill()
            with running(tmp_path / "data", other.listen):
                assert isinstance(await net.call(to, Put(PUT, envelope("2"))), Stored)
                page = await net.call(to, Get(GET, 0))
                assert isinstance(page, Entries)
                assert len(page.entries) == 2


async def test_many_forwards_share_one_link(ours: RelayProcess, theirs: RelayProcess) -> None:
    async with network(ours) as net:
        to = theirs.link.address
        answers = await asyncio.gather(
            *(net.call(to, GetCard(name32(str(n)))) for n in range(50)), return_exceptions=True
        )
        assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"not_found"}


# --- policy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1",
        "not an address",
    ],
)  # fmt: skip
def test_a_relay_on_the_internet_forwards_to_the_internet_only(address: str) -> None:
    with pytest.raises(RefusedRequest):
        ForwardPolicy((), "0.0.0.0", Limits()).choose([address])


def test_public_addresses_and_what_the_operator_lists_are_allowed() -> None:
    policy = ForwardPolicy((ipaddress.ip_network("10.1.0.0/16"),), "203.0.113.7", Limits())
    for address in ("93.184.216.34", "2606:4700::1111", "10.1.2.3", "::ffff:93.184.216.34"):
        assert policy.choose(["127.0.0.1", address]) == address
    with pytest.raises(RefusedRequest):
        policy.choose(["10.2.0.1"])


def test_a_relay_on_loopback_may_forward_to_loopback() -> None:
    policy = ForwardPolicy((), "127.0.0.1", Limits())
    assert policy.choose(["127.0.0.1"]) == "127.0.0.1"
    assert policy.choose(["::1"]) == "::1"
    with pytest.raises(RefusedRequest):
        policy.choose(["10.0.0.1"])


def test_each_destination_has_its_pace() -> None:
    policy = ForwardPolicy((), "127.0.0.1", Limits(forwards_per_second=1, forward_burst=2))
    policy.pace(b"a", 100.0)
    policy.pace(b"a", 100.0)
    with pytest.raises(RefusedRequest) as caught:
        policy.pace(b"a", 100.0)
    assert caught.value.refusal.retry_after_ms == 1_000
    policy.pace(b"b", 100.0)


# --- packet keys ------------------------------------------------------------------------------------------------------


def test_what_may_be_asked_in_a_packet() -> None:
    relay = RelayAddress("relay.example", 443, bytes(32))
    assert allowed(GetInfo())
    assert allowed(ChangeGrants(GET))  # a group's admins may have other relays than the group
    for request in (GetInfo(relay), Forward(relay, b"x"), Packet(b"x"), Subscribe(GET, 0), Ping()):
        assert not allowed(request)


def test_answers_sizes_follow_from_the_request() -> None:
    assert answer_class(Get(GET, 0, 1)) == PACKET_SMALL
    assert answer_class(Get(GET, 0, 2)) == PACKET_LARGE
    assert answer_class(GetBlob(GET, name32("b"))) == PACKET_LARGE
    assert answer_class(PutBlob(PUT, hold("h"), name32("b"), blob_data("x"))) == PACKET_SMALL
    secret = PacketSecret.generate(ENTROPY)
    keys = PacketKeys([WeeklyKey(0, secret, TagSet())])
    packet, key = seal_request(secret.public, Get(GET, 0), ENTROPY)
    opened = keys.opened(packet, 1.0)
    full = Entries(tuple(_entry(n) for n in range(PAGE)), True)
    assert open_answer(key, SealedAnswer(opened.seal(full))) == full
    assert len(opened.seal(full)) == len(opened.seal(Refusal(RefusalCode.DENIED)))


def _entry(number: int) -> Entry:
    return Entry(2**53 - number, os.urandom(4_096))


def test_a_malformed_request_inside_is_refused_and_its_packet_spent() -> None:
    secret = PacketSecret.generate(ENTROPY)
    keys = PacketKeys([WeeklyKey(0, secret, TagSet())])
    packet, _ = seal_packet(secret.public, b"nonsense", PACKET_SMALL, ENTROPY)
    assert keys.opened(packet, 1.0).request is None
    with pytest.raises(RefusedRequest) as caught:
        keys.opened(packet, 1.0)
    assert code(caught.value.refusal) == "stale_packet"


def test_tags_are_recognised_however_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TagSet, "_MERGE", 4)
    monkeypatch.setattr(TagSet, "_BUCKETS", 3)
    tags = TagSet([5, 1, 3])
    assert [tags.add(tag) for tag in (1, 3, 5)] == [False] * 3
    assert all(tags.add(tag) for tag in range(10, 30))
    assert not any(tags.add(tag) for tag in [1, 3, 5, *range(10, 30)])
    assert len(tags) == 23


def test_packet_keys_rotate_weekly_and_are_erased(tmp_path: Path) -> None:
    forgotten: list[int] = []
    now = 2_900 * WEEK_S + 10.0
    with DataDirectory(tmp_path / "data") as directory:
        keys = load_packet_keys(directory, [], now)
        assert rotate_packet_keys(directory, keys, ENTROPY, now, forgotten.append)
        assert not rotate_packet_keys(directory, keys, ENTROPY, now, forgotten.append)
        first = keys.public(now)
        assert first.expires == 2_901 * WEEK_S
        packet, _ = seal_request(PacketPublic(first.public), GetInfo(), ENTROPY)
        again = load_packet_keys(directory, [(2_900, 7)], now)
        assert again.public(now) == first
        now += WEEK_S
        assert rotate_packet_keys(directory, keys, ENTROPY, now, forgotten.append)
        assert keys.public(now) != first
        assert keys.opened(packet, now).period == 2_900, "under way when the week ended"
        assert sorted(path.stem for path in (tmp_path / "data" / "packet-keys").iterdir()) == ["2900", "2901"]
        now += GRACE_S
        rotate_packet_keys(directory, keys, ENTROPY, now, forgotten.append)
        assert forgotten == [2_900]
        assert [path.stem for path in (tmp_path / "data" / "packet-keys").iterdir()] == ["2901"]
        with pytest.raises(RefusedRequest):
            keys.opened(packet, now)
        assert load_packet_keys(directory, [], now + 3 * WEEK_S).due(now) is not None
        assert list((tmp_path / "data" / "packet-keys").iterdir()) == []
