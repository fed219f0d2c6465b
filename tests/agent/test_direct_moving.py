"""A conversation with several addresses: the best allowed way is used, another one when it fails, and it again when it
heals; nothing comes twice, and nothing goes below the floor."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roost.agent import browsing as b
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.messaging import mailboxes, peers
from roost.messaging.records import MailboxState, OwnMailbox, PeerDevice
from roost.messaging.work import Work
from tests.agent.test_direct_people import Near, near, texts, until_said
from tests.agent.test_service import befriend
from tests.apps.processes import Relay

__all__ = ["near"]


@asynccontextmanager
async def person(folder: Path, name: str, link: str) -> AsyncIterator[Service]:
    """Somebody with mailboxes at a relay and on their own device."""
    await create_profile(folder / name, name, link, None, "none", ("lan",))
    async with Service.open(folder / name) as service:
        yield service


@pytest.fixture
async def both(tmp_path: Path, near: Near) -> AsyncIterator[tuple[Service, Service, Relay]]:
    relay = Relay(tmp_path / "relay").start()
    try:
        async with person(tmp_path, "Alice", relay.link) as alice, person(tmp_path, "Bob", relay.link) as bob:
            await befriend(alice, bob)
            await until(lambda: told_of_both(alice))
            await until(lambda: told_of_both(bob))
            yield alice, bob, relay
    finally:
        relay.close()


async def told_of_both(service: Service) -> bool:
    """Whether the other's device has said that it can be written to at the relay and at itself."""
    peers = service.engine.look().find(PeerDevice)
    return bool(peers) and all(peer.address is not None and peer.fallback is not None for peer in peers)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - what another task does
            await asyncio.sleep(0.05)


async def ways(service: Service, conversation: str) -> list[v.NetworkKind]:
    page = await service.call(o.Read(conversation=conversation))
    return [message.network for message in page.messages if message.sender == v.ME]


async def until_went(service: Service, by: list[v.NetworkKind]) -> None:
    """What went by which network is written down a moment after it went."""

    async def told() -> bool:
        return await ways(service, "Bob") == by

    await until(told)


async def say(service: Service, text: str) -> None:
    await service.call(o.Send(conversation="Bob", text=text, wait=v.MessageState.DELIVERED))


async def test_what_is_said_goes_directly_while_they_are_near(
    both: tuple[Service, Service, Relay],
    near: Near,
) -> None:
    alice, bob, _ = both
    await until(lambda: reached(alice))
    await say(alice, "near")
    near.of["Bob"].reachable(False)
    await until(lambda: parted(alice))
    await say(alice, "by the relay")
    near.of["Bob"].reachable(True)
    await until(lambda: reached(alice))
    await say(alice, "near again")
    assert await texts(bob, "Alice") == ["near", "by the relay", "near again"]
    await until_went(alice, [v.NetworkKind.DIRECT, v.NetworkKind.CENTRAL, v.NetworkKind.DIRECT])


async def reached(service: Service) -> bool:
    return bool(service.engine.network.direct and service.engine.network.direct.standing())


async def parted(service: Service) -> bool:
    return not await reached(service)


async def test_without_the_relay_it_goes_on_directly(
    both: tuple[Service, Service, Relay],
    near: Near,
) -> None:
    alice, bob, relay = both
    await until(lambda: reached(alice))
    relay.stop(signal.SIGKILL)
    await say(alice, "the relay is gone")
    await until_went(alice, [v.NetworkKind.DIRECT])
    near.of["Bob"].reachable(False)
    await until(lambda: parted(alice))
    await alice.call(o.Send(conversation="Bob", text="nothing is left"))
    near.of["Bob"].reachable(True)
    await until_said(bob, "Alice", 2)
    relay.start()
    await say(alice, "everything is there")
    assert await texts(bob, "Alice") == ["the relay is gone", "nothing is left", "everything is there"]


async def test_a_way_that_comes_and_goes_brings_everything_once_and_in_order(
    both: tuple[Service, Service, Relay],
    near: Near,
) -> None:
    alice, bob, _ = both
    said = [f"{number}" for number in range(120)]

    async def flicker() -> None:
        while True:
            near.of["Bob"].reachable(False)
            await asyncio.sleep(0.15)
            near.of["Bob"].reachable(True)
            await asyncio.sleep(0.3)

    flickering = asyncio.create_task(flicker())
    for text in said:
        await alice.call(o.Send(conversation="Bob", text=text))
        await asyncio.sleep(0.02)
    await until_said(bob, "Alice", len(said))
    flickering.cancel()
    near.of["Bob"].reachable(True)
    await asyncio.sleep(1)
    assert await texts(bob, "Alice") == said
    assert {v.NetworkKind.DIRECT, v.NetworkKind.CENTRAL} >= set(await ways(alice, "Bob"))


async def test_below_the_floor_nothing_goes_by_the_relay(
    both: tuple[Service, Service, Relay],
    near: Near,
) -> None:
    alice, bob, _ = both
    await until(lambda: reached(alice))
    await alice.call(b.Floor(conversation="Bob", network=v.NetworkKind.FEDERATED))
    await say(alice, "over no relay that we share")
    near.of["Bob"].reachable(False)
    await until(lambda: parted(alice))
    await alice.call(o.Send(conversation="Bob", text="waits for a way"))
    await asyncio.sleep(4)
    assert await texts(bob, "Alice") == ["over no relay that we share"]
    near.of["Bob"].reachable(True)
    await until_said(bob, "Alice", 2)
    await until_went(alice, [v.NetworkKind.DIRECT, v.NetworkKind.DIRECT])


async def test_a_relay_that_is_gone_for_good_holds_up_nothing(
    both: tuple[Service, Service, Relay],
    near: Near,
) -> None:
    """Also when a new mailbox is due there, whose address is to be told."""
    alice, bob, relay = both
    relay.stop(signal.SIGKILL)
    await until(lambda: reached(alice))

    def rotate(work: Work) -> None:
        for mailbox in work.find(OwnMailbox, where={"state": int(MailboxState.ACTIVE)}):
            mailboxes.rotate(work, mailbox)
        peers.announce_all(work)

    alice.engine.step(rotate)
    await say(alice, "still here")
    await bob.call(o.Send(conversation="Alice", text="and here", wait=v.MessageState.DELIVERED))
    relay.start()
    await say(alice, "and back")
    assert await texts(alice, "Bob") == ["still here", "and here", "and back"]
