"""The operations: everything that an app can ask of the agent, in one table.

Each operation is a request Struct whose type parameter names its answer (roost.agent.views). `Backend` is whoever
carries them out: `agent.service.Service` in this process, or `agent.api.client.Client` over a running agent's socket;
apps cannot tell them apart. The local API and its OpenAPI description are made from OPERATIONS. Names follow the
commands of docs/cli.md. Place: agent; imports nothing heavy.

In every request: `conversation` is a contact's, group's or channel's id or unambiguous name; `contact` a contact's.
Files and folders are absolute paths. Durations are whole seconds. Every request may raise a RoostError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from msgspec import Meta

from roost.agent import browsing, channels, direct, groups, polls, views
from roost.agent.events import Event
from roost.agent.request import WAIT_S as WAIT_S
from roost.agent.request import Duration, Wait
from roost.agent.request import Request as Request
from roost.agent.views import MessageState

R = TypeVar("R")


class Backend(Protocol):
    """Whoever carries out operations for one profile."""

    async def call(self, request: Request[R], /) -> R:
        """Carry out one operation. Raises RoostError."""
        ...

    def events(self, *, from_now: bool = True) -> AsyncIterator[Event]:
        """What happens, for ever; close the iterator to stop. Subscribed at the latest when the first step is taken.

        `from_now` False: first what happened since a listener last took events (messages, requests, receipts...).
        """
        ...


# --- who I am, and becoming contacts ---------------------------------------------------------------------------------


class WhoAmI(Request[views.Identity], frozen=True, kw_only=True):
    """Whose profile this is. Works offline."""


class Invite(Request[views.InvitationView], frozen=True, kw_only=True):
    """Make an invitation; returns when its card is stored. `expire_s` None takes the default."""

    one_time: bool = True
    expire_s: Duration | None = None


class Invitations(Request[tuple[views.InvitationView, ...]], frozen=True, kw_only=True):
    """Invitations that can still be used."""


class Revoke(Request[views.InvitationView], frozen=True, kw_only=True):
    """End an invitation, named by its link or id."""

    invitation: str


class Add(Request[views.AddedContact], frozen=True, kw_only=True):
    """Open an invitation and send a contact request."""

    link: str
    greeting: str = ""


class Requests(Request[tuple[views.RequestView, ...]], frozen=True, kw_only=True):
    """Pending contact requests."""


class Accept(Request[views.NamedContact], frozen=True, kw_only=True):
    """Accept a contact request, named by its id or the asker's name where unambiguous; `name` is an alias for them."""

    id: str
    name: str | None = None


class Decline(Request[views.ContactChange], frozen=True, kw_only=True):
    """Forget a contact request; the asker is not told."""

    id: str


class Introduce(Request[views.Introduced], frozen=True, kw_only=True):
    """Introduce two contacts to each other."""

    first: str
    second: str


# --- contacts --------------------------------------------------------------------------------------------------------


class Contacts(Request[tuple[views.ContactView, ...]], frozen=True, kw_only=True):
    """All contacts. Works offline."""


class Verify(Request[views.SafetyNumber], frozen=True, kw_only=True):
    """The safety number of a contact, or of somebody who is in a group with oneself; `confirm` True marks it
    verified, False takes the mark back."""

    conversation: str
    confirm: bool | None = None


class Block(Request[views.ContactChange], frozen=True, kw_only=True):
    """Block a contact: their mailbox is deleted."""

    contact: str


class Unblock(Request[views.ContactChange], frozen=True, kw_only=True):
    """Let a blocked contact write again."""

    contact: str


class Rename(Request[views.ContactChange], frozen=True, kw_only=True):
    """Give a contact an alias; empty takes it back."""

    contact: str
    name: str


class DeleteContact(Request[views.ContactChange], frozen=True, kw_only=True):
    """Delete a contact with the whole conversation."""

    contact: str


# --- messages --------------------------------------------------------------------------------------------------------


class VoiceNote(msgspec.Struct, frozen=True, kw_only=True):
    """The one file of a message was spoken. `waveform`: how loud it is over its length, a bar for each number."""

    duration_ms: Annotated[int, Meta(ge=0, le=24 * 3_600_000)]
    waveform: Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(max_length=128)] = ()


Spans = Annotated[tuple[views.SpanView, ...], Meta(max_length=512)]


class Send(Request[views.SentMessage], frozen=True, kw_only=True):
    """Put a message into the outbox.

    `key`: repeating it sends once (per profile) and answers with the first message. `wait`: answer when that state is
    reached or `wait_timeout_s` is over; the answer's `state` tells which (see MessageState.reached). `expire_s` None
    takes the conversation's timer. `spans` format the text; with `markup` its marks (`**bold**`, `> quote`...) become
    spans instead.
    """

    conversation: str
    text: str = ""
    files: tuple[str, ...] = ()
    reply_to: str | None = None
    expire_s: Duration | None = None
    key: Annotated[str, Meta(max_length=200)] | None = None
    wait: MessageState | None = None
    wait_timeout_s: Wait = WAIT_S
    patient: bool = True  # False: do not wait for a relay that cannot be reached, or for a contact who has not accepted
    spans: Spans = ()
    markup: bool = False
    voice: VoiceNote | None = None


class Edit(Request[views.MessageRef], frozen=True, kw_only=True):
    """Change the text of one's own message."""

    id: str
    text: str
    spans: Spans = ()
    markup: bool = False


class Pin(Request[views.MessageRef], frozen=True, kw_only=True):
    """Keep a message at hand in its conversation, for both sides, or no longer."""

    id: str
    pinned: bool = True


