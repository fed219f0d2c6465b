"""What the agent answers: plain values that apps, the local API and the library show (docs/cli.md, docs/api.md).

Every value is JSON-friendly: ids and links are text, times are aware `datetime`s in UTC (RFC 3339 on the wire). The
keys named in docs/cli.md never change their meaning; new ones are added at the end, with defaults. Place: agent;
used by apps and the library. Nothing here decides anything.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]

ME = "me"
"""The sender (`from`) of one's own messages."""

THIS_DEVICE = "this device"
"""How this device is named among the relays where it keeps its mailboxes itself."""


def instant(millis: int) -> datetime:
    """The UTC time `millis` milliseconds after 1970."""
    return datetime.fromtimestamp(millis / 1000, UTC)


class MessageState(enum.StrEnum):
    """How far a message is. One's own: queued, sent, delivered, read, in this order, or failed: it is never sent.
    Another's: received, then read."""

    QUEUED = "queued"  # in the outbox
    SENT = "sent"  # stored by the mailbox's host for every device of the recipient
    DELIVERED = "delivered"  # stored by one of their devices
    READ = "read"
    RECEIVED = "received"
    FAILED = "failed"  # one left the group, or was removed, before it was said

    def reached(self, wanted: MessageState) -> bool:
        """Whether one's own message in this state is at least as far as `wanted`."""
        return _ORDER.index(self) >= _ORDER.index(wanted) if self in _ORDER and wanted in _ORDER else self is wanted


_ORDER = (MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED, MessageState.READ)


class ContactState(enum.StrEnum):
    REQUESTED = "requested"  # asked by us, not yet answered
    ACCEPTED = "accepted"
    BLOCKED = "blocked"


class NetworkKind(enum.StrEnum):
    CENTRAL = "central"
    FEDERATED = "federated"
    ONION = "onion"
    DIRECT = "direct"


class Timing(enum.StrEnum):
    """How what one writes moves through an onion network."""

    FAST = "fast"  # at once
    MIXED = "mixed"  # every station holds it for a random while, and nothing leaves at the moment it is written


class ConversationKind(enum.StrEnum):
    DIRECT = "direct"  # with one contact
    GROUP = "group"
    CHANNEL = "channel"


class InvitationKind(enum.StrEnum):
    ONE_TIME = "one-time"
    REUSABLE = "reusable"


class TextStyle(enum.StrEnum):
    BOLD = "bold"
    ITALIC = "italic"
    CODE = "code"
    QUOTE = "quote"
    SPOILER = "spoiler"
    STRIKE = "strike"


class DeviceState(enum.StrEnum):
    LINKED = "linked"
    WAITING = "waiting"  # its code was not yet confirmed on another device
    REMOVED = "removed"  # another device took it out of the account: it can be read, and sends nothing more


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every answer."""


class Done(View, frozen=True, kw_only=True):
    """Done; subclasses say what."""

    ok: bool = True


class Identity(View, frozen=True, kw_only=True):
    """Whose profile this is: account id (base32 of the public key), device id, the person's name, own relays' hosts."""

    account: str
    device: str
    name: str
    relays: tuple[str, ...] = ()  # HOST:PORT, or THIS_DEVICE; the primary one first
    device_name: str = ""
    status: str = ""
    picture: str = ""  # changes when the picture does; empty: none (docs/api.md: pictures)


class InvitationView(View, frozen=True, kw_only=True):
    id: str
    link: str
    kind: InvitationKind
    created_at: Instant
    expires_at: Instant | None = None
    uses: int = 0  # contact requests that came in over it
    here: bool = False  # this very device answers it: it can be opened while that is in reach
    nearby: bool = False  # it is shown to everybody on the local network (see Nearby)
    followed: bool = False  # somebody else's, that is opened when their device is met


class AddedContact(View, frozen=True, kw_only=True):
    """`state` is accepted where the other side had asked already. `compare`: see NamedContact. `waiting`: their device
    is not near, so that nobody knows yet whose link it is (`contact` is empty); it is opened when the devices meet."""

    contact: str
    waiting: bool = False
    state: ContactState = ContactState.REQUESTED
    name: str = ""
    compare: bool = False


class RequestView(View, frozen=True, kw_only=True):
    """A pending contact request. `contact` is the asking account's id."""

    id: str
    name: str
    greeting: str
    contact: str
    received_at: Instant
    warning: str = ""  # e.g. a second knock on a one-time invitation, or that anybody nearby could have asked
    nearby: bool = False  # they saw this profile shown on the local network (see Nearby)


