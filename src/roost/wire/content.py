"""What people say to each other: the contents of conversations, the entries that carry them, and the frames that carry
entries between two devices (DESIGN section 5).

One *entry* is one thing said, with an id that is the same on every device. An encoded entry is cut into *frames*, one
per envelope; frames are numbered per session so that a receiver delivers entries in order, exactly once, and
acknowledges them.
"""

from __future__ import annotations

import enum
import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from roost.errors import WireError
from roost.wire.addresses import Address
from roost.wire.codec import Extensions, OutOfBounds, Record, TextRecord, check_extensions, decode, decode_parts, encode
from roost.wire.groups import ABOUT_GROUPS, IN_GROUPS
from roost.wire.identity import Key32, Name, SignedCard, SignedDeviceList
from roost.wire.sizes import (
    CHECK_SIZE,
    ENVELOPE_SIZE,
    MAX_ACKNOWLEDGEMENTS,
    MAX_CONTENT,
    MAX_COPIED_CONTENT,
    MAX_DEVICES,
    MAX_FRAGMENTS,
    MAX_GREETING,
    MAX_TEXT,
)
from roost.wire.travel import NetworkEntered, TravelChange

EntryId = Annotated[bytes, Meta(min_length=16, max_length=16)]
Millis = Annotated[int, Meta(ge=0, le=2**50)]  # since 1970
Count32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Tag = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Style(enum.IntEnum):
    """The styles that this version shows. A span of any other number is carried and not shown."""

    BOLD = 0
    ITALIC = 1
    CODE = 2
    QUOTE = 3
    SPOILER = 4
    STRIKE = 5


class Span(Record, frozen=True):
    """Formatting of `length` code points from `start` on."""

    start: Count32
    length: Count32
    style: Annotated[int, Meta(ge=0, le=255)]  # Style, or one of a later version


class Mention(Record, frozen=True):
    """The `length` code points from `start` on name a member of the group."""

    start: Count32
    length: Count32
    account: Key32


Mentions = Annotated[tuple[Mention, ...], Meta(max_length=64)]


class BlobPointer(Record, frozen=True):
    """Where an attachment's encrypted bytes are and how they open (crypto.attachment). One per receiving device."""

    key: Key32
    hold: EntryId
    blobs: Annotated[int, Meta(ge=1, le=65_536)]  # with padding blobs


class MediaFacts(Record, frozen=True):
    """What is shown of a picture, a film or a sound before its bytes are there. The sender's word: only for layout.

    `waveform`: how loud a sound is over its length, a byte for each bar.
    """

    width: Annotated[int, Meta(ge=0, le=65_535)] = 0
    height: Annotated[int, Meta(ge=0, le=65_535)] = 0
    duration_ms: Count32 = 0
    waveform: Annotated[bytes, Meta(max_length=128)] = b""
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        check_extensions(self.extensions)


class Attachment(TextRecord, frozen=True):
    """A file. `pointer` is None only in what an author keeps of their own message, before it is sent."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    size: Annotated[int, Meta(ge=0, le=2**31)]
    media_type: Annotated[str, Meta(max_length=127)]
    digest: Key32  # BLAKE2b-256 of the plaintext
    pointer: BlobPointer | None = None
    voice_note: bool = False
    media: MediaFacts | None = None


# --- what is shown --------------------------------------------------------------------------------------------------


class Text(TextRecord, frozen=True, tag=0):
    """A message: text, attachments or both. `expire_s` > 0: it disappears so long after it was read."""

    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    spans: Annotated[tuple[Span, ...], Meta(max_length=512)] = ()
    reply_to: EntryId | None = None
    attachments: Annotated[tuple[Attachment, ...], Meta(max_length=32)] = ()
    expire_s: Count32 = 0
    forwarded: bool = False
    mentions: Mentions = ()


class Edit(TextRecord, frozen=True, tag=1):
    target: EntryId
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    spans: Annotated[tuple[Span, ...], Meta(max_length=512)] = ()
    mentions: Mentions = ()


class Deletion(Record, frozen=True, tag=2):
    """Delete for everyone; only the author's own."""

    target: EntryId


class Reaction(TextRecord, frozen=True, tag=3):
    """One emoji per person and message; empty takes it back."""

    target: EntryId
    emoji: Annotated[str, Meta(max_length=64)]


class Receipt(Record, frozen=True, tag=4):
    """These messages were read. (That they were delivered is the frame acknowledgement's business.)"""

    read: Annotated[tuple[EntryId, ...], Meta(min_length=1, max_length=512)]


class Typing(Record, frozen=True, tag=5):
    """Sent as an ephemeral envelope, never stored."""

    active: bool


