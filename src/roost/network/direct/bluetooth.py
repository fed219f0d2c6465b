"""The Bluetooth carrier: devices within a few metres, without any network.

It chooses the radio (an adapter of Roost's own, or the system's Bluetooth), watches whether it is there, and says why
not. How devices find and reach each other is the radio's business: `bluetooth_le`, `bluetooth_rfcomm`. The packages
that both need are an extra (`pip install roost[bluetooth]`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from roost.crypto import Entropy
from roost.network.direct.bluetooth_radio import Radio, RadioOff, not_near
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.network.entropy import SYSTEM_ENTROPY
from roost.wire.addresses import DeviceHost

SYSTEM: Final = "system"
RETRY_S: Final = 20.0  # how often it looks for an adapter where there was none

_STOPPED: Final = RadioOff("Bluetooth is switched off in Roost.", "Switch it on in the settings.")
_NO_EXTRA: Final = RadioOff(
    "Roost was installed without what it needs for Bluetooth.", "Install it with: pip install 'roost[bluetooth]'"
)


class BluetoothCarrier:
    """`adapter` is "system", or what bumble calls an adapter that Roost has to itself: "usb:0", "hci-socket:0"."""

    name: ClassVar[CarrierName] = CarrierName.BLUETOOTH

    def __init__(self, adapter: str = SYSTEM, *, entropy: Entropy = SYSTEM_ENTROPY) -> None:
        self._adapter = adapter
        self._entropy = entropy
        self._people = People()
        self._radio: Radio | None = None
        self._off: RadioOff | None = _STOPPED
        self._running: asyncio.Task[None] | None = None

    @property
    def state(self) -> CarrierState:
        if self._off is not None:
            return CarrierState(self.name, ready=False, why=self._off.why, hint=self._off.hint)
        return CarrierState(self.name, ready=True)

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        self._off = RadioOff("Roost is looking for a Bluetooth adapter.", "Wait a moment.")
        self._running = asyncio.create_task(self._run(accept, met, changed))

    def serve(self, people: People) -> None:
        self._people = people
        if self._radio is not None:
            self._radio.serve(people)

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        if self._radio is None:
            raise not_near()
        return await self._radio.dial(host, [place for place in places if place.carrier is self.name])

    def places(self) -> tuple[Place, ...]:
        return self._radio.places() if self._radio is not None else ()

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        self._off = _STOPPED

    async def _run(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        while True:
            try:
                radio = await self._open(accept, met)
                try:
                    self._radio = radio
                    radio.serve(self._people)
                    self._say(None, changed)
                    raise await radio.lost()
                finally:
                    self._radio = None
                    await radio.retire()
            except RadioOff as off:
                self._say(off, changed)
            await asyncio.sleep(RETRY_S)

    def _say(self, off: RadioOff | None, changed: Callable[[], None]) -> None:
        before, self._off = self.state, off
        if self.state != before:
            changed()

    async def _open(self, accept: Accept, met: Met) -> Radio:
        """The packages are only loaded here: they are large, and may be missing."""
        try:
            if self._adapter == SYSTEM:
                from roost.network.direct import bluetooth_rfcomm

                return await bluetooth_rfcomm.open_radio(accept, met, self._entropy)
            from roost.network.direct import bluetooth_le

            return await bluetooth_le.open_radio(self._adapter, accept, met, self._entropy)
        except ImportError as error:
            raise _NO_EXTRA from error
