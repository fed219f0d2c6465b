"""Requests that concern other relays: forwarding packets, and asking for their statements (DESIGN section 6, Routes).

One hop, to relays that prove their key, at addresses that the policy allows. Links to other relays are shared by all
clients and closed when idle; nothing of what passes is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from roost.errors import Refused, Unreachable
from roost.network import Link, connect_relay
from roost.relay.core.admission import Client
from roost.relay.core.forwarding import ForwardPolicy
from roost.relay.core.refusal import RefusedRequest
from roost.relay.server.service import Respond
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import Forward, GetInfo, Packet, Refusal, RefusalCode, SignedInfo

FORWARD_S = 15.0  # in all; the client waits for 20
RESOLVE_S = 5.0
IDLE_S = 60.0
_MAX_LINKS = 256
_MAX_FORWARDS = 2_048  # under way at one time
_BUSY_RETRY_MS = 2_000
_WIDE = 4 * 1024**2  # bytes of unanswered calls to another onion node
_PASSED_ON = {RefusalCode.STALE_PACKET.value, RefusalCode.SLOW_DOWN.value}

Connect = Callable[[RelayAddress, str], Awaitable[Link]]


async def _connect(address: RelayAddress, resolved_ip: str) -> Link:
    return await connect_relay(address, resolved_ip=resolved_ip)


async def _connect_wide(address: RelayAddress, resolved_ip: str) -> Link:
    return await connect_relay(address, resolved_ip=resolved_ip, window=_WIDE)


@dataclass(slots=True)
class _Pooled:
    task: asyncio.Task[Link]
    used_at: float
    calls: int = 0


class Forwarder:
    """`own_key` is this relay's: what is addressed to it is handed to `own` instead of being sent."""

    def __init__(
        self,
        policy: ForwardPolicy,
        own_key: bytes,
        own_info: Callable[[], SignedInfo],
        clock: Callable[[], float],
        connect: Connect = _connect,
    ) -> None:
        self._policy = policy
        self._own_key = own_key
        self._own_info = own_info
        self._clock = clock
        self._connect = connect
        self._pool: OrderedDict[RelayAddress, _Pooled] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.own: Callable[[Packet, Client, Respond], None] | None = None
        self.forwarded = 0

    # --- Outgoing ---------------------------------------------------------------------------------------------------

    def forward(self, request: Forward, client: Client, respond: Respond) -> None:
        """Raises RefusedRequest: slow_down."""
        if request.to.key == self._own_key and self.own is not None:
            self.own(Packet(request.packet), client, respond)
            return
        self._pace(request.to, client)
        self.forwarded += 1
        self._start(self._forward(request, respond))

    def info_of(self, request: GetInfo, client: Client, respond: Respond) -> None:
        """Raises RefusedRequest: slow_down."""
        assert request.of is not None
        if request.of.key == self._own_key:
            respond(self._own_info())
            return
        self._pace(request.of, client)
        self._start(self._info_of(request.of, respond))

    async def link_to(self, to: RelayAddress) -> Link:
        """A link of the caller's own, which takes much at a time, to where packets may be sent. Raises Unreachable."""
        try:
            return await self._dial(to, _connect_wide)
        except RefusedRequest as error:
            raise Unreachable("The relay may not connect there.") from error

    # --- upkeep -----------------------------------------------------------------------------------------------------

    def close_idle(self) -> None:
        """Close links that nobody used lately, or that are broken."""
        now = self._clock()
        for address, pooled in tuple(self._pool.items()):
            if not pooled.calls and now - pooled.used_at > IDLE_S:
                self._discard(address, pooled)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for address, pooled in tuple(self._pool.items()):
            self._discard(address, pooled)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _pace(self, to: RelayAddress, client: Client) -> None:
        now = self._clock()
        wait_ms = client.forwards.take(1.0, now)
        if wait_ms or len(self._tasks) >= _MAX_FORWARDS:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=wait_ms or _BUSY_RETRY_MS)
        self._policy.pace(to.key, now)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, request: Forward, respond: Respond) -> None:
        await self._answer(request.to, lambda link: link.call(Packet(request.packet), timeout_s=FORWARD_S), respond)

    async def _info_of(self, of: RelayAddress, respond: Respond) -> None:
        """Asked anew, since the statement from the link's beginning may be weeks old."""
        await self._answer(of, lambda link: link.call(GetInfo(), timeout_s=FORWARD_S), respond)

    async def _answer(self, to: RelayAddress, ask: Callable[[Link], Awaitable[Any]], respond: Respond) -> None:
        try:
            async with asyncio.timeout(FORWARD_S):
                respond(await self._with_link(to, ask))
        except RefusedRequest as error:
            respond(error.refusal)
        except Refused as error:
            code = RefusalCode(error.code) if error.code in _PASSED_ON else RefusalCode.UNREACHABLE
            respond(Refusal(code, error.retry_after_ms))
        except (Unreachable, TimeoutError):
            respond(Refusal(RefusalCode.UNREACHABLE))

    async def _with_link(self, to: RelayAddress, ask: Callable[[Link], Awaitable[Any]]) -> Any:
        pooled = self._pooled(to)
        pooled.calls += 1
        try:
            link = await asyncio.shield(pooled.task)
            return await ask(link)
        except (Unreachable, RefusedRequest):
            if pooled.task.done() and not _usable(pooled.task):
                self._discard(to, pooled)
            raise
        finally:
            pooled.calls -= 1
            pooled.used_at = self._clock()

    def _pooled(self, to: RelayAddress) -> _Pooled:
        pooled = self._pool.get(to)
        if pooled is not None and pooled.task.done() and not _usable(pooled.task):
            self._discard(to, pooled)
            pooled = None
        if pooled is None:
            pooled = self._pool[to] = _Pooled(asyncio.create_task(self._dial(to, self._connect)), self._clock())
            pooled.task.add_done_callback(_retrieved)
            self._make_room()
        self._pool.move_to_end(to)
        return pooled

    def _make_room(self) -> None:
        if len(self._pool) > _MAX_LINKS:
            idle = next(((a, p) for a, p in self._pool.items() if not p.calls and p.task.done()), None)
            if idle is not None:
                self._discard(*idle)

    async def _dial(self, to: RelayAddress, connect: Connect) -> Link:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await loop.getaddrinfo(to.host, to.port, type=1)  # SOCK_STREAM
        except (OSError, UnicodeError, TimeoutError) as error:
            raise Unreachable("The destination cannot be found.") from error
        return await connect(to, self._policy.choose([str(entry[4][0]) for entry in found]))

    def _discard(self, address: RelayAddress, pooled: _Pooled) -> None:
        """Take it out of the pool at once; it is closed by a task of its own."""
        if self._pool.get(address) is pooled:
            del self._pool[address]
        self._start(_closed(pooled.task))


async def _closed(task: asyncio.Task[Link]) -> None:
    if not task.done():
        task.cancel()
    with contextlib.suppress(Unreachable, RefusedRequest, asyncio.CancelledError):
        await (await task).close()


def _usable(task: asyncio.Task[Link]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result().usable


def _retrieved(task: asyncio.Task[Link]) -> None:
    """Whoever waited has the error; without this one that nobody waited for would be reported as lost."""
    if not task.cancelled():
        task.exception()
