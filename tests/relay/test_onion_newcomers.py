"""What nodes that no consensus lists can do to an authority; and where a node says that it is."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roost.crypto import SigningKey
from roost.network import SYSTEM_ENTROPY, Link
from roost.network.errors import no_answer
from roost.relay.core.directory import BadVote, NamedHost, read_descriptor, read_vote
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.describing import Describing, located
from roost.relay.onion.descriptors import Descriptors, origin_of
from roost.relay.onion.keys import KeyFiles
from roost.relay.onion.probing import Probing
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import DirectoryVote, VotedNode
from roost.wire.codec import encode
from roost.wire.onion import AuthorityAddress, NetworkDocument
from tests.network.tiny_relay import TinyRelay
from tests.relay.authority_world import authorities, describe

PERIOD_S = 4  # attempts give up after 2 seconds, and come again after about as many
NOW = 4_000.0
FLOOD = "45.7.7.7"
"""Where the flood comes from."""


class World:
    """An authority's descriptors and attempts, without its votes. Hosts that end with `swallowed` never answer,
    `node` does, and others refuse."""

    def __init__(self) -> None:
        authority = SigningKey.generate(SYSTEM_ENTROPY).public.raw
        self.document = NetworkDocument(
            "World", (AuthorityAddress(RelayAddress("127.0.0.1", 1, authority)),), 1, PERIOD_S
        )
        self.listed: frozenset[bytes] = frozenset()
        self.probing = Probing(self._dial, PERIOD_S, SYSTEM_ENTROPY, lambda: self.listed)
        self.descriptors = Descriptors(self.document, self.probing)
        self.swallowed = ".66"
        self.node = TinyRelay()
        self.tried: list[str] = []
        self.under_way: Counter[bytes] = Counter()
        self.most = 0

    async def _dial(self, address: RelayAddress) -> Link:
        self.tried.append(address.host)
        self.under_way[address.key] += 1
        assert self.under_way[address.key] == 1, "two attempts at one node"
        self.most = max(self.most, self.under_way.total())
        try:
            if address.host.endswith(self.swallowed):
                await asyncio.Event().wait()
            if address.key != self.node.key.public.raw:
                raise no_answer()
            return await self.node.connect(self.node.address)
        finally:
            self.under_way[address.key] -= 1

    def take(self, key: SigningKey, host: str, source: str = "", *, port: int = 443, ahead: int = 0) -> str:
        """The refusal's code, empty when the descriptor is taken."""
        address = RelayAddress(host, port, key.public.raw)
        signed = describe(self.document, key, address, self.document.period(NOW) + ahead)
        try:
            self.descriptors.take(encode(signed), self.listed, NOW + ahead * PERIOD_S, source)
        except RefusedRequest as error:
            return error.refusal.code.value
        return ""

    def flood(self, count: int) -> list[str]:
        """Nodes that swallow, each in a network of its own, brought by one."""
        return [self.take(stranger(), f"{60 + n % 100}.{n // 100}.0.66", FLOOD) for n in range(count)]

    def holds(self, key: SigningKey) -> bool:
        return any(read_descriptor(signed).address.key == key.public.raw for signed in self.descriptors.all())

    async def until_tried(self, host: str, times: int = 1) -> int:
        """How many other attempts began before."""
        async with asyncio.timeout(60):
            while self.tried.count(host) < times:  # noqa: ASYNC110 - real dialling
                await asyncio.sleep(0.01)
        at = [number for number, tried in enumerate(self.tried) if tried == host][times - 1]
        return at + 1 - times


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()
    made.probing.start()
    try:
        yield made
    finally:
        await made.probing.close()


def stranger() -> SigningKey:
    return SigningKey.generate(SYSTEM_ENTROPY)


# --- one key ----------------------------------------------------------------------------------------------------------


async def test_a_node_has_one_address_in_each_period() -> None:
    async with world() as made:
        key = stranger()
        assert made.take(key, "203.0.1.66") == ""
        assert made.take(key, "203.0.1.66") == ""
        refused = [made.take(key, f"203.0.{number}.66") for number in range(2, 102)]
        assert set(refused) == {"slow_down"}
        await made.until_tried("203.0.1.66")
        assert made.take(key, "203.0.9.66", ahead=1) == ""  # it moved
        await made.until_tried("203.0.9.66")
        assert set(made.tried) == {"203.0.1.66", "203.0.9.66"}


async def test_a_node_that_moves_counts_where_it_comes_to() -> None:
    async with world() as made:
        key = stranger()
        assert made.take(key, "203.0.9.66") == ""
        assert {made.take(stranger(), "203.0.1.66", port=port) for port in range(1, 9)} == {""}
        assert made.take(key, "203.0.1.66", ahead=1) == "full"
        assert made.take(key, "203.0.2.66", ahead=1) == ""


async def test_one_machine_has_one_share_whatever_addresses_it_has() -> None:
    async with world() as made:
        many = [made.take(stranger(), f"2600:1:2:3::{number:x}") for number in range(1, 21)]
        assert many == [""] * 8 + ["full"] * 12
        made.listed = frozenset(made.descriptors._held)  # the next consensus brings no more room
        assert made.take(stranger(), "2600:1:2:3::ffff") == "full"
        assert made.take(stranger(), "2600:1:2:4::1") == ""


async def test_nobody_keeps_an_address_by_naming_it() -> None:
    async with world() as made:
        for _ in range(8):
            assert made.take(stranger(), "93.184.216.34", FLOOD) == ""
        await made.until_tried("93.184.216.34", 8)
        assert made.take(made.node.key, "93.184.216.34") == ""


# --- floods -----------------------------------------------------------------------------------------------------------


