"""A relay at home: an always-on machine in the house keeps mailboxes, so that people's laptops need never meet.

A real relay process, and agents that meet it by the real local network, in a namespace of their own.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from roost.agent import direct as d
from roost.agent import groups as g
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile, link_device
from roost.errors import CallerError, Refused
from roost.wire.links import parse_relay_link
from tests.agent.test_direct_people import texts, until_said
from tests.agent.test_service import befriend
from tests.apps.processes import Process, Relay
from tests.network.direct.one_network import alone


class HomeRelay(Relay):
    """`roost relay` without an address."""

    def start(self) -> HomeRelay:
        self.process = Process("relay", "--data", str(self.folder), "--carrier", "lan", *self.options)
        ready = self.process.next()
        assert (ready["event"], ready["listen"]) == ("ready", "")
        self.link = ready["link"]
        return self


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with alone():
        yield


@pytest.fixture
def home(network: None, tmp_path: Path) -> Iterator[HomeRelay]:
    relay = HomeRelay(tmp_path / "home").start()
    yield relay
    relay.close()


@asynccontextmanager
async def person(folder: Path, name: str, link: str | None = None) -> AsyncIterator[Service]:
    """Somebody's agent while their laptop is awake; `link`: where a new profile keeps its mailboxes."""
    if not (folder / name).exists():
        await create_profile(folder / name, name, link, None, "none")
    async with Service.open(folder / name) as service:
        yield service


async def until(service: Service, wanted: object) -> None:
    assert callable(wanted)
    async with asyncio.timeout(30):
        while not await wanted():
            await service.engine.changed(0.5)


async def until_stored(service: Service, conversation: str) -> None:
    async def stored() -> bool:
        said = (await service.call(o.Read(conversation=conversation))).messages
        return all(message.state is not v.MessageState.QUEUED for message in said)

    await until(service, stored)


async def relays(service: Service) -> dict[str, v.RelayView]:
    return {"here" if row.here else "home" if row.home else "relay": row for row in await service.call(o.RelaysList())}


