"""Frames on a raw link: a 4-byte big-endian length, then that many bytes. On a WebSocket each binary message is one
frame and this module is not used."""

from __future__ import annotations

import struct

from roost.errors import WireError
from roost.wire.sizes import MAX_FRAME

_LENGTH = struct.Struct(">I")


def frame(body: bytes) -> bytes:
    """`body` with its length before it. Raises ValueError over MAX_FRAME."""
    if not 0 < len(body) <= MAX_FRAME:
        raise ValueError("frame size out of bounds")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Splits a byte stream into frames; feeding byte by byte equals feeding at once."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes.

        Raises:
            WireError: a frame is empty or longer than the limit. The stream cannot be used any further.
        """
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start, end = 0, len(buffer)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if not 0 < length <= self._limit:
                raise WireError("frame size out of bounds")
            stop = start + _LENGTH.size + length
            if stop > end:
                break
            frames.append(bytes(buffer[start + _LENGTH.size : stop]))
            start = stop
        if start:
            del buffer[:start]
        return frames
