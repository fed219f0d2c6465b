"""A link that stands: the asyncio shell around `LinkCore` and a carrier's `Connection`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from roost.errors import Unreachable
from roost.network.answers import accept
from roost.network.carriers.base import Connection
from roost.network.errors import NotARelay, link_lost, no_answer
from roost.network.identity import prove
from roost.network.link_core import Answered, Delivered, LinkCore, LinkEvent, LinkState, LinkTiming, Opened, Over
from roost.wire.addresses import DeviceHost, HostAddress, OnionHost
from roost.wire.codec import decode
from roost.wire.mailbox import (
    OnionArrival,
    RelayInfo,
    Request,
    Response,
    SignedInfo,
    Subscribe,
    Subscribed,
    Unsubscribe,
)

CALL_S = 20.0
WINDOW = 8 * 65_536  # bytes of unanswered calls: bounds memory, and a text's wait behind a file on a slow line

Deliver = Callable[[int, bytes], None]


@dataclass(frozen=True)
class OpenSubscription:
    """A subscription on one link. `end` was the newest entry's number when it began, 0 for an empty mailbox."""

    call: int
    end: int


class Link:
    """A link to one relay. Made by `connect_relay`; lives until `close` or until the relay or the network ends it."""

    def __init__(
        self,
        connection: Connection,
        address: HostAddress,
        timing: LinkTiming | None = None,
        window: int = WINDOW,
    ) -> None:
        self.on_arrival: Callable[[OnionArrival], None] | None = None  # for replies out of an onion network
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._window = window
        self._core = LinkCore(partial(_prove, address, connection), self._loop.time(), timing)
        self._opened: Opened | None = None
        self._over: Over | None = None
        self._change: asyncio.Future[None] = self._loop.create_future()  # done when opened or over
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._replies: dict[int, asyncio.Future[Response]] = {}
        self._deliver: dict[int, Deliver] = {}
        self._turn = asyncio.Lock()  # calls pass the window one by one, in order
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        connection.attach(self)
        self._pump()

    # --- state --------------------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether new calls can be made."""
        return self._core.state is LinkState.OPEN

    @property
    def carrier(self) -> str:
        """`raw`, `websocket`, `memory`, or a carrier between devices."""
        return self._connection.kind

    @property
    def info(self) -> RelayInfo:
        """What the relay said of itself, proven."""
        return self._proven().info

    @property
    def signed_info(self) -> SignedInfo:
        """The relay's statement as it signed it, to be shown to others."""
        return self._proven().signed

    def _proven(self) -> Opened:
        if self._opened is None:
            raise link_lost()
        return self._opened

    async def opened(self) -> None:
        """Wait until the relay has proven itself. Raises Unreachable (any kind)."""
        await asyncio.shield(self._change)
        if self._opened is None:
            raise self._error()

    async def ended(self) -> Over:
        """Wait until the link is over, and say why."""
        await asyncio.shield(self._ended)
        return self._over or Over(link_lost())

    async def close(self) -> None:
        """End the link and wait until its connection is gone. Calls under way raise Unreachable."""
        self._closing = True
        self._core.lost()
        self._pump()
        try:
            await self._connection.close()
        finally:
            self._connection.abort()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def call(self, request: Request, *, timeout_s: float | None = CALL_S) -> Response:
        """Send one request and wait for its answer, which is never a `Refusal`.

        Raises:
            Refused: the relay said no.
            Unreachable: the link ended, or no answer came in time. The relay may have acted or not; every
                request may be repeated.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answer(request)
        except TimeoutError as error:
            raise no_answer() from error

    def post(self, request: Request) -> asyncio.Future[Response]:
        """As `call`, for one who makes many: nothing waits for its turn, no time is taken, and a `Refusal` is a result.

        Who cancels the future waits no more. Raises Unreachable at once when the link takes no calls; else the future
        may.
        """
        call = self._send(request)
        reply: asyncio.Future[Response] = self._loop.create_future()
        self._replies[call] = reply
        reply.add_done_callback(partial(self._posted, call))
        return reply

    async def subscribe(
        self, get: bytes, after: int, deliver: Deliver, *, timeout_s: float | None = CALL_S
    ) -> OpenSubscription:
        """Have every envelope after entry `after` delivered by calls of `deliver(number, envelope)` on the event loop.

        Raises:
            Refused, Unreachable: as `call`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._subscribed(Subscribe(get, after), deliver)
        except TimeoutError as error:
            raise no_answer() from error

    async def unsubscribe(self, call: int) -> None:
        """End a subscription; nothing of it is delivered any more from this moment on. Raises as `call`."""
        self._deliver.pop(call, None)
        self._core.abandon(call)
        await self.call(Unsubscribe(call))

    async def _answer(self, request: Request) -> Response:
        async with self._turn:
            while self._core.in_flight >= self._window:
                self._room = self._loop.create_future()
                await self._room
            call = self._send(request)
        response = await self._reply(call)
        return accept(request, response)

    async def _subscribed(self, request: Subscribe, deliver: Deliver) -> OpenSubscription:
        call = self._send(request)
        self._deliver[call] = deliver
        try:
            answer = accept(request, await self._reply(call))
        except BaseException:
            self._deliver.pop(call, None)
            self._core.abandon(call)
            raise
        return OpenSubscription(call, answer.end if isinstance(answer, Subscribed) else 0)

    def _send(self, request: Request) -> int:
        try:
            return self._core.call(request, self._loop.time())
        finally:
            self._pump()

    async def _reply(self, call: int) -> Response:
        reply: asyncio.Future[Response] = self._loop.create_future()
        self._replies[call] = reply
        try:
            return await reply
        finally:
            self._replies.pop(call, None)
            if reply.cancelled():
                self._core.abandon(call)
                self._pump()
            self._make_room()

    def _posted(self, call: int, reply: asyncio.Future[Response]) -> None:
        self._replies.pop(call, None)
        if reply.cancelled():
            self._core.abandon(call)
            self._pump()

    def _make_room(self) -> None:
        """Let the call whose turn it is see whether it fits the window now."""
        if self._room is not None:
            _finish(self._room)

    # --- Receiver -----------------------------------------------------------------------------------------------------

    def received(self, frame: bytes) -> None:
        self._core.receive(frame, self._loop.time())
        self._pump()

    def lost(self, malformed: bool) -> None:
        self._core.lost(malformed)
        self._pump()

    # --- between core, carrier and callers ----------------------------------------------------------------------------

    def _pump(self) -> None:
        for frame in self._core.outgoing():
            self._connection.send(frame)
        try:
            for event in self._core.events():
                self._handle(event)
        except (
            BaseException
        ):  # a subscriber's mistake: what follows must not be lost silently, so the link ends with it
            self._connection.abort()
            raise
        self._arm()

    def _handle(self, event: LinkEvent) -> None:
        match event:
            case Answered(call, response):
                reply = self._replies.get(call)
                if reply is not None and not reply.done():
                    reply.set_result(response)
            case Delivered(call, number, envelope):
                deliver = self._deliver.get(call)
                if deliver is not None:
                    deliver(number, envelope)
            case OnionArrival():
                if self.on_arrival is not None:
                    self.on_arrival(event)
            case Opened():
                self._opened = event
                _finish(self._change)
            case Over():
                self._finish(event)

    def _finish(self, over: Over) -> None:
        self._over = over
        self._deliver.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(over.error)
        self._make_room()
        _finish(self._change)
        _finish(self._ended)
        if not self._closing:
            self._connection.abort()

    def _error(self) -> Unreachable:
        return self._over.error if self._over else link_lost()

    def _arm(self) -> None:
        """Have `_tick` run at the core's deadline. A later deadline lets the timer run: most frames move it."""
        deadline = self._core.next_deadline()
        if deadline is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None or self._timer.when() > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._core.tick(self._loop.time())
        self._pump()


def _prove(address: HostAddress, connection: Connection, signed: SignedInfo) -> RelayInfo:
    if isinstance(address, DeviceHost):  # the handshake of the link below has proven it
        return decode(RelayInfo, signed.info)
    if isinstance(address, OnionHost):
        raise NotARelay("A link leads to one host, not to a network.")
    return prove(signed, address, connection.shown)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
