"""QUIC with `iroh`: one UDP port for all that this device dials and accepts, without anybody's relay or directory.

A stream is one QUIC connection with one stream in it. Its first bytes on the wire show the key of the endpoint that is
dialled and the name of an application protocol; the name is HTTP/3's, the key is made anew at every start.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import iroh
from iroh import iroh_ffi

from roost.errors import Unreachable
from roost.network.direct.internet_places import Candidate

ALPN: Final = b"h3"
BLOCK: Final = 64 * 1_024
CLOSE_S: Final = 2.0


def _copy_in_one_go() -> None:
    """The binding (1.2.0) copies what is sent byte by byte in Python, and nothing else runs meanwhile: 5 MB/s."""

    def write(self: Any, value: Any) -> None:
        value = bytes(value)
        with self._reserve(len(value)):
            ctypes.memmove(ctypes.addressof(self.rbuf.data.contents) + self.rbuf.len, value, len(value))

    builder = getattr(iroh_ffi, "_UniffiRustBufferBuilder", None)
    if builder is not None and hasattr(builder, "_reserve"):
        builder.write = write


_copy_in_one_go()


async def bind(secret: bytes, port: int) -> Endpoint:
    """Raises OSError when no port can be had."""
    try:
        bound = await iroh.Endpoint.bind(
            iroh.EndpointOptions(
                preset=iroh.preset_minimal(),  # nobody is asked anything
                relay_mode=iroh.RelayMode.disabled(),
                secret_key=secret,
                alpns=[ALPN],
                bind_addr=f"0.0.0.0:{port}",
            )
        )
    except iroh.IrohError as error:
        raise OSError(error.message()) from error
    return Endpoint(bound)


class Endpoint:
    """The port, while it is open. Closes itself when it is not wanted and the last stream is over."""

    def __init__(self, bound: iroh.Endpoint) -> None:
        self._bound = bound
        self._streams: set[QuicStream] = set()
        self._unwanted = False
        self._closing: asyncio.Task[None] | None = None
        self._refusing: asyncio.Task[None] | None = None
        self.key: bytes = bound.id().to_bytes()

    def addresses(self) -> list[Candidate]:
        """Of this machine's own."""
        return [Candidate.parse(address) for address in self._bound.addr().direct_addresses()]

    async def dial(self, key: bytes, candidates: Sequence[Candidate]) -> QuicStream:
        """Raises Unreachable. Takes as long as it takes: the caller ends it."""
        try:
            to = iroh.EndpointAddr(iroh.EndpointId.from_bytes(key), None, [str(c) for c in candidates])
            connection = await self._bound.connect(to, ALPN)
            return self._stream(connection, await connection.open_bi())
        except iroh.IrohError as error:
            raise Unreachable("the device does not answer over the internet") from error

    async def next_incoming(self) -> Coroutine[Any, Any, QuicStream] | None:
        """Somebody who comes: to be awaited for the stream. None when the port is closed."""
        incoming = await self._bound.accept_next()
        return None if incoming is None else self._accept(incoming)

    async def _accept(self, incoming: iroh.Incoming) -> QuicStream:
        try:
            connection = await (await incoming.accept()).connect()
            return self._stream(connection, await connection.accept_bi())
        except iroh.IrohError as error:
            raise Unreachable("who came went away") from error

    def _stream(self, connection: iroh.Connection, both: iroh.BiStream) -> QuicStream:
        stream = QuicStream(connection, both, self._ended)
        self._streams.add(stream)
        return stream

    def _ended(self, stream: QuicStream) -> None:
        self._streams.discard(stream)
        self._close_if_idle()

    def close_when_idle(self) -> None:
        """Nobody is let in any more. What stands stays."""
        self._unwanted = True
        self._refusing = asyncio.create_task(self._refuse())
        self._close_if_idle()

    async def _refuse(self) -> None:
        with contextlib.suppress(iroh.IrohError):
            while (incoming := await self._bound.accept_next()) is not None:
                await incoming.refuse()

    def _close_if_idle(self) -> None:
        if self._unwanted and not self._streams and self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        if self._refusing is not None:
            self._refusing.cancel()
            await asyncio.wait([self._refusing])
        await self._bound.close()


class QuicStream:
    """A stream that is a QUIC connection of its own."""

    def __init__(self, connection: iroh.Connection, both: iroh.BiStream, ended: Callable[[QuicStream], None]) -> None:
        self._connection = connection
        self._sending = both.send()
        self._receiving = both.recv()
        self._end = ended
        self._tasks: list[asyncio.Task[None]] = []
        self._over = False  # the other end sends no more, or this one has ended it

    def begin(self, learn: Callable[[Candidate], None], ended: Callable[[QuicStream], None]) -> None:
        """Tell each other at what address the other one is seen; `ended` is told when it is over."""
        self._tasks = [asyncio.create_task(self._hear(learn)), asyncio.create_task(self._watch(ended))]
        with contextlib.suppress(iroh.IrohError, ValueError):
            seen = [path.remote_addr for path in self._connection.paths() if not path.is_relay]
            self._connection.send_datagram(bytes(Candidate.parse(seen[0])) if seen else b"")

    async def _hear(self, learn: Callable[[Candidate], None]) -> None:
        with contextlib.suppress(iroh.IrohError):
            said = Candidate.from_bytes(await self._connection.read_datagram())
            if said is not None and said.address.is_global and not said.address.is_multicast:
                learn(said)

    async def _watch(self, ended: Callable[[QuicStream], None]) -> None:
        try:
            await self._connection.closed()
        finally:
            self._end(self)
            ended(self)

    async def read(self) -> bytes:
        data = await self._receive()
        if not data and not self._over:
            self._over = True
            with contextlib.suppress(iroh.IrohError):  # all was read: the other end, which waits for that, may go
                await self._sending.finish()
        return data

    async def _receive(self) -> bytes:
        if self._over:
            return b""
        try:
            return await self._receiving.read(BLOCK)
        except iroh.IrohError:
            return b""

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), BLOCK):
            if self._over:
                raise _over()
            try:
                await self._sending.write_all(bytes(view[start : start + BLOCK]))
            except iroh.IrohError as error:
                raise _over() from error
        if self._over:
            raise _over()

    async def close(self) -> None:
        """The other end says that it has read everything by ending its own direction."""
        if not self._over:
            with contextlib.suppress(iroh.IrohError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._sending.finish()
                    while await self._receive():  # nobody reads it any more
                        pass
        self.abort()

    def abort(self) -> None:
        self._over = True
        self._connection.close(0, b"")


def _over() -> Unreachable:
    return Unreachable("The connection over the internet has ended.")
