"""Padding to a fixed size: a 4-byte length, the data, zeros (which travel encrypted). As in roost.crypto.padding, which
pads what is sealed as bytes; here what does not fit is malformed input from the wire."""

from __future__ import annotations

from roost.crypto.padding import PADDING_OVERHEAD as OVERHEAD
from roost.crypto.padding import pad
from roost.crypto.padding import unpad as _unpad
from roost.errors import CryptoError, WireError

__all__ = ["OVERHEAD", "pad", "unpad"]


def unpad(padded: bytes) -> bytes:
    """The data inside. Raises WireError unless `padded` is exactly what `pad` writes."""
    try:
        return _unpad(padded)
    except CryptoError as error:
        raise WireError("malformed padding") from error
