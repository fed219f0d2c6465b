"""Agents of people on an onion network of real nodes: all that works by relays works where nobody has one, and between
them and those who do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from roost.agent import browsing as b
from roost.agent import channels as ch
from roost.agent import events as e
from roost.agent import groups as g
from roost.agent import opening, showing, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.engine import Engine
from roost.agent.service import Service, create_profile, link_device
from roost.errors import CallerError, Refused, Unreachable
from roost.messaging import travel
from roost.messaging.records import EnteredNetwork, Event, Message, OnionMemory, PeerDevice
from roost.wire.addresses import OnionHost
from roost.wire.links import RelayLink, parse_relay_link
from roost.wire.mailbox import Get
from tests.agent.test_service import befriend, following
from tests.apps.processes import Relay
from tests.relay.onion_helpers import World, run_all

WITHIN_S = 90.0  # a busy machine makes and opens many packets


@pytest.fixture
def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    made = Relay(tmp_path / "relay").start()
    yield made
    made.close()


@asynccontextmanager
async def network(folder: Path) -> AsyncIterator[str]:
    """The link of a network of seven nodes, which have its directory."""
    world = World(folder / "network", 7)
    async with run_all(world):
        places = tuple(node.address for node in world.nodes[:2])
        yield str(RelayLink(OnionHost(world.document.id, places)))


async def joined(stack: AsyncExitStack, folder: Path, name: str, *networks: str, relay: str | None = None) -> Service:
    await create_profile(folder / name, name, relay, None, "none", (), networks)
    return await stack.enter_async_context(Service.open(folder / name))


def parse_host(link: str) -> OnionHost:
    host = parse_relay_link(link).address
    assert isinstance(host, OnionHost)
    return host


def _has(service: Service, message: str) -> bool:
    return service.engine.look().get(Message, bytes.fromhex(message)) is not None


async def shown(service: Service, conversation: str) -> list[v.MessageView]:
    page = await service.call(o.Read(conversation=conversation, mark_read=False))
    return list(page.messages)


async def by_onion(service: Service, contact: Service) -> None:
    """Until it knows an address of the contact's on the network."""
    account = contact.engine.look().me.account
    known = await syncing.until(
        service.engine,
        lambda: v.NetworkKind.ONION in showing.networks_of(service.engine.look(), account),
        WITHIN_S,
    )
    assert known


async def test_people_with_nothing_but_an_onion_address(tmp_path: Path) -> None:
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", link)
        bob = await joined(stack, tmp_path, "Bob", link)
        assert alice.engine.look().find(OnionMemory)  # what was learned at the first look is kept
        await befriend(alice, bob)
        (relay,) = (await alice.call(o.Status())).relays
        assert (relay.onion, relay.reachable) == (True, True)
        assert relay.link_host.startswith("network-")
        (contact,) = await bob.call(o.Contacts())
        assert (contact.name, contact.networks) == ("Alice", (v.NetworkKind.ONION,))

        photo = tmp_path / "photo.bin"
        photo.write_bytes(content := bytes(range(256)) * 1_000)
        async with aclosing(bob.events()) as at_bob:
            sent = await alice.call(o.Send(conversation="Bob", text="hello", files=(str(photo),)))
            heard = await following(at_bob, e.MessageEvent, within_s=WITHIN_S)
            assert (heard.text, heard.network, heard.id) == ("hello", v.NetworkKind.ONION, sent.id)
            await bob.call(o.Save(id=sent.id, to=str(tmp_path / "saved.bin")))
            assert await asyncio.to_thread((tmp_path / "saved.bin").read_bytes) == content
        async with aclosing(alice.events()) as at_alice:
            await bob.call(o.MarkRead(conversation="Alice", upto=sent.id))
            read = await following(at_alice, e.ReceiptEvent, lambda event: event.state is v.MessageState.READ, WITHIN_S)
            assert read.id == sent.id
        (mine,) = await shown(alice, "Bob")
        assert (mine.network, mine.state) == (v.NetworkKind.ONION, v.MessageState.READ)


async def test_a_full_disk_keeps_nobody_out_of_a_network(tmp_path: Path, relay: Relay) -> None:
    """What cannot be written of it is written later; the person is told."""
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", relay=relay.link)
        host = parse_host(link)
        opening.enter(alice.engine, host)
        database = alice.engine.profile.store._database
        async with aclosing(alice.events()) as events:
            database.rows(f"PRAGMA max_page_count = {database.rows('PRAGMA page_count')[0][0]}")
            with pytest.raises(Refused):
                await alice.engine.network.call(host, Get(bytes(32), 0))
            told = await following(events, e.WarningEvent, within_s=WITHIN_S)
            assert told.code == "disk_full"
            database.rows("PRAGMA max_page_count = 1000000")

        def kept() -> set[str]:
            return {row.name.rpartition("/")[2] for row in alice.engine.look().find(OnionMemory)}

        assert kept() < {"document", "consensus", "guards"}
        alice.engine.wake()
        assert await syncing.until(alice.engine, lambda: kept() == {"document", "consensus", "guards"}, WITHIN_S)


