"""What a request needs on its way through an onion network: how many parts it has, and its answer. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from roost.crypto import ONION_DATA, REPLY_BLOCK_SIZE
from roost.wire.mailbox import Forward, Get, GetBlob, GetCard, Request
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE, MAX_CARD_SIZE, PACKET_LARGE, PACKET_SMALL

MAX_BLOCKS: Final = 2  # reply blocks in one packet
_HEAD: Final = 40  # the most that `SessionUp` or `SessionDown` adds, without blocks
_BLOCK: Final = REPLY_BLOCK_SIZE + 3
_FRAME: Final = 64  # the most that an answer adds to what it carries
DOWN_DATA: Final = ONION_DATA - 48  # of a frame in one packet down
UP_DATA: Final = tuple(ONION_DATA - _HEAD - blocks * _BLOCK for blocks in range(MAX_BLOCKS + 1))  # by blocks beside it
PAGE: Final = 8  # envelopes in one answer: 5 packets


def fitted(request: Request) -> Request:
    """The request as it is asked through the network: of what is taken page by page, small pages."""
    if isinstance(request, Get):
        return msgspec.structs.replace(request, limit=min(request.limit, PAGE))
    return request


def answer_parts(request: Request) -> int:
    """How many packets the answer may take: so many reply blocks the node must have."""
    match request:
        case Get():
            size = request.limit * (ENVELOPE_SIZE + 16)
        case GetBlob():
            size = BLOB_SIZE
        case GetCard():
            size = MAX_CARD_SIZE
        case Forward():
            size = PACKET_LARGE if len(request.packet) > 2 * PACKET_SMALL else PACKET_SMALL
        case _:
            size = 0
    return -(-(size + _FRAME) // DOWN_DATA)


def up_parts(frame: bytes) -> list[bytes]:
    """An encoded call in parts that fit packets, the last one with a reply block beside it."""
    size, last = UP_DATA[0], UP_DATA[1]
    before = frame[:-last]
    return [*(before[at : at + size] for at in range(0, len(before), size)), frame[-last:]]


def blocks_beside(data: bytes) -> int:
    """How many reply blocks fit beside `data`."""
    return next(count for count in range(MAX_BLOCKS, -1, -1) if len(data) <= UP_DATA[count])