class DeleteMessage(Request[views.MessageRef], frozen=True, kw_only=True):
    """Delete a message here, or one's own `everyone` else's copies too."""

    id: str
    everyone: bool = False


class React(Request[views.MessageRef], frozen=True, kw_only=True):
    """React to a message with an emoji; empty takes it back."""

    id: str
    emoji: str


class Read(Request[views.MessagePage], frozen=True, kw_only=True):
    """The newest `limit` messages of a conversation (before the message `before`), oldest first. Works offline.

    `mark_read`: what is returned counts as read, and its sender is told.
    """

    conversation: str
    limit: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    before: str | None = None
    mark_read: bool = True


class Show(Request[views.MessageView], frozen=True, kw_only=True):
    """One message by its id. Raises code `unknown_message`."""

    id: str


class MarkRead(Request[views.Done], frozen=True, kw_only=True):
    """Mark a conversation as read up to a message, or all of it."""

    conversation: str
    upto: str | None = None


class Search(Request[views.MessagePage], frozen=True, kw_only=True):
    """Messages that hold all the words, in all conversations or in one. Works offline."""

    words: str
    conversation: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class Save(Request[views.SavedFile], frozen=True, kw_only=True):
    """Fetch an attachment and write it to the path `to`, or into the folder `to` under its own name.

    Raises code `file_exists` unless `replace`.
    """

    id: str
    attachment: Annotated[int, Meta(ge=0, le=31)] = 0
    to: str
    replace: bool = False


class Typing(Request[views.Done], frozen=True, kw_only=True):
    """Tell the other side that one is typing, or stopped."""

    conversation: str
    active: bool = True


class Timer(Request[views.TimerSet], frozen=True, kw_only=True):
    """New messages of this conversation disappear `seconds` after they were read; 0 is off."""

    conversation: str
    seconds: Duration


class Clear(Request[views.Cleared], frozen=True, kw_only=True):
    """Delete all messages of a conversation on one's own devices."""

    conversation: str


class Export(Request[views.Exported], frozen=True, kw_only=True):
    """Write a conversation, unencrypted, into the folder `to`: messages.jsonl and files/."""

    conversation: str
    to: str


# --- the profile, its relays and devices -----------------------------------------------------------------------------


class Status(Request[views.StatusView], frozen=True, kw_only=True):
    """Connections, and what waits."""


class Sync(Request[views.SyncResult], frozen=True, kw_only=True):
    """Send and fetch all that is waiting, at once, for at most `timeout_s`."""

    timeout_s: Wait = WAIT_S


class RelaysList(Request[tuple[views.RelayView, ...]], frozen=True, kw_only=True):
    """One's own relays."""


class RelaysAdd(Request[views.RelayView], frozen=True, kw_only=True):
    """Use one more relay; contacts follow by themselves."""

    link: str


class RelaysRemove(Request[views.RelayView], frozen=True, kw_only=True):
    """Leave a relay, named HOST or HOST:PORT."""

    host: str


class DeviceLink(Request[views.DeviceLinkView], frozen=True, kw_only=True):
    """On a device that waits to be linked: its code; waits up to `timeout_s` for the confirmation."""

    timeout_s: Wait = 0.0


class DeviceConfirm(Request[views.DeviceView], frozen=True, kw_only=True):
    """Link a new device by its code. Changing the device list needs the passphrase, where the profile has one."""

    code: str
    passphrase: str | None = None


class DeviceList(Request[tuple[views.DeviceView, ...]], frozen=True, kw_only=True):
    """One's own devices."""


class DeviceRemove(Request[views.DeviceView], frozen=True, kw_only=True):
    """Remove a device, named by its id or name."""

    device: str
    passphrase: str | None = None


class Passphrase(Request[views.PassphraseChanged], frozen=True, kw_only=True):
    """Change what protects the profile. `new` None with `protection` "none" or "keyring" needs no passphrase later."""

    old: str | None = None
    new: str | None = None
    protection: str = "passphrase"


class About(Request[views.AboutView], frozen=True, kw_only=True):
    """Change one's name, status or picture (a path); None leaves it as it is. Contacts are told."""

    name: str | None = None
    status: str | None = None
    picture: str | None = None


class Operation(msgspec.Struct, frozen=True):
    """A row of the table: `name` is the path segment of the API, POST /v1/<name>."""

    name: str
    request: type[Request[Any]]
    response: Any

    @property
    def summary(self) -> str:
        return (self.request.__doc__ or "").partition("\n")[0].strip()


def _operation(request: type[Request[Any]]) -> Operation:
    (base,) = request.__orig_bases__  # type: ignore[attr-defined]
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in request.__name__)
    return Operation("whoami" if request is WhoAmI else words.removeprefix("-"), request, base.__args__[0])


_REQUESTS: tuple[type[Request[Any]], ...] = (
    *(WhoAmI, Invite, Invitations, Revoke, Add, Requests, Accept, Decline, Introduce),
    *(Contacts, Verify, Block, Unblock, Rename, DeleteContact),
    *(Send, Edit, DeleteMessage, React, Pin, Read, Show, MarkRead, Search, Save, Typing, Timer, Clear, Export),
    *(Status, Sync, RelaysList, RelaysAdd, RelaysRemove),
    *(DeviceLink, DeviceConfirm, DeviceList, DeviceRemove, Passphrase, About),
    *browsing.REQUESTS,
    *groups.REQUESTS,
    *channels.REQUESTS,
    *polls.REQUESTS,
    *direct.REQUESTS,
)
BY_REQUEST: dict[type[Request[Any]], Operation] = {request: _operation(request) for request in _REQUESTS}
OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in BY_REQUEST.values()}
