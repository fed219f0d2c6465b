"""Bluetooth where the conformance suite does not look: links that break, strangers, what is in the air, and states."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aio_rfcomm import Availability
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto.meetings import announce, recognised
from roost.errors import Unreachable
from roost.network.direct import bluetooth, bluetooth_le, bluetooth_rfcomm
from roost.network.direct.bluetooth import BluetoothCarrier
from roost.network.direct.bluetooth_beacon import NO_COMPANY, announcements_in
from roost.network.direct.bluetooth_radio import parts, whole
from roost.network.direct.bluetooth_sightings import MAX_ADDRESSES, SEEN_S, Sightings
from roost.network.direct.carrier import CarrierName, People, Place
from roost.network.direct.memory import memory_pair
from roost.network.entropy import SYSTEM_ENTROPY
from tests.network.direct.bluetooth_air import Air
from tests.network.direct.bluetooth_system import Request, Room
from tests.network.direct.conformance import Device, device_host, noise, read_all

PATIENCE_S = 20


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    air = Air()
    yield air
    await air.close()


async def devices(air: Air, *names: str, extended: bool = True) -> list[Device]:
    """Switched on, each with all others as contacts."""
    made = [Device(BluetoothCarrier(await air.adapter(extended=extended)), device_host(name)) for name in names]
    for device in made:
        await device.start(*(other.host for other in made if other is not device))
    return made


async def stop(*made: Device) -> None:
    await asyncio.gather(*(device.carrier.stop() for device in made))


async def dialled(one: Device, other: Device) -> Any:
    """A stream as soon as there is one."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await one.carrier.dial(other.host, ())
            except Unreachable:
                await asyncio.sleep(0.02)


async def test_a_link_that_is_cut_again_and_again_still_moves_a_megabyte(air: Air) -> None:
    """The layer above goes on where it was; a dial works again at once after each cut."""
    one, other = await devices(air, "one", "other")
    data, got, cuts = noise(1_000_000), bytearray(), 0

    async def receive() -> None:
        nonlocal cuts
        while len(got) < len(data):
            stream = await other.accepted.get()
            with contextlib.suppress(Unreachable):
                await stream.write(len(got).to_bytes(4, "big"))  # from here on, please
            while piece := await stream.read():
                got.extend(piece)
                if len(got) // 150_000 > cuts:
                    cuts += 1
                    air.cut()
            stream.abort()

    receiving = asyncio.create_task(receive())
    async with asyncio.timeout(60):
        while len(got) < len(data):
            stream = await dialled(one, other)
            with contextlib.suppress(Unreachable):
                at = int.from_bytes(await read_all(stream, 4), "big")
                for start in range(at, len(data), 10_000):
                    await stream.write(data[start : start + 10_000])
                await stream.close()
            stream.abort()
        await receiving
    assert bytes(got) == data
    assert cuts == 6
    await stop(one, other)


async def test_who_is_cut_off_is_dialled_again_at_once(air: Air) -> None:
    one, other = await devices(air, "one", "other")
    for _ in range(3):
        stream = await dialled(one, other)
        await stream.write(b"!")
        accepted = await other.accepted.get()
        assert await read_all(accepted, 1) == b"!"
        air.cut()
        assert await stream.read() == b""
        assert await accepted.read() == b""
        with pytest.raises(Unreachable):
            await stream.write(b"too late")
    await stop(one, other)


async def test_two_that_dial_each_other_at_once_both_get_a_stream(air: Air) -> None:
    one, other = await devices(air, "one", "other")
    for _ in range(3):
        first, second = await asyncio.gather(dialled(one, other), dialled(other, one))
        await first.write(b"1")
        await second.write(b"2")
        assert await read_all(await other.accepted.get(), 1) == b"1"
        assert await read_all(await one.accepted.get(), 1) == b"2"
        air.cut()
    await stop(one, other)


async def test_a_stranger_learns_nothing_and_disturbs_nobody(air: Air) -> None:
    one, other = await devices(air, "one", "other")
    stranger = Device(BluetoothCarrier(await air.adapter()), device_host("stranger"))
    await stranger.start(device_host("somebody"), device_host("somebody else"))
    stream = await dialled(one, other)
    await stream.write(b"hello")
    assert await read_all(await other.accepted.get(), 5) == b"hello"
    assert not stranger.met
    assert stranger.host not in one.met + other.met
    with pytest.raises(Unreachable) as caught:
        await stranger.carrier.dial(device_host("somebody"), ())
    assert caught.value.code == "not_near"
    await stop(one, other, stranger)


