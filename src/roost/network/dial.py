"""Making links: a carrier, the TLS check of who answers, and a link that stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from roost.network.carriers import Connection, open_stream
from roost.network.errors import no_answer
from roost.network.link import WINDOW, Link
from roost.network.link_core import LinkTiming
from roost.wire.addresses import HostAddress, RelayAddress

CONNECT_S = 10.0

Connect = Callable[[RelayAddress], Awaitable[Link]]
"""How the rest of the room makes links to relays; tests put other carriers behind it."""
Reach = Callable[[HostAddress], Awaitable[Link]]
"""The same to any host."""


async def connect_relay(
    address: RelayAddress,
    *,
    resolved_ip: str | None = None,
    raw: bool = True,
    timeout_s: float = CONNECT_S,
    timing: LinkTiming | None = None,
    window: int = WINDOW,
) -> Link:
    """A link to the relay at `address`, which has proven its key before anything was sent to it.

    With `resolved_ip`, a forwarder's checked address, the host name is not looked up (it still goes into SNI).
    `raw=False` connects as a WebSocket. `window` bounds the bytes of unanswered calls; further ones wait.
    The caller owns the link and closes it.

    Raises:
        Unreachable: nothing answers in `timeout_s` seconds.
        NotARelay, RelayKeyChanged, RelayTooNew: something else answers (roost.network.errors; all are `Unreachable`).
    """
    try:
        async with asyncio.timeout(timeout_s):
            connection = await open_stream(address, resolved_ip=resolved_ip, raw=raw)
            return await link_over(connection, address, timing, window)
    except TimeoutError as error:
        raise no_answer() from error


async def link_over(
    connection: Connection, address: HostAddress, timing: LinkTiming | None = None, window: int = WINDOW
) -> Link:
    """A link over a connection that stands, once the relay has proven itself. Raises as `connect_relay`."""
    link = Link(connection, address, timing, window)
    try:
        await link.opened()
    except BaseException:
        await link.close()
        raise
    return link