class NamedContact(View, frozen=True, kw_only=True):
    """`compare`: they met on the local network, where anybody can take any name: compare the safety number."""

    contact: str
    name: str
    compare: bool = False


class ContactView(View, frozen=True, kw_only=True):
    """`name` is the alias given here, else the name that they gave themselves (`own_name`)."""

    contact: str
    name: str
    state: ContactState
    verified: bool
    networks: tuple[NetworkKind, ...]
    own_name: str = ""
    status: str = ""
    devices: int = 0
    unread: int = 0
    timer_s: int = 0
    last_message_at: Instant | None = None
    key_changed: bool = False  # their device lists contradict each other: to be verified again
    near: str = ""  # the carrier over which a device of theirs is linked to this one now
    courier: bool = False  # a device of theirs carries for others


class ContactChange(Done, frozen=True, kw_only=True):
    """What was done with a contact: `blocked`, `unblocked`, `renamed`, `deleted`, `declined`."""

    contact: str
    name: str
    done: str


class SentMessage(View, frozen=True, kw_only=True):
    id: str
    conversation: str
    state: MessageState
    sent_at: Instant | None = None
    reason: str = ""  # why it is still queued, in one sentence, where that is known


class MessageRef(View, frozen=True, kw_only=True):
    id: str
    conversation: str = ""


class SpanView(View, frozen=True, kw_only=True):
    """Formatting of `length` code points of a text from `start` on."""

    start: Annotated[int, Meta(ge=0)]
    length: Annotated[int, Meta(ge=0)]
    style: TextStyle


class MentionView(View, frozen=True, kw_only=True):
    """`length` code points of a text from `start` on name a member of the group ("me" or an account's id)."""

    start: int
    length: int
    member: str


class AttachmentView(View, frozen=True, kw_only=True):
    """`number` counts from 0; it is what `save --attachment` takes. `stored`: the bytes are on this device already.

    `width`, `height`, `duration_ms` and `waveform` (0 to 255 for each bar) are the sender's word; 0 or empty: unknown.
    """

    name: str
    size: int
    type: str
    number: int = 0
    stored: bool = False
    voice_note: bool = False
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    waveform: tuple[int, ...] = ()


class NoteView(View, frozen=True, kw_only=True):
    """What changed in a group, between its messages. The message's `from` did it, its `text` says it in English.

    `change`: created, joined, added, removed, left, banned, unbanned, role, title, description, avatar, timer,
    permissions, rejoined, reopened, unsent. `member` ("me" or an account's id) and `name`: whom it is about. `detail`:
    the new title, role, seconds of the timer, or how many of one's changes of messages reached nobody.
    """

    change: str
    member: str = ""
    name: str = ""
    detail: str = ""


class PollOption(View, frozen=True, kw_only=True):
    """`votes` are "me" or ids of accounts."""

    text: str
    votes: tuple[str, ...] = ()


class PollView(View, frozen=True, kw_only=True):
    """A question to a conversation. `several`: one may choose more than one option."""

    question: str
    options: tuple[PollOption, ...]
    several: bool = False


class InvitesView(View, frozen=True, kw_only=True):
    """A group into which somebody is invited. `state`: how this profile stands to it; empty: not at all."""

    group: str
    title: str
    state: str = ""


