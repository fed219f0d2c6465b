"""Channels over real relays, one's own and another's: the operations, what listeners are told, files, history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from roost.agent import browsing as b
from roost.agent import channels as ch
from roost.agent import events as e
from roost.agent import log_reader, naming, polls
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.errors import CallerError, RoostError
from tests.agent.test_service import following
from tests.apps.processes import Relay


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "ASK_FIRST_S", 0.2)
    monkeypatch.setattr(log_reader, "AGAIN_S", 0.2)


@asynccontextmanager
async def people(folder: Path, at: tuple[Relay, Relay]) -> AsyncIterator[tuple[Service, Service]]:
    """The owner and a reader, who are no contacts."""
    async with AsyncExitStack() as stack:
        made = []
        for name, relay in zip(("Olga", "Ada"), at, strict=True):
            await create_profile(folder / name, name, relay.link, None, "none")
            made.append(await stack.enter_async_context(Service.open(folder / name)))
        yield made[0], made[1]


async def texts(service: Service, channel: str = "News") -> list[str]:
    return [message.text for message in (await service.call(o.Read(conversation=channel))).messages]


async def shown(service: Service, *wanted: str, channel: str = "News", within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while await texts(service, channel) != list(wanted):
            await service.engine.changed(0.1)


async def refused(service: Service, request: o.Request[object]) -> str:
    with pytest.raises(RoostError) as caught:
        await service.call(request)
    return caught.value.code


async def test_a_channel_from_its_making_to_its_end(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    async with people(tmp_path, at) as (olga, ada), aclosing(ada.events()) as events:
        made = await olga.call(ch.ChannelCreate(title="News", posting=ch.Posting.ALL, description="daily", name="Ed"))
        await olga.call(o.Send(conversation="News", text="welcome"))
        joined = await ada.call(ch.ChannelJoin(link=made.link, name="Ada"))
        assert (joined.title, joined.state, joined.channel) == ("News", ch.ChannelCondition.OPEN, made.channel)
        told = await following(events, e.MessageEvent)
        assert (told.text, told.sender, told.from_name) == ("welcome", made.pseudonym, "Ed")
        picture = tmp_path / "a.bin"
        picture.write_bytes(data := b"picture" * 30_000)
        sent = await ada.call(
            o.Send(conversation="news", text="look", files=(str(picture),), wait=v.MessageState.SENT, key="once")
        )
        assert sent.state is v.MessageState.SENT
        again = await ada.call(o.Send(conversation="News", text="look", key="once"))
        assert again.id == sent.id
        await shown(olga, "welcome", "look")
        await olga.call(o.Save(id=sent.id, to=str(tmp_path / "saved.bin")))
        assert (tmp_path / "saved.bin").read_bytes() == data
        await olga.call(o.React(id=sent.id, emoji="👍"))
        heard = await following(events, e.ReactionEvent)
        assert heard.reactions == {"👍": [made.pseudonym]}
        await ada.call(o.Edit(id=sent.id, text="look here"))
        await shown(olga, "welcome", "look here")
        await ada.call(o.Typing(conversation="News"))
        ask = await ada.call(polls.AskPoll(conversation="News", question="Tea?", options=("yes", "no")))
        await shown(olga, "welcome", "look here", "Tea?")
        await olga.call(polls.Vote(id=ask.id, options=(0,)))
        await olga.call(o.Pin(id=ask.id))
        await following(events, e.PinEvent)
        listed = {view.name: view for view in await ada.call(b.Conversations())}["News"]
        assert (listed.kind, listed.role, listed.may_post) == (v.ConversationKind.CHANNEL, "reader", True)
        assert (await ada.call(b.Details(id=sent.id))).message.text == "look here"
        assert await refused(ada, o.Timer(conversation="News", seconds=60)) == "not_in_channels"
        assert await refused(ada, o.Verify(conversation="News")) == "not_a_contact"
        assert (await ada.call(b.Arrange(conversation="News", pinned=True))).pinned
        history = await ada.call(b.History(conversation="News"))
        assert [message.from_name for message in history.messages] == ["Ed", "", ""]
        found = await ada.call(o.Search(words="look"))
        assert [message.id for message in found.messages] == [sent.id]
        await olga.call(ch.ChannelLeave(channel="News", delete=True))
        assert await olga.call(ch.Channels()) == ()
        await ada.call(ch.ChannelLeave(channel="News"))
        assert await ada.call(b.Conversations()) == ()
        assert await refused(ada, o.Read(conversation="News")) == "unknown_conversation"


async def test_moderation(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    async with people(tmp_path, at) as (olga, ada), aclosing(ada.events()) as events:
        made = await olga.call(ch.ChannelCreate(title="News"))
        mine = await ada.call(ch.ChannelJoin(link=made.link, name="Ada"))
        assert await refused(ada, o.Send(conversation="News", text="hi")) == "not_permitted"
        assert await refused(ada, ch.ChannelSettings(channel="News", title="Mine")) == "not_permitted"
        await olga.call(ch.ChannelSetRole(channel="News", pseudonym=mine.pseudonym, role=ch.ChannelRole.POSTER))
        await following(events, e.ChannelEvent, lambda event: event.change == "changed")
        assert (await ada.call(ch.ChannelInfo(channel="News"))).role is ch.ChannelRole.POSTER
        sent = await ada.call(ch.ChannelPost(channel="News", text="spam"))
        await shown(olga, "spam")
        await olga.call(ch.ChannelRemove(channel="News", id=sent.id))
        assert (await following(events, e.DeleteEvent)).id == sent.id
        await olga.call(ch.ChannelBan(channel="News", pseudonym="Ada"))
        banned = await following(events, e.ChannelEvent, lambda event: event.change == "banned")
        assert banned.text == "You were banned."
        assert await refused(ada, o.Send(conversation="News", text="again")) == "banned"
        info = await olga.call(ch.ChannelInfo(channel="News"))
        assert [(person.name, person.role, person.banned) for person in info.people] == [
            ("Ada", ch.ChannelRole.POSTER, True)
        ]
        await olga.call(ch.ChannelSettings(channel="News", title="Old news", posting=ch.Posting.ALL))
        await following(events, e.ChannelEvent, lambda event: event.title == "Old news")
        await olga.call(ch.ChannelBan(channel="Old news", pseudonym=mine.pseudonym, banned=False))
        await following(events, e.ChannelEvent, lambda event: event.change == "unbanned")
        await ada.call(o.Send(conversation="Old news", text="one", wait=v.MessageState.SENT))
        await olga.call(ch.ChannelSettings(channel="Old news", slow_s=60))
        await following(events, e.ChannelEvent)
        assert await refused(ada, o.Send(conversation="Old news", text="two")) == "slow_mode"
        assert await refused(olga, ch.ChannelLeave(channel="Old news")) == "own_channel"


async def test_a_channel_that_is_gone_or_a_wrong_link(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    async with people(tmp_path, at) as (olga, ada):
        made = await olga.call(ch.ChannelCreate(title="News"))
        await olga.call(ch.ChannelLeave(channel="News", delete=True))
        await olga.call(o.Sync())
        assert await refused(ada, ch.ChannelJoin(link=made.link)) == "no_channel"
        assert await ada.call(ch.Channels()) == ()
        assert await refused(ada, ch.ChannelJoin(link=made.link[:-1])) == "malformed_link"
        assert await refused(ada, ch.ChannelJoin(link="roost:abc")) == "malformed_link"
        assert await refused(ada, ch.ChannelInfo(channel="News")) == "unknown_channel"


async def test_posts_that_wait_leave_later_and_survive_a_stop(tmp_path: Path, relays: list[Relay]) -> None:
    async with people(tmp_path, (relays[0], relays[1])) as (olga, ada):
        made = await olga.call(ch.ChannelCreate(title="News", posting=ch.Posting.ALL))
        await ada.call(ch.ChannelJoin(link=made.link))
        relays[0].stop()
        sent = await ada.call(o.Send(conversation="News", text="kept", wait=v.MessageState.SENT, wait_timeout_s=0.5))
        assert sent.state is v.MessageState.QUEUED
    relays[0].start()
    async with Service.open(tmp_path / "Ada") as ada, Service.open(tmp_path / "Olga") as olga:
        await shown(olga, "kept")
        page = await ada.call(o.Read(conversation="News"))
        async with asyncio.timeout(10):
            while (await ada.call(o.Show(id=page.messages[0].id))).state is not v.MessageState.SENT:
                await ada.engine.changed(0.1)


async def test_a_channel_moves_from_a_relay_that_ends(tmp_path: Path, relays: list[Relay]) -> None:
    async with people(tmp_path, (relays[0], relays[1])) as (olga, ada):
        made = await olga.call(ch.ChannelCreate(title="News", posting=ch.Posting.ALL))
        await ada.call(ch.ChannelJoin(link=made.link))
        await olga.call(o.Send(conversation="News", text="here", wait=v.MessageState.SENT))
        await shown(ada, "here")
        await olga.call(o.RelaysAdd(link=relays[1].link))
        left = await olga.call(o.RelaysRemove(host=relays[0].listen))
        assert left.keeps == ("News",)
        async with aclosing(ada.events(from_now=True)) as heard:
            moved = await olga.call(ch.ChannelMove(channel="News"))
            assert (moved.done, moved.state) == ("moved", ch.ChannelCondition.OPEN)
            told = await following(heard, e.ChannelEvent)
            while told.change != "moved":
                told = await following(heard, e.ChannelEvent)
        info = await ada.call(ch.ChannelInfo(channel="News"))
        assert (info.host, info.link) == (relays[1].listen, moved.link)
        await ada.call(o.Send(conversation="News", text="there", wait=v.MessageState.SENT))
        await shown(olga, "here", "there")


async def test_a_title_that_several_have_is_ambiguous(tmp_path: Path, relays: list[Relay]) -> None:
    async with people(tmp_path, (relays[0], relays[0])) as (olga, _):
        first = await olga.call(ch.ChannelCreate(title="News"))
        await olga.call(ch.ChannelCreate(title="News"))
        with pytest.raises(CallerError, match="Several"):
            naming.conversation(olga.engine.look(), "News")
        assert naming.channel(olga.engine.look(), first.channel).title == "News"
