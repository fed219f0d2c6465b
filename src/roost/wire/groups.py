"""Groups: their state, what stands in their logs, what two people say about them (docs/protocol/groups.md).

The state travels as an extension of MLS's group context, so it is encrypted, agreed and changed by commits alone. What
stands in a shared log is a `GroupRecord`; contents with tags from 80 on are said inside a group.
"""

from __future__ import annotations

import enum
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from roost.wire.addresses import Address, HostAddress
from roost.wire.codec import Extensions, OutOfBounds, Record, TextRecord, check_extensions
from roost.wire.identity import Key32, Name, Signature, SignedCard, SignedDeviceList

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 2_048
MAX_AVATAR: Final = 16_384  # it travels with every change of the state and to every newcomer
MAX_MEMBERS: Final = 5_000  # accounts
MAX_HISTORY: Final = 500  # messages that newcomers get
MAX_KEY_PACKAGE: Final = 6_144
MAX_KNOCK_GREETING: Final = 256
GROUP_CARD: Final = 64  # kind of the extension in the card behind a group's link
MAX_GAPS: Final = 64  # ranges in one `Missing`
MAX_HEARD: Final = 256  # devices in one `CatchUp`
MAX_GROUP_MESSAGE: Final = 32 * 1024**2 - 64  # a record of the log less its head
MAX_SEALED_KEYS: Final = 48  # admin devices told in one message

STATE_EXTENSION: Final = 0xF0B0  # of the group context; private use in RFC 9420 section 17.3
MEMBER_EXTENSION: Final = 0xF0B1  # of a leaf

EntryId = Annotated[bytes, Meta(min_length=16, max_length=16)]
Epoch = Annotated[int, Meta(ge=0, le=2**53)]
Generation = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Counter = Annotated[int, Meta(ge=0, le=2**53)]
Count32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Millis = Annotated[int, Meta(ge=0, le=2**50)]
Title = Annotated[str, Meta(max_length=MAX_TITLE)]
Secret32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class Role(enum.IntEnum):
    """What a person may do in a group; each may what those before it may."""

    READ_ONLY = 0
    MEMBER = 1
    MODERATOR = 2
    ADMIN = 3


class MemberRole(Record, frozen=True):
    account: Key32
    role: Role


class Permissions(Record, frozen=True):
    """The least role for each of these."""

    invite: Role = Role.MEMBER
    describe: Role = Role.MODERATOR  # title, description, picture, timer
    post: Role = Role.MEMBER
    pin: Role = Role.MODERATOR


class LogPlace(Record, frozen=True):
    """Where the group's log is. `generation` counts its places; the capabilities come from it."""

    relay: HostAddress
    generation: Generation


class GroupState(TextRecord, frozen=True):
    """What all members agree on beside keys. Who is not in `roles` is a MEMBER; lists ascend by account."""

    title: Title
    place: LogPlace
    roles: Annotated[tuple[MemberRole, ...], Meta(max_length=MAX_MEMBERS)]
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION)] = ""
    avatar: Annotated[bytes, Meta(max_length=MAX_AVATAR)] = b""
    permissions: Permissions = Permissions()
    timer_s: Count32 = 0
    history: Annotated[int, Meta(ge=0, le=MAX_HISTORY)] = 0
    approval: bool = True  # who comes by a link waits until somebody lets them in
    banned: Annotated[tuple[Key32, ...], Meta(max_length=MAX_MEMBERS)] = ()
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extensions(self.extensions)
        accounts = [entry.account for entry in self.roles]
        if any(after <= before for order in (accounts, self.banned) for before, after in pairwise(order)):
            raise OutOfBounds("accounts of a group's state are out of order")
        if any(entry.role is Role.MEMBER for entry in self.roles):
            raise OutOfBounds("a group's state names a role that goes without saying")


