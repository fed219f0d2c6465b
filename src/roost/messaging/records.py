"""The rows that a profile consists of: plain immutable values. `messaging` reads and makes them, `store` keeps them.

A row is stored as a msgpack map, so a new field with a default, added last, needs no migration; a new key or index
column does. Times are milliseconds since 1970 unless named otherwise. Secrets stand in these rows because the file
that holds them is encrypted as a whole (docs/protocol/profile-format.md).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import msgspec

from roost.wire.addresses import Address
from roost.wire.content import About, BlobPointer
from roost.wire.identity import SignedCard, SignedDeviceList
from roost.wire.links import RelayLink


class Row(msgspec.Struct, frozen=True):
    """Base of all rows. `key` and `indexes` name fields that become columns: bytes, int or str."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    indexes: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:  # rows hold secrets; none may reach a log through a repr
        return f"<{type(self).__name__}>"


R = TypeVar("R", bound=Row)

NEVER = 2**62
"""A time that does not come: so that "what is due by now" is one range of an index."""


class ContactState(enum.IntEnum):
    REQUESTED = 0
    ACCEPTED = 1
    BLOCKED = 2
    SELF = 3


class MessageState(enum.IntEnum):
    """How far a message of mine has come; of others': RECEIVED or SEEN."""

    QUEUED = 0
    SENT = 1  # the mailbox's host committed it, for every device of the recipient
    DELIVERED = 2  # one of their devices stored it
    READ = 3
    RECEIVED = 4
    SEEN = 5


class MailboxState(enum.IntEnum):
    TO_CREATE = 0
    ACTIVE = 1
    RETIRING = 2  # replaced; read until every device of the contact has written to its successor
    TO_DELETE = 3


class OutboxState(enum.IntEnum):
    QUEUED = 0  # not sealed yet
    SEALED = 1  # sealed, to be put
    STORED = 2  # the host has it; ends with the device's acknowledgement


class InvitationState(enum.IntEnum):
    TO_PUT = 0
    OPEN = 1
    USED = 2
    REVOKED = 3  # its card is to be deleted at the host
    CLOSED = 4


class RequestState(enum.IntEnum):
    PENDING = 0
    ACCEPTED = 1
    DECLINED = 2


class FileState(enum.IntEnum):
    COMPLETE = 0
    REMOTE = 1  # to be fetched
    LOST = 2  # the host no longer has it, or it does not verify


class Setting(Row, frozen=True):
    """A small named value of the profile, e.g. a counter."""

    table: ClassVar[str] = "setting"
    key: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    value: bytes


class Me(Row, frozen=True):
    """The one account and device of this profile (id is always 0).

    `account_secret` is the account's Ed25519 seed, wrapped under the stretched passphrase when `wrapped`. A device that
    waits to be linked stands for itself: its account is its own signing key and `linked` is False.
    """

    table: ClassVar[str] = "me"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: int
    account: bytes
    account_secret: bytes
    wrapped: bool
    device: bytes
    device_signing: bytes
    device_identity: bytes
    device_name: str
    devices: SignedDeviceList
    about: About
    linked: bool
    duplicate_key: bytes  # turns a caller's idempotency key into a message id
    created_at: int
    delivery_receipts: bool = True
    read_receipts: bool = True


class OwnRelay(Row, frozen=True):
    """A relay where this profile keeps mailboxes. The one with the lowest `rank` gets new mailboxes."""

    table: ClassVar[str] = "own_relay"
    key: ClassVar[tuple[str, ...]] = ("relay",)
    relay: bytes
    link: RelayLink
    rank: int
    leaving: bool = False  # gets no new mailboxes; goes when its last one has


class Contact(Row, frozen=True):
    """Another account, or my own (state SELF), under which my other devices hang."""

    table: ClassVar[str] = "contact"
    key: ClassVar[tuple[str, ...]] = ("account",)
    indexes: ClassVar[tuple[str, ...]] = ("state",)
    account: bytes
    state: int
    name: str
    added_at: int
    alias: str = ""
    verified: bool = False
    devices: SignedDeviceList | None = None
    about: About | None = None
    timer_s: int = 0
    counter: int = 0  # of what this device said in the conversation
    key_changed: bool = False  # a forked or older device list was seen; shown until verified again


