"""Operations for apps that show conversations: the list, pages of history in both directions, how a conversation is
arranged, what a message went through, the route and who sees what, space used, an app's own preferences.

They read and write this profile only and never wait for the network. Place: agent, a part of the table in
operations.py.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from roost.agent import views
from roost.agent.request import Request
from roost.agent.views import Instant, View

PAGE = 60
MAX_DRAFT = 65_536
MAX_PREFERENCE = 131_072


# --- answers ---------------------------------------------------------------------------------------------------------


class ConversationView(View, frozen=True, kw_only=True):
    """A conversation as a list shows it. `waiting`: one's own messages that have not left for every device yet."""

    id: str
    name: str
    state: views.ContactState
    verified: bool
    network: views.NetworkKind
    key_changed: bool = False
    own_name: str = ""
    status: str = ""
    picture: str = ""  # changes when the picture does; empty: none (docs/api.md: pictures)
    unread: int = 0
    waiting: int = 0
    timer_s: int = 0
    pinned: bool = False
    archived: bool = False
    muted_until: Instant | None = None
    draft: str = ""
    last: views.MessageView | None = None
    first_unread: str = ""
    held: bool = False  # what waits would have to take a weaker network than this conversation allows
    kind: views.ConversationKind = views.ConversationKind.DIRECT
    members: int = 0  # people, of a group
    role: str = ""  # one's own: read-only, member, moderator, admin
    group_state: str = ""  # active; joining, lost, removed, left, stopped (roost.agent.groups)
    description: str = ""
    may_post: bool = True
    requests: int = 0  # people who ask to join and whom one may let in
    mentions: int = 0  # unread messages that mention oneself
    near: str = ""  # the carrier over which a device of the contact's is linked to this one now
    foreign: bool = False  # on an onion network of others, which is called once the person says so (NetworkEnter)


class HistoryPage(View, frozen=True, kw_only=True):
    """Messages, oldest first; whether there are `earlier` and `later` ones. `replied`: the messages that they
    answer."""

    messages: tuple[views.MessageView, ...]
    earlier: bool = False
    later: bool = False
    replied: tuple[views.MessageView, ...] = ()


class DeviceProgress(View, frozen=True, kw_only=True):
    """A device that still lacks a message: its person, and what the network said last."""

    name: str
    stored: bool
    attempts: int = 0
    problem: str = ""


class Hop(View, frozen=True, kw_only=True):
    """One station of a route: `party` (me, my_relay, relay, their_relay, contact), its host or the person's name.
    `reachable`: None where nothing is known, as before the first attempt ended."""

    party: str
    name: str = ""
    reachable: bool | None = None


class WayView(View, frozen=True, kw_only=True):
    """An address of a contact's devices: the `network` that leads there, and its `host`, empty where it is the device
    itself."""

    network: views.NetworkKind
    host: str = ""


class Reader(View, frozen=True, kw_only=True):
    """A person of a small group who has read one's message."""

    member: str
    name: str
    at: Instant


class MessageDetails(View, frozen=True, kw_only=True):
    """What a message went through. `edits`: its earlier texts, oldest first.

    One's own: when, as this device was told, the relay had it for every device, a device of theirs had it, and they
    read it; a contact's: when oneself read it. `hops`: the stations of its way that this device knows.
    """

    message: views.MessageView
    edits: tuple[str, ...] = ()
    edited_at: Instant | None = None
    waiting: tuple[DeviceProgress, ...] = ()
    stored_at: Instant | None = None
    delivered_at: Instant | None = None
    read_at: Instant | None = None
    hops: tuple[Hop, ...] = ()
    readers: tuple[Reader, ...] = ()


class Preferences(View, frozen=True, kw_only=True):
    """What apps keep in the profile, by name."""

    values: dict[str, str]


class ConversationStorage(View, frozen=True, kw_only=True):
    id: str
    name: str
    messages: int
    files: int
    bytes: int


