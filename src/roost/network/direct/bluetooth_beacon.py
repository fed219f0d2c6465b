"""How an announcement is shown to everybody in reach by a Bluetooth Low Energy adapter, and how it is read.

It stands as manufacturer's data of no company in a connectable advertisement, and nothing else does. An adapter that
knows extended advertising (Bluetooth 5) shows MAX_TAGS tags at once; an older one has room for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bumble import hci
from bumble.device import AdvertisingEventProperties, AdvertisingParameters, AdvertisingSet, Device

MAX_TAGS: Final = 24  # 16 + 24 * 8 bytes, in one packet
LEGACY_TAGS: Final = 1  # of 31 bytes, 3 are flags and 4 the data's own header
INTERVAL_MS: Final = 150.0
NO_COMPANY: Final = b"\xff\xff\xff"  # manufacturer's data, of the company number that stands for none
FLAGS: Final = b"\x02\x01\x06"


class Beacon:
    """What one adapter shows now. Calls wait for the adapter, so only one task makes them."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._advertising: AdvertisingSet | None = None
        self._shown: bytes | None = None

    @property
    def tags(self) -> int:
        """How many fit."""
        return MAX_TAGS if self._device.supports_le_extended_advertising else LEGACY_TAGS

    async def show(self, announcement: bytes) -> None:
        """Show this from now on. An adapter stops when somebody connects to it; then it begins again."""
        data = NO_COMPANY + announcement
        data = bytes([len(data)]) + data
        if not self._device.supports_le_extended_advertising:
            if announcement != self._shown or not self._device.is_advertising:
                await self._show_legacy(data)
        elif self._advertising is None:
            self._advertising = await self._begin(data)
        else:
            if announcement != self._shown:
                await self._advertising.set_advertising_data(data)
            if not self._advertising.enabled:
                await self._advertising.start()
        self._shown = announcement

    async def hide(self) -> None:
        self._shown = None
        advertising, self._advertising = self._advertising, None
        if advertising is not None:
            if advertising.enabled:
                await advertising.stop()
            await advertising.remove()
        elif self._device.is_advertising:
            await self._device.stop_advertising()

    async def _begin(self, data: bytes) -> AdvertisingSet:
        return await self._device.create_advertising_set(
            advertising_parameters=AdvertisingParameters(
                advertising_event_properties=AdvertisingEventProperties(is_connectable=True),
                primary_advertising_interval_min=INTERVAL_MS,
                primary_advertising_interval_max=INTERVAL_MS,
                own_address_type=hci.OwnAddressType.RANDOM,
            ),
            random_address=self._device.random_address,
            advertising_data=data,
        )

    async def _show_legacy(self, data: bytes) -> None:
        await self._device.start_advertising(
            advertising_data=FLAGS + data,
            scan_response_data=b"",
            advertising_interval_min=INTERVAL_MS,
            advertising_interval_max=INTERVAL_MS,
        )


def announcements_in(data: bytes) -> Iterator[bytes]:
    """What may be announcements in an advertisement's structures (Supplement to the Core Specification, Part A)."""
    at = 0
    while at < len(data) and (size := data[at]):
        structure = data[at + 1 : at + 1 + size]
        if structure.startswith(NO_COMPANY):
            yield structure[len(NO_COMPANY) :]
        at += 1 + size