class About(TextRecord, frozen=True, tag=6):
    """A person's profile. `picture` is empty or an image of at most 65,536 bytes."""

    name: Name
    status: Annotated[str, Meta(max_length=256)] = ""
    picture: Annotated[bytes, Meta(max_length=65_536)] = b""


class TimerChange(Record, frozen=True, tag=7):
    """New messages of this conversation disappear after so many seconds; 0 is off."""

    seconds: Count32


class CallSignal(Record, frozen=True, tag=8):
    """Call signalling, meaning given by the calls room."""

    call: EntryId
    data: Annotated[bytes, Meta(max_length=32_768)]


class Poll(TextRecord, frozen=True, tag=9):
    question: Annotated[str, Meta(max_length=1_024)]
    options: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(min_length=2, max_length=20)]
    several: bool = False


class Vote(Record, frozen=True, tag=10):
    target: EntryId
    options: Annotated[tuple[Annotated[int, Meta(ge=0, le=19)], ...], Meta(max_length=20)]


class Floor(enum.IntEnum):
    """The weakest network that a conversation may take, weakest first (DESIGN section 10)."""

    ANY = 0
    FEDERATED = 1
    ONION = 2


class FloorChange(Record, frozen=True, tag=11):
    """The sender lets this conversation take no network that exposes more than `floor`; both keep to the stricter."""

    floor: Floor


class Pin(Record, frozen=True, tag=12):
    """Keep a message of the conversation at hand for both sides, or no longer."""

    target: EntryId
    pinned: bool


class CourierOffer(Record, frozen=True, tag=13):
    """The sending device carries parcels for the receiver, or does not any more (messaging.parcels)."""

    carries: bool


# --- how people and devices find each other --------------------------------------------------------------------------


class ContactRequest(TextRecord, frozen=True, tag=32):
    """The knock: who asks, and where to answer. The whole of it fits one envelope."""

    name: Name
    greeting: Annotated[str, Meta(max_length=MAX_GREETING)]
    devices: SignedDeviceList
    device: Key32  # the asking device's signing key
    address: Address  # the asking device's mailbox for this contact


class ContactAcceptance(Record, frozen=True, tag=33):
    """The answer, from the device that was asked: its card for this contact, which carries list and address."""

    about: About
    card: SignedCard


class DeviceAnnouncement(Record, frozen=True, tag=34):
    """A device's current card for the receiving account, after acceptance, weekly, and when its address changed."""

    card: SignedCard


class IntroductionRequest(TextRecord, frozen=True, tag=35):
    """A mutual contact would introduce you to someone; the answer carries a one-time invitation to pass on."""

    introduction: EntryId
    name: Name  # of the person you would meet
    account: Key32


class IntroductionLink(TextRecord, frozen=True, tag=36):
    introduction: EntryId
    link: Annotated[str, Meta(max_length=2_000)]


class Introduction(TextRecord, frozen=True, tag=37):
    """Meet `account`: the link opens a contact request to them."""

    name: Name
    account: Key32
    link: Annotated[str, Meta(max_length=2_000)]


# --- among one person's own devices ----------------------------------------------------------------------------------


class SentCopy(Record, frozen=True, tag=64):
    """What another of my devices said, in which conversation (a contact's account id)."""

    conversation: Key32
    content: Annotated[bytes, Meta(min_length=1, max_length=MAX_COPIED_CONTENT)]  # an encoded content


class ReadMark(Record, frozen=True, tag=65):
    conversation: Key32
    read: Annotated[tuple[EntryId, ...], Meta(min_length=1, max_length=512)]


class ContactSync(TextRecord, frozen=True, tag=66):
    """A contact as another of my devices knows it: its devices' newest cards, each with the address to write to.

    `made_at` is when the two became contacts, last time if they did so again; `changed_at` when the person last changed
    state, alias or verification. What is older than what is known changes nothing: a block must not be undone by a
    device that has not heard of it.
    """

    account: Key32
    name: Name
    alias: Name
    state: Annotated[int, Meta(ge=0, le=3)]  # messaging.records.ContactState
    verified: bool
    devices: SignedDeviceList
    cards: Annotated[tuple[SignedCard, ...], Meta(max_length=MAX_DEVICES)]
    timer_s: Count32 = 0
    made_at: Millis = 0
    changed_at: Millis = 0
    floor: Floor = Floor.ANY
    their_floor: Floor = Floor.ANY
    key_changed: bool = False  # their device lists contradict each other: to be verified again


class ContactRemoved(Record, frozen=True, tag=67):
    account: Key32


