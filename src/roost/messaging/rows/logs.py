"""Shared logs: the mailboxes of groups and channels as this profile knows them, and what it appends to them."""

from __future__ import annotations

import enum
from typing import ClassVar

from roost.messaging.rows.base import NEVER, Row
from roost.wire.addresses import HostAddress
from roost.wire.content import BlobPointer


class LogKind(enum.IntEnum):
    """Whose log it is: who is told of what lands in it."""

    GROUP = 0
    CHANNEL = 1


class LogState(enum.IntEnum):
    TO_CREATE = 0
    OPEN = 1
    LOST = 2  # its host knows our capability to read no longer; asked again now and then
    TO_SEAL = 3
    SEALED = 4  # sealed by us: read on, not written to
    LEFT = 5  # not read any more; kept for files that are still to be fetched
    TO_DELETE = 6


class LogPutState(enum.IntEnum):
    QUEUED = 0  # its blobs are not stored yet
    SEALED = 1  # to be put
    STORED = 2  # its host has it; ends when it is seen in the log


class SharedLog(Row, frozen=True):
    """A shared mailbox. `id` is local and random; `owner` is the group's or channel's id (32 bytes). `put` is this
    profile's own writer capability (empty: read only), `admin` is empty where this profile does not administer it."""

    table: ClassVar[str] = "shared_log"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("owner", "state")
    id: bytes
    owner: bytes
    kind: int
    relay: HostAddress
    get: bytes
    put: bytes
    admin: bytes
    state: int
    created_at: int
    cursor: int = 0
    unopened: int = 0  # envelopes since the last one of somebody else's that opened
    unopened_at: int = 0  # when the first of them came
    waits: bool = False  # for its owner to begin with: not read, or what others say there would be passed over


class LogGrant(Row, frozen=True):
    """A writer capability that is to be granted or revoked at the host."""

    table: ClassVar[str] = "log_grant"
    key: ClassVar[tuple[str, ...]] = ("log", "capability_hash")
    log: bytes
    capability_hash: bytes
    add: bool
    limit: int = 0
    problem: str = ""


class LogKey(Row, frozen=True):
    """A key (32 bytes) that is tried on what arrives. `tag` means something to the log's owner alone (an epoch)."""

    table: ClassVar[str] = "log_key"
    key: ClassVar[tuple[str, ...]] = ("log", "key_bytes")
    indexes: ClassVar[tuple[str, ...]] = ("until",)
    log: bytes
    key_bytes: bytes
    tag: int
    added: int  # rises with each key
    until: int = NEVER


class LogPut(Row, frozen=True):
    """A record that this profile appends. It ends when this profile sees it in the log, or its owner withdraws it.

    `record` is its id (wire.logs); `subject` means something to the owner alone. A spilled record's bytes are in
    `LogSpill`; `uploads` counts the attachments that go with it (`Upload` rows under the same number).
    """

    table: ClassVar[str] = "log_put"
    key: ClassVar[tuple[str, ...]] = ("number",)
    indexes: ClassVar[tuple[str, ...]] = ("log", "state", "next_at", "record")
    number: int
    log: bytes
    record: bytes
    tag: int
    envelopes: tuple[bytes, ...]
    state: int
    created_at: int
    subject: bytes = b""
    next_at: int = 0
    attempts: int = 0
    problem: str = ""  # the last refusal's code, for people
    ephemeral: bool = False
    after_grants: bool = False  # waits until the log's grants are made
    spilled: BlobPointer | None = None
    spilled_done: int = 0
    uploads: int = 0


class LogSpill(Row, frozen=True):
    """The bytes of a spilled record on its way: apart from its `LogPut`, which changes often."""

    table: ClassVar[str] = "log_spill"
    key: ClassVar[tuple[str, ...]] = ("put",)
    put: int
    data: bytes


class LogPart(Row, frozen=True):
    """A part of a record whose others have not come."""

    table: ClassVar[str] = "log_part"
    key: ClassVar[tuple[str, ...]] = ("log", "record", "part")
    log: bytes
    record: bytes
    part: int
    parts: int
    payload: bytes
    entry: int  # its number in the log