async def test_a_flood_from_one_place_keeps_nobody_waiting() -> None:
    async with world() as made:
        assert set(made.flood(512)) == {""}
        assert set(made.flood(20)) == {"full"}
        assert made.take(made.node.key, "93.184.216.34", "93.184.216.34") == ""
        assert await made.until_tried("93.184.216.34") < 200  # of 512, which were there before
        assert made.most <= 32
        beside = stranger()  # another address of the network that the flood comes from
        assert made.take(beside, "45.7.9.9", "45.7.9.9") == ""
        assert made.holds(made.node.key)
        assert len(made.descriptors.all()) == 512


async def test_what_others_bring_again_is_not_counted_as_theirs() -> None:
    async with world() as made:
        honest = [(stranger(), f"198.51.{number}.1") for number in range(4)]
        for key, host in honest:
            assert made.take(key, host, host) == ""
            assert made.take(key, host, FLOOD) == ""  # anybody has the descriptor
        made.flood(508)
        for number in range(100):
            made.take(stranger(), f"203.1.{number}.66", f"192.{number}.2.1")
        assert all(made.holds(key) for key, _ in honest)


async def test_listed_nodes_are_tried_whatever_newcomers_do() -> None:
    async with world() as made:
        made.take(made.node.key, "93.184.216.34")
        await made.until_tried("93.184.216.34")
        made.listed = frozenset({made.node.key.public.raw})
        made.flood(512)
        assert await made.until_tried("93.184.216.34", 4) < 400
        assert made.probing.live(made.node.key.public.raw) == 1_000
        assert made.most <= 33


@pytest.mark.parametrize(
    ("source", "host", "origin"),
    [
        ("45.7.7.7", "203.0.114.7", ("45.7.0.0/16", "45.7.7.7")),
        ("1.2.3.4", "203.0.114.7", ("1.2.0.0/16", "1.2.3.4")),
        ("::ffff:1.2.3.4", "203.0.114.7", ("1.2.0.0/16", "1.2.3.4")),
        ("2600:1:2::1", "5.6.7.8", ("2600:1::/32", "2600:1:2::1")),
        ("127.0.0.1", "5.6.7.8", ("5.6.0.0/16", "5.6.7.8")),  # a proxy stands in front
        ("", "5.6.7.8", ("5.6.0.0/16", "5.6.7.8")),
        ("10.0.0.1", "10.0.0.2", ("10.0.0.2", "10.0.0.2")),
    ],
)
def test_among_whom_newcomers_take_turns(source: str, host: str, origin: tuple[str, str]) -> None:
    assert origin_of(source, host) == origin


# --- names ------------------------------------------------------------------------------------------------------------


async def test_a_name_is_no_address() -> None:
    async with world() as made:
        for host in ("n1.evil1.example", "localhost", "node"):
            assert made.take(stranger(), host) == "bad_destination"
        assert not made.descriptors.all()


def test_a_vote_that_lists_a_name_does_not_count() -> None:
    made, key, node = World(), stranger(), stranger()
    for host, counts in (("203.0.114.7", True), ("n1.evil1.example", False)):
        signed = describe(made.document, node, RelayAddress(host, 443, node.public.raw), 1_000)
        vote = DirectoryVote(
            made.document.id, 1_000, key.public.raw, bytes(32), bytes(32), b"", (VotedNode(signed, 1_000),)
        )
        if counts:
            assert read_vote(made.document, 1_000, key.public.raw, encode(vote)).nodes
        else:
            with pytest.raises(NamedHost) as refused:
                read_vote(made.document, 1_000, key.public.raw, encode(vote))
            assert isinstance(refused.value, BadVote)


@pytest.mark.parametrize(
    ("found", "host"),
    [
        (["203.0.113.9", "93.184.216.34"], "93.184.216.34"),
        (["2600:1:2::1", "93.184.216.34"], "93.184.216.34"),
        (["2600:1:2::1", "fe80::1%2"], "2600:1:2::1"),
        (["127.0.1.1", "10.0.0.7"], "10.0.0.7"),
        (["10.0.0.9", "10.0.0.7"], "10.0.0.7"),
        (["127.0.0.1"], "127.0.0.1"),
    ],
)
async def test_where_a_name_leads(found: list[str], host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    named = RelayAddress("node.example", 443, bytes(32))
    assert await located(named) == RelayAddress(host, 443, bytes(32))


async def test_a_node_tells_where_its_name_leads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "roost.relay")
    async with authorities(tmp_path, 1, 3_600) as made:
        node, seat = made.node(), made.seats[0]
        keys = KeyFiles(tmp_path / "keys", node.key.public.raw, SYSTEM_ENTROPY).open(made.period)
        lost = RelayAddress("node.invalid", node.port, node.key.public.raw)
        word = Describing(made.document, node.key, lost, "ada", keys, made.connect)
        word.begin(made.period)
        for _ in range(2):
            await word.tell()
        assert not word.told
        assert [record.getMessage() for record in caplog.records] == [
            "this node is not described to its network: The name node.invalid leads to no IP address."
        ]
        named = RelayAddress("localhost", node.port, node.key.public.raw)
        word = Describing(made.document, node.key, named, "ada", keys, made.connect)
        word.begin(made.period)
        await word.tell()
        assert word.told
        (held,) = seat.authority.descriptors.all()
        assert read_descriptor(held).address in (node.address, RelayAddress("::1", node.port, node.key.public.raw))
        moved = RelayAddress("127.0.0.2", node.port, node.key.public.raw)
        word = Describing(made.document, node.key, moved, "ada", keys, made.connect)
        word.begin(made.period)
        await word.tell()
        assert not word.told
        assert caplog.messages[-1].endswith("does not take it: slow_down")