class PeerDevice(Row, frozen=True):
    """A device of a contact, or another of mine."""

    table: ClassVar[str] = "peer_device"
    key: ClassVar[tuple[str, ...]] = ("account", "device")
    account: bytes
    device: bytes
    identity: bytes
    card: SignedCard | None = None
    card_version: int = 0
    address: Address | None = None
    session: bytes = b""  # the one to send with
    announced: int = 0  # the version of my card that it was sent last
    wrote_to: bytes = b""  # admin capability of the mailbox of mine that it wrote to last
    reset_at: int = 0  # when a session was last replaced because of undecryptable envelopes
    name: str = ""


class SessionRow(Row, frozen=True):
    """A ratchet session with one device, and the numbering of frames in both directions."""

    table: ClassVar[str] = "session"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "device", "acknowledge_at")
    id: bytes
    account: bytes
    device: bytes  # empty until the device behind a handshake has announced itself
    identity: bytes
    state: bytes  # crypto.Session
    initiated: bool
    confirmed: bool
    created_at: int
    next_number: int = 1
    acked: int = 0
    received: int = 0  # all frames up to this number were processed
    highest: int = 0
    acknowledge_at: int = NEVER  # when to acknowledge at the latest; NEVER: there is nothing to acknowledge
    invitation: bytes = b""


class Stash(Row, frozen=True):
    """A frame that waits for the ones before it, or for the rest of its entry."""

    table: ClassVar[str] = "stash"
    key: ClassVar[tuple[str, ...]] = ("session", "number")
    session: bytes
    number: int
    part: int
    parts: int
    payload: bytes
    mailbox: bytes
    entry: int


class Prekey(Row, frozen=True):
    """Prekeys of mine that a card offers to one account, or to whoever holds an invitation."""

    table: ClassVar[str] = "prekey"
    key: ClassVar[tuple[str, ...]] = ("context",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "invitation", "expires_at")
    context: bytes  # SHA-256 of the signed card
    account: bytes  # the account it was given to; empty for an invitation's
    invitation: bytes
    agreement: bytes
    kem: bytes
    mask: bytes
    as_account: bytes  # my own account as the card names it
    expires_at: int


class OwnCard(Row, frozen=True):
    """The card that is offered to an account at present."""

    table: ClassVar[str] = "own_card"
    key: ClassVar[tuple[str, ...]] = ("account",)
    account: bytes
    card: SignedCard
    version: int
    made_at: int


class OwnMailbox(Row, frozen=True):
    """A mailbox of mine at a relay of mine, with its three capabilities."""

    table: ClassVar[str] = "own_mailbox"
    key: ClassVar[tuple[str, ...]] = ("admin",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "invitation", "state", "relay")
    admin: bytes
    get: bytes
    put: bytes
    relay: bytes
    kind: int  # wire.mailbox.MailboxKind
    account: bytes  # whom it is for; empty for a request mailbox
    invitation: bytes
    state: int
    created_at: int
    cursor: int = 0
    trimmed: int = 0


class InvitationRow(Row, frozen=True):
    """An invitation of mine. `secret` finds and opens its card; `writer` may replace or delete it."""

    table: ClassVar[str] = "invitation"
    key: ClassVar[tuple[str, ...]] = ("secret",)
    indexes: ClassVar[tuple[str, ...]] = ("state",)
    secret: bytes
    kind: int
    link: str
    writer: bytes
    relay: bytes
    state: int
    created_at: int
    expires_at: int  # 0: never
    sealed_card: bytes
    version: int
    card_expires: int  # seconds since 1970
    introduction: bytes = b""


class Request(Row, frozen=True):
    """Somebody knocked with an invitation of mine."""

    table: ClassVar[str] = "request"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "state")
    id: bytes
    account: bytes
    name: str
    greeting: str
    device: bytes
    identity: bytes
    devices: SignedDeviceList
    address: Address
    session: bytes
    invitation: bytes
    received_at: int
    state: int
    second: bool = False  # the one-time invitation had been used before: a warning


class Message(Row, frozen=True):
    """One message of a conversation, as shown. `content` is an encoded wire content, Unknown ones included."""

    table: ClassVar[str] = "message"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("conversation", "position", "expire_at", "state")
    id: bytes
    conversation: bytes
    author: bytes
    device: bytes
    counter: int
    position: int  # local order of arrival
    sent_at: int
    received_at: int
    content: bytes
    text: str  # what search finds
    state: int
    network: str
    edited_at: int = 0
    edits: tuple[str, ...] = ()
    deleted: bool = False
    expire_s: int = 0
    expire_at: int = NEVER


class ReactionRow(Row, frozen=True):
    table: ClassVar[str] = "reaction"
    key: ClassVar[tuple[str, ...]] = ("target", "account")
    target: bytes
    account: bytes
    emoji: str
    at: int


