"""Reading a client's frame at a relay: a request that a relay does not know is refused by its id, not by hanging up.

So a newer client finds out, request by request, what an older relay can do (docs/protocol/envelope-and-frames.md).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from roost.errors import WireError
from roost.wire.codec import decode, decode_parts, encode
from roost.wire.mailbox import Call, CallId
from roost.wire.sizes import ENVELOPE_SIZE


class MalformedCall(WireError):
    """A frame that is no `Call`. `call` is the id to answer with a refusal, None where not even that can be told."""

    def __init__(self, call: int | None) -> None:
        super().__init__("malformed call")
        self.call = call


def decode_call(data: bytes) -> Call:
    """Raises MalformedCall."""
    try:
        return decode(Call, data)
    except WireError as error:
        raise MalformedCall(_call_id(data)) from error


def delivery_head(call: int, number: int) -> bytes:
    """An encoded `Delivery` up to its envelope, which follows as it is: a relay hands on envelopes without copying."""
    return b"".join((_DELIVERY, encode(call), encode(number), _ENVELOPE))


def delivery_heads(call: int, numbers: Sequence[int]) -> list[bytes]:
    """As `delivery_head` for rising `numbers`, each with the length of its raw frame before it."""
    start = _DELIVERY + encode(call)
    if numbers[0] < _WIDE:
        heads = [delivery_head(call, number) for number in numbers]
        return [(len(head) + ENVELOPE_SIZE).to_bytes(4) + head for head in heads]
    size = len(start) + 9 + len(_ENVELOPE) + ENVELOPE_SIZE
    start = size.to_bytes(4) + start + b"\xcf"
    return [start + number.to_bytes(8) + _ENVELOPE for number in numbers]


_WIDE = 2**32  # integers from here on are a byte and eight more; a running relay's numbers are
_DELIVERY = b"\x94\x01"  # an array of four, the tag
_ENVELOPE = b"\xc5" + ENVELOPE_SIZE.to_bytes(2)  # so many bytes


def stored_reply(call: int, number: int) -> bytes:
    """An encoded `Reply` with `Stored`."""
    return b"".join((b"\x93\x00", encode(call), b"\x92\x02", encode(number)))


def stored_frame(call: int, number: int) -> bytes:
    """`stored_reply` as a raw frame."""
    if call < 2**16 or number < _WIDE:
        reply = stored_reply(call, number)
        return len(reply).to_bytes(4) + reply
    return _STORED.pack(_STORED.size - 4, 0x9300, 0xCE, call, 0x9202, 0xCF, number)


_STORED = struct.Struct(">IHBIHBQ")

PlainPut = tuple[int, bytes, bytes]
"""Id, capability and envelope of a call that puts an envelope and says nothing else."""


def plain_put(data: bytes | bytearray | memoryview, at: int = 0, size: int = -1) -> PlainPut | None:
    """The plain put that lies encoded in `size` bytes from `at` on; None for all other data, which `decode_call`
    judges. It accepts only what `decode_call` does."""
    form = _PUTS.get(len(data) if size < 0 else size)
    if form is None:
        return None
    fields, head, least, most = form
    first, call, kind, put, mark, envelope, tail = fields.unpack_from(data, at)
    if first != head or kind != _PUT_HEAD or mark != _ENVELOPE or tail != _PUT_TAIL or not least <= call <= most:
        return None
    return call, put, envelope


_PUT_HEAD = b"\x96\x01\xc4\x20"  # an array of six, the tag, 32 bytes
_PUT_TAIL = b"\xc2\x90\xc4\x00"  # not ephemeral, needs nothing, proves nothing


def _form(head: bytes, kind: str, least: int, most: int) -> tuple[struct.Struct, bytes, int, int]:
    return struct.Struct(f">{len(head)}s{kind}4s32s3s{ENVELOPE_SIZE}s4s"), head, least, most


_PUTS = {  # by their length, which depends on the id's: shorter ids are written in fewer bytes
    form[0].size: form
    for form in (
        _form(b"\x92", "B", 0, 0x7F),  # an array of two
        _form(b"\x92\xcc", "B", 0x80, 0xFF),
        _form(b"\x92\xcd", "H", 0x100, 0xFFFF),
        _form(b"\x92\xce", "I", 0x10000, 2**32 - 1),
    )
}


def _call_id(data: bytes) -> int | None:
    try:
        parts = decode_parts(data)
        return decode(CallId, bytes(parts[0])) if parts else None
    except WireError:
        return None
