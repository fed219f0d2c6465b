"""Groups as this profile knows them: their cryptographic state, what it wants of them, and what it said in them."""

from __future__ import annotations

import enum
from typing import ClassVar

from roost.messaging.rows.base import NEVER, Row
from roost.wire.addresses import Address
from roost.wire.identity import SignedDeviceList


class GroupStatus(enum.IntEnum):
    JOINING = 0  # welcomed; the group info has not come yet
    ACTIVE = 1
    LOST = 2  # the state cannot follow the log: asking to be let in again
    REMOVED = 3
    LEFT = 4
    STOPPED = 5  # two commits of one epoch were seen: the host lied
    ASKED = 6  # a link was followed; somebody has to let us in


class IntentKind(enum.IntEnum):
    """What a commit should bring about. `account` and `device` say whom; `data` what."""

    ADD = 0  # the account, with each device whose key package is here
    ADD_DEVICE = 1  # one device of an account that is a member
    REMOVE = 2
    REMOVE_DEVICE = 3
    BAN = 4
    UNBAN = 5
    ROLE = 6  # data: one byte
    STATE = 7  # data: wire-encoded fields (messaging.groups.intents.Change)
    UPDATE = 8  # fresh keys for my own leaf
    MOVE = 9  # a new log
    LEAVE = 10  # an account asked to be removed


class GroupRow(Row, frozen=True):
    """A group. `state` is the encoded wire.groups.GroupState in force, empty while JOINING."""

    table: ClassVar[str] = "group"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("status", "due_at")
    id: bytes
    status: int
    title: str
    joined_at: int
    state: bytes = b""
    epoch: int = 0
    log: bytes = b""  # the SharedLog in use
    log_secret: bytes = b""
    generation: int = 0
    inviter: bytes = b""
    counter: int = 0  # of what this device said; its upper part is the epoch of this device's joining
    due_at: int = NEVER  # when messaging.groups.upkeep has something to do
    updated_at: int = 0  # when this device last got fresh keys
    welcome: bytes = b""  # encoded wire.groups.GroupWelcome while JOINING
    transcript: bytes = b""  # SHA-256 of the epoch's confirmed transcript hash
    checked: int = 0  # the last epoch that contacts were told the transcript of
    check_at: int = 0  # when the next one may be told
    told: int = 0  # contacts of this epoch's
    lost_at: int = 0
    tries: int = 0  # of rejoining
    rejoin: bytes = b""  # the rejoining's own state (messaging.groups.rejoining)
    successor: bytes = b""  # the group that goes on in its place
    made_by: bytes = b""  # whose commit made the log
    replaces: bytes = b""  # the group in whose place it was made
    leaving: bool = False  # I want to go; it is said once another admin is there
    receipts: tuple[bytes, ...] = ()  # messages that I have read and whose authors are not told yet
    since: int = 0  # the epoch in which this device was added; -1: not known. What was said before is not for it
    ahead: int = 0  # an epoch that a contact in the group spoke of
    ahead_at: int = 0  # when it did, or when this device last came further itself
    heard: tuple[bytes, ...] = ()  # contacts who spoke of the group before this device ever was in it
    catch_up: bytes = b""  # an encoded wire.groups.CatchUp: what was said while this device had lost the group
    catch_up_at: int = 0  # when to ask for that


class GroupEpoch(Row, frozen=True):
    """The part of an MLS group's state that changes with commits (crypto.mls.save_epoch)."""

    table: ClassVar[str] = "group_epoch"
    key: ClassVar[tuple[str, ...]] = ("group",)
    group: bytes
    data: bytes


class GroupKeys(Row, frozen=True):
    """The part that changes with every message (crypto.mls.save_keys)."""

    table: ClassVar[str] = "group_keys"
    key: ClassVar[tuple[str, ...]] = ("group",)
    group: bytes
    data: bytes


class GroupTranscript(Row, frozen=True):
    """What this device took for the history of a past epoch: to compare with what others took."""

    table: ClassVar[str] = "group_transcript"
    key: ClassVar[tuple[str, ...]] = ("group", "epoch")
    group: bytes
    epoch: int
    transcript: bytes


class GroupMember(Row, frozen=True):
    """A person in a group, as of its present epoch."""

    table: ClassVar[str] = "group_member"
    key: ClassVar[tuple[str, ...]] = ("group", "account")
    indexes: ClassVar[tuple[str, ...]] = ("account",)
    group: bytes
    account: bytes
    name: str
    devices: tuple[bytes, ...]
    role: int
    since: int  # milliseconds, on this device's clock
    leaving: bool = False  # asked to be removed


