"""All links of a network of nine nodes, captured: no node sees both ends. Who takes packets from a person's address
sees no mailbox, capability or envelope; who keeps a mailbox sees no address but other nodes'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from roost.agent import operations as o
from roost.agent.service import Service
from roost.messaging import records as r
from roost.network.onion.paths import GUARDS
from roost.wire.addresses import OnionHost
from roost.wire.links import RelayLink
from roost.wire.mailbox import Put, Subscribe
from roost.wire.onion import place_of
from roost.wire.sizes import ENVELOPE_SIZE, ONION_PACKET_SIZE
from tests.faults.people import accepted, befriend, make_profile, say, texts, until
from tests.onion.capture import ADDRESS, Capture, capture
from tests.relay.onion_helpers import World, run_all

__all__ = ["capture"]

PEOPLE = {"Alice": "127.77.0.1", "Bob": "127.77.0.2"}
WITHIN_S = 120.0
FILE = bytes(range(256)) * 600


async def test_no_node_sees_both_ends(tmp_path: Path, capture: Capture) -> None:
    world = World(tmp_path / "network", 9)
    link = str(RelayLink(OnionHost(world.document.id, tuple(node.address for node in world.nodes[:2]))))
    (tmp_path / "photo").write_bytes(FILE)
    async with run_all(world), AsyncExitStack() as stack:
        alice, bob = [await joined(stack, tmp_path / name, name, link) for name in PEOPLE]
        await converse(alice, bob, tmp_path)
        assert (tmp_path / "saved").read_bytes() == FILE
        secrets = set(capabilities(alice)) | set(capabilities(bob))
    check_entries(capture, world, secrets)
    check_hosts(capture, world, secrets)


async def joined(stack: AsyncExitStack, folder: Path, name: str, link: str) -> Service:
    """Everything that this person's tasks connect to, they reach from the person's own address."""
    ADDRESS.set(PEOPLE[name])
    try:
        await make_profile(folder, name, link)
        return await stack.enter_async_context(Service.open(folder))
    finally:
        ADDRESS.set(None)


async def converse(alice: Service, bob: Service, folder: Path) -> None:
    await befriend(alice, bob)
    for number in range(4):
        await say(alice, "Bob", f"to Bob {number}")
        await say(bob, "Alice", f"to Alice {number}")
    sent = await alice.call(o.Send(conversation="Bob", text="look", files=(str(folder / "photo"),)))
    await until(bob, lambda: len(texts(bob)) == 9, WITHIN_S)
    await bob.call(o.Save(id=sent.id, to=str(folder / "saved")))
    for one, other in ((alice, bob), (bob, alice)):
        await until(one, lambda other=other: len(texts(other)) >= 9, WITHIN_S)
        await until(one, lambda one=one: not one.engine.look().find(r.Outbox), WITHIN_S)
    assert accepted(alice)


def capabilities(person: Service) -> Iterator[bytes]:
    """Everything with which somebody may do something at a mailbox; each begins with its place."""
    for box in person.engine.look().find(r.OwnMailbox):
        yield from (box.put, box.get, box.admin)


def check_entries(capture: Capture, world: World, secrets: set[bytes]) -> None:
    """What a person's own link shows."""
    guards = {address: {node for node, of in capture.packets if of == address} for address in PEOPLE.values()}
    for address, nodes in guards.items():
        assert 1 <= len(nodes) <= GUARDS, "a person enters by few nodes"
        assert sum(capture.packets[node, address] for node in nodes) > 20
    envelopes = {request.envelope for _, _, request in capture.requests() if isinstance(request, Put)}
    assert len(envelopes) >= 9
    hidden = {secret[:16] for secret in secrets} | {secret[16:] for secret in secrets}
    hidden |= {up.session for _, _, up in capture.arrived}
    hidden |= {envelope[at : at + 32] for envelope in envelopes for at in range(0, ENVELOPE_SIZE, 1_024)}
    hidden |= {address.encode() for address in PEOPLE.values()}
    assert sum(map(len, capture.talked.values())) > 50 * ONION_PACKET_SIZE
    for seen in capture.talked.values():
        assert not [piece for piece in hidden if piece in seen]


def check_hosts(capture: Capture, world: World, secrets: set[bytes]) -> None:
    """What those see who keep the mailboxes."""
    places = {secret[:16] for secret in secrets}
    hosts = capture.hosts()
    assert places <= set(hosts), "what the entries do not see is there to be seen"
    assert any(isinstance(request, Subscribe) for _, _, request in capture.requests())
    nodes = {node.key for node in world.nodes}
    for node, source, _ in capture.arrived:
        assert source.name in nodes, "it came from another node, never from a person's link"
        assert source.name != node
    # A session is known to its host and its client alone, and the client entered elsewhere.
    for person in PEOPLE.values():
        for node, session, request in capture.requests():
            if place_of(request) in places:
                port = next(one.address.port for one in world.nodes if one.key == node)
                assert session not in capture.talked.get((port, person), b"")
    # Nothing joins a packet on one link with what it is on the next.
    assert capture.sizes == {ONION_PACKET_SIZE}
    assert max(capture.samples.values()) == 1


async def test_the_capture_would_show_it(tmp_path: Path, capture: Capture) -> None:
    """The control: somebody who asks an ordinary way is seen with address and mailbox, and found by the same search."""
    from roost.errors import Refused
    from roost.network import connect_relay
    from roost.wire.mailbox import Get

    world = World(tmp_path / "network", 2)
    async with run_all(world):
        ADDRESS.set(PEOPLE["Alice"])
        try:
            async with asyncio.timeout(WITHIN_S):
                link = await connect_relay(world.nodes[0].address)
                try:
                    await link.call(Get(b"a place of sixteen bytes".ljust(32, b"."), 0, 1))
                except Refused:
                    pass
                finally:
                    await link.close()
        finally:
            ADDRESS.set(None)
    seen = capture.talked[world.nodes[0].address.port, PEOPLE["Alice"]]
    assert b"a place of sixteen bytes" in seen
