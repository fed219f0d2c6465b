"""The carrier that joins devices of one process keeps every carrier's promises, and breaks as it is told to."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from roost.errors import Unreachable
from roost.network.direct.memory import Air, MemoryCarrier, memory_pair
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice, device_host


class TestMemory(CarrierConformance):
    in_flight: ClassVar[int] = 4 * 1_024 * 1_024

    @pytest.fixture
    def make(self) -> MakeDevice:
        air = Air()

        async def make(who: str) -> Device:
            return Device(MemoryCarrier(air), device_host(who))

        return make


async def test_who_goes_out_of_reach_loses_every_stream_and_comes_back() -> None:
    air = Air()
    one, other = (Device(MemoryCarrier(air), device_host(who)) for who in ("one", "other"))
    await one.start(other.host)
    await other.start()
    stream = await one.carrier.dial(other.host, ())
    assert isinstance(other.carrier, MemoryCarrier)
    other.carrier.reachable(False)
    assert not other.carrier.state.ready
    assert await stream.read() == b""
    with pytest.raises(Unreachable):
        await one.carrier.dial(other.host, ())
    await asyncio.sleep(0)
    one.met.clear()
    other.carrier.reachable(True)
    async with asyncio.timeout(5):
        await one.until(lambda: other.host in one.met)
    await one.carrier.stop()
    await other.carrier.stop()


async def test_what_stands_is_forgotten_when_it_is_over() -> None:
    first, second = memory_pair()
    assert not first.over
    second.abort()
    assert first.over