async def test_a_group_on_a_network(tmp_path: Path) -> None:
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice, bob, carol = [await joined(stack, tmp_path, name, link) for name in ("Alice", "Bob", "Carol")]
        await befriend(alice, bob)
        await befriend(alice, carol)
        async with aclosing(bob.events()) as at_bob, aclosing(carol.events()) as at_carol:
            await alice.call(g.GroupCreate(title="Choir", members=("Bob", "Carol")))
            for events in (at_bob, at_carol):
                await following(events, e.GroupEvent, lambda event: event.change == "joined", WITHIN_S)
            await bob.call(o.Send(conversation="Choir", text="la"))
            heard = await following(at_carol, e.MessageEvent, lambda event: event.text == "la", WITHIN_S)
            assert heard.network == v.NetworkKind.ONION
        route = await carol.call(b.Route(conversation="Choir"))
        assert route.network is v.NetworkKind.ONION
        assert [hop.party for hop in route.hops] == ["me", "entry", "middle", "exit", "swarm", "member"]
        route = await carol.call(b.SetTiming(conversation="Choir", timing=v.Timing.MIXED))
        assert route.timing is v.Timing.MIXED


async def test_a_group_on_a_network_that_one_never_entered(tmp_path: Path, relay: Relay) -> None:
    """Nobody calls there before the person says so: then their other device does, too."""
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", relay=relay.link)
        bob = await joined(stack, tmp_path, "Bob", relay=relay.link)
        code = (await link_device(tmp_path / "phone", "phone", relay.link, None, "none")).code
        await alice.call(o.DeviceConfirm(code=code))
        phone = await stack.enter_async_context(Service.open(tmp_path / "phone"))
        await befriend(alice, bob)
        assert await syncing.until(bob.engine, lambda: len(bob.engine.look().find(PeerDevice)) == 2, WITHIN_S)
        await bob.call(o.RelaysAdd(link=link))
        await bob.call(o.RelaysRemove(host=(await bob.call(o.RelaysList()))[0].host))
        async with aclosing(alice.events()) as at_alice, aclosing(phone.events()) as at_phone:
            await bob.call(g.GroupCreate(title="Choir", members=("Alice",)))
            await bob.call(o.Send(conversation="Choir", text="la"))
            told = await following(at_alice, e.WarningEvent, within_s=WITHIN_S)
            assert told.code == "foreign_network"
            route = await alice.call(b.Route(conversation=told.conversation))
            assert (route.foreign, route.network) == (True, v.NetworkKind.ONION)
            assert "would learn your network address" in route.note
            assert {row.name: row.foreign for row in await alice.call(b.Conversations())}["Choir"]
            assert not alice.engine.network.knows_nodes(parse_host(link))

            entered = await alice.call(b.NetworkEnter(conversation="Choir"))
            assert (entered.foreign, entered.note) == (False, "")
            for events in (at_alice, at_phone):
                heard = await following(events, e.MessageEvent, lambda event: event.text == "la", WITHIN_S)
                assert heard.network == v.NetworkKind.ONION
        sent = await alice.call(o.Send(conversation="Choir", text="so"))
        assert await syncing.until(bob.engine, lambda: _has(bob, sent.id), WITHIN_S)
        assert not any(row.foreign for row in await alice.call(b.Conversations()))

        engine, host = alice.engine, parse_host(link)
        await alice.call(g.GroupLeave(group="Choir", wait_timeout_s=WITHIN_S))
        await alice.call(o.DeleteContact(contact="Bob"))
        engine.step(lambda work: work.put(EnteredNetwork(host.key, 0)))  # it is long ago

        def left() -> bool:
            engine._tick_at = 0
            engine.wake()
            return not engine.network.knows_nodes(host)

        assert await syncing.until(engine, left, WITHIN_S)
        assert engine.look().find(OnionMemory) == []


async def test_one_with_a_relay_and_one_with_a_network(tmp_path: Path, relay: Relay) -> None:
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", relay=relay.link)
        bob = await joined(stack, tmp_path, "Bob", link)
        await befriend(alice, bob)
        async with aclosing(alice.events()) as at_alice, aclosing(bob.events()) as at_bob:
            await alice.call(o.Send(conversation="Bob", text="to the network"))
            await following(at_bob, e.MessageEvent, lambda event: event.text == "to the network", WITHIN_S)
            await bob.call(o.Send(conversation="Alice", text="to the relay"))
            await following(at_alice, e.MessageEvent, lambda event: event.text == "to the relay", WITHIN_S)
        assert (await alice.call(b.Route(conversation="Bob"))).network is v.NetworkKind.ONION
        assert (await bob.call(b.Route(conversation="Alice"))).network is v.NetworkKind.FEDERATED


