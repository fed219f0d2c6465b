"""Both kinds of Bluetooth keep every carrier's promises: Low Energy over virtual adapters, and the system's RFCOMM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from roost.network.direct import bluetooth_le, bluetooth_rfcomm
from roost.network.direct.bluetooth import BluetoothCarrier
from tests.network.direct.bluetooth_air import Air
from tests.network.direct.bluetooth_system import Room
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice, device_host


class TestBluetooth(CarrierConformance):
    patience_s: ClassVar[float] = 20
    bulk: ClassVar[int] = 150_000
    in_flight: ClassVar[int] = 1_024 * 1_024

    @pytest.fixture
    async def make(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeDevice]:
        monkeypatch.setattr(bluetooth_le, "CONNECT_S", 1.0)  # to one that is gone
        air = Air()

        async def make(who: str) -> Device:
            return Device(BluetoothCarrier(await air.adapter()), device_host(who))

        yield make
        await air.close()


class TestSystemBluetooth(CarrierConformance):
    """Over systems that are one room's."""

    patience_s: ClassVar[float] = 20

    @pytest.fixture
    def make(self, monkeypatch: pytest.MonkeyPatch) -> MakeDevice:
        room = Room()
        monkeypatch.setattr(bluetooth_rfcomm, "LOOK_S", 0.1)
        monkeypatch.setattr(bluetooth_rfcomm, "open_bluetooth", room.open_bluetooth)

        async def make(who: str) -> Device:
            return Device(BluetoothCarrier(), device_host(who))

        return make
