"""Packets: requests from other relays' clients, sealed to this relay's weekly packet key (DESIGN section 6, Routes).

Decides which key opens a packet, that it is opened once, which requests may come this way and how large the sealed
answer is. The size of an answer follows from the request alone, so that a forwarder learns nothing from what was found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from roost.crypto import AnswerKey, PacketSecret, max_answer, open_packet
from roost.errors import CryptoError, WireError
from roost.relay.core.refusal import RefusedRequest
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    ChangeGrants,
    Create,
    Delete,
    DeleteCard,
    Get,
    GetBlob,
    GetCard,
    GetInfo,
    PacketKey,
    Put,
    PutBlob,
    PutCard,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Seal,
    Trim,
)
from roost.wire.sizes import ENVELOPE_SIZE, PACKET_LARGE, PACKET_SMALL

WEEK_S = 7 * 86_400
GRACE_S = 86_400  # a packet may be under way, or a clock wrong, when its key's week ends
MAX_TAGS = 8_000_000  # of one key: 64 MB; beyond that packets must wait for the next key

ALLOWED = (ChangeGrants, Create, Delete, DeleteCard, Get, GetBlob, GetCard, GetInfo, Put, PutBlob, PutCard, Seal, Trim)
_ENTRY_OVERHEAD = 16  # array head, number, length of the bytes
PAGE = (max_answer(PACKET_LARGE) - _ENTRY_OVERHEAD) // (ENVELOPE_SIZE + _ENTRY_OVERHEAD)  # entries in a large answer


class TagSet:
    """Replay tags, 8 random bytes each: in buckets, of which each is a small set of recent ones before a sorted array.
    So millions of them are kept in little room, and nothing waits for long while some are sorted."""

    __slots__ = ("_count", "_recent", "_sorted")
    _BUCKETS = 256
    _MERGE = 1_024

    def __init__(self, tags: Iterable[int] = ()) -> None:
        self._recent: list[set[int]] = [set() for _ in range(self._BUCKETS)]
        self._sorted = [array("Q") for _ in range(self._BUCKETS)]
        self._count = 0
        for tag in tags:
            self._sorted[tag % self._BUCKETS].append(tag)
            self._count += 1
        for number, bucket in enumerate(self._sorted):
            self._sorted[number] = array("Q", sorted(bucket))

    def add(self, tag: int) -> bool:
        """Whether the tag is new."""
        bucket = tag % self._BUCKETS
        recent, kept = self._recent[bucket], self._sorted[bucket]
        if tag in recent:
            return False
        at = bisect_left(kept, tag)
        if at < len(kept) and kept[at] == tag:
            return False
        recent.add(tag)
        self._count += 1
        if len(recent) >= self._MERGE:
            self._sorted[bucket] = array("Q", sorted((*kept, *recent)))
            self._recent[bucket] = set()
        return True

    def __len__(self) -> int:
        return self._count


@dataclass(frozen=True, slots=True)
class WeeklyKey:
    """The packet key of one period: whole weeks since 1970."""

    period: int
    secret: PacketSecret
    tags: TagSet

    @property
    def expires(self) -> int:
        return (self.period + 1) * WEEK_S


@dataclass(frozen=True, slots=True)
class OpenedPacket:
    """The request inside, None if it cannot be read, and what its answer needs. `period` and `tag` are to be
    remembered."""

    request: Request | None
    period: int
    tag: int
    _key: AnswerKey

    def seal(self, response: Response) -> bytes:
        """The answer in its size class, whatever it is."""
        size = answer_class(self.request)
        encoded = encode(response)
        if len(encoded) > max_answer(size):
            encoded = encode(Refusal(RefusalCode.INTERNAL))
        return self._key.seal(encoded, size)


class PacketKeys:
    """The keys in force, the newest first."""

    def __init__(self, keys: Iterable[WeeklyKey] = ()) -> None:
        self._keys = sorted(keys, key=lambda key: -key.period)

    def due(self, now: float) -> int | None:
        """The period whose key must be made now, or None."""
        period = int(now) // WEEK_S
        return None if any(key.period == period for key in self._keys) else period

    def add(self, key: WeeklyKey) -> None:
        self._keys = sorted([*self._keys, key], key=lambda key: -key.period)

    def retire(self, now: float) -> list[int]:
        """Forget keys whose time is over; their periods, so that they are erased everywhere."""
        over = [key for key in self._keys if key.expires + GRACE_S <= now]
        self._keys = [key for key in self._keys if key not in over]
        return [key.period for key in over]

    def public(self, now: float) -> PacketKey:
        """What `RelayInfo` says."""
        current = max((key for key in self._keys if key.period <= int(now) // WEEK_S), key=lambda key: key.period)
        return PacketKey(current.secret.public.raw, current.expires)

    def opened(self, packet: bytes, now: float) -> OpenedPacket:
        """Raises RefusedRequest: stale_packet (no key opens it, or it was seen), slow_down."""
        for key in self._keys:
            if key.expires + GRACE_S <= now:
                continue
            try:
                inner, answer_key, tag = open_packet(key.secret, packet)
            except CryptoError:
                continue
            return _once(key, inner, answer_key, int.from_bytes(tag[:8], "big") >> 1)
        raise RefusedRequest(RefusalCode.STALE_PACKET)


def _once(key: WeeklyKey, inner: bytes, answer_key: AnswerKey, tag: int) -> OpenedPacket:
    if len(key.tags) >= MAX_TAGS:
        raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=3_600_000)
    if not key.tags.add(tag):
        raise RefusedRequest(RefusalCode.STALE_PACKET)
    return OpenedPacket(_request(inner), key.period, tag, answer_key)


def _request(inner: bytes) -> Request | None:
    try:
        request: Request = decode(Request, inner)  # type: ignore[arg-type]
    except WireError:
        return None
    if isinstance(request, Get):
        return msgspec.structs.replace(request, limit=min(request.limit, PAGE))
    return request


def allowed(request: Request) -> bool:
    """Whether this may be asked inside a packet: only what one answer answers, and never to forward once more."""
    return isinstance(request, ALLOWED) and not (isinstance(request, GetInfo) and request.of is not None)


def answer_class(request: Request | None) -> int:
    large = isinstance(request, GetBlob) or (isinstance(request, Get) and request.limit > 1)
    return PACKET_LARGE if large else PACKET_SMALL
