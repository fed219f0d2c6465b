"""Frames and records of shared logs: what stands inside their envelopes (docs/protocol/shared-logs.md).

A record is cut into frames, one per envelope. Its id is a hash of what it says, and each frame names the digests of all
of its record's parts: so a frame proves by itself that it belongs where it says, and nobody who holds the log's key can
put parts of their own into a record of somebody else, or give a record an id that another has.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from msgspec import Meta

from roost.crypto import BLOB_PLAIN, LOG_BODY_SIZE
from roost.errors import WireError
from roost.wire.codec import OutOfBounds, Record, decode, encode
from roost.wire.content import BlobPointer
from roost.wire.padding import OVERHEAD, pad, unpad

MAX_LOG_PARTS: Final = 16  # larger records spill into blobs
DIGEST_SIZE: Final = 16
RECORD_ID_SIZE: Final = 16
_FRAME_HEAD: Final = 1 + 1 + 1 + 3 + 1  # array, part, empty list of digests, payload's length, flag
_DIGESTS: Final = 2 + MAX_LOG_PARTS * (2 + DIGEST_SIZE)  # a list of 16 has a longer head than an empty one
MAX_SINGLE: Final = LOG_BODY_SIZE - OVERHEAD - _FRAME_HEAD  # payload of a record that fits one envelope
PART_SIZE: Final = MAX_SINGLE - _DIGESTS  # payload of each frame of a record that needs several, its last one excepted
MAX_FRAGMENTED: Final = MAX_LOG_PARTS * PART_SIZE
MAX_RECORD: Final = 32 * 1024**2  # a group of 5,000's tree; what a member holds in memory at once
_MAX_SPILLED_BLOBS: Final = 2 * -(-MAX_RECORD // BLOB_PLAIN)

Digest = Annotated[bytes, Meta(min_length=DIGEST_SIZE, max_length=DIGEST_SIZE)]


class LogFrame(Record, frozen=True):
    """The plaintext of one envelope of a log, padded to crypto's LOG_BODY_SIZE.

    `digests` is empty where the frame is the whole record; else it has one digest for each part, and `payload` is part
    `part`. `spilled`: the payload is an encoded `SpilledRecord`.
    """

    part: Annotated[int, Meta(ge=0, lt=MAX_LOG_PARTS)]
    digests: Annotated[tuple[Digest, ...], Meta(max_length=MAX_LOG_PARTS)]
    payload: Annotated[bytes, Meta(min_length=1, max_length=MAX_SINGLE)]
    spilled: bool = False

    def __post_init__(self) -> None:
        if self.part >= self.parts or len(self.digests) == 1 or (self.spilled and self.digests):
            raise OutOfBounds("a log frame's part, digests and kind do not agree")
        if self.digests and (len(self.payload) > PART_SIZE or _digest(self.payload) != self.digests[self.part]):
            raise OutOfBounds("a part is not what its record's digests say")

    @property
    def parts(self) -> int:
        return max(len(self.digests), 1)

    @property
    def record(self) -> bytes:
        """The record's id, 16 bytes: the same for all frames of a record, and for no other record."""
        said = b"".join(self.digests) if self.digests else self.payload
        kind = bytes((len(self.digests), self.spilled))
        return hashlib.sha256(b"roost1 log record" + kind + said).digest()[:RECORD_ID_SIZE]


class SpilledRecord(Record, frozen=True):
    """Where the bytes of a record are that is too large for envelopes, as blobs of the same mailbox."""

    pointer: BlobPointer
    size: Annotated[int, Meta(ge=1, le=MAX_RECORD)]

    def __post_init__(self) -> None:
        if not -(-self.size // BLOB_PLAIN) <= self.pointer.blobs <= _MAX_SPILLED_BLOBS:
            raise OutOfBounds("a spilled record's blobs do not hold its size")


def frames_of(record: bytes) -> tuple[LogFrame, ...]:
    """The frames of a record of 1 to MAX_FRAGMENTED bytes. Raises ValueError for other sizes."""
    if not 1 <= len(record) <= MAX_FRAGMENTED:
        raise ValueError("this record does not fit fragments")
    if len(record) <= MAX_SINGLE:
        return (LogFrame(0, (), record),)
    parts = [record[start : start + PART_SIZE] for start in range(0, len(record), PART_SIZE)]
    digests = tuple(_digest(part) for part in parts)
    return tuple(LogFrame(index, digests, part) for index, part in enumerate(parts))


def encode_frame(frame: LogFrame) -> bytes:
    """LOG_BODY_SIZE bytes."""
    return pad(encode(frame), LOG_BODY_SIZE)


def decode_frame(body: bytes) -> LogFrame:
    """The inverse of `encode_frame`. Raises WireError."""
    if len(body) != LOG_BODY_SIZE:
        raise WireError("a log envelope's body has another size")
    return decode(LogFrame, unpad(body))


def _digest(part: bytes) -> bytes:
    return hashlib.sha256(b"roost1 log part" + part).digest()[:DIGEST_SIZE]
