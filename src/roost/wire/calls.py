"""Reading a client's frame at a relay: a request that a relay does not know is refused by its id, not by hanging up.

So a newer client finds out, request by request, what an older relay can do (docs/protocol/envelope-and-frames.md).
"""

from __future__ import annotations

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


_DELIVERY = b"\x94\x01"  # an array of four, the tag
_ENVELOPE = b"\xc5" + ENVELOPE_SIZE.to_bytes(2)  # so many bytes


def stored_reply(call: int, number: int) -> bytes:
    """An encoded `Reply` with `Stored`."""
    return b"".join((b"\x93\x00", encode(call), b"\x92\x02", encode(number)))


def plain_put(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Id, capability and envelope of an encoded call that puts an envelope and says nothing else; None for all other
    data, which `decode_call` judges. It accepts only what `decode_call` does."""
    start = _PUTS.get(len(data))
    if start is None or data[start : start + 4] != _PUT_HEAD or not data.endswith(_PUT_TAIL):
        return None
    put, envelope = start + 4, start + 39
    if data[put + 32 : envelope] != _ENVELOPE or data[0] != 0x92:  # an array of two
        return None
    call = int.from_bytes(data[1 if start == 2 else 2 : start])
    if data[1] != _ID_HEADS.get(start, call) or call < _ID_LEAST[start] or (start == 2 and call > 0x7F):
        return None
    return call, data[put : put + 32], data[envelope : envelope + ENVELOPE_SIZE]


_PUT_HEAD = b"\x96\x01\xc4\x20"  # an array of six, the tag, 32 bytes
_PUT_TAIL = b"\xc2\x90\xc4\x00"  # not ephemeral, needs nothing, proves nothing
_PUTS = {start + 39 + ENVELOPE_SIZE + 4: start for start in (2, 3, 4, 6)}  # by length: where the request begins
_ID_HEADS = {3: 0xCC, 4: 0xCD, 6: 0xCE}
_ID_LEAST = {2: 0, 3: 0x80, 4: 0x100, 6: 0x10000}  # shorter ones are written in fewer bytes


def _call_id(data: bytes) -> int | None:
    try:
        parts = decode_parts(data)
        return decode(CallId, bytes(parts[0])) if parts else None
    except WireError:
        return None
