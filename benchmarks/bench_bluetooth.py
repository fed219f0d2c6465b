"""Streams over Bluetooth between two virtual adapters, beside bare L2CAP and RFCOMM channels of the same library.

All of it runs on one core, both ends and their adapters: no radio is as quick, and only the shares say something.
"""

from __future__ import annotations

import asyncio
import logging

from bumble import hci, l2cap, rfcomm
from bumble.core import PhysicalTransport
from bumble.device import Device as Adapter
from bumble.device import DeviceConfiguration
from bumble.transport import open_transport

from benchmarks.measure import Clock, Result
from benchmarks.streams import BareStream, EchoedStream, compare
from roost.network.direct.bluetooth import BluetoothCarrier
from tests.network.direct.bluetooth_air import Air
from tests.network.direct.conformance import Device, device_host

PSM = 0x80


def run(clock: Clock) -> list[Result]:
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
    return asyncio.run(_run(clock))


async def _run(clock: Clock) -> list[Result]:
    air = Air()
    carried = await _carried(air)
    streams = {
        "L2CAP channel, bare": await _channel(air),
        "RFCOMM channel, bare": await _rfcomm(air),
        "the carrier": carried[0],
    }
    try:
        return await compare(clock, streams, floor="L2CAP channel, bare")
    finally:
        for device in carried[1:]:
            await device.carrier.stop()
        await air.close()


async def _carried(air: Air) -> tuple[EchoedStream, Device, Device]:
    one, other = [Device(BluetoothCarrier(await air.adapter()), device_host(who)) for who in ("one", "other")]
    await one.start(other.host)
    await other.start(one.host)
    await one.until(lambda: other.host in one.met)
    dialled = await one.carrier.dial(other.host, ())
    return EchoedStream(dialled, await other.accepted.get()), one, other


async def _adapter(air: Air, *, classic: bool = False) -> Adapter:
    transport = await open_transport(await air.adapter())
    address = hci.Address.generate_static_address()
    settings = DeviceConfiguration(address=address, classic_enabled=classic, le_enabled=not classic)
    adapter = Adapter.from_config_with_hci(settings, transport.source, transport.sink)
    await adapter.power_on()
    return adapter


async def _channel(air: Air) -> BareStream:
    one, other = await _adapter(air), await _adapter(air)
    accepted: asyncio.Queue[l2cap.LeCreditBasedChannel] = asyncio.Queue()
    other.create_l2cap_server(l2cap.LeCreditBasedChannelSpec(psm=PSM), handler=accepted.put_nowait)
    await other.start_advertising()
    connection = await one.connect(other.random_address, transport=PhysicalTransport.LE)
    channel = await connection.create_l2cap_channel(l2cap.LeCreditBasedChannelSpec(psm=PSM))
    return BareStream(channel, await accepted.get())


async def _rfcomm(air: Air) -> BareStream:
    one, other = await _adapter(air, classic=True), await _adapter(air, classic=True)
    accepted: asyncio.Queue[rfcomm.DLC] = asyncio.Queue()
    number = rfcomm.Server(other).listen(accepted.put_nowait)
    await other.set_connectable(True)
    connection = await one.connect(other.public_address, transport=PhysicalTransport.BR_EDR)
    channel = await (await rfcomm.Client(connection).start()).open_dlc(number)
    return BareStream(channel, await accepted.get())
