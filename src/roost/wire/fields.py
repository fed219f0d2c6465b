"""The plain values of which the mailbox protocol (wire.mailbox) is made: sizes of bytes, ranges of numbers, names."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.wire.addresses import RelayKey
from roost.wire.sizes import (
    BLOB_ID_SIZE,
    BLOB_SIZE,
    ENVELOPE_SIZE,
    HASH_SIZE,
    HOLD_SIZE,
    LOCATOR_SIZE,
    MAX_FRAME,
    PLACE_SIZE,
    REPLY_ID_SIZE,
    TOKEN_SIZE,
)

Envelope = Annotated[bytes, Meta(min_length=ENVELOPE_SIZE, max_length=ENVELOPE_SIZE)]
Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
Hold = Annotated[bytes, Meta(min_length=HOLD_SIZE, max_length=HOLD_SIZE)]
BlobId = Annotated[bytes, Meta(min_length=BLOB_ID_SIZE, max_length=BLOB_ID_SIZE)]
Blob = Annotated[bytes, Meta(min_length=BLOB_SIZE, max_length=BLOB_SIZE)]
Locator = Annotated[bytes, Meta(min_length=LOCATOR_SIZE, max_length=LOCATOR_SIZE)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
CallId = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Secret = Annotated[bytes, Meta(max_length=64)]
Place = Annotated[bytes, Meta(max_length=PLACE_SIZE)]
Token = Annotated[bytes, Meta(min_length=TOKEN_SIZE, max_length=TOKEN_SIZE)]
ReplyId = Annotated[bytes, Meta(min_length=REPLY_ID_SIZE, max_length=REPLY_ID_SIZE)]
NodeKey = RelayKey
SwarmBody = Annotated[bytes, Meta(min_length=1, max_length=MAX_FRAME - 512)]


class Right(enum.IntEnum):
    """What a capability allows."""

    ADMIN = 0  # trim, seal, delete, grant
    GET = 1
    PUT = 2


class MailboxKind(enum.IntEnum):
    ORDINARY = 0  # one reader, who trims
    REQUEST = 1  # strangers' knocks: few, each with a proof of work
    SHARED = 2  # a group's: expiry alone trims, readers keep their own cursors


class RefusalCode(enum.StrEnum):
    """Why a relay said no. Stable: clients and scripts rely on them."""

    BAD_REQUEST = "bad_request"
    DENIED = "denied"  # no such capability, or not for this; one answer for all, so that nothing can be probed
    NOT_ADMITTED = "not_admitted"  # the access secret is missing or wrong
    FULL = "full"  # the mailbox's or the relay's quota is used up; keep the envelope and retry
    SLOW_DOWN = "slow_down"  # too fast; retry after `retry_after_ms`
    SEALED = "sealed"  # the mailbox takes no more puts
    WORK_NEEDED = "work_needed"  # a knock needs a proof of work; `detail` is an encoded `WorkChallenge`
    BLOBS_MISSING = "blobs_missing"  # the put names blobs that are not stored
    NOT_FOUND = "not_found"  # no such card or blob
    OLD_VERSION = "old_version"  # a card's version may not fall
    BAD_DESTINATION = "bad_destination"  # forwarding there is not allowed
    UNREACHABLE = "unreachable"  # the destination of a forward did not answer or did not prove its key
    STALE_PACKET = "stale_packet"  # the packet was sealed to a key that is no longer, or seen before
    UNSUPPORTED = "unsupported"  # this request is not possible on this path (e.g. subscribe inside a packet)
    MOVED = "moved"  # another onion node answers for this mailbox; `detail` is its key
    INTERNAL = "internal"