class GroupCard(TextRecord, frozen=True):
    """What the card behind a group's link says of the group: the data of card extension GROUP_CARD."""

    group: Key32
    title: Title
    approval: bool


class MemberInfo(TextRecord, frozen=True):
    """What a leaf says of its member beside keys: the account's devices, of which it is one, and the person's name."""

    devices: SignedDeviceList
    name: Name = ""
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extensions(self.extensions)


# --- what stands in a group's log ------------------------------------------------------------------------------------


class GroupMessage(Record, frozen=True, tag=0):
    """An MLS message: a member's, or an external commit."""

    message: Annotated[bytes, Meta(min_length=1, max_length=MAX_GROUP_MESSAGE)]


class SealedRecord(Record, frozen=True, tag=1):
    """Bytes that some readers were told how to open: a Welcome's group info, history, an answer to `Rejoin`."""

    id: Key32
    sealed: Annotated[bytes, Meta(min_length=1, max_length=MAX_GROUP_MESSAGE)]


class Rejoin(Record, frozen=True, tag=2):
    """A member's device lost the group's state and asks for a group info, sealed to `key` (the suite's KEM).

    `signature` is by the device's key over all fields before it (messaging.groups.rejoining).
    """

    account: Key32
    device: Key32
    epoch: Epoch  # the last one it knows
    nonce: EntryId
    key: Annotated[bytes, Meta(max_length=2_048)]
    signature: Signature


GroupRecord = GroupMessage | SealedRecord | Rejoin


class RejoinInfo(Record, frozen=True):
    """The answer inside a `SealedRecord`: a group info with tree, and how the epoch's envelopes open."""

    group_info: Annotated[bytes, Meta(min_length=1, max_length=MAX_GROUP_MESSAGE)]
    envelope_key: Secret32


class KeptMessage(Record, frozen=True):
    """A message as a member hands it on to a newcomer."""

    author: Key32
    device: Key32
    id: EntryId
    sent_at: Millis
    content: Annotated[bytes, Meta(min_length=1, max_length=97_000)]
    edited_at: Millis = 0


class History(Record, frozen=True):
    """The last messages of a group, oldest first."""

    messages: Annotated[tuple[KeptMessage, ...], Meta(max_length=MAX_HISTORY)]


# --- between two people ----------------------------------------------------------------------------------------------


class KeyPackageOffer(Record, frozen=True, tag=38):
    """A key package of the sending device, with which the receiving person's devices may add it to groups."""

    package: Annotated[bytes, Meta(min_length=1, max_length=MAX_KEY_PACKAGE)]


class GroupWelcome(TextRecord, frozen=True, tag=39):
    """The sender's device was made to add the receiving device to a group.

    `secrets` are this device's entry of the MLS Welcome; the rest of it stands in the group's log as a `SealedRecord`
    with the id `info`. `envelope_key` opens what is sent in the epoch that begins; `cursor` is where to read from.
    """

    group: Key32
    title: Title
    secrets: Annotated[bytes, Meta(min_length=1, max_length=4_096)]
    info: Key32
    epoch: Epoch
    place: LogPlace
    log_secret: Secret32
    envelope_key: Secret32
    cursor: Counter
    history: Annotated[bytes, Meta(max_length=32)] = b""  # key of the history's record; empty: none
    replaces: Annotated[bytes, Meta(max_length=32)] = b""  # a group that this one goes on in the place of; empty: none


class GroupCheck(Record, frozen=True, tag=40):
    """The confirmed transcript hash (its SHA-256) of an epoch: two different ones prove that the host lied."""

    group: Key32
    epoch: Epoch
    transcript: Key32


class GroupLost(Record, frozen=True, tag=41):
    """The sending device cannot follow the group any more; where is its log now?"""

    group: Key32
    generation: Generation


class GroupFound(Record, frozen=True, tag=42):
    """The answer: the present log. The state itself is asked for there (`Rejoin`)."""

    group: Key32
    place: LogPlace
    log_secret: Secret32
    cursor: Counter


