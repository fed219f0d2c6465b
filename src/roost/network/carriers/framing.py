"""How frames lie in a byte stream: behind a length (websocket.py has the other way). Pure, in both directions."""

from __future__ import annotations

from typing import Protocol

from roost.wire.frames import FrameReader, frame


class Framing(Protocol):
    """One direction of frames each way over one byte stream."""

    kind: str

    def opening(self) -> bytes:
        """What to write first."""

    def receive(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises WireError when the stream cannot be used any further."""

    def replies(self) -> bytes:
        """What the framing itself has to write after `receive` (a WebSocket pong, for instance)."""

    def wrap(self, body: bytes) -> bytes:
        """`body` as one frame."""

    def closing(self) -> bytes:
        """What to write last."""


class RawFraming:
    """A 4-byte length before each frame (wire.frames)."""

    kind = "raw"

    def __init__(self) -> None:
        self._reader = FrameReader()

    def opening(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> list[bytes]:
        return self._reader.feed(data)

    def replies(self) -> bytes:
        return b""

    def wrap(self, body: bytes) -> bytes:
        return frame(body)

    def closing(self) -> bytes:
        return b""
