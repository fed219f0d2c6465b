"""Channels: their state, posts and bans, each signed, as they stand in a channel's log (docs/protocol/channels.md)."""

from __future__ import annotations

import enum
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from roost.crypto import SEALED_CAPABILITY_SIZE
from roost.wire.addresses import HostAddress
from roost.wire.codec import Extensions, OutOfBounds, Record, TextRecord, check_extensions
from roost.wire.content import EntryId, Millis
from roost.wire.identity import Key32, Signature
from roost.wire.sizes import MAX_CONTENT

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 2_048
MAX_AVATAR: Final = 16_384
MAX_PSEUDONYM: Final = 64
MAX_ROLES: Final = 256
MAX_BANNED: Final = 1_024
MAX_REMOVED: Final = 1_024
MAX_SLOW_S: Final = 86_400
PLACE: Final = 1  # kind of the extension of a state that names the channel's next place
MAX_BODY: Final = 131_072  # a state with everything at its limit
MAX_CHANNEL_RECORD: Final = MAX_BODY + 256

Pseudonym = Annotated[str, Meta(max_length=MAX_PSEUDONYM)]


class Posting(enum.IntEnum):
    """Who may post."""

    ROLES = 0  # the owner, moderators and posters
    ALL = 1  # whoever has the link


class ChannelRole(enum.IntEnum):
    """What a pseudonym is in a channel. READER and OWNER never stand in a state."""

    READER = 0
    POSTER = 1
    MODERATOR = 2
    OWNER = 3


class RoleEntry(Record, frozen=True):
    """A pseudonym with a role, and its own capability to write, sealed to it (crypto.channels)."""

    key: Key32
    role: Annotated[int, Meta(ge=1, le=2)]  # ChannelRole POSTER or MODERATOR
    put: Annotated[bytes, Meta(min_length=SEALED_CAPABILITY_SIZE, max_length=SEALED_CAPABILITY_SIZE)]


class ChannelState(TextRecord, frozen=True, tag=0):
    """What a channel is, by its owner alone. Of two states the one with the higher version holds."""

    channel: Key32
    version: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    made_at: Millis
    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE)]
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION)]
    avatar: Annotated[bytes, Meta(max_length=MAX_AVATAR)]
    posting: Posting
    slow_s: Annotated[int, Meta(ge=0, le=MAX_SLOW_S)]
    roles: Annotated[tuple[RoleEntry, ...], Meta(max_length=MAX_ROLES)]
    banned: Annotated[tuple[Key32, ...], Meta(max_length=MAX_BANNED)]
    removed: Annotated[tuple[EntryId, ...], Meta(max_length=MAX_REMOVED)]
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extensions(self.extensions)
        for keys in (tuple(entry.key for entry in self.roles), self.banned, self.removed):
            if any(after <= before for before, after in pairwise(keys)):
                raise OutOfBounds("the lists of a channel's state ascend")


class ChannelPlace(Record, frozen=True):
    """Where a channel goes on: the data of extension PLACE of the owner's last state in the log before."""

    relay: HostAddress
    secret: Annotated[bytes, Meta(min_length=16, max_length=16)]


class ChannelPost(TextRecord, frozen=True, tag=1):
    """Something said in a channel. `entry` is an encoded wire.content.Entry; `nonce` gives it its id
    (crypto.channels.post_id); `name` is what its author goes by here."""

    channel: Key32
    nonce: EntryId
    name: Pseudonym
    entry: Annotated[bytes, Meta(min_length=1, max_length=MAX_CONTENT + 64)]


class ChannelBan(Record, frozen=True, tag=2):
    """By the owner or a moderator: this pseudonym's posts are not shown from here on, or are again. `purge`: those
    before neither."""

    channel: Key32
    at: Millis
    key: Key32
    banned: bool
    purge: bool = False


ChannelBody = ChannelState | ChannelPost | ChannelBan


class SignedRecord(Record, frozen=True, tag=0):
    """An encoded ChannelBody with its author's Ed25519 signature over it (crypto label CHANNEL)."""

    author: Key32
    body: Annotated[bytes, Meta(min_length=1, max_length=MAX_BODY)]
    signature: Signature


class RepeatedState(Record, frozen=True, tag=1):
    """A state that was there before, put again before it expires. `salt` is random: a log passes no record twice."""

    salt: EntryId
    state: SignedRecord


ChannelRecord = SignedRecord | RepeatedState