class GroupFormer(Row, frozen=True):
    """Somebody who was in a group: what they said is still there, under this name."""

    table: ClassVar[str] = "group_former"
    key: ClassVar[tuple[str, ...]] = ("group", "account")
    indexes: ClassVar[tuple[str, ...]] = ()
    group: bytes
    account: bytes
    name: str


class GroupSender(Row, frozen=True):
    """How far this device has read what a device says in a group; ranges of counters that are missing."""

    table: ClassVar[str] = "group_sender"
    key: ClassVar[tuple[str, ...]] = ("group", "device")
    indexes: ClassVar[tuple[str, ...]] = ("ask_at",)
    group: bytes
    device: bytes
    highest: int
    missing: tuple[tuple[int, int], ...] = ()
    ask_at: int = NEVER
    asked: int = 0


class GroupSaid(Row, frozen=True):
    """An entry that this device said. It waits until it is seen in the log, and is kept to be sent again if asked."""

    table: ClassVar[str] = "group_said"
    key: ClassVar[tuple[str, ...]] = ("group", "counter")
    indexes: ClassVar[tuple[str, ...]] = ("put", "landed_at", "message")
    group: bytes
    counter: int
    entry: bytes  # encoded wire.content.Entry
    message: bytes = b""
    put: int = 0  # the LogPut that carries it; 0: none yet
    epoch: int = 0  # in which that was sealed
    landed_at: int = NEVER
    attachments: int = 0
    again: int = 0  # how often it was said once more


class GroupIntent(Row, frozen=True):
    """A change that somebody asked for, until a commit has brought it about or it may not be any more."""

    table: ClassVar[str] = "group_intent"
    key: ClassVar[tuple[str, ...]] = ("number",)
    indexes: ClassVar[tuple[str, ...]] = ("group",)
    number: int
    group: bytes
    kind: int
    account: bytes
    device: bytes
    data: bytes
    created_at: int
    not_before: int = 0
    attempts: int = 0
    quiet: bool = False  # of this device's own making: nobody is told when it cannot be


class GroupCommit(Row, frozen=True):
    """A commit of mine that waits to be first in its epoch."""

    table: ClassVar[str] = "group_commit"
    key: ClassVar[tuple[str, ...]] = ("group",)
    indexes: ClassVar[tuple[str, ...]] = ("put",)
    group: bytes
    staged: bytes  # crypto.mls.save_staged
    base: int  # the epoch that it ends
    put: int  # 0 until the next log is there
    next_log: bytes = b""  # the SharedLog made for it
    intents: tuple[int, ...] = ()
    record: bytes = b""


class KeyPackageRow(Row, frozen=True):
    """A key package that a device of somebody offered to me."""

    table: ClassVar[str] = "key_package"
    key: ClassVar[tuple[str, ...]] = ("account", "device")
    account: bytes
    device: bytes
    package: bytes
    received_at: int
    expires_at: int


class OwnKeyPackage(Row, frozen=True):
    """A key package of mine with its secrets, offered to one account."""

    table: ClassVar[str] = "own_key_package"
    key: ClassVar[tuple[str, ...]] = ("reference",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "expires_at")
    reference: bytes
    account: bytes
    secrets: bytes
    made_at: int
    expires_at: int
    used: bool = False
    lists: bytes = b""  # SHA-256 of the device list inside
    offered: tuple[bytes, ...] = ()  # to these devices of the account


class GroupAnswer(Row, frozen=True):
    """A member's device asks to be let in again; this device answers then, unless another one does before."""

    table: ClassVar[str] = "group_answer"
    key: ClassVar[tuple[str, ...]] = ("group", "device")
    indexes: ClassVar[tuple[str, ...]] = ("due_at",)
    group: bytes
    device: bytes
    ask: bytes  # its id, 32 bytes
    key_bytes: bytes  # what the answer is sealed to
    due_at: int
    again: bool = False  # it asked lately: answered whoever else answers


class GroupRequest(Row, frozen=True):
    """Somebody followed a link and asks to be let in. `session` is empty on devices that only heard of it; the one
    whose link it was holds the rest and carries out what is decided."""

    table: ClassVar[str] = "group_request"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("group", "account")
    id: bytes
    group: bytes
    account: bytes
    name: str
    greeting: str
    received_at: int
    session: bytes = b""
    device: bytes = b""
    identity: bytes = b""
    devices: SignedDeviceList | None = None
    address: Address | None = None


class ReadBy(Row, frozen=True):
    """A person has read a message of mine in a group."""

    table: ClassVar[str] = "read_by"
    key: ClassVar[tuple[str, ...]] = ("target", "account")
    target: bytes
    account: bytes
    at: int