class DeviceRemoved(Record, frozen=True, tag=69):
    """To a device of one's own that is one no longer: the list that does not name it. Out of order, in one frame."""

    devices: SignedDeviceList


class DeviceWelcome(Record, frozen=True, tag=68):
    """To a new device of one's own: the account's key, list and profile. Contacts follow as `ContactSync`s."""

    account_secret: Key32
    devices: SignedDeviceList
    about: About
    card: SignedCard  # of the welcoming device


Content = (
    Text
    | Edit
    | Deletion
    | Reaction
    | Receipt
    | Typing
    | About
    | TimerChange
    | CallSignal
    | Poll
    | Vote
    | FloorChange
    | Pin
    | CourierOffer
    | ContactRequest
    | ContactAcceptance
    | DeviceAnnouncement
    | IntroductionRequest
    | IntroductionLink
    | Introduction
    | ABOUT_GROUPS
    | SentCopy
    | ReadMark
    | ContactSync
    | ContactRemoved
    | DeviceWelcome
    | DeviceRemoved
    | TravelChange
    | NetworkEntered
    | IN_GROUPS
)
_KNOWN_TAGS = frozenset(kind.__struct_config__.tag for kind in Content.__args__)


class Unknown(msgspec.Struct, frozen=True):
    """A content that this version does not know: kept, and shown as "needs a newer Roost"."""

    tag: int
    raw: bytes


class Entry(Record, frozen=True):
    """One thing said. `counter` numbers what a device says in one conversation, so that a reader shows it in order.

    `content` stays encoded so that unknown kinds survive being stored and shown.
    """

    id: EntryId
    sent_at: Millis
    counter: Annotated[int, Meta(ge=0, le=2**53)]
    content: Annotated[bytes, Meta(min_length=1, max_length=MAX_CONTENT)]


def encode_content(content: Content) -> bytes:
    return encode(content)


def decode_content(data: bytes) -> Content | Unknown:
    """Parse a content. A well-formed array with a tag from the future becomes `Unknown`.

    Raises:
        WireError: not canonical msgpack, or a known kind with wrong fields.
    """
    tag = _tag(data)
    if tag in _KNOWN_TAGS:
        return decode(Content, data)  # type: ignore[arg-type]
    return Unknown(tag, data)


def _tag(data: bytes) -> int:
    parts = decode_parts(data)
    if not parts:
        raise WireError("malformed content")
    return decode(Tag, bytes(parts[0]))


# --- frames between two devices --------------------------------------------------------------------------------------


def frame_check(before: bytes, payload: bytes) -> bytes:
    """What an acknowledgement repeats of the frame that it names and of those that this one follows: `before` is the
    check of the frame before it, empty where its sender kept none before it."""
    return hashlib.sha256((before or bytes(CHECK_SIZE)) + payload).digest()[:CHECK_SIZE]


class Acknowledgement(Record, frozen=True):
    """All frames of the session up to `upto` are stored; `highest` is the highest number seen (a gap if larger).

    `check` is that of frame `upto` (`frame_check`), or empty where a frame that it follows was given up: a sender put
    back from an older copy must not take what is said of other frames for its own.
    """

    session: EntryId
    upto: Count32
    highest: Count32
    check: Annotated[bytes, Meta(max_length=CHECK_SIZE)]

    def __post_init__(self) -> None:
        if self.highest < self.upto:
            raise OutOfBounds("an acknowledgement's highest number is below its first gap")
        if len(self.check) not in (0, CHECK_SIZE):
            raise OutOfBounds("an acknowledgement's check has 8 bytes")


class Frame(Record, frozen=True):
    """The plaintext of one envelope, padded to crypto's BODY_SIZE.

    `number` counts the frames of a session from 1; 0 is a frame outside the order that nobody acknowledges (bare
    acknowledgements, typing). `floor` is the lowest number that the sender still keeps: a receiver that misses lower
    ones need not wait for them. `part` of `parts` says which fragment of the encoded entry `payload` is; entries are
    never interleaved. A frame without payload has no parts. `quiet`: the sender of this frame does not want
    acknowledgements shown as "delivered".
    """

    number: Count32
    floor: Count32
    part: Annotated[int, Meta(ge=0, lt=MAX_FRAGMENTS)]
    parts: Annotated[int, Meta(ge=0, le=MAX_FRAGMENTS)]
    payload: Annotated[bytes, Meta(max_length=ENVELOPE_SIZE)]
    acknowledge: Annotated[tuple[Acknowledgement, ...], Meta(max_length=MAX_ACKNOWLEDGEMENTS)] = ()
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.part >= max(self.parts, 1) or bool(self.payload) != bool(self.parts):
            raise OutOfBounds("a frame's part, parts and payload do not agree")
