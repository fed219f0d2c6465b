"""The host's end of calls that do not come over a socket: an asyncio transport over whatever carries the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

HostProtocol = Callable[[], asyncio.BaseProtocol]
"""Makes the host's end: an asyncio.Protocol that speaks the relay's side of raw frames."""


class Way(Protocol):
    """What carries the bytes."""

    @property
    def closing(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """After what was written."""

    def abort(self) -> None: ...

    def reading(self, go_on: bool) -> None:
        """Whether more should come."""


class HostEnd(asyncio.Transport):
    """Feeds a host's protocol, and takes what it writes."""

    def __init__(self, protocol: asyncio.BaseProtocol, way: Way) -> None:
        super().__init__({"roost_frames": True})
        self._protocol: Any = protocol
        self._way = way
        self._paused = False
        protocol.connection_made(self)

    def arrived(self, data: bytes) -> None:
        if data:
            self._protocol.data_received(data)

    def lost(self) -> None:
        self._protocol.connection_lost(None)

    def pause(self) -> None:
        """More waits to be sent than should."""
        if not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._protocol.resume_writing()

    # --- asyncio.Transport --------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._way.write(bytes(data))

    def is_closing(self) -> bool:
        return self._way.closing

    def close(self) -> None:
        self._way.close()

    def abort(self) -> None:
        self._way.abort()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The way's own hold."""

    def pause_reading(self) -> None:
        self._way.reading(False)

    def resume_reading(self) -> None:
        self._way.reading(True)
