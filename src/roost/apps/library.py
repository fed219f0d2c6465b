"""The library: `roost.open(profile)` gives `Me`, whose methods are the agent's operations under short names.

    async with roost.open("~/bot") as me:
        async for event in me.events():
            match event:
                case roost.ContactRequest():
                    await event.accept()
                case roost.Message(mine=False):
                    await event.reply(event.text)

With an agent running for the profile it is asked, otherwise the profile is opened in this process. Every method may
raise roost.RoostError with a stable `code`. Place: apps; it talks to the agent only. docs/api.md.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from roost.agent import browsing, views
from roost.agent import channels as of_channels
from roost.agent import groups as about
from roost.agent import operations as ask
from roost.agent.events import Event, MessageEvent, RequestEvent
from roost.agent.operations import Backend, Request
from roost.apps.library_channels import Channel as Channel
from roost.apps.library_groups import Group as Group
from roost.errors import RoostError

R = TypeVar("R")
Duration = timedelta | int | None


class Message:
    """A message that came in, or that another of one's own devices sent (`mine`)."""

    def __init__(self, me: Me, data: views.MessageView) -> None:
        self._me = me
        self.data = data

    @property
    def id(self) -> str:
        return self.data.id

    @property
    def text(self) -> str:
        return self.data.text

    @property
    def conversation(self) -> str:
        return self.data.conversation

    @property
    def sender(self) -> str:
        """A contact's id, or `me`."""
        return self.data.sender

    @property
    def sender_name(self) -> str:
        """In a group: what the sender is called, who need not be a contact."""
        return self.data.from_name

    @property
    def mine(self) -> bool:
        return self.data.sender == views.ME

    @property
    def attachments(self) -> tuple[views.AttachmentView, ...]:
        return self.data.attachments

    async def reply(
        self, text: str = "", *, files: Sequence[str | Path] = (), key: str | None = None
    ) -> views.SentMessage:
        """Answer in the same conversation, quoting this message. With a `key`, once, however often it is repeated."""
        return await self._me.send(self.conversation, text, files=files, reply_to=self.id, key=key)

    async def react(self, emoji: str) -> None:
        await self._me.call(ask.React(id=self.id, emoji=emoji))

    async def save(self, to: str | Path, attachment: int = 0) -> views.SavedFile:
        return await self._me.save(self.id, to, attachment)

    async def mark_read(self) -> None:
        """This message and those before it are read; the sender is told."""
        await self._me.call(ask.MarkRead(conversation=self.conversation, upto=self.id))


class ContactRequest:
    """Someone asks to become a contact."""

    def __init__(self, me: Me, data: views.RequestView) -> None:
        self._me = me
        self.data = data

    @property
    def id(self) -> str:
        return self.data.id

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def greeting(self) -> str:
        return self.data.greeting

    async def accept(self, name: str | None = None) -> views.NamedContact:
        """Accepting what was accepted already changes nothing: an event may come again after a crash."""
        try:
            return await self._me.accept(self.id, name)
        except RoostError as error:
            known = {person.contact: person for person in await self._me.contacts()}
            asker = known.get(self.data.contact)
            if error.code != "unknown_request" or asker is None or asker.state is not views.ContactState.ACCEPTED:
                raise
            return views.NamedContact(contact=asker.contact, name=asker.name)

    async def decline(self) -> None:
        await self._me.call(ask.Decline(id=self.id))


