"""What every carrier promises, as one suite that runs on each of them (src/roost/network/direct/carrier.py).

A carrier's own tests plug in like this, in a file test_conformance_<carrier>.py:

    class TestMine(CarrierConformance):
        @pytest.fixture
        async def make(self) -> AsyncIterator[MakeDevice]:
            ...                                          # the medium on which they meet: a bridge, a radio, a network
            async def make(who: str) -> Device: ...      # called again with the same name: the same device, restarted
            yield make

`device_host(who)` gives a device's keys and meeting. A carrier that cannot find anybody by itself (`finds = False`)
gets the places that the other one named. What is slow says how slow it may be in the class's constants.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from roost.errors import Unreachable
from roost.network.direct.carrier import Carrier, People, Stream
from roost.wire.addresses import DeviceHost


def device_host(who: str, onion: bytes = b"") -> DeviceHost:
    """A host that is made from a name: its key (nobody proves it here) and its meeting."""
    return DeviceHost(key=_made("key", who), meeting=_made("meeting", who)[:16], onion=onion)


def _made(what: str, who: str) -> bytes:
    return hashlib.sha256(f"{what} {who}".encode()).digest()


@dataclass
class Device:
    """A device with a carrier, and what it noticed. `host` is what its contacts know of it."""

    carrier: Carrier
    host: DeviceHost
    accepted: asyncio.Queue[Stream] = field(default_factory=asyncio.Queue)
    met: list[DeviceHost] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, *sought: DeviceHost) -> None:
        self.seek(*sought)
        await self.carrier.start(self.accepted.put_nowait, self._on_met, self.news.set)

    def seek(self, *sought: DeviceHost) -> None:
        self.carrier.serve(People(own=(self.host.meeting,), sought=sought))

    def _on_met(self, host: DeviceHost) -> None:
        self.met.append(host)
        self.news.set()

    async def until(self, what: Callable[[], bool]) -> None:
        while not what():
            self.news.clear()
            await self.news.wait()


MakeDevice = Callable[[str], Awaitable[Device]]


async def read_all(stream: Stream, size: int) -> bytes:
    """`size` bytes, or fewer when the stream ends before."""
    read = bytearray()
    while len(read) < size and (data := await stream.read()):
        read += data
    return bytes(read)


def noise(size: int) -> bytes:
    """Bytes of which a lost, doubled or moved block shows."""
    return hashlib.shake_128(b"noise").digest(size)


class CarrierConformance:
    """Subclasses give `make`; all else is here."""

    finds: ClassVar[bool] = True  # by itself, without places
    patience_s: ClassVar[float] = 30  # until they have found each other, or a dial has failed; not a measurement
    bulk: ClassVar[int] = 4 * 1_024 * 1_024  # what is moved in each direction
    in_flight: ClassVar[int] = 64 * 1_024 * 1_024  # more than this is never on its way with nobody reading
    many: ClassVar[int] = 8  # streams at once

    @pytest.fixture
    def make(self) -> MakeDevice:
        raise NotImplementedError

    @asynccontextmanager
    async def two(self, make: MakeDevice) -> AsyncIterator[tuple[Device, Device]]:
        """Two devices that know each other, switched on."""
        async with asyncio.timeout(self.patience_s * 2):
            one, other = await make("one"), await make("other")
            await one.start(other.host)
            try:
                await other.start(one.host)
                try:
                    await one.until(lambda: one.carrier.state.ready)
                    await other.until(lambda: other.carrier.state.ready)
                    yield one, other
                finally:
                    await other.carrier.stop()
            finally:
                await one.carrier.stop()

    async def joined(self, one: Device, other: Device) -> tuple[Stream, Stream]:
        """A stream from one to the other: both ends."""
        if self.finds:
            await one.until(lambda: other.host in one.met)
        places = () if self.finds else other.carrier.places()
        async with asyncio.timeout(self.patience_s):
            dialled = await one.carrier.dial(other.host, places)
            # Who accepts may be told only once something comes: a carrier need not say an empty stream.
            await dialled.write(b"!")
            while True:
                accepted = await other.accepted.get()
                if await read_all(accepted, 1) == b"!":
                    return dialled, accepted
                accepted.abort()  # from a dial that was given up

    async def once(self, one: Device, other: Device) -> None:
        dialled, accepted = await self.joined(one, other)
        await asyncio.gather(dialled.close(), accepted.close())

    # -- finding

    async def test_they_find_each_other(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            if self.finds:
                await one.until(lambda: other.host in one.met)
                await other.until(lambda: one.host in other.met)

    async def test_bytes_go_both_ways_whoever_dialled(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            for first, second in ((one, other), (other, one)):
                dialled, accepted = await self.joined(first, second)
                for _ in range(3):
                    await dialled.write(b"there")
                    assert await read_all(accepted, 5) == b"there"
                    await accepted.write(b"and back")
                    assert await read_all(dialled, 8) == b"and back"
                await asyncio.gather(dialled.close(), accepted.close())

    async def test_who_is_sought_later_is_found(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            one.seek()
            one.met.clear()
            one.seek(device_host("somebody else"), other.host)
            dialled, accepted = await self.joined(one, other)
            assert device_host("somebody else") not in one.met
            dialled.abort()
            accepted.abort()

    async def test_a_host_that_is_not_near_is_not_near(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, _):
            with pytest.raises(Unreachable) as caught:
                await one.carrier.dial(device_host("nobody"), ())
            assert caught.value.code == "not_near"

    async def test_who_stopped_is_reached_again_after_a_restart(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            dialled, accepted = await self.joined(one, other)
            await other.carrier.stop()
            assert not other.carrier.state.ready
            # What stands stays until it is closed.
            await dialled.write(b"still")
            assert await read_all(accepted, 5) == b"still"
            await asyncio.gather(dialled.close(), accepted.close())
            with pytest.raises(Unreachable):
                await one.carrier.dial(other.host, ())
            one.met.clear()
            again = await make("other")
            await again.start(one.host)
            try:
                await again.until(lambda: again.carrier.state.ready)
                dialled, accepted = await self.joined(one, again)
                dialled.abort()
                accepted.abort()
            finally:
                await again.carrier.stop()

    async def test_its_state_says_how_it_is(self, make: MakeDevice) -> None:
        device = await make("one")
        assert not device.carrier.state.ready
        await device.start()
        try:
            async with asyncio.timeout(self.patience_s):
                await device.until(lambda: device.carrier.state.ready)
            ready = device.carrier.state
            assert (ready.name, ready.why, ready.hint) == (device.carrier.name, "", "")
        finally:
            await device.carrier.stop()
        stopped = device.carrier.state
        assert not stopped.ready
        assert stopped.why

    async def test_places_are_short(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            for place in (*one.carrier.places(), *other.carrier.places()):
                assert len(place.data) <= 255

    # -- streams

    async def test_much_goes_both_ways_at_once(self, make: MakeDevice) -> None:
        sent = noise(self.bulk)

        async def pump(stream: Stream) -> None:
            for start in range(0, len(sent), 60_000):
                await stream.write(sent[start : start + 60_000])

        async with self.two(make) as (one, other):
            ends = await self.joined(one, other)
            got = await asyncio.gather(*(read_all(end, len(sent)) for end in ends), *(pump(end) for end in ends))
            assert got[0] == got[1] == sent
            await asyncio.gather(*(end.close() for end in ends))

    async def test_who_does_not_read_holds_the_writer_back(self, make: MakeDevice) -> None:
        written = 0

        async def pump(stream: Stream) -> None:
            nonlocal written
            block = noise(64 * 1_024)
            while True:
                await stream.write(block)
                written += len(block)

        async with self.two(make) as (one, other):
            dialled, accepted = await self.joined(one, other)
            pumping = asyncio.create_task(pump(dialled))
            before = -1
            while before != written and written < self.in_flight:  # until it stands still
                before = written
                await asyncio.sleep(0.3)
            assert written < self.in_flight
            assert not pumping.done()
            read = len(await read_all(accepted, written + 1))
            assert read > before  # and goes on when somebody reads
            dialled.abort()
            accepted.abort()
            with pytest.raises(Unreachable):
                await pumping

    async def test_what_was_written_arrives_before_the_end(self, make: MakeDevice) -> None:
        sent = noise(50_000)
        async with self.two(make) as (one, other):
            for first, second in ((one, other), (other, one)):
                dialled, accepted = await self.joined(first, second)
                await accepted.write(b"nobody will read this")
                await dialled.write(sent)
                closing = asyncio.create_task(dialled.close())
                assert await read_all(accepted, len(sent) + 1) == sent
                assert await accepted.read() == b""
                await accepted.close()
                await closing
                await dialled.close()  # as often as one likes
                assert await dialled.read() == b""
                for end in (dialled, accepted):
                    with pytest.raises(Unreachable):
                        await end.write(b"too late")

    async def test_closing_ends_by_itself_when_the_other_end_does_nothing(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            dialled, accepted = await self.joined(one, other)
            await dialled.write(noise(1_000))
            await dialled.close()
            accepted.abort()

    async def test_writing_to_an_end_that_is_gone_raises(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            dialled, accepted = await self.joined(one, other)
            accepted.abort()
            with pytest.raises(Unreachable):
                await _fill(dialled)
            assert await dialled.read() == b""
            dialled.abort()

    async def test_aborting_wakes_who_waits_at_both_ends(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            dialled, accepted = await self.joined(one, other)
            reading = asyncio.create_task(dialled.read())
            filling = asyncio.create_task(_fill(dialled))
            await asyncio.sleep(0)
            dialled.abort()
            dialled.abort()
            assert await reading == b""
            with pytest.raises(Unreachable):
                await filling
            while await accepted.read():
                pass
            accepted.abort()

    async def test_a_read_that_was_cancelled_leaves_it_to_be_closed(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            for end in (Stream.close, Stream.abort):
                dialled, accepted = await self.joined(one, other)
                reading = asyncio.create_task(dialled.read())
                await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
                if end is Stream.close:
                    await asyncio.gather(dialled.close(), _drain(accepted))
                else:
                    dialled.abort()
                    await _drain(accepted)

    async def test_several_streams_do_not_mix(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            await self.once(one, other)
            places = () if self.finds else other.carrier.places()
            dialled = await asyncio.gather(*(one.carrier.dial(other.host, places) for _ in range(self.many)))
            for number, stream in enumerate(dialled):
                await stream.write(bytes([number]))
            accepted = [await other.accepted.get() for _ in dialled]
            numbers = [await read_all(stream, 1) for stream in accepted]
            assert sorted(numbers) == [bytes([number]) for number in range(self.many)]
            for number, stream in zip(numbers, accepted, strict=True):
                await stream.write(number)
            assert [await read_all(stream, 1) for stream in dialled] == sorted(numbers)
            for stream in (*dialled, *accepted):
                stream.abort()

    async def test_a_dial_that_is_cancelled_does_no_harm(self, make: MakeDevice) -> None:
        async with self.two(make) as (one, other):
            await self.once(one, other)
            dialling = asyncio.create_task(one.carrier.dial(other.host, other.carrier.places()))
            await asyncio.sleep(0)
            dialling.cancel()
            await asyncio.wait([dialling])
            if not dialling.cancelled():  # it was quicker
                dialling.result().abort()
            await self.once(one, other)


async def _fill(stream: Stream) -> None:
    while True:
        await stream.write(noise(64 * 1_024))


async def _drain(stream: Stream) -> None:
    while await stream.read():
        pass
    await stream.close()
