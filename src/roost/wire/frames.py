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
        frames: list[bytes] = []
        if self._buffer:
            data = self._complete(data, frames)
        start, end = 0, len(data)
        while end - start >= _LENGTH.size:
            stop = start + _LENGTH.size + self._checked(_LENGTH.unpack_from(data, start)[0])
            if stop > end:
                break
            frames.append(data[start + _LENGTH.size : stop])
            start = stop
        if start < end:
            self._buffer += data[start:]
        return frames

    def _complete(self, data: bytes, frames: list[bytes]) -> bytes:
        """Put `data` to the frame that began earlier, and no more than it lacks; returns what follows."""
        buffer = self._buffer
        used = max(0, _LENGTH.size - len(buffer))
        buffer += data[:used]
        if len(buffer) < _LENGTH.size:
            return b""
        whole = _LENGTH.size + self._checked(_LENGTH.unpack_from(buffer)[0])
        stop = used + whole - len(buffer)
        buffer += data[used:stop]
        if len(buffer) < whole:
            return b""
        frames.append(bytes(buffer[_LENGTH.size :]))
        buffer.clear()
        return data[stop:]

    def _checked(self, length: int) -> int:
        if not 0 < length <= self._limit:
            raise WireError("frame size out of bounds")
        return length