class GroupKnock(TextRecord, frozen=True, tag=43):
    """Who followed a group's link asks to be let in. The whole of it fits one envelope, as a contact request does."""

    group: Key32
    name: Name
    greeting: Annotated[str, Meta(max_length=MAX_KNOCK_GREETING)]
    devices: SignedDeviceList
    device: Key32
    address: Address  # the asking device's mailbox for the member behind the link


class KnockAccepted(Record, frozen=True, tag=44):
    """The member's device answers, with its card for the person who asked; a key package is the next thing it needs."""

    group: Key32
    card: SignedCard


class GroupIntroduction(TextRecord, frozen=True, tag=45):
    """The sender, who is in the group, would let the receiver in: a message, to be followed (`GroupKnock`) or not."""

    group: Key32
    title: Title


# --- inside a group --------------------------------------------------------------------------------------------------


class Leave(Record, frozen=True, tag=80):
    """The sender wants to be removed, with all devices."""


class GapRange(Record, frozen=True):
    first: Counter
    last: Counter

    def __post_init__(self) -> None:
        if not self.first <= self.last:
            raise OutOfBounds("a range ends before it begins")


class Missing(Record, frozen=True, tag=81):
    """These entries of a member's device never came; it sends them again."""

    device: Key32
    ranges: Annotated[tuple[GapRange, ...], Meta(min_length=1, max_length=MAX_GAPS)]


class HeardUpTo(Record, frozen=True):
    device: Key32
    counter: Counter


class CatchUp(Record, frozen=True, tag=86):
    """The sending device had lost the group: every device says again what it said after that counter, or since that
    epoch began where it is not named."""

    epoch: Epoch
    heard: Annotated[tuple[HeardUpTo, ...], Meta(max_length=MAX_HEARD)]


class SealedKey(Record, frozen=True):
    device: Key32
    sealed: Annotated[bytes, Meta(max_length=2_048)]


class AdminKeys(Record, frozen=True, tag=82):
    """The log's admin capability, encrypted to the leaf of each admin's device."""

    generation: Generation
    keys: Annotated[tuple[SealedKey, ...], Meta(min_length=1, max_length=MAX_SEALED_KEYS)]


class JoinRequest(TextRecord, frozen=True, tag=84):
    """Somebody followed a link of the sending device and waits for a decision, which whoever may invite can make."""

    id: EntryId
    account: Key32
    name: Name
    greeting: Annotated[str, Meta(max_length=MAX_KNOCK_GREETING)]


class JoinAnswer(Record, frozen=True, tag=85):
    """The decision about a join request."""

    id: EntryId
    accepted: bool


class NoteKind(enum.IntEnum):
    CREATED = 0
    ADDED = 1
    REMOVED = 2
    LEFT = 3
    BANNED = 4
    UNBANNED = 5
    ROLE = 6
    TITLE = 7
    DESCRIPTION = 8
    AVATAR = 9
    TIMER = 10
    PERMISSIONS = 11
    JOINED = 12
    REJOINED = 13
    REOPENED = 14
    UNSENT = 15  # `detail` counts changes of messages, one's own, that did not reach the group


class GroupNote(TextRecord, frozen=True, tag=83):
    """What changed, as a device shows it to its own person between messages. It is never sent."""

    kind: NoteKind
    account: Annotated[bytes, Meta(max_length=32)] = b""  # whom it is about
    detail: Annotated[str, Meta(max_length=MAX_TITLE)] = ""


ABOUT_GROUPS = (
    KeyPackageOffer
    | GroupWelcome
    | GroupCheck
    | GroupLost
    | GroupFound
    | GroupKnock
    | KnockAccepted
    | GroupIntroduction
)  # contents between two people
IN_GROUPS = Leave | Missing | CatchUp | AdminKeys | GroupNote | JoinRequest | JoinAnswer  # contents inside groups
