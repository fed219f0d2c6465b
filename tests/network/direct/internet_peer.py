"""A device with the internet carrier, told what to do line by line; runs in a network namespace of its own.

  python -m tests.network.direct.internet_peer NAME [EXTERNAL]
In: `places`, `dial NAME PLACE` (hex). Out: one line of JSON for each: its place, or what the dial came to. Whoever
accepts a stream echoes what comes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from roost.errors import Unreachable
from roost.network.direct import internet
from roost.network.direct.carrier import CarrierName, Place, Stream
from roost.network.direct.internet import InternetCarrier
from tests.network.direct.conformance import Device, device_host, read_all


async def main(name: str, *external: str) -> None:
    internet.DIAL_S = 3.0  # nobody here is far away
    device = Device(InternetCarrier(external=external), device_host(name))
    await device.start()
    await device.until(lambda: device.carrier.state.ready)
    tell({"ready": True})
    serving = asyncio.create_task(serve(device))
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        if line[0] == "places":
            tell({"place": device.carrier.places()[0].data.hex()})
        else:
            tell(await dial(device, line[1], Place(CarrierName.INTERNET, bytes.fromhex(line[2]))))
    serving.cancel()
    await device.carrier.stop()


async def dial(device: Device, name: str, place: Place) -> dict[str, Any]:
    try:
        stream = await device.carrier.dial(device_host(name), [place])
        await stream.write(b"hello")
        echoed = await read_all(stream, 5)
        await stream.close()
    except Unreachable as error:
        return {"failed": error.message, "hint": error.hint}
    return {"echoed": echoed.decode()}


async def serve(device: Device) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(echo(await device.accepted.get()))


async def echo(stream: Stream) -> None:
    while data := await stream.read():
        await stream.write(data)
    await stream.close()


def tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
