"""The system's Bluetooth with `aio-rfcomm`: classic RFCOMM between devices that the person has paired.

The system decides what is in the air, and leaves the adapter to its other uses. Roost offers one service, the same
everywhere, under a name that changes; whoever connects to it is told an announcement (crypto.meetings) before anything
else, so that contacts recognise each other and others learn nothing. Devices are looked for among those that the
system knows, and at the Bluetooth addresses that their owners told.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from aio_rfcomm import Availability, Bluetooth, RfcommChannel, RfcommConnectionRequest, RfcommDeviceInfo, open_bluetooth
from aio_rfcomm.errors import BluetoothUnavailableError, RfcommError, ScopeClosedError

from roost.crypto import Entropy
from roost.crypto.meetings import MAX_ANNOUNCED, announce, recognised
from roost.errors import Unreachable
from roost.network.direct.bluetooth_radio import (
    CLOSE_S,
    NONCE_SIZE,
    TAG_SIZE,
    RadioOff,
    no_answer,
    not_near,
    over,
)
from roost.network.direct.carrier import Accept, Met, People, Place, Stream
from roost.network.direct.inbox import Inbox
from roost.wire.addresses import DeviceHost

SERVICE: Final = uuid.UUID("9b9f0c54-2d3a-4b63-9d8e-5f0a6c1e7d42")
GREETING_SIZE: Final = NONCE_SIZE + MAX_ANNOUNCED * TAG_SIZE  # however many meetings there are
ADDRESS_SIZE: Final = 6
OPEN_S: Final = 10.0
DIAL_S: Final = 20.0  # one device: a system asks it for its services first
GREET_S: Final = 10.0
LOOK_S: Final = 120.0  # between two rounds of asking who is there: each costs seconds of radio
READ_AHEAD: Final = 64 * 1_024

_WHY: Final = {
    Availability.SWITCHED_OFF: ("Bluetooth is switched off.", "Switch it on in the system's settings."),
    Availability.NO_ADAPTER: ("This computer has no Bluetooth adapter.", "Plug one in."),
    Availability.NOT_ALLOWED: ("Roost may not use Bluetooth.", "Allow it in the system's settings."),
    Availability.AWAITING_PERMISSION: ("The system asks whether Roost may use Bluetooth.", "Answer it."),
    Availability.SERVICE_UNAVAILABLE: ("The system's Bluetooth service does not run.", "Start it (docs/carriers.md)."),
    Availability.UNSUPPORTED: ("This system has no Bluetooth that Roost can use.", "See docs/carriers.md."),
}


async def open_radio(accept: Accept, met: Met, entropy: Entropy) -> SystemRadio:
    """Raises RadioOff."""
    radio = SystemRadio(accept, met, entropy)
    await radio.open()
    return radio


def _off(reason: Availability) -> RadioOff:
    return RadioOff(*_WHY.get(reason, _WHY[Availability.UNSUPPORTED]))


class RfcommStream:
    """A stream over an RFCOMM channel. The channel belongs to the task that `hold` runs in, and ends with it."""

    def __init__(self, read_already: bytes = b"") -> None:
        self._channel: RfcommChannel | None = None
        self._room = asyncio.Event()
        self._inbox = Inbox(lambda _: self._room.set())
        self._over = asyncio.Event()
        self._gone = asyncio.Event()  # the channel is closed
        if read_already:
            self._inbox.put(read_already)

    async def hold(self, channel: RfcommChannel) -> None:
        """Reads until the end; returns when the channel may be closed."""
        self._channel = channel
        reading = asyncio.create_task(self._receive(channel))
        try:
            await self._over.wait()
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    def released(self) -> None:
        self._gone.set()

    async def _receive(self, channel: RfcommChannel) -> None:
        with contextlib.suppress(RfcommError, ScopeClosedError):
            while True:
                while self._inbox.waiting >= READ_AHEAD:
                    self._room.clear()
                    await self._room.wait()
                self._inbox.put(await channel.receive(READ_AHEAD))
        self._inbox.end()
        self._over.set()

    async def read(self) -> bytes:
        return await self._inbox.take()

    async def write(self, data: bytes) -> None:
        if self._over.is_set() or self._channel is None:
            raise over()
        sending = asyncio.create_task(self._channel.send(data))
        ending = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait([sending, ending], return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise over()
            await sending
        except (RfcommError, ScopeClosedError) as error:
            self._over.set()
            raise over() from error
        finally:
            sending.cancel()
            ending.cancel()

    async def close(self) -> None:
        self.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._gone.wait()

    def abort(self) -> None:
        self._inbox.end(forget=True)
        self._over.set()


class SystemRadio:
    """A `Radio`. One task owns the system's Bluetooth, the service in it and the search; each stream has its own."""

    def __init__(self, accept: Accept, met: Met, entropy: Entropy) -> None:
        self._accept = accept
        self._met = met
        self._entropy = entropy
        self._people = People()
        self._found: dict[bytes, RfcommDeviceInfo] = {}  # by meeting
        self._bluetooth: Bluetooth | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost: asyncio.Future[RadioOff] = asyncio.get_running_loop().create_future()
        self._retiring = asyncio.Event()
        self._look = asyncio.Event()
        self._living: asyncio.Task[None] | None = None
        self._streams: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._living = asyncio.create_task(self._live())
        try:
            async with asyncio.timeout(OPEN_S):
                await asyncio.shield(self._opened)
        except BaseException as error:
            self._living.cancel()
            await asyncio.wait([self._living])
            if isinstance(error, TimeoutError):
                raise _off(Availability.SERVICE_UNAVAILABLE) from error
            raise

    # -- the radio's interface

    def serve(self, people: People) -> None:
        if set(people.sought) - set(self._people.sought):
            self._look.set()
        self._people = people

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        bluetooth = self._bluetooth
        if bluetooth is None or self._retiring.is_set():
            raise not_near()
        devices = [RfcommDeviceInfo(place.data.hex(":")) for place in places if len(place.data) == ADDRESS_SIZE]
        if (found := self._found.get(host.meeting)) is not None:
            devices.insert(0, found)
        if not devices:
            raise not_near()
        for device in dict.fromkeys(devices):
            with contextlib.suppress(Unreachable):
                return await self._open(bluetooth, device, host.meeting)
        self._found.pop(host.meeting, None)
        raise no_answer()

    def places(self) -> tuple[Place, ...]:
        return ()  # systems do not tell what their address is

    async def lost(self) -> RadioOff:
        return await asyncio.shield(self._lost)

    async def retire(self) -> None:
        self._retiring.set()
        if self._living is not None:
            await asyncio.wait([self._living], timeout=CLOSE_S)

    # -- the system's Bluetooth

    async def _live(self) -> None:
        try:
            async with open_bluetooth() as bluetooth:
                first = await anext(watching := bluetooth.watch_availability())
                if first is not Availability.USABLE:
                    raise _off(first)
                name = self._entropy.bytes(4).hex()
                async with bluetooth.serve(SERVICE, name=name) as service:
                    self._bluetooth = bluetooth
                    self._opened.set_result(None)
                    work = [
                        asyncio.create_task(self._watch(watching)),
                        asyncio.create_task(self._answer(service.connection_requests())),
                        asyncio.create_task(self._search(bluetooth)),
                        asyncio.create_task(self._retiring.wait()),
                    ]
                    try:
                        await asyncio.wait([work[0], work[1], work[3]], return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for task in work:
                            task.cancel()
                        await asyncio.gather(*work, return_exceptions=True)
                if self._streams:  # nobody finds this device any more; what stands stays
                    await asyncio.wait(self._streams)
        except RadioOff as off:
            self._end(off)
        except BluetoothUnavailableError as error:
            self._end(_off(error.reason))
        except (RfcommError, RuntimeError, OSError) as error:
            self._end(RadioOff("The system's Bluetooth refused Roost.", str(error)))
        finally:
            self._bluetooth = None
            self._end(_off(Availability.SERVICE_UNAVAILABLE))

    def _end(self, off: RadioOff) -> None:
        if not self._opened.done():
            self._opened.set_exception(off)
            self._opened.exception()  # who opens is told, if anybody still waits
        if not self._lost.done():
            self._lost.set_result(off)

    async def _watch(self, watching: Any) -> None:
        async for availability in watching:
            if availability is not Availability.USABLE:
                self._end(_off(availability))
                return

    async def _answer(self, requests: Any) -> None:
        async for request in requests:
            self._keep(self._greet(request))

    async def _greet(self, request: RfcommConnectionRequest) -> None:
        with contextlib.suppress(RfcommError, ScopeClosedError, TimeoutError):
            async with request.accept() as channel:
                async with asyncio.timeout(GREET_S):
                    await channel.send(self._greeting())
                    first = await channel.receive(READ_AHEAD)  # who only asks who is here says nothing
                await self._hand_over(channel, RfcommStream(first), self._accept)

    async def _hand_over(self, channel: RfcommChannel, stream: RfcommStream, take: Accept) -> None:
        holding = asyncio.create_task(stream.hold(channel))
        try:
            await asyncio.sleep(0)
            take(stream)
            await holding
        finally:
            holding.cancel()
            stream.abort()
            stream.released()

    def _greeting(self) -> bytes:
        own = self._people.own
        if len(own) > MAX_ANNOUNCED:  # others next time
            own = tuple(random.sample(own, MAX_ANNOUNCED))
        greeting = announce(own, int(time.time()), self._entropy)
        return greeting + self._entropy.bytes(GREETING_SIZE - len(greeting))

    # -- finding

    async def _search(self, bluetooth: Bluetooth) -> None:
        while True:
            self._look.clear()
            if self._people.sought:
                with contextlib.suppress(RfcommError, TimeoutError):
                    for device in await bluetooth.list_known_devices(service=SERVICE):
                        await self._ask(bluetooth, device)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._look.wait()

    async def _ask(self, bluetooth: Bluetooth, device: RfcommDeviceInfo) -> None:
        with contextlib.suppress(RfcommError, ScopeClosedError, TimeoutError):
            async with asyncio.timeout(DIAL_S), bluetooth.open_service(device, SERVICE) as channel:
                greeting = await channel.receive_exactly(GREETING_SIZE)
                self._recognise(device, greeting)

    def _recognise(self, device: RfcommDeviceInfo, greeting: bytes) -> list[bytes]:
        sought = {host.meeting for host in self._people.sought}
        found = recognised(greeting, tuple(sought), int(time.time()))
        for meeting in found:
            self._found[meeting] = device
        for host in self._people.sought:
            if host.meeting in found:
                self._met(host)
        return found

    async def _open(self, bluetooth: Bluetooth, device: RfcommDeviceInfo, meeting: bytes) -> Stream:
        opened: asyncio.Future[RfcommStream] = asyncio.get_running_loop().create_future()
        task = self._keep(self._dial(bluetooth.open_service(device, SERVICE), meeting, opened))
        try:
            async with asyncio.timeout(DIAL_S):
                return await asyncio.shield(opened)
        except BaseException as error:
            task.cancel()
            if isinstance(error, TimeoutError):
                raise no_answer() from error
            raise

    async def _dial(
        self,
        opening: AbstractAsyncContextManager[RfcommChannel],
        meeting: bytes,
        opened: asyncio.Future[RfcommStream],
    ) -> None:
        try:
            async with opening as channel:
                greeting = await channel.receive_exactly(GREETING_SIZE)
                if recognised(greeting, (meeting,), int(time.time())):
                    await self._hand_over(channel, RfcommStream(), opened.set_result)  # type: ignore[arg-type]
        except (RfcommError, ScopeClosedError):
            pass
        finally:
            if not opened.done():
                opened.set_exception(no_answer())
                opened.exception()

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        return task