class StorageView(View, frozen=True, kw_only=True):
    """Bytes on this device: the database, files at rest, and per conversation."""

    database: int
    files: int
    conversations: tuple[ConversationStorage, ...]


class Exposure(View, frozen=True, kw_only=True):
    """What one party can see of this conversation, and what it cannot: ids of facts and their English words."""

    party: str
    sees: tuple[str, ...]
    hidden: tuple[str, ...]


class RouteView(View, frozen=True, kw_only=True):
    """The way of the messages that one sends now. `choices`: the networks that this version can use.

    `floor`: the weakest network that I allow this conversation, `their_floor` the other side; the stricter holds, and
    where `network` is weaker, messages wait (`held`). Groups and channels have no floor, and no `choices`: their way is
    to the relay that hosts them. `carrier`: over which a link to a device of theirs stands now. `note`: what the person
    should know. `ways`: all addresses of a contact's devices. `foreign`: it is on an onion network of others, whose
    nodes learn one's address when they are called, which they are once the person says so (NetworkEnter).

    `prefers`: the network that is tried first, where one was chosen. Where the way is through an onion network,
    `delays` says how many seconds what is written takes on average until it is in the reader's mailbox, by `timing`, of
    which this conversation has one; elsewhere it is empty.
    """

    conversation: str
    network: views.NetworkKind
    hops: tuple[Hop, ...]
    exposure: tuple[Exposure, ...]
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    choices: tuple[views.NetworkKind, ...] = ()
    floor: views.NetworkKind = views.NetworkKind.CENTRAL
    their_floor: views.NetworkKind = views.NetworkKind.CENTRAL
    held: bool = False
    carrier: str = ""
    note: str = ""
    foreign: bool = False
    ways: tuple[WayView, ...] = ()
    prefers: views.NetworkKind | None = None
    timing: views.Timing = views.Timing.FAST
    delays: dict[views.Timing, float] = msgspec.field(default_factory=dict)


class PrivacyView(View, frozen=True, kw_only=True):
    read_receipts: bool


class LinkUse(enum.StrEnum):
    """What a link is for."""

    CONTACT = "contact"
    DEVICE = "device"
    GROUP = "group"
    CHANNEL = "channel"
    RELAY = "relay"
    NETWORK = "network"
    UNKNOWN = "unknown"  # none of Roost's, or damaged


class LinkView(View, frozen=True, kw_only=True):
    """`host`: where it leads, HOST:PORT."""

    use: LinkUse
    host: str = ""


class QrCode(View, frozen=True, kw_only=True):
    """The modules of a QR code, row by row: "1" is dark. Without the quiet zone."""

    rows: tuple[str, ...]


# --- requests --------------------------------------------------------------------------------------------------------


class Conversations(Request[tuple[ConversationView, ...]], frozen=True, kw_only=True):
    """All conversations. Works offline, never waits."""


class History(Request[HistoryPage], frozen=True, kw_only=True):
    """A page of a conversation: the newest messages, or those `before`, `after` or `around` a message, or from a time
    `at` on. Works offline, never waits, marks nothing as read."""

    conversation: str
    before: str | None = None
    after: str | None = None
    around: str | None = None
    at: Instant | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = PAGE


class Arrange(Request[ConversationView], frozen=True, kw_only=True):
    """Pin, archive or mute a conversation on this device, or keep its draft; None leaves it as it is."""

    conversation: str
    pinned: bool | None = None
    archived: bool | None = None
    mute_s: Annotated[int, Meta(ge=-1, le=10 * 366 * 86_400)] | None = None  # 0: not muted; -1: until unmuted
    draft: Annotated[str, Meta(max_length=MAX_DRAFT)] | None = None


class Details(Request[MessageDetails], frozen=True, kw_only=True):
    """What a message went through: earlier texts, devices that still lack it."""

    id: str


class Pins(Request[tuple[views.MessageView, ...]], frozen=True, kw_only=True):
    """The pinned messages of a conversation, the one pinned last first. Works offline."""

    conversation: str


