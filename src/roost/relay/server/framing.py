"""How a link's bytes are framed, the server's side: raw frames here, HTTP in relay.server.web_framing."""

from __future__ import annotations

from typing import Protocol

from roost.errors import WireError
from roost.wire.calls import PlainPut, plain_put
from roost.wire.frames import frame
from roost.wire.sizes import MAX_FRAME

_LENGTH = 4

Buffer = bytes | memoryview


class Framing(Protocol):
    """Bytes in, frames out, and the other way round."""

    ready: bool
    """Frames may be sent."""

    def receive(self, data: Buffer) -> list[PlainPut | bytes]:
        """The frames that `data` completes, plain puts (wire.calls) taken apart already; none of them refers to `data`.

        Raises WireError when the stream cannot be used any further.
        """
        ...

    def replies(self) -> bytes:
        """What the framing itself has to write after `receive`."""
        ...

    def over(self) -> bool:
        """Whether the connection is to be closed once everything is written."""
        ...

    def wrap(self, body: bytes) -> bytes: ...

    def closing(self) -> bytes: ...


class RawFraming:
    """A 4-byte length before each frame (wire.frames)."""

    ready = True

    def __init__(self) -> None:
        self._begun = bytearray()  # a frame that is not complete

    def receive(self, data: Buffer) -> list[PlainPut | bytes]:
        found: list[PlainPut | bytes] = []
        start, end = self._complete(data, found) if self._begun else 0, len(data)
        while end - start >= _LENGTH:
            at = start + _LENGTH
            size = int.from_bytes(data[start:at])
            stop = at + size
            if stop > end:
                _check(size)
                break
            found.append(plain_put(data, at, size) or _checked(data[at:stop]))
            start = stop
        if start < end:
            self._begun += data[start:]
        return found

    def _complete(self, data: Buffer, found: list[PlainPut | bytes]) -> int:
        """Put to the frame that began earlier what it lacks, and no more; where in `data` the next one begins."""
        begun = self._begun
        used = max(0, _LENGTH - len(begun))
        begun += data[:used]
        if len(begun) < _LENGTH:
            return len(data)
        size = int.from_bytes(begun[:_LENGTH])
        _check(size)
        stop = used + _LENGTH + size - len(begun)
        begun += data[used:stop]
        if len(begun) < _LENGTH + size:
            return len(data)
        found.append(plain_put(begun, _LENGTH, size) or bytes(begun[_LENGTH:]))
        self._begun = bytearray()
        return stop

    def replies(self) -> bytes:
        return b""

    def over(self) -> bool:
        return False

    def wrap(self, body: bytes) -> bytes:
        return frame(body)

    def closing(self) -> bytes:
        return b""


def _check(size: int) -> None:
    if not 0 < size <= MAX_FRAME:
        raise WireError("frame size out of bounds")


def _checked(body: Buffer) -> bytes:
    _check(len(body))
    return bytes(body)
