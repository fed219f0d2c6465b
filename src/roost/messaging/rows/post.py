"""What travels: my mailboxes, invitations and requests, the outbox, and marks of what came before."""

from __future__ import annotations

import enum
from typing import ClassVar

from roost.messaging.rows.base import Row
from roost.wire.addresses import Address
from roost.wire.content import BlobPointer
from roost.wire.identity import SignedDeviceList


class MailboxState(enum.IntEnum):
    TO_CREATE = 0
    ACTIVE = 1
    RETIRING = 2  # replaced; read until every device of the contact has written to its successor
    TO_DELETE = 3
    CLOSED = 4  # deleted at its relay while its account is blocked


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


class Setting(Row, frozen=True):
    """A small named value of the profile, e.g. a counter."""

    table: ClassVar[str] = "setting"
    key: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    value: bytes


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
    fallback: bool = False  # the second one for its account, at another relay than the first
    kept: bool = False  # until its account is unblocked, which may know no other address


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
    group: bytes = b""  # where a link of kind GROUP leads
    about: bytes = b""  # what its card says of that group, encoded
    nearby: bool = False  # it was shown to everybody on the local network


class Followed(Row, frozen=True):
    """Somebody else's invitation that is to be opened when their device is met. The secret is the link's."""

    table: ClassVar[str] = "followed"
    key: ClassVar[tuple[str, ...]] = ("secret",)
    secret: bytes
    link: str
    greeting: str
    since: int


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
    checks: tuple[bytes, ...] = ()  # of each envelope's frame, to compare with its acknowledgement
    blobs_at: bytes = b""  # the key of the host that has what is uploaded of its attachments
    probe: bool = False  # put where a silent device read before, under a session of its own (messaging.stalled)


class Upload(Row, frozen=True):
    """An attachment on its way to one device's mailbox."""

    table: ClassVar[str] = "upload"
    key: ClassVar[tuple[str, ...]] = ("outbox", "index")
    outbox: int
    index: int
    message: bytes
    pointer: BlobPointer
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


class EnteredNetwork(Row, frozen=True):
    """An onion network of others that the person did something to enter, here or on another device of theirs, `at`
    last (messaging.entered)."""

    table: ClassVar[str] = "entered_network"
    key: ClassVar[tuple[str, ...]] = ("network",)
    network: bytes
    at: int


class OnionMemory(Row, frozen=True):
    """What this device knows of onion networks (roost.network.onion): documents, consensus, guards."""

    table: ClassVar[str] = "onion_memory"
    key: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    value: bytes