async def test_a_relay_and_a_network_and_how_a_conversation_travels(tmp_path: Path, relay: Relay) -> None:
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", relay=relay.link)
        bob = await joined(stack, tmp_path, "Bob", link, relay=relay.link)
        await befriend(bob, alice)
        with pytest.raises(CallerError) as refused:
            await bob.call(b.Prefer(conversation="Alice", network=v.NetworkKind.ONION))
        assert refused.value.code == "not_available"
        assert "central" in refused.value.hint
        await alice.call(o.RelaysAdd(link=link))
        async with aclosing(bob.events()) as at_bob, aclosing(alice.events()) as at_alice:
            await by_onion(bob, alice)
            await by_onion(alice, bob)
            chosen = await bob.call(b.Prefer(conversation="Alice", network=v.NetworkKind.ONION))
            assert (chosen.network, chosen.prefers) == (v.NetworkKind.ONION, v.NetworkKind.ONION)
            assert chosen.delays[v.Timing.MIXED] > chosen.delays[v.Timing.FAST] > 0
            await bob.call(o.Send(conversation="Alice", text="hidden"))
            heard = await following(at_alice, e.MessageEvent, within_s=WITHIN_S)
            assert (heard.text, heard.network) == ("hidden", v.NetworkKind.ONION)
            held = await bob.call(b.Floor(conversation="Alice", network=v.NetworkKind.ONION))
            assert (held.floor, held.held) == (v.NetworkKind.ONION, False)
            await following(at_alice, e.ContactEvent, lambda event: event.change == "floor", WITHIN_S)
            relay.stop()  # nothing needs it any more
            sent = await alice.call(o.Send(conversation="Bob", text="without it"))
            await following(at_bob, e.MessageEvent, lambda event: event.text == "without it", WITHIN_S)
            assert sent.conversation == (await bob.call(o.WhoAmI())).account


async def test_a_channel_and_a_second_device(tmp_path: Path) -> None:
    async with network(tmp_path) as link, AsyncExitStack() as stack:
        alice, bob = [await joined(stack, tmp_path, name, link) for name in ("Alice", "Bob")]
        await befriend(alice, bob)
        made = await alice.call(ch.ChannelCreate(title="News", posting=ch.Posting.ALL))
        assert made.link.startswith("roost-channel:")
        async with aclosing(bob.events()) as at_bob, aclosing(alice.events()) as at_alice:
            await bob.call(ch.ChannelJoin(link=made.link, name="B", wait_timeout_s=WITHIN_S))
            await alice.call(o.Send(conversation="News", text="welcome"))
            heard = await following(at_bob, e.MessageEvent, within_s=WITHIN_S)
            assert (heard.text, heard.network) == ("welcome", v.NetworkKind.ONION)
            await bob.call(o.Send(conversation="News", text="thanks"))
            posted = await following(at_alice, e.MessageEvent, lambda event: event.text == "thanks", WITHIN_S)
            assert posted.from_name == "B"

        code = (await link_device(tmp_path / "phone", "phone", None, None, "none", (), (link,))).code
        await alice.call(o.DeviceConfirm(code=code))
        await alice.call(b.SetTiming(conversation="Bob", timing=v.Timing.MIXED))
        phone = await stack.enter_async_context(Service.open(tmp_path / "phone"))
        me, them = alice.engine.look().me.account, bob.engine.look().me.account
        assert await syncing.until(phone.engine, lambda: travel.chosen(phone.engine.look(), them).mixed, WITHIN_S)
        assert await syncing.until(bob.engine, lambda: len(bob.engine.look().find(PeerDevice)) == 2, WITHIN_S)
        async with aclosing(phone.events()) as at_phone, aclosing(alice.events()) as at_alice:
            await bob.call(o.Send(conversation="Alice", text="to both"))
            for events in (at_phone, at_alice):
                heard = await following(events, e.MessageEvent, within_s=WITHIN_S)
                assert (heard.text, heard.network) == ("to both", v.NetworkKind.ONION)
        (contact,) = await phone.call(o.Contacts())
        assert (contact.name, contact.networks) == ("Bob", (v.NetworkKind.ONION,))
        assert phone.engine.look().me.account == me


async def keep_trying(engine: Engine) -> None:
    while True:
        engine.network.retry_now()
        engine.wake()
        await asyncio.sleep(0.5)


async def refusal(service: Service) -> str:
    """Why there is no invitation."""
    with pytest.raises(Unreachable) as refused:
        await service.call(o.Invite())
    return refused.value.code


async def test_a_network_of_too_few_nodes_is_waited_for_quietly(tmp_path: Path) -> None:
    """What waits for a way says nothing each time that it found none: the connection's state says why."""
    world = World(tmp_path / "network", 3)
    link = str(RelayLink(OnionHost(world.document.id, tuple(node.address for node in world.nodes[:2]))))
    async with run_all(world), AsyncExitStack() as stack:
        alice = await joined(stack, tmp_path, "Alice", link)
        told: list[Event] = []
        alice.engine.listen(told.append)
        async with asyncio.timeout(2 * WITHIN_S), asyncio.TaskGroup() as group:
            trying = group.create_task(keep_trying(alice.engine))
            while await refusal(alice) != "too_few_nodes":
                pass  # its nodes were not known yet
            asked = [group.create_task(refusal(alice)) for _ in range(3)]
            await asyncio.sleep(6)
            assert {await task for task in asked} == {"too_few_nodes"}
            trying.cancel()
        assert not [event.detail for event in told if event.kind == "trouble"]
