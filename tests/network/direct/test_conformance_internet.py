"""The internet carrier keeps every carrier's promises, once the others' places are known."""

from __future__ import annotations

from typing import ClassVar

import pytest

from roost.network.direct.internet import InternetCarrier
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice, device_host


class TestInternet(CarrierConformance):
    finds: ClassVar[bool] = False
    patience_s: ClassVar[float] = 20

    @pytest.fixture
    def make(self) -> MakeDevice:
        async def make(who: str) -> Device:
            return Device(InternetCarrier(), device_host(who))

        return make