class MessageView(View, frozen=True, kw_only=True):
    """A message as `read`, `search` and `listen` show it. `sender` (JSON `from`) is "me" or an account's id."""

    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    text: str
    sent_at: Instant
    received_at: Instant
    state: MessageState
    edited: bool = False
    deleted: bool = False
    reactions: dict[str, list[str]] = msgspec.field(default_factory=dict)  # emoji -> who ("me" or contact ids)
    attachments: tuple[AttachmentView, ...] = ()
    reply_to: str | None = None
    network: NetworkKind = NetworkKind.CENTRAL
    expires_at: Instant | None = None  # when it disappears
    unknown: bool = False  # a kind that needs a newer Roost; `text` says so
    spans: tuple[SpanView, ...] = ()  # how pieces of `text` look; in order, inside it
    forwarded: bool = False
    pinned: bool = False
    from_name: str = ""  # in groups: what the sender is called, who need not be a contact
    note: NoteView | None = None  # not a message, but what changed in the group
    poll: PollView | None = None
    read_by: int = 0  # one's own in a small group: how many people have read it
    mentions: tuple[MentionView, ...] = ()  # in groups: where `text` names members; in order, inside it
    introduces: str = ""  # an introduction: the name of the person whom one is to meet
    reason: str = ""  # one's own that failed: why
    invites: InvitesView | None = None  # an introduction into a group


class MessagePage(View, frozen=True, kw_only=True):
    """Messages, oldest first. `more`: there are earlier ones."""

    messages: tuple[MessageView, ...]
    more: bool = False


class SavedFile(View, frozen=True, kw_only=True):
    path: str
    size: int


class SafetyNumber(View, frozen=True, kw_only=True):
    safety_number: str  # 60 digits
    verified: bool
    contact: str = ""


class RelayState(View, frozen=True, kw_only=True):
    """`link_host` is HOST:PORT. `reason` says why it is not reachable. `here`: it is this very device, which keeps its
    mailboxes itself (`link_host` is THIS_DEVICE then). `home`: a relay at home, which is met over carriers. `onion`: an
    onion network. `problem`: the code of why it is not reachable, where that is known; `no_consensus`: the list of its
    nodes is missing."""

    link_host: str
    reachable: bool
    reason: str = ""
    here: bool = False
    home: bool = False
    onion: bool = False
    problem: str = ""


class StatusView(View, frozen=True, kw_only=True):
    """`connected`: all own relays are reachable. `waiting`: messages in the outbox that some device still lacks."""

    connected: bool
    waiting: int
    relays: tuple[RelayState, ...]
    requests: int = 0
    unread: int = 0
    device_state: DeviceState = DeviceState.LINKED
    agent: bool = False
    notice: str = ""  # what the person should know and do, e.g. on a device that was removed
    near: int = 0  # devices of others that are linked to this one directly now


class SyncResult(View, frozen=True, kw_only=True):
    """`received`: messages that came in. `sent`: messages that left the outbox. `waiting`: those still in it."""

    received: int
    sent: int
    waiting: int


class RelayView(View, frozen=True, kw_only=True):
    """`primary`: new mailboxes are made there; `second`: so are those that take what the first does not."""

    host: str  # HOST:PORT, home-… for a relay at home, or THIS_DEVICE
    reachable: bool
    primary: bool = False
    second: bool = False
    home: bool = False  # a relay at home, which is met over carriers
    done: str = ""  # `added` or `removed`
    keeps: tuple[str, ...] = ()  # of one that was removed: groups and channels there that one may take elsewhere
    here: bool = False  # this very device, which keeps its mailboxes itself
    onion: bool = False  # an onion network
    problem: str = ""  # the code of why it is not reachable, where that is known


class DeviceView(View, frozen=True, kw_only=True):
    device: str
    name: str
    this: bool
    state: DeviceState = DeviceState.LINKED
    added_at: Instant | None = None
    done: str = ""  # `linked` or `removed`


class DeviceLinkView(View, frozen=True, kw_only=True):
    """A new device's code, to be confirmed on an old one."""

    code: str
    device: str
    name: str
    this: bool = True
    state: DeviceState = DeviceState.WAITING


class Introduced(Done, frozen=True, kw_only=True):
    first: str
    second: str


class PassphraseChanged(Done, frozen=True, kw_only=True):
    protection: str  # passphrase, keyring or none


class AboutView(Done, frozen=True, kw_only=True):
    name: str
    status: str = ""
    picture: bool = False


class TimerSet(Done, frozen=True, kw_only=True):
    conversation: str
    seconds: int


class Cleared(Done, frozen=True, kw_only=True):
    conversation: str
    messages: int


class Exported(Done, frozen=True, kw_only=True):
    path: str
    messages: int
    files: int
