"""Authorities of an onion network at work: descriptors, probing, votes on the clock, restarts; and founding one."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from roost.crypto import Label
from roost.errors import SurroundingsError
from roost.relay.core.directory import read_descriptor
from roost.relay.onion.authority_files import AuthorityFiles
from roost.relay.onion.founding import CannotFound, Founding, Terms, add_authority, authority_of, found, founding
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import Ballot, BallotBox
from roost.wire.codec import decode, encode
from roost.wire.links import MalformedLink, parse_relay_link
from roost.wire.onion import AuthoritySignature, NodeDescriptor, SignedDescriptor
from tests.network.onion_directory import stranger_key
from tests.network.tiny_relay import Client
from tests.relay.authority_world import AuthorityWorld, Seat, authorities, describe

# --- together ---------------------------------------------------------------------------------------------------------


async def test_live_nodes_are_listed_and_ghosts_are_not(tmp_path: Path) -> None:
    async with authorities(tmp_path) as world:
        nodes, ghost = [world.node() for _ in range(3)], world.node()
        world.cut.add(ghost.key.public.raw)

        async def announcing() -> None:
            while True:
                for node in (*nodes, ghost):
                    await world.announce(node)
                await asyncio.sleep(1)

        announce = asyncio.create_task(announcing())
        found = await world.until(lambda consensus: len(consensus.nodes) == 3 and all(n.salt for n in consensus.nodes))
        announce.cancel()
        assert {node.key for node in found.nodes} == {node.key.public.raw for node in nodes}
        assert {node.live for node in found.nodes} == {1_000}
        assert len(found.commitments) == 3
        assert found.network == world.document.id


async def test_a_killed_authority_comes_back_and_a_missing_one_catches_up(tmp_path: Path) -> None:
    async with authorities(tmp_path) as world:
        first = await world.until(lambda consensus: True)
        await world.seats[0].stop()
        without = await world.until(lambda consensus: consensus.period > first.period)
        assert len(without.commitments) in (2, 3)
        later = await world.until(lambda consensus: consensus.period > without.period)
        assert len(later.commitments) == 2
        await world.seats[0].start()
        await world.until(lambda consensus: consensus.period > later.period and len(consensus.commitments) == 3)


async def test_a_network_that_is_cut_goes_on_where_most_are_and_heals(tmp_path: Path) -> None:
    async with authorities(tmp_path) as world:
        await world.until(lambda consensus: True)
        alone, others = world.seats[0], world.seats[1:]
        keys = {seat: seat.relay.key.public.raw for seat in world.seats}
        alone.apart = {keys[seat] for seat in others}
        for seat in others:
            seat.apart = {keys[alone]}
        await cut_links(world)
        before = alone.directory.consensus
        assert before is not None
        later = await world.until(lambda consensus: consensus.period > before.period + 2, others)
        held = alone.directory.held
        assert held is not None
        assert held.consensus is not None
        assert held.consensus.period < later.period
        for seat in world.seats:
            seat.apart = set()
        whole = await world.until(lambda consensus: consensus.period > later.period and len(consensus.commitments) == 3)
        assert whole == alone.directory.consensus


async def cut_links(world: AuthorityWorld) -> None:
    """Those that stand between authorities."""
    for seat in world.seats:
        for link in tuple(seat.authority._links.values()):
            await link.close()


async def test_clocks_may_differ(tmp_path: Path) -> None:
    world = AuthorityWorld(tmp_path, 3, 6)
    for seat, skew in zip(world.seats, (-0.2, 0.0, 0.2), strict=True):
        seat.skew = skew
        await seat.start()
    try:
        found = await world.until(lambda consensus: len(consensus.commitments) == 3)
        assert found.period <= world.period + 1
    finally:
        for seat in world.seats:
            await seat.stop()


async def test_alone_below_the_threshold_nothing_is_published(tmp_path: Path) -> None:
    async with authorities(tmp_path) as world:
        last = await world.until(lambda consensus: True)
        await world.seats[0].stop()
        await world.seats[1].stop()
        alone = world.seats[2]
        began = world.period
        while world.period < began + 3:  # noqa: ASYNC110 - the clock has no event
            await asyncio.sleep(0.1)
        held = alone.directory.held
        assert held is not None
        assert held.consensus is not None
        assert held.consensus.period <= last.period + 2  # what was under way, at most


async def test_a_restart_in_the_middle_votes_as_before(tmp_path: Path) -> None:
    """Killed after its vote was seen, and started again with other nodes to vote on."""
    async with authorities(tmp_path, period_s=6) as world:
        seat = world.seats[1]
        async with asyncio.timeout(30):
            box = await box_of(world, seat)
            while own_vote(seat, box) is None:
                await asyncio.sleep(0.02)
                box = await box_of(world, seat)
        assert box is not None
        await seat.stop()
        node = world.node()
        await seat.start()
        await world.announce(node)
        seen = set()
        async with asyncio.timeout(30):
            while True:
                again = await box_of(world, world.seats[0])
                if again is None or again.period != box.period:
                    break
                seen |= {ballot.vote for ballot in again.ballots if ballot.authority == seat.relay.key.public.raw}
                await asyncio.sleep(0.05)
        assert seen <= {own_vote(seat, box)}
        await world.until(lambda consensus: consensus.period > box.period)


async def box_of(world: AuthorityWorld, seat: Seat) -> BallotBox | None:
    """What it shows now, for the period that it is busy with."""
    if seat.part is None or seat.authority._ballots is None:
        return None
    part = seat.authority._ballots.part(0)
    return decode(BallotBox, part.data) if part is not None else None


def own_vote(seat: Seat, box: BallotBox | None) -> bytes | None:
    own = seat.relay.key.public.raw
    return next((ballot.vote for ballot in box.ballots if ballot.authority == own), None) if box else None


def endless(world: AuthorityWorld, seat: Seat) -> m.Response:
    """Parts upon parts, of which each is new."""
    key, period = seat.relay.key, int(time.time() / world.document.period_s + 0.5)
    hash_ = bytes(32)
    message = world.document.id + period.to_bytes(8) + key.public.raw + hash_
    signature = AuthoritySignature(key.public.raw, key.sign(Label.ONION_VOTE, message))
    box = BallotBox(world.document.id, period, (Ballot(key.public.raw, hash_, 1, 256, (signature,)),))
    return m.DirectoryPart(encode(box), 257)


HOSTILE: dict[str, Callable[[AuthorityWorld, Seat], m.Response]] = {
    "garbage": lambda *_: m.DirectoryPart(b"\xc1" * 60_000, 1),
    "nothing": lambda *_: m.DirectoryPart(b"", 1),
    "a refusal": lambda *_: m.Refusal(m.RefusalCode.INTERNAL),
    "no answer to that": lambda *_: m.Done(),
    "a vote without end": endless,
}


@pytest.mark.parametrize("what", [*HOSTILE, "silence"])
async def test_an_authority_that_answers_with_anything_stops_nobody(tmp_path: Path, what: str) -> None:
    world = AuthorityWorld(tmp_path, 3, 4)
    hostile = world.seats[1]
    for seat in (world.seats[0], world.seats[2]):
        await seat.start()
    await hostile.start()
    part, hostile.part = hostile.part, None
    assert part is not None
    await part.close()
    hostile.part = part  # it can be reached, but what answers is this:
    made = HOSTILE.get(what)

    async def handle(client: Client, body: bytes) -> None:
        call = decode(m.Call, body)
        if made is not None:
            client.send(encode(m.Reply(call.id, made(world, hostile))))

    hostile.relay.handle = handle  # type: ignore[method-assign]
    try:
        honest = [world.seats[0], world.seats[2]]
        first = await world.until(lambda consensus: True, honest)
        second = await world.until(lambda consensus: consensus.period > first.period, honest)
        assert len(second.commitments) == 2
    finally:
        hostile.part = None
        for seat in honest:
            await seat.stop()


# --- descriptors ------------------------------------------------------------------------------------------------------


async def test_descriptors_that_are_refused(tmp_path: Path) -> None:
    async with authorities(tmp_path, 1, 3_600) as world:
        seat, node = world.seats[0], world.node()
        good = describe(world.document, node.key, node.address, world.period)
        assert isinstance(await world.put(seat, good), m.Done)
        assert isinstance(await world.put(seat, good), m.Done)
        other = msgspec.structs.replace(decode(NodeDescriptor, good.descriptor), network=bytes(32))
        foreign = encode(other)
        cases = {
            "garbage": b"\xc0",
            "cut": encode(good)[:-1],
            "unsigned": encode(SignedDescriptor(good.descriptor, bytes(64))),
            "by another": encode(
                SignedDescriptor(good.descriptor, stranger_key().sign(Label.ONION_NODE, good.descriptor))
            ),
            "of another network": encode(SignedDescriptor(foreign, node.key.sign(Label.ONION_NODE, foreign))),
            "old": encode(describe(world.document, node.key, node.address, world.period - 2)),
            "of the future": encode(describe(world.document, node.key, node.address, world.period + 2)),
            "without the next key": encode(describe(world.document, node.key, node.address, world.period, 1)),
        }
        for name, data in cases.items():
            assert await world.refusal(seat, m.PutDescriptor(world.document.id, data)) == "bad_request", name
        assert await world.refusal(seat, m.PutDescriptor(bytes(32), encode(good))) == "not_found"
        newer = describe(world.document, node.key, node.address, world.period + 1)
        assert isinstance(await world.put(seat, newer), m.Done)
        assert await world.refusal(seat, m.PutDescriptor(world.document.id, encode(good))) == "old_version"
        assert seat.authority.descriptors.all() == (newer,)


async def test_one_address_cannot_fill_the_directory(tmp_path: Path) -> None:
    async with authorities(tmp_path, 1, 3_600) as world:
        seat = world.seats[0]
        for port in range(1, 21):
            key = stranger_key()
            address = RelayAddress("203.0.114.7", port, key.public.raw)
            data = encode(describe(world.document, key, address, world.period))
            assert await world.refusal(seat, m.PutDescriptor(world.document.id, data)) in ("", "full")
        assert len(seat.authority.descriptors.all()) == 8
        elsewhere = stranger_key()
        address = RelayAddress("203.0.114.8", 1, elsewhere.public.raw)
        assert isinstance(await world.put(seat, describe(world.document, elsewhere, address, world.period)), m.Done)


async def test_a_full_directory_makes_room_for_who_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.relay.onion.descriptors._NEW", 3)
    async with authorities(tmp_path, 1, 3_600) as world:
        seat, live = world.seats[0], world.node()
        await world.put(seat, describe(world.document, live.key, live.address, world.period))
        for number in range(6):  # of nodes that do not exist
            key = stranger_key()
            address = RelayAddress(f"203.0.114.{number}", 1, key.public.raw)
            descriptor = describe(world.document, key, address, world.period)
            async with asyncio.timeout(10):
                while await world.refusal(seat, m.PutDescriptor(world.document.id, encode(descriptor))):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # until one of those before it was tried
        held = {read_descriptor(signed).address.key for signed in seat.authority.descriptors.all()}
        assert len(held) == 3
        assert live.key.public.raw in held


async def test_a_node_need_not_reach_all_authorities(tmp_path: Path) -> None:
    async with authorities(tmp_path) as world:
        node = world.node()

        async def announcing() -> None:
            while True:
                for seat in world.seats[:2]:
                    await world.put(seat, describe(world.document, node.key, node.address, world.period))
                await asyncio.sleep(1)

        announce = asyncio.create_task(announcing())
        await world.until(lambda consensus: bool(consensus.nodes) and consensus.nodes[0].live == 1_000)
        async with asyncio.timeout(30):
            while not world.seats[2].authority.descriptors.all():  # noqa: ASYNC110 - it learns it from a vote
                await asyncio.sleep(0.05)
        announce.cancel()


async def test_ballots_of_another_time_are_not_there(tmp_path: Path) -> None:
    async with authorities(tmp_path, 1, 3_600) as world:
        network = world.document.id
        for period, part in ((0, 0), (world.period + 9, 0), (world.period, 4_000), (world.period + 1, 4_000)):
            assert await world.refusal(world.seats[0], m.GetBallots(network, period, part)) == "not_found"


# --- files ------------------------------------------------------------------------------------------------------------


def test_what_was_said_is_not_said_otherwise(tmp_path: Path) -> None:
    files = AuthorityFiles(tmp_path)
    assert files.already_signed(7) is None
    assert files.vote(7, b"first") == b"first"
    assert files.vote(7, b"second") == b"first"
    assert AuthorityFiles(tmp_path).vote(7, b"third") == b"first"
    assert files.vote(8, b"next") == b"next"
    with pytest.raises(SurroundingsError) as early:
        files.vote(7, b"again")
    assert early.value.code == "bad_clock"
    assert files.signed(8, b"made") == b"made"
    assert AuthorityFiles(tmp_path).already_signed(8) == b"made"


def test_a_damaged_file_says_nothing_rather_than_something_else(tmp_path: Path) -> None:
    files = AuthorityFiles(tmp_path)
    files.vote(7, b"first")
    (tmp_path / "vote").write_bytes(b"\xc1")
    with pytest.raises(SurroundingsError):
        files.vote(7, b"second")
    (tmp_path / "descriptors").write_bytes(b"\xc1")
    assert files.descriptors() == ()


# --- founding ---------------------------------------------------------------------------------------------------------


def begun(folder: Path, number: int, terms: Terms) -> Founding:
    address = RelayAddress(f"authority-{number}.example", 7_777, bytes([number]) * 32)
    return found(folder / str(number), address, terms)


def test_any_order_of_lines_gives_the_same_network(tmp_path: Path) -> None:
    terms = Terms("Coast", 3)
    lines = [str(begun(tmp_path, number, terms).own) for number in (3, 1, 2)]
    networks = set()
    for at, order in enumerate(itertools.permutations(lines)):
        folder = tmp_path / ("3", "1", "2")[at % 3]
        for line in order:
            known = add_authority(folder, line)
        assert known.missing == 0
        networks.add(known.link)
    assert len(networks) == 1
    document = known.document
    assert document is not None
    assert (document.name, document.threshold, document.quorum) == ("Coast", 2, 2)
    host = parse_relay_link(networks.pop()).address
    assert host.key == document.id
    assert authority_of(folder, known.own.address, None)[1] == host


def test_a_network_is_founded_once(tmp_path: Path) -> None:
    known = begun(tmp_path, 1, Terms("Coast", 2))
    assert begun(tmp_path, 1, Terms("Coast", 2)) == known
    assert known.link == ""
    with pytest.raises(CannotFound) as again:
        begun(tmp_path, 1, Terms("Other", 2))
    assert again.value.code == "already_founded"
    line = str(begun(tmp_path, 2, Terms("Coast", 2)).own)
    assert add_authority(tmp_path / "1", line).missing == 0
    assert add_authority(tmp_path / "1", line).missing == 0


@pytest.mark.parametrize(
    "terms",
    [
        Terms(authorities=0),
        Terms(authorities=17),
        Terms(authorities=4, threshold=2),
        Terms(authorities=3, threshold=4),
        Terms(period_s=1),
        Terms(period_s=10**9),
        Terms(replicas=10),
        Terms(replicas=3, quorum=1),
        Terms(name="x" * 200),
    ],
)
def test_terms_that_no_network_can_have(tmp_path: Path, terms: Terms) -> None:
    with pytest.raises(CannotFound) as bad:
        begun(tmp_path, 1, terms)
    assert bad.value.code == "bad_terms"
    assert founding(tmp_path / "1") is None


def test_lines_that_are_refused(tmp_path: Path) -> None:
    own = begun(tmp_path, 1, Terms("Coast", 2))
    folder = tmp_path / "1"
    other, third = begun(tmp_path, 2, Terms("Coast", 2)), begun(tmp_path, 3, Terms("Coast", 2))
    moved = msgspec.structs.replace(own.own, address=RelayAddress("elsewhere.example", 1, own.own.address.key))
    terms = begun(tmp_path, 4, Terms("Coast", 2, period_s=60))

    def code(line: str, at: Path = folder) -> str:
        with pytest.raises((CannotFound, MalformedLink)) as refused:
            add_authority(at, line)
        assert refused.value.hint or refused.value.message
        return refused.value.code

    assert code(str(terms.own)) == "other_terms"
    assert code(str(moved)) == "authority_known"
    assert code(str(other.own)[:-1]) == "malformed_link"
    assert code("roost-relay://x:1/y") == "malformed_link"
    assert code(str(other.own), tmp_path / "nobody") == "not_an_authority"
    add_authority(folder, str(other.own))
    assert code(str(third.own)) == "network_complete"


def test_an_authority_that_cannot_start_says_why(tmp_path: Path) -> None:
    own = begun(tmp_path, 1, Terms("Coast", 2))
    address = own.own.address

    def code(folder: Path, at: RelayAddress = address) -> str:
        with pytest.raises(CannotFound) as refused:
            authority_of(folder, at, None)
        return refused.value.code

    assert code(tmp_path / "nobody") == "not_an_authority"
    assert code(tmp_path / "1") == "authorities_missing"
    add_authority(tmp_path / "1", str(begun(tmp_path, 2, Terms("Coast", 2)).own))
    assert code(tmp_path / "1", RelayAddress("elsewhere.example", 1, address.key)) == "other_address"
    (tmp_path / "1" / "authority" / "lines").write_text("roost-authority:x\n")
    with pytest.raises(SurroundingsError):
        founding(tmp_path / "1")