async def test_laptops_that_are_never_on_at_the_same_time(tmp_path: Path, home: HomeRelay) -> None:
    file = tmp_path / "photo.bin"
    file.write_bytes(bytes(range(256)) * 2_000)
    async with person(tmp_path, "Alice", home.link) as alice, person(tmp_path, "Bob", home.link) as bob:
        await befriend(alice, bob)
        shown = await relays(alice)
        assert shown["home"].primary
        assert shown["home"].reachable
        assert shown["here"].second
    async with person(tmp_path, "Alice") as alice:
        await alice.call(o.Send(conversation="Bob", text="sleep well", files=(str(file),), wait=v.MessageState.SENT))
    async with person(tmp_path, "Bob") as bob:
        await until_said(bob, "Alice", 1)
        (message,) = (await bob.call(o.Read(conversation="Alice"))).messages
        assert message.network is v.NetworkKind.CENTRAL  # a relay that both use sees both sides, at home too
        saved = await bob.call(o.Save(id=message.id, to=str(tmp_path / "saved")))
        assert await asyncio.to_thread(Path(saved.path).read_bytes) == file.read_bytes()
        await bob.call(o.Send(conversation="Alice", text="good morning", wait=v.MessageState.SENT))
    async with person(tmp_path, "Alice") as alice:
        await until_said(alice, "Bob", 2)
        assert await texts(alice, "Bob") == ["sleep well", "good morning"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_relay_may_stop_at_any_time(tmp_path: Path, home: HomeRelay, number: signal.Signals) -> None:
    """What it took in is there when it is back, and nobody has to do anything about it."""
    async with person(tmp_path, "Alice", home.link) as alice:
        async with person(tmp_path, "Bob", home.link) as bob:
            await befriend(alice, bob)
        await alice.call(o.Send(conversation="Bob", text="before", wait=v.MessageState.SENT))
        link = home.link
        home.stop(number)
        await alice.call(o.Send(conversation="Bob", text="meanwhile"))
        home.start()
        assert home.link == link
        await until_stored(alice, "Bob")
    async with person(tmp_path, "Bob") as bob:
        await until_said(bob, "Alice", 2)
        assert await texts(bob, "Alice") == ["before", "meanwhile"]


async def test_it_is_added_beside_a_relay_and_left_again(tmp_path: Path, home: HomeRelay) -> None:
    """Carriers are turned on for it; contacts get an address there to fall back on; leaving it is like any other."""
    relay = Relay(tmp_path / "relay").start()
    try:
        async with person(tmp_path, "Alice", relay.link) as alice, person(tmp_path, "Bob", relay.link) as bob:
            await befriend(alice, bob)
            added = await bob.call(o.RelaysAdd(link=home.link))
            assert (added.home, added.second, added.reachable) == (True, True, True)
            assert added.host.startswith("home-")
            await bob.call(o.Send(conversation="Alice", text="I have moved in", wait=v.MessageState.DELIVERED))
            await alice.call(o.RelaysAdd(link=home.link))
            relay.stop()
            await alice.call(o.Send(conversation="Bob", text="the internet is down", wait=v.MessageState.DELIVERED))
            assert await texts(bob, "Alice") == ["I have moved in", "the internet is down"]
            relay.start()
            removed = await bob.call(o.RelaysRemove(host=added.host))
            assert removed.done == "removed"
            assert set(await relays(bob)) == {"relay", "here"}
            with pytest.raises(CallerError):
                await bob.call(o.RelaysRemove(host=added.host))
    finally:
        relay.close()


async def test_it_passes_on_to_other_peoples_relays(tmp_path: Path, network: None) -> None:
    """And what they write comes to it over the carriers that they have."""
    (tmp_path / "home.toml").write_text('forward_networks = ["127.0.0.0/8"]\n')
    home = HomeRelay(tmp_path / "home", "--config", str(tmp_path / "home.toml")).start()
    relay = Relay(tmp_path / "relay").start()
    try:
        async with person(tmp_path, "Alice", home.link) as alice, person(tmp_path, "Bob", relay.link) as bob:
            await bob.call(d.CarriersTurn(carriers=(d.CarrierKind.LAN,), on=True))
            await befriend(bob, alice)
            await alice.call(o.Send(conversation="Bob", text="by way of home", wait=v.MessageState.SENT))
            await bob.call(o.Send(conversation="Alice", text="straight there", wait=v.MessageState.DELIVERED))
            await until_said(alice, "Bob", 2)
            said = {said.text: said.network for said in (await bob.call(o.Read(conversation="Alice"))).messages}
            assert said["straight there"] is v.NetworkKind.DIRECT
    finally:
        relay.close()
        home.close()


async def test_ones_own_devices_need_not_be_on_at_the_same_time(tmp_path: Path, home: HomeRelay) -> None:
    async with person(tmp_path, "Alice", home.link) as alice, person(tmp_path, "Bob", home.link) as bob:
        await befriend(alice, bob)
        code = (await link_device(tmp_path / "Desktop", "Desktop", home.link, None, "none")).code
        async with person(tmp_path, "Desktop") as desktop:
            await alice.call(o.DeviceConfirm(code=code))
            await until(desktop, lambda: linked(desktop))
        await bob.call(o.Send(conversation="Alice", text="to both", wait=v.MessageState.DELIVERED))
        await alice.call(o.Send(conversation="Bob", text="from the laptop", wait=v.MessageState.DELIVERED))
    async with person(tmp_path, "Desktop") as desktop:
        await until_said(desktop, "Bob", 2)
        assert sorted(await texts(desktop, "Bob")) == ["from the laptop", "to both"]


async def test_a_group_lives_at_home(tmp_path: Path, home: HomeRelay) -> None:
    async with person(tmp_path, "Alice", home.link) as alice:
        async with person(tmp_path, "Bob", home.link) as bob:
            await befriend(alice, bob)
        await alice.call(g.GroupCreate(title="House", members=("Bob",)))
        await alice.call(o.Send(conversation="House", text="who cooks?", wait=v.MessageState.SENT))
    async with person(tmp_path, "Bob") as bob:

        async def in_it() -> bool:
            return [(view.title, view.state) for view in await bob.call(g.Groups())] == [("House", g.GroupState.ACTIVE)]

        await until(bob, in_it)
        await bob.call(o.Send(conversation="House", text="I do", wait=v.MessageState.SENT))
        assert (await texts(bob, "House"))[-2:] == ["who cooks?", "I do"]  # after what the group notes itself
    async with person(tmp_path, "Alice") as alice:

        async def answered() -> bool:
            return (await texts(alice, "House"))[-1:] == ["I do"]

        await until(alice, answered)
        said = (await alice.call(o.Read(conversation="House"))).messages[-1]
        assert said.network is v.NetworkKind.CENTRAL


async def linked(service: Service) -> bool:
    return service.engine.look().me.linked


async def test_who_keeps_mailboxes_on_the_laptop_itself_takes_a_relay_too(tmp_path: Path, network: None) -> None:
    """The laptop forwards nothing, and people without carriers do not reach it: both go by way of the relay."""
    mine, theirs = Relay(tmp_path / "mine").start(), Relay(tmp_path / "theirs").start()
    try:
        await create_profile(tmp_path / "Alice", "Alice", None, None, "none", ("lan",))
        async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob", theirs.link) as bob:
            assert (await alice.call(o.RelaysAdd(link=mine.link))).primary
            assert (await relays(alice))["here"].second
            await befriend(bob, alice)
            await alice.call(o.Send(conversation="Bob", text="hello", wait=v.MessageState.SENT))
            await until_said(bob, "Alice", 1)
            await bob.call(o.Send(conversation="Alice", text="to your relay", wait=v.MessageState.DELIVERED))
            assert await texts(alice, "Bob") == ["hello", "to your relay"]
    finally:
        mine.close()
        theirs.close()


async def test_who_was_given_another_access_secret_keeps_nothing_there(tmp_path: Path, home: HomeRelay) -> None:
    relay = parse_relay_link(home.link)
    link = str(msgspec.structs.replace(relay, access="another"))
    async with person(tmp_path, "Mallory", link) as mallory:
        with pytest.raises(Refused) as caught:
            await mallory.call(o.Invite())
        assert caught.value.code == "not_admitted"
