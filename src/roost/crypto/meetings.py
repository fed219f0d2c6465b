"""Meetings: secrets by which those who may reach a host recognise it, and nobody else does.

A host has one for each circle (a contact's mailbox, an invitation, a group's log) and derives it from that mailbox's
admin capability. An announcement names meetings by tags that are others in every announcement. Byte-exact in
docs/protocol/peer-links.md. Knows nothing of how announcements travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.labels import Label

MEETING_SIZE: Final = 16
MAX_ANNOUNCED: Final = 56
PERIOD_S: Final = 86_400
REMEMBER_S: Final = 3 * PERIOD_S  # how long something made in one period may be taken for new
_NONCE_SIZE: Final = 16
_TAG_SIZE: Final = 8
_TAG_STEP: Final = 8  # the number of tags is a multiple of this


def meeting_of(admin_capability: bytes) -> bytes:
    """The meeting (16 bytes) of the mailbox that this capability administers."""
    return derive32(Label.MEETING, admin_capability, b"")[:MEETING_SIZE]


def period_of(now_s: int) -> int:
    """The day in which something is made: it is good in this one, the one before and the next."""
    return now_s // PERIOD_S


def periods_around(now_s: int) -> tuple[int, ...]:
    """The periods in which what is good now may have been made, the likeliest first."""
    now = period_of(now_s)
    return tuple(period for period in (now, now - 1, now + 1) if period >= 0)


def announce(meetings: Sequence[bytes], now_s: int, entropy: Entropy) -> bytes:
    """What a host lets everybody hear: a nonce and a tag for each meeting, among random ones, in random order.

    Raises ValueError for more than MAX_ANNOUNCED meetings: make several announcements.
    """
    if len(meetings) > MAX_ANNOUNCED:
        raise ValueError("too many meetings for one announcement")
    nonce = entropy.bytes(_NONCE_SIZE)
    tags = [_tag(meeting, nonce, period_of(now_s)) for meeting in meetings]
    tags += [entropy.bytes(_TAG_SIZE) for _ in range(-len(tags) % _TAG_STEP if tags else _TAG_STEP)]
    places = {entropy.bytes(_TAG_SIZE) + tag: tag for tag in tags}
    return nonce + b"".join(places[place] for place in sorted(places))


def recognised(announcement: bytes, meetings: Sequence[bytes], now_s: int) -> list[bytes]:
    """Those of `meetings` that the announcement names; none of one that is not well formed."""
    nonce, body = announcement[:_NONCE_SIZE], announcement[_NONCE_SIZE:]
    if not body or len(body) % (_TAG_SIZE * _TAG_STEP) or len(body) > _TAG_SIZE * MAX_ANNOUNCED:
        return []
    tags = {body[start : start + _TAG_SIZE] for start in range(0, len(body), _TAG_SIZE)}
    periods = periods_around(now_s)
    return [meeting for meeting in meetings if any(_tag(meeting, nonce, period) in tags for period in periods)]


def _tag(meeting: bytes, nonce: bytes, period: int) -> bytes:
    return derive32(Label.ANNOUNCEMENT, meeting, nonce + period.to_bytes(4, "big"))[:_TAG_SIZE]
