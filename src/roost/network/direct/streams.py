"""A carrier's stream over TCP, or over whatever else asyncio has a transport for (a Unix socket, a SOCKS proxy).

It knows nothing of hosts or links; it keeps the promises of `carrier.Stream`, and never holds more than a few hundred
kilobytes that nobody has read or the other end has not taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from roost.errors import Unreachable

READ_AHEAD: Final = 256 * 1_024  # received and not read yet: beyond it the other end has to wait
WRITE_AHEAD: Final = 256 * 1_024  # written and not sent yet: beyond it `write` waits
LINGER_S: Final = 2.0  # how long `close` waits for what was written to arrive


class ByteStream(asyncio.Protocol):
    """One end of a connection. Give the class (or a function that makes one) to asyncio as the protocol factory."""

    def __init__(self, on_open: Callable[[ByteStream], None] | None = None) -> None:
        self._on_open = on_open
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reading_paused = False
        self._writing_paused = False
        self._ended = False  # the other end sends nothing more
        self._closing = False  # this end reads and writes nothing more
        self._lost = asyncio.get_running_loop().create_future()
        self._changed: set[asyncio.Future[None]] = set()

    @property
    def over(self) -> bool:
        """Nothing can be written any more."""
        return self._ended or self._closing or self._lost.done()

    @property
    def transport(self) -> asyncio.Transport:
        """What asyncio moves the bytes with."""
        assert self._transport is not None, "asyncio has not connected it yet"
        return self._transport

    # -- what carriers and links call

    async def read(self) -> bytes:
        while not self._received and not self.over:
            await self._change()
        return self._take(len(self._received))

    async def read_exactly(self, size: int) -> bytes:
        """`size` bytes, at most READ_AHEAD: for a proxy's handshake before the stream is handed on.

        Raises Unreachable when the stream ends before.
        """
        while len(self._received) < size:
            if self.over:
                raise _over()
            await self._change()
        return self._take(size)

    async def write(self, data: bytes) -> None:
        if self.over:
            raise _over()
        self.transport.write(data)
        while self._writing_paused and not self.over:
            await self._change()
        if self.over:
            raise _over()

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._discard()
            if not self._lost.done():
                self._say_that_it_ends()
        # Closing at once would make the kernel answer what still comes in with a reset, and a reset makes the other
        # end forget what it has not read yet. So the other end closes first, unless it does not within a while.
        try:
            await asyncio.wait([self._lost], timeout=LINGER_S)
        finally:
            self.abort()

    def abort(self) -> None:
        self._closing = True
        self._discard()
        if self._transport is not None:
            self._transport.abort()

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        if self._on_open is not None:
            self._on_open(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._received += data
        if len(self._received) >= READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        self._ended = True
        self._tell()
        if self._closing:
            self.transport.close()
        return True  # until somebody here closes it: what was received can still be read

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._ended = True
        if not self._lost.done():
            self._lost.set_result(None)
        self._tell()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._tell()

    # -- inside

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        self._resume_reading()
        return taken

    def _discard(self) -> None:
        self._received.clear()
        self._resume_reading()
        self._tell()

    def _resume_reading(self) -> None:
        if self._reading_paused and len(self._received) < READ_AHEAD // 2:
            self._reading_paused = False
            if not self._lost.done() and not self.transport.is_closing():
                self.transport.resume_reading()

    def _say_that_it_ends(self) -> None:
        transport = self.transport
        if self._ended or transport.is_closing() or not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:  # it broke a moment ago
            transport.abort()

    async def _change(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(waiting)
        try:
            await waiting
        finally:
            self._changed.discard(waiting)

    def _tell(self) -> None:
        for waiting in self._changed:
            if not waiting.done():
                waiting.set_result(None)


def notice_dead_ends(connection: socket.socket, after_s: int) -> None:
    """The connection ends when the other end has not been heard of for about so long, as when a cable is pulled."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", max(after_s // 2, 1)),
        ("TCP_KEEPINTVL", max(after_s // 6, 1)),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", after_s * 1_000),
    ):
        if hasattr(socket, option):  # each system has some of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _over() -> Unreachable:
    return Unreachable("the connection has ended")