async def test_nothing_in_the_air_stays_the_same(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and announcement are new in each period, and no part of one comes again in another."""
    monkeypatch.setattr(bluetooth_le, "ROTATE_S", 0.2)
    monkeypatch.setattr(bluetooth_le, "PART_S", 0.2)
    meetings = tuple(device_host(str(number)).meeting for number in range(3))
    device = BluetoothCarrier(await air.adapter())
    device.serve(People(own=meetings))
    await device.start(lambda _: None, lambda _: None, lambda: None)
    async with asyncio.timeout(PATIENCE_S):
        await air.until(lambda: len(set(air.heard)) >= 5)
    await device.stop()
    heard = sorted(set(air.heard))
    assert len({address for address, _ in heard}) == len(heard)
    words: set[bytes] = set()
    for address, data in heard:
        assert address[5] >> 6 == 0b01  # a resolvable private address, under a key that nobody has
        assert data[:4] == bytes([len(data) - 1, 0xFF, 0xFF, 0xFF])
        assert len(data) == 4 + 16 + 8 * 8  # however many contacts there are, up to eight
        announcement = data[4:]
        assert set(recognised(announcement, meetings, int(time.time()))) == set(meetings)
        found = {announcement[start : start + 8] for start in range(0, len(announcement), 8)}
        assert not words & found
        words |= found
    assert not any(meeting in data for _, data in heard for meeting in meetings)


async def test_older_adapters_show_one_tag_at_a_time(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluetooth_le, "PART_S", 0.05)
    one, other = await devices(air, "one", "other", extended=False)
    stream = await dialled(one, other)
    await stream.write(b"hello")
    assert await read_all(await other.accepted.get(), 5) == b"hello"
    assert {len(data) for _, data in air.heard} == {31}
    await stop(one, other)


async def test_many_meetings_take_turns(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluetooth_le, "PART_S", 0.05)
    one, other = await devices(air, "one", "other")
    many = tuple(device_host(str(number)).meeting for number in range(60))
    other.carrier.serve(People(own=(*many, other.host.meeting)))
    one.met.clear()
    async with asyncio.timeout(PATIENCE_S):
        await one.until(lambda: other.host in one.met)
    assert max(len(data) for _, data in air.heard) == 4 + 16 + 24 * 8
    await stop(one, other)


def test_whoever_repeats_an_announcement_does_not_keep_two_apart() -> None:
    """A dial to a liar fails above the carrier; the next one goes elsewhere."""
    seen: Sightings[str] = Sightings()
    assert seen.next(b"meeting", 0) is None
    assert seen.add(b"meeting", "liar", 0)
    assert seen.add(b"meeting", "host", 0)
    assert not seen.add(b"meeting", "host", 1)
    assert {seen.next(b"meeting", 1), seen.next(b"meeting", 1)} == {"liar", "host"}
    for number in range(100):  # more liars than it remembers, and later than the host
        seen.add(b"meeting", f"liar {number}", 1)
    tried = [seen.next(b"meeting", 1) for _ in range(2 * MAX_ADDRESSES)]
    assert len(set(tried)) == MAX_ADDRESSES
    assert max(tried.count(address) for address in tried) <= 3
    seen.forget(b"meeting", "liar")
    assert seen.next(b"meeting", 1 + SEEN_S) is not None
    assert seen.next(b"meeting", 2 + SEEN_S) is None  # nobody was seen for long


def test_a_part_of_an_announcement_names_what_stands_in_it() -> None:
    meetings = [device_host(str(number)).meeting for number in range(10)]
    announcement = announce(meetings, 1_000_000, SYSTEM_ENTROPY)
    found = [recognised(whole(part), meetings, 1_000_000) for part in parts(announcement, 1)]
    assert sorted(meeting for named in found for meeting in named) == sorted(meetings)
    assert parts(announcement, 24) == [announcement]
    assert whole(announcement) == announcement


async def test_an_adapter_that_is_pulled_out_is_missed_and_found_again(
    air: Air, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluetooth, "RETRY_S", 0.1)
    adapter = await air.adapter()
    device = Device(BluetoothCarrier(adapter), device_host("one"))
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: device.carrier.state.ready)
        air.unplug(adapter)
        await device.until(lambda: not device.carrier.state.ready)
        assert "gone" in device.carrier.state.why
        with pytest.raises(Unreachable):
            await device.carrier.dial(device_host("other"), ())
        await device.until(lambda: device.carrier.state.ready)  # the port still answers: it was plugged in again
    await stop(device)


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ("tcp-client:127.0.0.1:1", "no Bluetooth adapter"),
        ("no such thing", "no Bluetooth adapter"),
        ("serial:/dev/no-such-thing", "no Bluetooth adapter"),
    ],
)
async def test_why_there_is_no_bluetooth(adapter: str, why: str) -> None:
    device = Device(BluetoothCarrier(adapter), device_host("one"))
    assert "switched off" in device.carrier.state.why
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: why in device.carrier.state.why)
    assert device.carrier.state.hint
    assert device.carrier.places() == ()
    await stop(device)
    assert "switched off" in device.carrier.state.why


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(1, "Operation not permitted"), "permission"),
        (Exception("LIBUSB_ERROR_ACCESS [-3]"), "permission"),
        (OSError(16, "Device or resource busy"), "else uses"),
        (TimeoutError(), "does not answer"),
        (FileNotFoundError(2, "No such file"), "no Bluetooth adapter"),
    ],
)
def test_what_adapters_say_when_they_cannot_be_had(error: Exception, why: str) -> None:
    assert why in bluetooth_le._off("usb:0", error).why


@pytest.mark.parametrize("adapter", ["system", "usb:0"])
async def test_without_the_extra_it_says_what_to_install(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "roost.network.direct":
            raise ModuleNotFoundError("No module named 'bumble'")
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    device = Device(BluetoothCarrier(adapter), device_host("one"))
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: "installed without" in device.carrier.state.why)
    assert "roost[bluetooth]" in device.carrier.state.hint
    await stop(device)


# -- the system's Bluetooth


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    room = Room()
    monkeypatch.setattr(bluetooth, "RETRY_S", 0.05)
    monkeypatch.setattr(bluetooth_rfcomm, "LOOK_S", 0.05)
    monkeypatch.setattr(bluetooth_rfcomm, "open_bluetooth", room.open_bluetooth)
    return room


@pytest.mark.parametrize(
    ("availability", "why"),
    [
        (Availability.SWITCHED_OFF, "is switched off"),
        (Availability.NO_ADAPTER, "no Bluetooth adapter"),
        (Availability.NOT_ALLOWED, "may not use"),
        (Availability.AWAITING_PERMISSION, "asks whether"),
        (Availability.SERVICE_UNAVAILABLE, "service does not run"),
        (Availability.UNSUPPORTED, "no Bluetooth that"),
    ],
)
async def test_why_the_systems_bluetooth_cannot_be_used_and_when_it_can(
    room: Room, availability: Availability, why: str
) -> None:
    room.at_first = availability
    device = Device(BluetoothCarrier(), device_host("one"))
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: why in device.carrier.state.why)
        assert device.carrier.state.hint
        room.at_first = Availability.USABLE
        await device.until(lambda: device.carrier.state.ready)
        room.at_first = availability
        room.say(availability)
        await device.until(lambda: not device.carrier.state.ready)
    assert why in device.carrier.state.why
    await stop(device)


async def systems(*names: str) -> list[Device]:
    made = [Device(BluetoothCarrier(), device_host(name)) for name in names]
    for device in made:
        await device.start(*(other.host for other in made if other is not device))
        async with asyncio.timeout(PATIENCE_S):
            await device.until(lambda device=device: device.carrier.state.ready)
    return made


async def test_devices_that_were_never_paired_are_dialled_at_an_address_that_was_told(room: Room) -> None:
    room.paired = False
    one, other = await systems("one", "other")
    with pytest.raises(Unreachable) as caught:
        await one.carrier.dial(other.host, ())
    assert caught.value.code == "not_near"
    addresses = [bytes.fromhex(address.replace(":", "")) for address in room.systems]
    places = [Place(CarrierName.BLUETOOTH, data) for data in (b"short", bytes(6 * [7]), *addresses)]
    stream = await one.carrier.dial(other.host, places)  # somebody who is gone, and oneself, are no obstacle
    await stream.write(b"hello")
    assert await read_all(await other.accepted.get(), 5) == b"hello"
    with pytest.raises(Unreachable) as caught:
        await one.carrier.dial(device_host("somebody"), places)
    assert caught.value.code == "unreachable"
    await stop(one, other)


async def test_who_connects_to_the_service_reads_what_only_contacts_recognise(room: Room) -> None:
    one, other = await systems("one", "other")
    many = tuple(device_host(str(number)).meeting for number in range(60))
    one.carrier.serve(People(own=many))
    greetings = []
    (system, *_) = room.systems.values()
    for _ in range(2):
        assert system.waiting is not None
        mine, theirs = memory_pair()
        system.waiting.put_nowait(Request("00:00:00:00:00:99", theirs))
        greetings.append(await read_all(mine, bluetooth_rfcomm.GREETING_SIZE))
        mine.abort()
    assert not {greeting[:16] for greeting in greetings} & {other.host.meeting}
    assert greetings[0][:16] != greetings[1][:16]
    for greeting in greetings:
        assert len(greeting) == bluetooth_rfcomm.GREETING_SIZE
        assert len(recognised(greeting, many, int(time.time()))) == 56
        assert not any(meeting in greeting for meeting in many)
    assert one.accepted.empty()  # who says nothing is nobody
    await stop(one, other)


@given(st.binary(max_size=300))
def test_whatever_is_in_the_air_is_read_without_harm(data: bytes) -> None:
    for announcement in announcements_in(data):
        assert recognised(whole(announcement), [bytes(16)], 1_000_000) == []
    shown = bytes([len(data[:250]) + 3]) + NO_COMPANY + data[:250]
    assert list(announcements_in(b"\x02\x01\x06" + shown)) == [data[:250]]
