"""What people do, over slow carriers: two agents in this process that meet over virtual Bluetooth, and over Tor in a
private network. Messages to the other's disk, a file of 1 MiB, and the same file over a Bluetooth link that is cut
every two seconds. The floor is the carrier's own stream, with nothing of Roost's above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Clock, Result, throughput
from benchmarks.streams import BLOCK, ENVELOPE, EchoedStream
from roost.agent import devices
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.messaging.records import OwnHost
from roost.network.direct.carrier import Carrier, CarrierName
from tests.network.direct.conformance import Device, device_host

IN_FLIGHT = 32
MIB = 2**20
WITHIN_S = 300

Make = Callable[..., Carrier]


def run(clock: Clock) -> list[Result]:
    return [*asyncio.run(_over_bluetooth(clock)), *_over_tor(clock)]


# --- Bluetooth --------------------------------------------------------------------------------------------------------


async def _over_bluetooth(clock: Clock) -> list[Result]:
    from roost.network.direct.bluetooth import BluetoothCarrier
    from tests.network.direct.bluetooth_air import Air

    air = Air()
    adapters = [await air.adapter() for _ in range(4)]
    bare = [Device(BluetoothCarrier(adapter), device_host(adapter)) for adapter in adapters[2:]]
    streams = await _stream(bare)
    floors = await _floors("Bluetooth", clock, streams)
    for device in bare:
        await device.carrier.stop()
    chosen = iter(adapters)

    def make(*_: object) -> Carrier:
        return BluetoothCarrier(next(chosen))

    async with _two_people(CarrierName.BLUETOOTH, make) as (alice, bob, contact):
        results = [*floors, *await _figures("Bluetooth", clock, alice, bob, contact, floors)]
        cutting = asyncio.create_task(_cut(air))
        spent = await _file(alice, bob, contact)
        cutting.cancel()
        results.append(throughput("Bluetooth, cut every 2 s: a file of 1 MiB", MIB / 1e6 / spent, "MB/s", floors[1]))
    await air.close()
    return results


async def _cut(air: Any) -> None:
    while True:
        await asyncio.sleep(2)
        air.cut()


# --- Tor --------------------------------------------------------------------------------------------------------------


def _over_tor(clock: Clock) -> list[Result]:
    if shutil.which("tor") is None:
        print("tor: left out; it needs Debian's package tor", file=sys.stderr)
        return []
    from tests.tor_network import running

    with running() as network, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_in_tor_network(clock, network.torrc, Path(folder)))


async def _in_tor_network(clock: Clock, torrc: tuple[str, ...], folder: Path) -> list[Result]:
    from roost.network.direct.tor import TorCarrier
    from roost.network.direct.tor_config import TorConfig
    from tests.network.direct.tor_devices import device, on

    bare = [device(who, TorConfig(folder / who, extra=torrc)) for who in ("one", "other")]
    async with on(*bare):
        dialled = await bare[0].carrier.dial(bare[1].host, ())
        await dialled.write(b"!")
        accepted = await bare[1].accepted.get()
        await accepted.read()
        floors = await _floors("Tor", clock, EchoedStream(dialled, accepted))

    def make(_name: CarrierName, host: OwnHost, profile: Path, *_: object) -> Carrier:
        return TorCarrier(TorConfig(profile / "tor", extra=torrc), host.onion_seed)

    async with _two_people(CarrierName.TOR, make) as (alice, bob, contact):
        return [*floors, *await _figures("Tor", clock, alice, bob, contact, floors)]


# --- what is measured -------------------------------------------------------------------------------------------------


async def _stream(pair: list[Device]) -> EchoedStream:
    one, other = pair
    await one.start(other.host)
    await other.start(one.host)
    await one.until(lambda: other.host in one.met)
    return EchoedStream(await one.carrier.dial(other.host, ()), await other.accepted.get())


async def _floors(name: str, clock: Clock, stream: EchoedStream) -> list[Result]:
    trips, begun = 0, time.monotonic()
    while time.monotonic() - begun < clock.seconds:
        await stream.round_trip()
        trips += 1
    per_second = trips / (time.monotonic() - begun)
    blocks, begun = 0, time.monotonic()
    while time.monotonic() - begun < clock.seconds:
        await stream.move(4)
        blocks += 4
    moved = blocks * len(BLOCK) / (time.monotonic() - begun)
    return [
        throughput(f"{name}: round trips of {len(ENVELOPE):,} bytes, bare", per_second, "/s"),
        throughput(f"{name}: bytes one way, bare", moved / 1e6, "MB/s"),
    ]


async def _figures(
    name: str, clock: Clock, alice: Service, bob: Service, contact: str, floors: list[Result]
) -> list[Result]:
    single = await _messages(alice, bob, contact, clock.seconds, 1)
    many = await _messages(alice, bob, contact, clock.seconds, IN_FLIGHT)
    spent = await _file(alice, bob, contact)
    return [
        throughput(f"{name}: messages, one at a time", single, "/s", floors[0]),
        throughput(f"{name}: messages, {IN_FLIGHT} in flight", many, "/s", floors[0]),
        throughput(f"{name}: a file of 1 MiB", MIB / 1e6 / spent, "MB/s", floors[1]),
    ]


async def _messages(alice: Service, bob: Service, contact: str, seconds: float, at_once: int) -> float:
    """Messages a second that reach the other's disk."""
    room, heard = asyncio.Semaphore(at_once), 0
    stop = bob.engine.listen(lambda event: room.release() if event.kind == "message" else None)
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        await room.acquire()
        heard += 1
        await alice.call(o.Send(conversation=contact, text="hello there"))
    for _ in range(at_once):
        await room.acquire()
    stop()
    return heard / (time.monotonic() - begun)


async def _file(alice: Service, bob: Service, contact: str) -> float:
    """Seconds until a file of 1 MiB is at the other's."""
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(file.write, os.urandom(MIB))
        file.flush()
        begun = time.monotonic()
        sent = await alice.call(o.Send(conversation=contact, files=(file.name,)))
        arrived = asyncio.Event()
        stop = bob.engine.listen(lambda event: arrived.set() if event.kind == "message" else None)
        async with asyncio.timeout(WITHIN_S):
            await arrived.wait()
            await bob.call(o.Save(id=sent.id, to=f"{folder}/saved"))
        stop()
        return time.monotonic() - begun


@contextlib.asynccontextmanager
async def _two_people(carrier: CarrierName, make: Make) -> AsyncIterator[tuple[Service, Service, str]]:
    """Contacts who are linked over this carrier alone; how the first names the second."""
    before = vars(devices)["make_carrier"]
    vars(devices)["make_carrier"] = make
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for person in ("Alice", "Bob"):
                await create_profile(folder / person, person, None, None, "none", (carrier.value,))
            async with Service.open(folder / "Alice") as alice, Service.open(folder / "Bob") as bob:
                contact = await _met(alice, bob)
                await alice.call(o.Send(conversation=contact, text="hello", wait=v.MessageState.DELIVERED))
                yield alice, bob, contact
    finally:
        vars(devices)["make_carrier"] = before


async def _met(alice: Service, bob: Service) -> str:
    for service in (alice, bob):
        while not (service.engine.devices.states() and service.engine.devices.settled()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await bob.call(o.Add(link=(await alice.call(o.Invite())).link, greeting="hello"))
    while not (waiting := await alice.call(o.Requests())):
        await alice.engine.changed(0.1)
    return (await alice.call(o.Accept(id=waiting[0].id))).contact
