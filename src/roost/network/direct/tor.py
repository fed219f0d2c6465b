"""The carrier over Tor: every device an onion service, found by those alone who hold one of its meetings.

It joins the parts: a tor (tor_process, or one that runs already), its control connection (tor_control), what that says
(tor_status), the service (tor_service) and streams to others (tor_socks). When one of them ends, all are made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from roost.crypto import onion_public
from roost.errors import Unreachable
from roost.network.backoff import Backoff, BackoffPolicy
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.network.direct.streams import ByteStream
from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_control import connect_control
from roost.network.direct.tor_process import start_tor
from roost.network.direct.tor_service import OnionService
from roost.network.direct.tor_session import TorSession
from roost.network.entropy import SYSTEM_ENTROPY
from roost.wire.addresses import DeviceHost

BURST: Final = 64 * 1_024
BURST_S: Final = 0.002  # for that much; Tor itself is ten times slower
SEND_BUFFER: Final = 128 * 1_024
RETRY: Final = BackoffPolicy(first_s=1.0, most_s=60.0, stable_s=60.0)


class TorCarrier:
    """A `Carrier`. `seed` (32 bytes, kept in the profile) makes the onion service's key; `onion` is its public half."""

    name: ClassVar[CarrierName] = CarrierName.TOR

    def __init__(self, config: TorConfig, seed: bytes) -> None:
        self.onion = onion_public(seed)
        self._config = config
        self._seed = seed
        self._people = People()
        self._told: frozenset[DeviceHost] = frozenset()  # of whom it was said that dialling is worth while
        self._accept: Accept = _turn_away
        self._met: Met = lambda _host: None
        self._changed: Callable[[], None] = lambda: None
        self._streams: set[ByteStream] = set()
        self._no_streams = asyncio.Event()
        self._session: TorSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._lingering = asyncio.Event()
        self._state = CarrierState(self.name, False, "Tor is switched off.", "Switch it on.")
        self._off = self._state

    @property
    def state(self) -> CarrierState:
        return self._state

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        self._accept, self._met, self._changed = accept, met, changed
        self._show(Unreachable("Tor is starting.", hint="This takes up to a minute."))
        self._task = asyncio.get_running_loop().create_task(self._run(), name="tor carrier")

    def serve(self, people: People) -> None:
        self._people = people
        if self._session is not None:
            self._session.service.authorise(people.own)
            self._look()

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:  # noqa: ARG002
        if not host.onion:
            raise Unreachable("This device has no address at Tor.", code="not_near")
        if self._session is None:
            raise Unreachable(self._state.why, hint=self._state.hint)
        return await self._session.dial(host, lambda: _TorStream(self._streams, self._no_streams))

    def places(self) -> tuple[Place, ...]:
        return ()

    async def stop(self) -> None:
        """A tor of this device's own goes on while streams stand; it ends with the last of them, or the event loop."""
        self._state = self._off
        self._stopped = True
        self._changed()
        if self._task is not None:
            self._task.cancel()
            lingering = asyncio.ensure_future(self._lingering.wait())
            await asyncio.wait([self._task, lingering], return_when=asyncio.FIRST_COMPLETED)
            lingering.cancel()

    # --- the task: one life of a tor after the other ------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff(RETRY, SYSTEM_ENTROPY)
        while True:
            started = loop.time()
            try:
                await self._live()
            except Unreachable as error:
                self._show(error)
            backoff.stood(loop.time() - started)
            await asyncio.sleep(backoff.next_delay())

    async def _live(self) -> None:
        """Raises Unreachable when it cannot begin, or has ended."""
        config = self._config
        async with contextlib.AsyncExitStack() as stack:
            if config.control is None:
                process = await start_tor(config)
                stack.push_async_callback(process.stop)
                control = await process.controlled(config)
                stack.push_async_callback(control.close)
                stack.push_async_callback(self._linger)
            else:
                control = await connect_control(config.control, password=config.password)
                stack.push_async_callback(control.close)
            listener = await self._listen()
            stack.callback(listener.close)
            port = listener.sockets[0].getsockname()[1]
            session = TorSession(
                config, control, OnionService(control, self._seed, port, config.pace, self._look), self._look
            )
            stack.push_async_callback(self._leave, session)
            await session.open()
            self._session = session
            self.serve(self._people)
            await session.run()

    async def _listen(self) -> asyncio.Server:
        try:
            return await asyncio.get_running_loop().create_server(
                lambda: _TorStream(self._streams, self._no_streams, self._accept), "127.0.0.1", 0
            )
        except OSError as error:
            raise Unreachable("This machine has no loopback network.", hint="Tor cannot be used here.") from error

    async def _leave(self, session: TorSession) -> None:
        self._session = None
        self._told = frozenset()
        await session.withdraw()

    async def _linger(self) -> None:
        if self._stopped and self._streams:
            self._lingering.set()
            self._no_streams.clear()
            await self._no_streams.wait()

    # --- telling ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Something has changed, perhaps."""
        if self._session is None:
            return
        self._show(self._session.trouble())
        worth = frozenset(host for host in self._people.sought if host.onion and self._session.usable)
        for host in worth - self._told:
            asyncio.get_running_loop().call_soon(self._met, host)
        self._told = worth

    def _show(self, trouble: Unreachable | None) -> None:
        state = CarrierState(self.name, True)
        if trouble is not None:
            state = CarrierState(self.name, False, trouble.message, trouble.hint)
        if state != self._state and not self._stopped:
            self._state = state
            self._changed()


class _TorStream(ByteStream):
    """One that is counted while it stands, and never written to faster than tor can hold back.

    Tor reads a socket for as long as it finds something there, and only then looks how much its circuit takes: who
    writes without a pause fills its memory.
    """

    def __init__(self, standing: set[ByteStream], none: asyncio.Event, on_open: Accept | None = None) -> None:
        super().__init__(on_open)
        self._standing = standing
        self._none = none
        self._burst = 0
        self._burst_began = 0.0

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), BURST):
            part = data[start : start + BURST]
            await super().write(part)
            self._burst += len(part)
            if self._burst >= BURST:
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._burst_began + BURST_S - loop.time())
                self._burst, self._burst_began = 0, loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._standing.add(self)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._standing.discard(self)
        if not self._standing:
            self._none.set()


def _turn_away(stream: Stream) -> None:
    stream.abort()
