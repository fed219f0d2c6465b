"""Strict, canonical msgpack: the one way in which every structure of this room becomes bytes and comes back.

Only the encoding that `encode` would write is accepted, so a structure has one byte string, can be signed and hashed,
and two parsers cannot disagree about it (C2SP age: decoders reject what an encoder would not write).
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from roost.errors import WireError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every wire structure: an immutable msgpack array whose fields stand in the order of their definition."""


def encode(value: object) -> bytes:
    """The canonical bytes of a wire structure."""
    return _encoder.encode(value)


def decode(kind: type[T], data: bytes) -> T:
    """Parse `data` as `kind`, complete and canonical.

    Raises:
        WireError: truncated, oversized, wrongly typed, out of bounds, trailing or non-canonical bytes.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)  # type: ignore[assignment]
    try:
        value = decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError("malformed data") from error
    if _encoder.encode(value) != data:
        raise WireError("data is not in canonical form")
    return value  # type: ignore[return-value]
