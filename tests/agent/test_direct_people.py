"""People without any relay: their devices host their mailboxes, and what they say arrives when the devices meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from roost.agent import events as e
from roost.agent import groups as g
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.messaging import outbox
from roost.messaging.records import Outbox
from roost.network.direct.carrier import CarrierName
from roost.network.direct.memory import Air, MemoryCarrier
from tests.agent.test_service import befriend, following


class Near:
    """Carriers of one air, by the profile's folder."""

    def __init__(self) -> None:
        self.air = Air()
        self.of: dict[str, MemoryCarrier] = {}

    def make(self, name: CarrierName, host: object, folder: Path, *_: object) -> MemoryCarrier:
        assert name is CarrierName.LAN
        carrier = self.of[folder.name] = MemoryCarrier(self.air)
        return carrier


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Near:
    made = Near()
    monkeypatch.setattr("roost.agent.devices.make_carrier", made.make)
    return made


@asynccontextmanager
async def person(folder: Path, name: str) -> AsyncIterator[Service]:
    if not (folder / name).exists():
        await create_profile(folder / name, name, None, None, "none", ("lan",))
    async with Service.open(folder / name) as service:
        yield service


async def texts(service: Service, conversation: str) -> list[str]:
    return [message.text for message in (await service.call(o.Read(conversation=conversation))).messages]


async def until_said(service: Service, conversation: str, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await texts(service, conversation)) < count:  # noqa: ASYNC110 - what another process may write
            await asyncio.sleep(0.05)


async def test_two_people_meet_talk_and_part(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        sent = await alice.call(o.Send(conversation="Bob", text="no server", wait=v.MessageState.DELIVERED))
        assert sent.state == v.MessageState.DELIVERED
        await bob.call(o.Send(conversation="Alice", text="none at all", wait=v.MessageState.DELIVERED))
        assert await texts(alice, "Bob") == await texts(bob, "Alice") == ["no server", "none at all"]

        near.of["Bob"].reachable(False)
        waiting = await alice.call(o.Send(conversation="Bob", text="when we meet"))
        assert waiting.state == v.MessageState.QUEUED
        await asyncio.sleep(0.5)
        async with aclosing(bob.events()) as events:
            near.of["Bob"].reachable(True)
            arrived = await following(events, e.MessageEvent)
        assert arrived.text == "when we meet"
        assert arrived.network == v.NetworkKind.DIRECT


async def test_what_was_said_in_absence_comes_after_a_restart(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice:
        async with person(tmp_path, "Bob") as bob:
            await befriend(alice, bob)
        for number in range(50):
            await alice.call(o.Send(conversation="Bob", text=f"{number}"))
        async with person(tmp_path, "Bob") as bob:
            await until_said(bob, "Alice", 50)
            assert await texts(bob, "Alice") == [f"{number}" for number in range(50)]


async def test_files_go_from_device_to_device_and_go_on_after_a_cut(tmp_path: Path, near: Near) -> None:
    picture = tmp_path / "large.bin"
    picture.write_bytes(bytes(range(256)) * 12_000)
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        sending = asyncio.create_task(
            alice.call(
                o.Send(conversation="Bob", files=(str(picture),), wait=v.MessageState.DELIVERED, wait_timeout_s=60)
            )
        )
        for _ in range(4):
            await asyncio.sleep(0.2)
            near.of["Bob"].reachable(False)
            await asyncio.sleep(0.1)
            near.of["Bob"].reachable(True)
        sent = await sending
        assert sent.state == v.MessageState.DELIVERED
        saved = await bob.call(o.Save(id=sent.id, to=str(tmp_path / "saved")))
        assert await asyncio.to_thread(Path(saved.path).read_bytes) == picture.read_bytes()


async def test_a_host_that_lost_what_a_message_needs_gets_it_again(tmp_path: Path, near: Near) -> None:
    file = tmp_path / "note.txt"
    file.write_text("kept")
    async with person(tmp_path, "Alice") as alice:
        async with person(tmp_path, "Bob") as bob:
            await befriend(alice, bob)
        await alice.call(o.Send(conversation="Bob", files=(str(file),)))
        engine = alice.engine
        (row,) = [row for row in engine.look().find(Outbox) if row.uploads]
        engine.step(outbox.refused, row.number, "blobs_missing")
        async with person(tmp_path, "Bob") as bob:
            await until_said(bob, "Alice", 1)


async def test_a_group_lives_on_a_members_device(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        await alice.call(g.GroupCreate(title="Village", members=("Bob",)))
        async with asyncio.timeout(20):
            while not any(view.state is g.GroupState.ACTIVE for view in (await bob.call(g.Groups()))):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await bob.call(o.Send(conversation="Village", text="from Bob"))
        await alice.call(o.Send(conversation="Village", text="from Alice"))
        await until_said(alice, "Village", 2)
        await until_said(bob, "Village", 2)


async def test_a_link_that_is_opened_before_its_people_are_near_waits_for_them(
    tmp_path: Path, near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.agent.devices.REACH_S", 1.0)
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        link = (await alice.call(o.Invite())).link
        await until_carried(near, "Alice", "Bob")
        near.of["Alice"].reachable(False)
        asked = await bob.call(o.Add(link=link, greeting="we met at the well"))
        assert (asked.waiting, asked.contact) == (True, "")
        (waits,) = [row for row in await bob.call(o.Invitations()) if row.followed]
        assert waits.link == link
        async with aclosing(alice.events()) as events:
            near.of["Alice"].reachable(True)
            request = await following(events, e.RequestEvent)
        assert (request.name, request.greeting) == ("Bob", "we met at the well")
        assert not [row for row in await bob.call(o.Invitations()) if row.followed]


async def test_a_link_that_waits_can_be_forgotten(tmp_path: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.agent.devices.REACH_S", 1.0)
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        link = (await alice.call(o.Invite())).link
        await until_carried(near, "Alice", "Bob")
        near.of["Alice"].reachable(False)
        assert (await bob.call(o.Add(link=link))).waiting
        assert (await bob.call(o.Revoke(invitation=link))).followed
        near.of["Alice"].reachable(True)
        await asyncio.sleep(1)
        assert await alice.call(o.Requests()) == ()


async def until_carried(near: Near, *names: str) -> None:
    async with asyncio.timeout(20):
        while not all(name in near.of and near.of[name].state.ready for name in names):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
