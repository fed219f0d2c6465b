"""The agent in this process over real relays: what the loops of the engine must do, as seen by whoever listens."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from roost.agent import events as e
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.errors import CallerError, SurroundingsError
from roost.messaging import peers
from roost.messaging.records import PeerDevice
from roost.messaging.work import Work
from tests.apps.processes import Relay

E = TypeVar("E")


@pytest.fixture
def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    made = Relay(tmp_path / "relay").start()
    yield made
    made.close()


@asynccontextmanager
async def people(folder: Path, link: str, *names: str) -> AsyncIterator[tuple[Service, ...]]:
    """Services of people who are contacts of the first one."""
    async with AsyncExitStack() as stack:
        made = []
        for name in names:
            await create_profile(folder / name, name, link, None, "none")
            made.append(await stack.enter_async_context(Service.open(folder / name)))
        for other in made[1:]:
            await befriend(made[0], other)
        yield tuple(made)


async def befriend(first: Service, second: Service) -> None:
    async with aclosing(first.events()) as at_first, aclosing(second.events()) as at_second:
        await second.call(o.Add(link=(await first.call(o.Invite())).link))
        request = await following(at_first, e.RequestEvent)
        await first.call(o.Accept(id=request.id))
        await following(at_second, e.ContactEvent, lambda event: event.change == "accepted")


async def following(
    events: AsyncIterator[e.Event], kind: type[E], wanted: Callable[[E], bool] = lambda _: True, within_s: float = 20
) -> E:
    """The next event of a kind that is wanted."""
    async with asyncio.timeout(within_s):
        async for event in events:
            if isinstance(event, kind) and wanted(event):
                return event
    raise AssertionError("the events ended")


async def nothing_more(events: AsyncIterator[e.Event]) -> None:
    with pytest.raises(TimeoutError):
        await following(events, e.MessageEvent, within_s=0.5)


async def test_typing_is_told_and_not_kept(tmp_path: Path, relay: Relay) -> None:
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, bob):
        async with aclosing(bob.events()) as events:
            await alice.call(o.Send(conversation="Bob", text="one moment", wait=v.MessageState.DELIVERED))
            await alice.call(o.Typing(conversation="Bob", active=True))
            told = await following(events, e.TypingEvent)
        assert told.active
        assert told.sender == (await alice.call(o.WhoAmI())).account
        async with aclosing(bob.events(from_now=False)) as events:
            heard = await following(events, e.MessageEvent)  # kept ones only: no typing comes before or after it
            assert heard.text == "one moment"


async def test_an_edit_is_told_as_it_was_written(tmp_path: Path, relay: Relay) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"not really")
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, bob), aclosing(bob.events()) as events:
        sent = await alice.call(o.Send(conversation="Bob", text="look", files=(str(photo),)))
        await alice.call(o.Edit(id=sent.id, text="  look here "))
        assert (await following(events, e.EditEvent)).text == "  look here "


async def test_a_message_that_waits_says_why(tmp_path: Path, relay: Relay) -> None:
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, bob):
        await bob.call(o.Block(contact="Alice"))
        await bob.call(o.Sync())  # the mailbox is gone
        sent = await alice.call(o.Send(conversation="Bob", text="hello?", wait=v.MessageState.SENT, wait_timeout_s=1.0))
        assert sent.state == v.MessageState.QUEUED
        assert sent.reason == "They moved to another mailbox or blocked you; it is tried again."
        relay.stop()
        sent = await alice.call(o.Send(conversation="Bob", text="now?", wait=v.MessageState.SENT, wait_timeout_s=1.0))
        assert sent.state is v.MessageState.QUEUED
        assert sent.reason in {"The relay is restarting.", "Nothing listens at the relay's address."}


async def test_many_messages_at_once_arrive_once_and_in_order(tmp_path: Path, relay: Relay) -> None:
    texts = [f"message {number}" for number in range(150)]
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, bob):
        async with aclosing(bob.events()) as events:
            await asyncio.gather(*(alice.call(o.Send(conversation="Bob", text=text)) for text in texts))
            arrived = [(await following(events, e.MessageEvent)).text for _ in texts]
        assert arrived == texts
        page = await bob.call(o.Read(conversation="Alice"))
        assert [message.text for message in page.messages] == texts


async def test_listeners_hear_what_they_missed_once(tmp_path: Path, relay: Relay) -> None:
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, _):
        await alice.call(o.Send(conversation="Bob", text="while nobody listened", wait=v.MessageState.DELIVERED))
    async with Service.open(tmp_path / "Bob") as bob, aclosing(bob.events(from_now=False)) as events:
        assert (await following(events, e.MessageEvent)).text == "while nobody listened"
        await nothing_more(events)  # an event counts as heard when the next one is asked for
    async with Service.open(tmp_path / "Bob") as bob, aclosing(bob.events(from_now=False)) as events:
        await nothing_more(events)


async def test_two_contacts_are_introduced_and_meet(tmp_path: Path, relay: Relay) -> None:
    async with people(tmp_path, relay.link, "Carol", "Alice", "Bob") as (carol, alice, bob):
        async with aclosing(bob.events()) as events:
            await carol.call(o.Introduce(first="Alice", second="Bob"))
            meet = await following(events, e.MessageEvent)
        assert meet.text.startswith("Meet Alice: roost:")
        async with aclosing(alice.events()) as events:
            await bob.call(o.Add(link=meet.text.partition(": ")[2]))
            request = await following(events, e.RequestEvent)
        assert request.name == "Bob"
        await alice.call(o.Accept(id=request.id))
        sent = await alice.call(o.Send(conversation="Bob", text="so it is you", wait=v.MessageState.DELIVERED))
        assert sent.state is v.MessageState.DELIVERED


async def test_a_relay_that_lost_everything_gets_the_mailboxes_again(tmp_path: Path, relay: Relay) -> None:
    """Its key and access secret survive, its database does not: capabilities are the clients', so all is made again."""
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, bob):
        await alice.call(o.Send(conversation="Bob", text="before", wait=v.MessageState.DELIVERED))
        relay.stop(signal.SIGKILL)
        for file in relay.folder.glob("*.db*"):
            file.unlink()
        for folder in relay.folder.glob("blobs*"):
            shutil.rmtree(folder)
        relay.start()
        async with aclosing(bob.events()) as events:
            await alice.call(o.Send(conversation="Bob", text="after"))
            while (await following(events, e.MessageEvent, within_s=60)).text != "after":
                pass
        sent = await bob.call(o.Send(conversation="Alice", text="back", wait=v.MessageState.DELIVERED))
        assert sent.state is v.MessageState.DELIVERED