class Me:
    """One's own account: `account`, `device`, `name`, and what one can do."""

    def __init__(self, backend: Backend, identity: views.Identity) -> None:
        self._backend = backend
        self.identity = identity

    @property
    def account(self) -> str:
        return self.identity.account

    @property
    def device(self) -> str:
        return self.identity.device

    @property
    def name(self) -> str:
        return self.identity.name

    async def call(self, request: Request[R]) -> R:
        """Any operation of roost.agent.operations."""
        return await self._backend.call(request)

    async def events(self, *, from_now: bool = False) -> AsyncIterator[Message | ContactRequest | Event]:
        """What happens, for ever; first, unless `from_now`, what came since somebody last listened.

        Messages and contact requests come as `Message` and `ContactRequest`, everything else as in roost.agent.events.
        """
        async for event in self._backend.events(from_now=from_now):
            match event:
                case MessageEvent():
                    yield Message(self, event)
                case RequestEvent():
                    yield ContactRequest(self, event)
                case _:
                    yield event

    async def send(
        self,
        conversation: str,
        text: str = "",
        *,
        files: Sequence[str | Path] = (),
        reply_to: str | None = None,
        expire: Duration = None,
        key: str | None = None,
        wait: str | None = None,
        timeout_s: float = ask.WAIT_S,
        markup: bool = False,
    ) -> views.SentMessage:
        """Returns once the message is in the outbox, or as far as `wait` (sent, delivered, read), or after `timeout_s`.

        The same `key` sends once, however often the call is repeated. With `markup`, `**bold**` and the like are
        formatting.
        """
        request = ask.Send(
            conversation=conversation,
            text=text,
            files=tuple(map(_absolute, files)),
            reply_to=reply_to,
            expire_s=_seconds(expire),
            key=key,
            wait=views.MessageState(wait) if wait else None,
            wait_timeout_s=timeout_s,
            markup=markup,
        )
        return await self.call(request)

    async def edit(self, id: str, text: str, *, markup: bool = False) -> None:
        await self.call(ask.Edit(id=id, text=text, markup=markup))

    async def pin(self, id: str, *, pinned: bool = True) -> None:
        """Keep a message at hand for both sides, or no longer."""
        await self.call(ask.Pin(id=id, pinned=pinned))

    async def delete(self, id: str, *, everyone: bool = False) -> None:
        await self.call(ask.DeleteMessage(id=id, everyone=everyone))

    async def read(
        self, conversation: str, *, limit: int | None = None, before: str | None = None, mark_read: bool = True
    ) -> list[Message]:
        page = await self.call(ask.Read(conversation=conversation, limit=limit, before=before, mark_read=mark_read))
        return [Message(self, item) for item in page.messages]

    async def search(self, words: str, *, limit: int = 100) -> list[Message]:
        page = await self.call(ask.Search(words=words, limit=limit))
        return [Message(self, item) for item in page.messages]

    async def save(self, id: str, to: str | Path, attachment: int = 0) -> views.SavedFile:
        return await self.call(ask.Save(id=id, attachment=attachment, to=_absolute(to)))

    async def typing(self, conversation: str, *, active: bool = True) -> None:
        await self.call(ask.Typing(conversation=conversation, active=active))

    async def contacts(self) -> list[views.ContactView]:
        people = await self.call(ask.Contacts())
        return list(people)

    async def route(
        self,
        conversation: str,
        *,
        prefer: str | None = None,
        floor: str | None = None,
        timing: str | None = None,
        enter: bool = False,
    ) -> browsing.RouteView:
        """The way that what one says in a conversation takes; or choose it. `prefer` and `floor` are central,
        federated, onion or direct, `prefer` also any; `timing` is fast or mixed; `enter` uses the onion
        network of others that it is on. Raises `not_available` for a way there is not."""
        if enter:
            await self.call(browsing.NetworkEnter(conversation=conversation))
        if floor is not None:
            await self.call(browsing.Floor(conversation=conversation, network=views.NetworkKind(floor)))
        if prefer is not None:
            network = None if prefer == "any" else views.NetworkKind(prefer)
            await self.call(browsing.Prefer(conversation=conversation, network=network))
        if timing is not None:
            await self.call(browsing.SetTiming(conversation=conversation, timing=views.Timing(timing)))
        return await self.call(browsing.Route(conversation=conversation))

    async def invite(self, *, one_time: bool = True, expire: Duration = None) -> views.InvitationView:
        return await self.call(ask.Invite(one_time=one_time, expire_s=_seconds(expire)))

    async def add(self, link: str, greeting: str = "") -> views.AddedContact:
        return await self.call(ask.Add(link=link, greeting=greeting))

    async def requests(self) -> list[ContactRequest]:
        return [ContactRequest(self, item) for item in await self.call(ask.Requests())]

    async def accept(self, request: str, name: str | None = None) -> views.NamedContact:
        """`request` is the request's id, or the name where only one asks under it."""
        return await self.call(ask.Accept(id=request, name=name))

    async def create_group(self, title: str, members: Sequence[str] = (), *, description: str = "") -> Group:
        """Make a group with oneself as its admin; `members` are contacts."""
        request = about.GroupCreate(title=title, members=tuple(members), description=description)
        made = await self.call(request)
        return Group(self, made.group, made.title)

    async def groups(self) -> list[Group]:
        """The groups that one is in."""
        return [Group(self, item.group, item.title) for item in await self.call(about.Groups())]

    async def group(self, named: str) -> Group:
        """A group by its id, or its title where that is unambiguous."""
        found = await self.call(about.GroupInfo(group=named))
        return Group(self, found.group, found.title)

    async def group_introductions(self) -> list[about.GroupIntroductionView]:
        """Groups into which contacts would let one; `join_group` takes their `id`."""
        found = await self.call(about.GroupIntroductions())
        return list(found)

    async def join_group(self, link: str, greeting: str = "") -> about.GroupChanged:
        """Join a group by its link, or ask to: its `state` is then `waiting`. Or by an introduction, named by its
        message's id or the group's title."""
        return await self.call(about.GroupJoin(link=link, greeting=greeting))

    async def create_channel(
        self, title: str, *, posting: str = "roles", description: str = "", name: str = ""
    ) -> Channel:
        """Make a channel; `posting` is roles or all, `name` what one goes by there."""
        request = of_channels.ChannelCreate(
            title=title, posting=of_channels.Posting(posting), description=description, name=name
        )
        made = await self.call(request)
        return Channel(self, made.channel, made.title)

    async def channels(self) -> list[Channel]:
        """The channels that one reads."""
        return [Channel(self, item.channel, item.title) for item in await self.call(of_channels.Channels())]

    async def channel(self, named: str) -> Channel:
        """A channel by its id, or its title where that is unambiguous."""
        found = await self.call(of_channels.ChannelInfo(channel=named))
        return Channel(self, found.channel, found.title)

    async def join_channel(self, link: str, name: str = "") -> Channel:
        """Read a channel from now on, under a pseudonym made for it."""
        joined = await self.call(of_channels.ChannelJoin(link=link, name=name))
        return Channel(self, joined.channel, joined.title)

    async def status(self) -> views.StatusView:
        return await self.call(ask.Status())

    async def sync(self, timeout_s: float = ask.WAIT_S) -> views.SyncResult:
        return await self.call(ask.Sync(timeout_s=timeout_s))


@asynccontextmanager
async def open(
    profile: str | Path | None = None,
    passphrase: str | Callable[[], str] | None = None,
    *,
    share: bool = True,
) -> AsyncIterator[Me]:
    """`Me` for the profile in a folder; None takes ROOST_PROFILE or the platform's data folder.

    `passphrase` None takes ROOST_PASSPHRASE. Where no agent runs, this process holds the profile; `share` lets commands
    and other programs in meanwhile, as an agent would. Raises roost.RoostError: `no_profile`, `passphrase_needed`,
    `wrong_passphrase`, `profile_busy`…
    """
    from roost.agent.connect import open_backend
    from roost.apps.folders import default_profile

    folder = Path(_absolute(default_profile() if profile is None else profile))
    typed = passphrase if passphrase is not None else os.environ.get("ROOST_PASSPHRASE") or None
    async with open_backend(folder, typed, share=share) as backend:
        yield Me(backend, await backend.call(ask.WhoAmI()))


def _absolute(path: str | Path) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _seconds(duration: Duration) -> int | None:
    return int(duration.total_seconds()) if isinstance(duration, timedelta) else duration
