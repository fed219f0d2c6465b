"""Streams through Tor's SOCKS port (RFC 1928, with RFC 1929 to tell streams apart, and Tor's extended errors)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from roost.errors import Unreachable
from roost.network.direct.streams import ByteStream

ONION_PORT: Final = 80  # of every device's service; nobody but its guests ever sees it

# Answers 0xF0 to 0xF7 are Tor's (proposal 304). 0xF4 and 0xF5: the descriptor cannot be read with our key.
_NOT_LET_IN: Final = (0xF4, 0xF5)

Streams = Callable[[], ByteStream]
"""Makes a stream's end; asyncio calls it."""


async def open_onion(
    place: str, address: str, isolation: tuple[str, str], make: Streams, *, timeout_s: float
) -> ByteStream:
    """A stream to the service `address` (without `.onion`) through the SOCKS port at `place` ("host:port" or
    "unix:path"). Streams of different `isolation` (a name and a password) share no circuit.

    Raises Unreachable when there is none within `timeout_s`.
    """
    stream: ByteStream | None = None
    try:
        async with asyncio.timeout(timeout_s):
            stream = await _connect(place, make)
            await _ask(stream, f"{address}.onion".encode(), isolation)
    except (OSError, TimeoutError) as error:
        if stream is not None:
            stream.abort()
        raise _silent() from error
    except BaseException:
        if stream is not None:
            stream.abort()
        raise
    return stream


async def _connect(place: str, make: Streams) -> ByteStream:
    loop = asyncio.get_running_loop()
    if place.startswith("unix:"):
        _, stream = await loop.create_unix_connection(make, place.removeprefix("unix:"))
    else:
        host, _, port = place.rpartition(":")
        _, stream = await loop.create_connection(make, host.strip("[]"), int(port))
    return stream


async def _ask(stream: ByteStream, host: bytes, isolation: tuple[str, str]) -> None:
    name, password = (word.encode() for word in isolation)
    await stream.write(b"\x05\x01\x02")
    if await stream.read_exactly(2) != b"\x05\x02":
        raise _not_socks()
    await stream.write(b"\x01" + _short(name) + _short(password))
    if (await stream.read_exactly(2))[1] != 0:
        raise _not_socks()
    await stream.write(b"\x05\x01\x00\x03" + _short(host) + ONION_PORT.to_bytes(2, "big"))
    answer = await stream.read_exactly(4)
    if answer[0] != 5:
        raise _not_socks()
    if answer[1] in _NOT_LET_IN:
        raise Unreachable("The device does not let this one in over Tor, or not yet.", code="not_let_in")
    if answer[1] != 0:
        raise _silent()
    await stream.read_exactly({1: 4, 3: 0, 4: 16}.get(answer[3], 0) + 2)  # the address bound to, always zeros


def _short(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def socks_place(listeners: str) -> str | None:
    """The first of tor's SOCKS listeners, as GETINFO net/listeners/socks names them; None when there is none."""
    found = re.search(r'"((?:[^"\\]|\\.)+)"', listeners)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def _silent() -> Unreachable:
    return Unreachable(
        "The device does not answer over Tor.", hint="It may be switched off; Roost tries again by itself."
    )


def _not_socks() -> Unreachable:
    return Unreachable(
        "Tor's SOCKS port does not answer as one.", hint="Check the configuration of the Tor that is used."
    )
