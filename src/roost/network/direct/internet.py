"""The internet carrier: devices that reach each other over UDP, through their routers where those let them.

It finds nobody and asks nobody: there is no relay and no directory. A device tells those it has a link with where it
may be reached (a `Place`: the key of its endpoint, and addresses), and two that know each other's places dial at the
same time; each one's packets open its own router for the other's. A router that gives every destination another port
defeats that, and then it says so within seconds. Whoever a device links with over the internet tells it the address
that it is seen at, and so it learns what to tell others.

Both ends see each other's addresses, and so does everybody on the way: off unless the person wants it. QUIC comes from
`iroh`, an extra (`pip install roost[internet]`); see docs/decisions for one endpoint for all contacts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from roost.crypto import Entropy
from roost.errors import CallerError, Unreachable
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.network.direct.internet_places import Candidate, place_of, read_place
from roost.network.entropy import SYSTEM_ENTROPY
from roost.wire.addresses import DeviceHost

if TYPE_CHECKING:
    from roost.network.direct.internet_quic import Endpoint, QuicStream

DIAL_S: Final = 10.0  # with both dialling, what can be reached is reached in one or two
RETRY_S: Final = 20.0
MAX_LEARNED: Final = 4
MAX_GREETED: Final = 64  # handshakes at once with who comes

_HINT: Final = "Switch it on in the settings."


class InternetCarrier:
    """`port` 0: any. `external` ("address:port"): where this device is known to be reached besides, as with a port that
    its router forwards. Raises CallerError for what is no address."""

    name: ClassVar[CarrierName] = CarrierName.INTERNET

    def __init__(self, *, port: int = 0, external: Sequence[str] = (), entropy: Entropy = SYSTEM_ENTROPY) -> None:
        self._port = port
        self._external = [_external(address) for address in external]
        self._secret = entropy.bytes(32)  # another one at every start: nobody recognises the device by it
        self._learned: list[Candidate] = []
        self._endpoint: Endpoint | None = None
        self._streams: set[QuicStream] = set()
        self._greeting: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._state = CarrierState(self.name, ready=False, why="The internet carrier is switched off.", hint=_HINT)

    @property
    def state(self) -> CarrierState:
        return self._state

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:  # noqa: ARG002 - finds nobody
        self._say("The internet carrier is starting.", "Wait a moment.")
        self._running = asyncio.create_task(self._run(accept, changed))

    def serve(self, people: People) -> None:
        """Who they are makes no difference: places are told over links."""

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:  # noqa: ARG002 - the link proves it
        endpoint, told = self._endpoint, [read_place(place.data) for place in places if place.carrier is self.name]
        ways = [way for way in told if way is not None]
        if endpoint is None or not ways:
            raise Unreachable("No way to this device over the internet is known.", code="not_near")
        dialling = [asyncio.create_task(endpoint.dial(key, candidates)) for key, candidates in ways]
        try:
            async with asyncio.timeout(DIAL_S):
                for first in asyncio.as_completed(dialling):
                    with contextlib.suppress(Unreachable):
                        return self._keep(await first)
        except TimeoutError:
            pass
        finally:
            for task in dialling:
                task.add_done_callback(self._end_unless_kept)
                task.cancel()
        raise Unreachable(
            "The device does not answer over the internet, or a router on the way does not let it through.",
            hint="Use another way to reach it: Tor, or a relay.",
        )

    def places(self) -> tuple[Place, ...]:
        if self._endpoint is None:
            return ()
        candidates = [*self._external, *self._learned, *self._endpoint.addresses()]
        return (place_of(self.name, self._endpoint.key, candidates),) if candidates else ()

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        self._say("The internet carrier is switched off.", _HINT)

    # -- the endpoint

    async def _run(self, accept: Accept, changed: Callable[[], None]) -> None:
        while True:
            endpoint = await self._open(changed)
            if endpoint is None:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                self._endpoint = endpoint
                self._say()
                changed()
                while (incoming := await endpoint.next_incoming()) is not None:
                    if len(self._greeting) < MAX_GREETED:
                        self._greet(incoming, accept)
            finally:
                self._endpoint = None
                for task in self._greeting:
                    task.cancel()
                endpoint.close_when_idle()

    async def _open(self, changed: Callable[[], None]) -> Endpoint | None:
        before = self._state
        try:
            from roost.network.direct import internet_quic

            return await internet_quic.bind(self._secret, self._port)
        except ImportError:
            self._say(
                "Roost was installed without what it needs to go through routers.",
                "Install it with: pip install 'roost[internet]'",
            )
        except OSError as error:
            self._say(f"No UDP port can be used: {error}.", "Choose another port, or allow Roost in the firewall.")
        if self._state != before:
            changed()
        return None

    def _say(self, why: str = "", hint: str = "") -> None:
        self._state = CarrierState(self.name, ready=not why, why=why, hint=hint)

    # -- streams

    def _greet(self, incoming: Coroutine[Any, Any, QuicStream], accept: Accept) -> None:
        async def greet() -> None:
            with contextlib.suppress(Unreachable, TimeoutError):
                async with asyncio.timeout(DIAL_S):
                    stream = await incoming
                accept(self._keep(stream))

        task = asyncio.create_task(greet())
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    def _keep(self, stream: QuicStream) -> QuicStream:
        self._streams.add(stream)
        stream.begin(self._learn, self._streams.discard)
        return stream

    def _end_unless_kept(self, dialling: asyncio.Task[QuicStream]) -> None:
        if not dialling.cancelled() and dialling.exception() is None and dialling.result() not in self._streams:
            dialling.result().abort()

    def _learn(self, candidate: Candidate) -> None:
        """Somebody says that this device is seen at this address. A liar has others knock in vain, no more."""
        self._learned = [candidate, *(known for known in self._learned if known != candidate)][:MAX_LEARNED]


def _external(address: str) -> Candidate:
    try:
        return Candidate.parse(address)
    except ValueError as error:
        raise CallerError(
            "That is no address with a port.", code="bad_setting", hint="Such as 192.0.2.1:7000 or [2001:db8::1]:7000."
        ) from error
