"""From a relay's host name to a connected TCP socket, with a distinct error for each way in which that fails."""

from __future__ import annotations

import asyncio
import socket

from roost.errors import Unreachable
from roost.network.errors import TRY_AGAIN, no_answer

TCP_S = 5.0  # per address, so that a black hole on IPv6 leaves time for IPv4


async def reach(host: str, port: int) -> socket.socket:
    """A non-blocking socket connected to `host`, trying its addresses in turn.

    Raises:
        Unreachable: there is no such host, or nothing answers there.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _no_such_name() from error
    failure: Unreachable = no_answer()
    for family, kind, protocol, _, address in found:
        try:
            return await _reach_one(family, kind, protocol, address)
        except ConnectionRefusedError:
            failure = Unreachable("Nothing listens at the relay's address.", hint=TRY_AGAIN)
        except OSError:  # with TimeoutError
            failure = no_answer()
    raise failure


async def _reach_one(family: int, kind: int, protocol: int, address: object) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        async with asyncio.timeout(TCP_S):
            await asyncio.get_running_loop().sock_connect(connection, address)  # type: ignore[arg-type]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _no_such_name() -> Unreachable:
    return Unreachable("The relay's host name cannot be found.", hint=TRY_AGAIN)