async def test_operations_that_cannot_be_done_say_so_and_change_nothing(tmp_path: Path, relay: Relay) -> None:
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, _):
        for request, code in (
            (o.Send(conversation="Bob"), "empty_message"),
            (o.Send(conversation="Bob", text="x" * 70_000), "too_long"),
            (o.Send(conversation="Bob", files=(str(tmp_path / "none"),)), "no_such_file"),
            (o.Send(conversation="Bob", text="x", reply_to="00" * 16), "unknown_message"),
            (o.Rename(contact="Bob", name="a\nb"), "bad_name"),
            (o.RelaysRemove(host="127.0.0.1"), "last_relay"),
            (o.DeviceRemove(device=(await alice.call(o.WhoAmI())).device), "own_device"),
        ):
            with pytest.raises((CallerError, SurroundingsError)) as raised:
                await alice.call(request)
            assert raised.value.code == code
        assert (await alice.call(o.Read(conversation="Bob"))).messages == ()
        assert (await alice.call(o.Status())).waiting == 0


async def test_a_failure_that_nobody_expected_ends_the_agent_loudly(tmp_path: Path, relay: Relay) -> None:
    async def defect() -> None:
        raise ZeroDivisionError

    await create_profile(tmp_path / "Alice", "Alice", relay.link, None, "none")

    async def run() -> None:
        async with Service.open(tmp_path / "Alice") as alice:
            alice.engine.start(defect())
            await asyncio.sleep(5)

    with pytest.raises(BaseExceptionGroup) as raised:
        await run()
    assert raised.value.subgroup(ZeroDivisionError) is not None


async def test_a_file_for_a_device_without_an_address_does_not_keep_the_engine_busy(
    tmp_path: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with people(tmp_path, relay.link, "Alice", "Bob") as (alice, _):

        def forget_address(work: Work) -> None:
            for peer in work.find(PeerDevice):
                work.put(msgspec.structs.replace(peer, address=None))

        monkeypatch.setattr(peers, "learn_card", lambda *_: False)  # what is still under way
        alice.engine.step(forget_address)
        (tmp_path / "photo").write_bytes(b"\xff" * 100_000)
        await alice.call(o.Send(conversation="Bob", text="look", files=(str(tmp_path / "photo"),)))
        turns = 0

        def counted(touched: object) -> None:
            nonlocal turns
            turns += 1
            start_due(touched)  # type: ignore[arg-type]

        start_due = alice.engine.outgoing.start_due
        monkeypatch.setattr(alice.engine.outgoing, "start_due", counted)
        await asyncio.sleep(1.0)
        assert turns < 20