class Forward(Request[views.SentMessage], frozen=True, kw_only=True):
    """Send a copy of a message, with its files, to another conversation."""

    id: str
    to: str


class GetPreferences(Request[Preferences], frozen=True, kw_only=True):
    """What apps keep in the profile."""


class SetPreference(Request[Preferences], frozen=True, kw_only=True):
    """Keep a small text of an app's in the profile; empty forgets it."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Annotated[str, Meta(max_length=MAX_PREFERENCE)]


class Storage(Request[StorageView], frozen=True, kw_only=True):
    """How much space this profile takes, by conversation."""


class Route(Request[RouteView], frozen=True, kw_only=True):
    """The way that a conversation's messages take now, hop by hop, and who on it sees what."""

    conversation: str


class Floor(Request[RouteView], frozen=True, kw_only=True):
    """Let a conversation take no network that exposes more than `network`; the other side is told, the stricter of
    both holds. What would have to take a weaker one waits. Raises code `not_available` for one that cannot be."""

    conversation: str
    network: views.NetworkKind


class Prefer(Request[RouteView], frozen=True, kw_only=True):
    """Let a conversation with a contact take `network` before the other ways there are; None: none before the others.
    One's other devices are told, the other side is not. Raises code `not_available` where there is no such way."""

    conversation: str
    network: views.NetworkKind | None = None


class NetworkEnter(Request[RouteView], frozen=True, kw_only=True):
    """Use the onion network of others that a conversation of any kind is on. One's other devices do, too."""

    conversation: str


class SetTiming(Request[RouteView], frozen=True, kw_only=True):
    """How what one writes in a conversation of any kind moves through an onion network. One's other devices are told,
    the other side is not. Raises code `not_available` where it goes through none."""

    conversation: str
    timing: views.Timing


class IntroductionView(View, frozen=True, kw_only=True):
    """A contact (`by`) would have one meet `name`. `id` is the message that says so."""

    id: str
    by: str
    by_name: str
    name: str
    account: str


class Introductions(Request[tuple[IntroductionView, ...]], frozen=True, kw_only=True):
    """Introductions that wait for an answer. Works offline."""


class FollowIntroduction(Request[views.AddedContact], frozen=True, kw_only=True):
    """Ask the person whom an introduction (the id of its message) names to become contacts."""

    id: str
    greeting: str = ""


class DeclineIntroduction(Request[views.Done], frozen=True, kw_only=True):
    """Do not follow an introduction; nobody is told."""

    id: str


class DropFiles(Request[StorageView], frozen=True, kw_only=True):
    """Delete files of messages on this device, of one conversation or all, older than `days`; the messages stay."""

    conversation: str | None = None
    days: Annotated[int, Meta(ge=0, le=36_600)] = 0


class Software(View, frozen=True, kw_only=True):
    """`version` and `license` of the Roost that runs, and of what it runs on."""

    version: str
    license: str
    python: str
    system: str
    notifies: bool = False  # whether the agent can show notifications on this desktop
    downloads: str = ""  # a folder where exports may go


class SoftwareInfo(Request[Software], frozen=True, kw_only=True):
    """What this program is."""


class Privacy(Request[PrivacyView], frozen=True, kw_only=True):
    """Whether others are told when one has read their messages; None only asks."""

    read_receipts: bool | None = None


class ReadLink(Request[LinkView], frozen=True, kw_only=True):
    """What a link is for. Works offline."""

    link: Annotated[str, Meta(max_length=4_000)]


class Qr(Request[QrCode], frozen=True, kw_only=True):
    """Draw a text as a QR code."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


REQUESTS: tuple[type[Request[object]], ...] = (
    *(Conversations, History, Arrange, Details, Pins, Forward),
    *(GetPreferences, SetPreference, Storage, DropFiles, Route, Floor, Prefer, SetTiming, Privacy, Qr, ReadLink),
    NetworkEnter,
    *(Introductions, FollowIntroduction, DeclineIntroduction, SoftwareInfo),
)  # type: ignore[assignment]
