"""Padding to a fixed size: a 2- or 4-byte length, the data, zeros (which travel encrypted)."""

from __future__ import annotations

from roost.errors import WireError

_LENGTH_SIZE = 4
OVERHEAD = _LENGTH_SIZE


def pad(data: bytes, size: int) -> bytes:
    """`data` behind its length, followed by zeros up to `size` bytes. Raises ValueError if it does not fit."""
    if len(data) > size - OVERHEAD:
        raise ValueError("data does not fit the padded size")
    return len(data).to_bytes(_LENGTH_SIZE, "big") + data + bytes(size - OVERHEAD - len(data))


def unpad(padded: bytes) -> bytes:
    """The data inside. Raises WireError unless `padded` is exactly what `pad` writes."""
    length = int.from_bytes(padded[:_LENGTH_SIZE], "big")
    end = _LENGTH_SIZE + length
    if len(padded) < _LENGTH_SIZE or end > len(padded) or padded[end:].strip(b"\0"):
        raise WireError("malformed padding")
    return padded[_LENGTH_SIZE:end]
