"""Streams between two devices on a local network: opening one to a place, and a port where others open theirs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from roost.errors import Unreachable
from roost.network.direct.lan_candidates import Spot
from roost.network.direct.lan_limits import Allowance, Door
from roost.network.direct.lan_neighbours import Link
from roost.network.direct.streams import ByteStream, notice_dead_ends

BACKLOG: Final = 256
ACCEPTED: Final = (256.0, 500.0)  # connections at once and a second; more wait in the kernel or are turned away by it
DEAD_AFTER_S: Final = 20


class LanStream(ByteStream):
    """Tells `understood` once this end has answered to what it read: only somebody who knows one of this device's
    meetings, or whose key this device looked for, says anything that is answered."""

    def __init__(self, understood: Callable[[LanStream], None], over: Callable[[LanStream], None]) -> None:
        super().__init__()
        self._understood: Callable[[LanStream], None] | None = understood
        self._on_over = over
        self._has_read = False

    async def read(self) -> bytes:
        data = await super().read()
        self._has_read = self._has_read or bool(data)
        return data

    async def write(self, data: bytes) -> None:
        if self._has_read and self._understood is not None:
            self._understood(self)
            self._understood = None
        await super().write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_over(self)


class Listener:
    """A random port at one address of this device's. Standing streams outlive it."""

    def __init__(self, link: Link, address: str, door: Door[str], accept: Callable[[LanStream], None]) -> None:
        """Raises OSError when nobody can listen there (yet)."""
        self._door = door
        self._accept = accept
        self._socket = socket.socket(link.family, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(_socket_address(link.family, Spot(address, link.scope, 0)))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._socket.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        allowance = Allowance(*ACCEPTED)
        while True:
            if not allowance.take(loop.time()):
                await asyncio.sleep(0.01)
                continue
            try:
                connection, sender = await loop.sock_accept(self._socket)
            except OSError:  # too many open files, or they left before they were let in
                await asyncio.sleep(0.05)
                continue
            await self._let_in(connection, str(sender[0]))

    async def _let_in(self, connection: socket.socket, source: str) -> None:
        try:
            stream = await _over(connection, self._door.leave, self._door.leave)
        except OSError:
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        if not stream.over:
            self._door.enter(stream, source)
            self._accept(stream)


async def open_stream(spot: Spot, *, timeout_s: float, understood: Callable[[LanStream], None]) -> LanStream:
    """A stream to a place on a local network. Raises Unreachable when nobody answers there."""
    family = socket.AF_INET6 if ":" in spot.address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(timeout_s):
            connection.setblocking(False)
            await _connect(connection, _socket_address(family, spot))
            return await _over(connection, understood, lambda _: None)
    except (OSError, TimeoutError) as error:
        connection.close()
        raise Unreachable("nobody answers there") from error
    except BaseException:
        connection.close()
        raise


async def _over(
    connection: socket.socket, understood: Callable[[LanStream], None], over: Callable[[LanStream], None]
) -> LanStream:
    notice_dead_ends(connection, DEAD_AFTER_S)
    loop = asyncio.get_running_loop()
    _, stream = await loop.connect_accepted_socket(lambda: LanStream(understood, over), connection)
    return stream


async def _connect(connection: socket.socket, address: tuple[Any, ...]) -> None:
    """As `loop.sock_connect`, which on uvloop forgets the interface of a link-local address."""
    loop = asyncio.get_running_loop()
    try:
        connection.connect(address)
        return
    except BlockingIOError:
        pass
    connected: asyncio.Future[None] = loop.create_future()
    loop.add_writer(connection, connected.set_result, None)
    try:
        await connected
    finally:
        loop.remove_writer(connection)
    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, "nobody answers there")


def _socket_address(family: int, spot: Spot) -> tuple[Any, ...]:
    if family == socket.AF_INET:
        return (spot.address, spot.port)
    return (spot.address, spot.port, 0, spot.scope)
