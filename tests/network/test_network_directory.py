"""A network's directory: what is believed, and how it is fetched and renewed."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

import msgspec
import pytest

from roost.crypto import Label
from roost.network.link import Link
from roost.network.onion.directory import Directory, DirectoryRefused, read_document
from roost.network.onion.directory_client import DirectoryClient, DirectoryUnreachable
from roost.network.onion.memory import Forgetful
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.onion import AuthoritySignature, Consensus, SignedConsensus
from roost.wire.sizes import DIRECTORY_PART
from tests.network.onion_directory import SmallNetwork, make_consensus, make_node, sign, stranger_key
from tests.network.tiny_relay import eventually

NOW = 3_600.0 * 500_000 + 60
PERIOD = 500_000


@pytest.fixture
def network() -> SmallNetwork:
    return SmallNetwork()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(DirectoryRefused) as refused:
        work()
    assert str(refused.value)
    return refused.value.code


# --- what is believed -----------------------------------------------------------------------------------------------


def test_a_document_proves_itself(network: SmallNetwork) -> None:
    encoded = encode(network.document)
    assert read_document(network.host.key, encoded) == network.document
    other = encode(msgspec.structs.replace(network.document, name="Other"))
    for wrong in (other, encoded + b"\0", b"", b"\xc0"):
        assert code_of(lambda wrong=wrong: read_document(network.host.key, wrong)) == "other_network"  # type: ignore[misc]


def test_a_consensus_needs_enough_different_authorities(network: SmallNetwork) -> None:
    directory = Directory(network.document)
    consensus = make_consensus(network.document, PERIOD)
    encoded = encode(consensus)
    one = AuthoritySignature(network.keys[0].public.raw, network.keys[0].sign(Label.ONION_CONSENSUS, encoded))
    for signatures in (
        (),
        (one,),
        (one, one),  # the same one twice
        (one, AuthoritySignature(network.keys[1].public.raw, one.signature)),
        (one, AuthoritySignature(network.keys[1].public.raw, network.keys[1].sign(Label.ONION_VOTE, encoded))),
    ):
        signed = encode(SignedConsensus(encoded, signatures))
        assert code_of(lambda signed=signed: directory.accept(signed, NOW)) == "not_signed"  # type: ignore[misc]
    strangers = sign(consensus, [network.keys[0], stranger_key(), stranger_key()])
    assert code_of(lambda: directory.accept(strangers, NOW)) == "not_signed"
    assert directory.consensus is None
    assert directory.accept(sign(consensus, network.keys[:2]), NOW) == consensus
    assert directory.usable(NOW) == consensus


def test_signatures_are_over_exactly_these_bytes(network: SmallNetwork) -> None:
    signed = decode(SignedConsensus, sign(make_consensus(network.document, PERIOD), network.keys))
    for at in range(0, len(signed.consensus), 7):
        changed = bytearray(signed.consensus)
        changed[at] ^= 1
        data = encode(SignedConsensus(bytes(changed), signed.signatures))
        assert code_of(lambda data=data: Directory(network.document).accept(data, NOW)) == "not_signed"  # type: ignore[misc]


def test_another_networks_consensus_is_refused(network: SmallNetwork) -> None:
    """Even one that the same authorities signed."""
    sister = msgspec.structs.replace(network.document, name="Sister")
    directory = Directory(network.document)
    data = sign(make_consensus(sister, PERIOD), network.keys)
    assert code_of(lambda: directory.accept(data, NOW)) == "other_network"


def test_no_way_leads_back(network: SmallNetwork) -> None:
    directory = Directory(network.document)
    newer = make_consensus(network.document, PERIOD)
    directory.accept(sign(newer, network.keys), NOW)
    older = sign(make_consensus(network.document, PERIOD - 1), network.keys)
    assert code_of(lambda: directory.accept(older, NOW)) == "rolled_back"
    rival = sign(make_consensus(network.document, PERIOD, [make_node(1, PERIOD)]), network.keys)
    assert code_of(lambda: directory.accept(rival, NOW)) == "contradiction"
    assert directory.accept(sign(newer, network.keys[1:]), NOW) == newer  # other signatures, nothing new
    assert directory.consensus == newer


def test_a_consensus_of_a_far_future_is_refused(network: SmallNetwork) -> None:
    """It would shut out all that follow."""
    directory = Directory(network.document)
    data = sign(make_consensus(network.document, PERIOD + 2), network.keys)
    assert code_of(lambda: directory.accept(data, NOW)) == "too_early"
    directory.accept(sign(make_consensus(network.document, PERIOD + 1), network.keys), NOW)


def test_a_consensus_is_good_for_two_more_periods(network: SmallNetwork) -> None:
    directory = Directory(network.document)
    consensus = directory.accept(sign(make_consensus(network.document, PERIOD), network.keys), NOW)
    assert directory.usable(NOW + 2 * 3_600) == consensus
    assert directory.usable(NOW + 3 * 3_600) is None
    assert directory.consensus == consensus  # what comes must be newer all the same


def test_bytes_of_all_kinds_are_refused(network: SmallNetwork) -> None:
    directory = Directory(network.document)
    for data in (
        b"",
        b"\xc0",
        b"\x92\xc4\x01a\x90",
        sign(make_consensus(network.document, PERIOD), network.keys) + b"a",
    ):
        assert code_of(lambda data=data: directory.accept(data, NOW)) in ("malformed", "not_signed")  # type: ignore[misc]


# --- fetching -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def client(network: SmallNetwork, clock: Clock, memory: Forgetful | None = None, **more: object) -> DirectoryClient:
    return DirectoryClient(network.host, connect=network.connect, clock=clock, memory=memory, **more)  # type: ignore[arg-type]


async def test_document_and_consensus_are_fetched_in_parts(network: SmallNetwork) -> None:
    nodes = [make_node(number, PERIOD) for number in range(1, 41)]
    consensus = make_consensus(network.document, PERIOD, nodes)
    assert len(encode(consensus)) > 2 * DIRECTORY_PART
    network.publish(consensus)
    changes: list[tuple[Consensus, Consensus | None]] = []
    async with client(network, Clock(), on_change=lambda *change: changes.append(change)) as directory:
        assert await directory.ready() == consensus
        assert directory.document == network.document
    assert changes == [(consensus, None)]


async def test_lying_and_dead_sources_are_passed_over(network: SmallNetwork) -> None:
    consensus = make_consensus(network.document, PERIOD)
    network.publish(make_consensus(network.document, PERIOD, [make_node(1, PERIOD)]), signers=1)  # forged
    network.publish(consensus, at=[2])
    network.served[1].document = b"\xc0"
    network.down.add(network.keys[0].public.raw)
    network.host = type(network.host)(network.host.key, (network.relays[0].address, network.relays[2].address))
    found = await client(network, Clock()).renew()
    assert found == consensus


async def test_it_says_why_there_is_no_directory(network: SmallNetwork) -> None:
    with pytest.raises(DirectoryUnreachable) as unreachable:
        await client(network, Clock()).renew()  # no consensus yet
    assert unreachable.value.code == "directory_unreachable"
    network.publish(make_consensus(network.document, PERIOD), signers=1)
    with pytest.raises(DirectoryRefused, match="Too few"):
        await client(network, Clock()).renew()
    network.down |= {key.public.raw for key in network.keys}
    with pytest.raises(DirectoryUnreachable):
        await client(network, Clock()).renew()


async def test_what_was_believed_survives_a_restart(network: SmallNetwork) -> None:
    memory, clock = Forgetful(), Clock()
    network.publish(make_consensus(network.document, PERIOD))
    assert await client(network, clock, memory).renew()
    network.down |= {key.public.raw for key in network.keys}
    network.connected.clear()
    async with client(network, clock, memory) as again:
        assert (await again.ready()).period == PERIOD
        assert not network.connected
    network.down.clear()
    clock.now += 7_200
    network.publish(make_consensus(network.document, PERIOD - 1))  # from a backup of the directory, or a liar
    for served in network.served:
        served.period = PERIOD + 9
    later = client(network, clock, memory)
    later._remember()
    assert (await later.renew()).period == PERIOD
    assert network.served[0].asked[-1].after == PERIOD  # type: ignore[union-attr]


async def test_the_next_consensus_is_used_from_its_period_on(network: SmallNetwork) -> None:
    network.publish(make_consensus(network.document, PERIOD))
    clock = Clock()
    directory = client(network, clock)
    await directory.renew()
    clock.now += 3_500  # the next one is out, its period has not begun
    network.publish(make_consensus(network.document, PERIOD + 1))
    assert (await directory.renew()).period == PERIOD
    assert directory.held is not None
    assert directory.held.consensus is not None
    assert directory.held.consensus.period == PERIOD + 1
    clock.now += 60
    assert (await directory.renew()).period == PERIOD + 1


async def test_it_renews_itself_every_period() -> None:
    """On the real clock: periods of two seconds."""
    import time

    network = SmallNetwork(period_s=2)
    began = network.document.period(time.time())
    seen: list[int] = []
    async with DirectoryClient(
        network.host, connect=network.connect, on_change=lambda found, _: seen.append(found.period)
    ) as directory:
        for period in range(began, began + 3):
            network.publish(make_consensus(network.document, period))
            async with asyncio.timeout(20):
                while not seen or seen[-1] < period:  # noqa: ASYNC110 - chance decides when it asks
                    await asyncio.sleep(0.02)
        assert directory.consensus is not None
    assert seen == sorted(set(seen))


async def test_an_old_consensus_is_no_longer_used(network: SmallNetwork) -> None:
    clock = Clock()
    network.publish(make_consensus(network.document, PERIOD))
    directory = client(network, clock)
    await directory.renew()
    clock.now += 3 * 3_600
    assert directory.consensus is None
    with pytest.raises(DirectoryUnreachable):
        await directory.renew()
    network.publish(make_consensus(network.document, PERIOD + 3))
    assert (await directory.renew()).period == PERIOD + 3


async def test_entry_nodes_are_asked_first(network: SmallNetwork) -> None:
    network.publish(make_consensus(network.document, PERIOD))
    favourite = network.relays[2].address
    await client(network, Clock(), prefer=lambda: (favourite,)).renew()
    assert set(network.connected) == {favourite}


async def test_a_directory_comes_over_a_slow_line(network: SmallNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part in time, all of them together not."""
    consensus = make_consensus(network.document, PERIOD, [make_node(number, PERIOD) for number in range(1, 81)])
    assert len(encode(consensus)) > 4 * DIRECTORY_PART
    network.publish(consensus)
    monkeypatch.setattr(DirectoryClient, "_patience", lambda _: 2.0)

    async def slow(address: RelayAddress) -> Link:
        link = await network.connect(address)
        call = link.call

        async def late(request: m.Request) -> m.Response:
            await asyncio.sleep(0.6)
            return await call(request)

        link.call = late  # type: ignore[method-assign]
        return link

    assert await DirectoryClient(network.host, connect=slow, clock=Clock()).renew() == consensus


async def test_a_directory_without_end_is_refused(network: SmallNetwork) -> None:
    for relay in network.relays:
        relay.reply = lambda request: m.DirectoryPart(bytes(10), 4_096) if isinstance(request, m.GetDirectory) else None
    directory = client(network, Clock())
    with pytest.raises(DirectoryRefused, match="large"):
        await directory.renew()
    await eventually(lambda: not any(relay.clients for relay in network.relays))