class VoteRow(Row, frozen=True):
    table: ClassVar[str] = "vote"
    key: ClassVar[tuple[str, ...]] = ("target", "account")
    target: bytes
    account: bytes
    options: tuple[int, ...]
    at: int


class Orphan(Row, frozen=True):
    """An edit, deletion or reaction that came before the message it is about."""

    table: ClassVar[str] = "orphan"
    key: ClassVar[tuple[str, ...]] = ("target", "id")
    target: bytes
    id: bytes
    account: bytes
    sent_at: int
    content: bytes
    received_at: int


class Outbox(Row, frozen=True):
    """One entry that one device must still acknowledge. The only place where a message waits.

    `content` is what the device is told, before the attachments' pointers are filled in; `copy_of` is the conversation
    when it is a copy of what I said there, for another device of mine. `address` overrides the device's own (a knock).
    """

    table: ClassVar[str] = "outbox"
    key: ClassVar[tuple[str, ...]] = ("number",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "device", "state", "next_at", "message", "session")
    number: int
    account: bytes
    device: bytes
    id: bytes
    message: bytes  # the message whose state it moves; empty when none
    content: bytes
    sent_at: int
    counter: int
    state: int
    created_at: int
    copy_of: bytes = b""
    address: Address | None = None
    session: bytes = b""
    first: int = 0
    envelopes: tuple[bytes, ...] = ()
    attempts: int = 0
    next_at: int = 0
    uploads: int = 0
    problem: str = ""  # the last refusal's code, for people


class Upload(Row, frozen=True):
    """An attachment on its way to one device's mailbox."""

    table: ClassVar[str] = "upload"
    key: ClassVar[tuple[str, ...]] = ("outbox", "index")
    outbox: int
    index: int
    message: bytes
    pointer: BlobPointer
    done: int = 0


class StoredFile(Row, frozen=True):
    """An attachment of a message, as a sequence of encrypted blobs in the profile's files folder."""

    table: ClassVar[str] = "stored_file"
    key: ClassVar[tuple[str, ...]] = ("message", "index")
    indexes: ClassVar[tuple[str, ...]] = ("state", "mailbox")
    message: bytes
    index: int
    file: str  # name in the files folder
    file_key: bytes
    size: int
    state: int
    pointer: BlobPointer | None = None
    mailbox: bytes = b""
    entry: int = 0  # the mailbox entry that keeps the blobs alive at the host
    done: int = 0


class Seen(Row, frozen=True):
    """What was processed before: hashes of envelopes, ids of entries, handshakes. Forgotten after `until`."""

    table: ClassVar[str] = "seen"
    key: ClassVar[tuple[str, ...]] = ("what",)
    indexes: ClassVar[tuple[str, ...]] = ("until",)
    what: bytes
    until: int


class EventRow(Row, frozen=True):
    """A fact that listeners are told, kept until they heard it."""

    table: ClassVar[str] = "event"
    key: ClassVar[tuple[str, ...]] = ("number",)
    indexes: ClassVar[tuple[str, ...]] = ("at",)
    number: int
    at: int
    kind: str
    subject: bytes  # message, request or contact id
    account: bytes = b""
    detail: str = ""


ROWS: tuple[type[Row], ...] = (
    Setting,
    Me,
    OwnRelay,
    Contact,
    PeerDevice,
    SessionRow,
    Stash,
    Prekey,
    OwnCard,
    OwnMailbox,
    InvitationRow,
    Request,
    Message,
    ReactionRow,
    VoteRow,
    Orphan,
    Outbox,
    Upload,
    StoredFile,
    Seen,
    EventRow,
)


class Records(Protocol):
    """Read access to the profile inside one transaction."""

    def get(self, kind: type[R], *key: object) -> R | None: ...

    def find(
        self,
        kind: type[R],
        *,
        where: Mapping[str, object] = ...,
        at_most: tuple[str, int] | None = None,
        below: tuple[str, int] | None = None,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[R]:
        """Rows whose columns equal `where` and whose named column is `<=` (`at_most`) or `<` (`below`) the number."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened that a listener may want to know. Durable ones are also an EventRow in the same changes."""

    kind: str
    subject: bytes = b""
    account: bytes = b""
    detail: str = ""
    number: int = 0  # of its EventRow; 0 when not durable


@dataclass(frozen=True, slots=True)
class Changes:
    """What one step of messaging wants written, all or nothing."""

    put: tuple[Row, ...] = ()
    delete: tuple[tuple[type[Row], tuple[object, ...]], ...] = ()
    events: tuple[Event, ...] = ()
