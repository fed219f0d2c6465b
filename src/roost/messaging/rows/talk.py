"""What people said: messages and what hangs on them."""

from __future__ import annotations

import enum
from typing import ClassVar

from roost.messaging.rows.base import NEVER, Row
from roost.wire.content import BlobPointer


class MessageState(enum.IntEnum):
    """How far a message of mine has come; of others': RECEIVED or SEEN."""

    QUEUED = 0
    SENT = 1  # the mailbox's host committed it, for every device of the recipient
    DELIVERED = 2  # one of their devices stored it
    READ = 3
    RECEIVED = 4
    SEEN = 5
    FAILED = 6  # mine: the group ended on this device before it was said, or took my right to


class FileState(enum.IntEnum):
    COMPLETE = 0
    REMOTE = 1  # to be fetched
    LOST = 2  # the host no longer has it, or it does not verify


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
    stored_at: int = 0  # when the host had one of mine for every device, as far as this device was told
    delivered_at: int = 0  # when a device of theirs had it
    read_at: int = 0  # when they, or for one of theirs I, read it
    route: tuple[str, ...] = ()  # the relays on its way that this device knows, HOST:PORT


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


class PinRow(Row, frozen=True):
    """A message that is, or was, kept at hand; the latest word holds."""

    table: ClassVar[str] = "pin"
    key: ClassVar[tuple[str, ...]] = ("conversation", "target")
    conversation: bytes
    target: bytes
    account: bytes  # who said so
    pinned: bool
    at: int


class Orphan(Row, frozen=True):
    """An edit, deletion or reaction that came before the message it is about."""

    table: ClassVar[str] = "orphan"
    key: ClassVar[tuple[str, ...]] = ("target", "id")
    indexes: ClassVar[tuple[str, ...]] = ("account",)
    target: bytes
    id: bytes
    account: bytes
    sent_at: int
    content: bytes
    received_at: int


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


class Thumbnail(Row, frozen=True):
    """A small picture of an attachment, made on this device. Empty `data`: none can be made."""

    table: ClassVar[str] = "thumbnail"
    key: ClassVar[tuple[str, ...]] = ("message", "index")
    message: bytes
    index: int
    data: bytes


class Travel(Row, frozen=True):
    """How a conversation of any kind travels, where the person chose something (wire.travel)."""

    table: ClassVar[str] = "travel"
    key: ClassVar[tuple[str, ...]] = ("conversation",)
    conversation: bytes
    prefers: int = 0  # wire.travel.Network: which network is tried first
    mixed: bool = False
    changed_at: int = 0
