"""Reading a client's frame at a relay: a request that a relay does not know is refused by its id, not by hanging up.

So a newer client finds out, request by request, what an older relay can do (docs/protocol/envelope-and-frames.md).
"""

from __future__ import annotations

from roost.errors import WireError
from roost.wire.codec import decode, decode_parts
from roost.wire.mailbox import Call, CallId


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


def _call_id(data: bytes) -> int | None:
    try:
        parts = decode_parts(data)
        return decode(CallId, bytes(parts[0])) if parts else None
    except WireError:
        return None
