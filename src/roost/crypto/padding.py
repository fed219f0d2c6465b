"""Fixed sizes for what is sealed: a 4-byte length, the data, zeros. Only what `pad` writes is accepted."""

from __future__ import annotations

from typing import Final

from roost.errors import CryptoError

PADDING_OVERHEAD: Final = 4


def pad(data: bytes, size: int) -> bytes:
    """`data` behind its length, with zeros up to `size` bytes. Raises ValueError if it does not fit."""
    if len(data) > size - PADDING_OVERHEAD:
        raise ValueError("data does not fit the padded size")
    return len(data).to_bytes(PADDING_OVERHEAD, "big") + data + bytes(size - PADDING_OVERHEAD - len(data))


def unpad(padded: bytes) -> bytes:
    """The data inside. Raises CryptoError unless `padded` is exactly what `pad` writes."""
    end = PADDING_OVERHEAD + int.from_bytes(padded[:PADDING_OVERHEAD], "big")
    if len(padded) < end or padded[end:].strip(b"\0"):
        raise CryptoError("malformed padding")
    return padded[PADDING_OVERHEAD:end]
