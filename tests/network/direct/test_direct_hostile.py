"""What a contact's device may do over its link that does not keep to the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roost.crypto import AgreementPublic, AgreementSecret
from roost.crypto.peer_link import PeerLinkInitiator
from roost.errors import Unreachable
from roost.network import SYSTEM_ENTROPY
from roost.network.direct.carrier import CarrierName, Place, Stream
from roost.network.direct.direct import Way
from roost.network.direct.link import Channel, PeerLink, handshake
from roost.network.direct.memory import Air, MemoryCarrier
from roost.network.direct.standing import LINKS_OF_ONE
from roost.wire.addresses import DeviceHost
from roost.wire.codec import encode
from roost.wire.frames import frame
from roost.wire.mailbox import Call, Done, Get
from roost.wire.peers import PEER_VERSION, KnownPlace, PeerHello
from tests.network.direct.test_direct_links import AN_ENVELOPE, CREATE, GET, Device, TorLike, until


class Hostile:
    """A contact's key and carrier, and nothing that keeps to the rules above them."""

    def __init__(self, air: Air) -> None:
        self.secret = AgreementSecret.generate(SYSTEM_ENTROPY)
        self.address = DeviceHost(self.secret.public.raw, SYSTEM_ENTROPY.bytes(16))
        self.carrier = MemoryCarrier(air)
        self.links: list[PeerLink] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def dial(self, other: Device, *, anew: bool = False) -> PeerLink:
        """`anew`: under a key that nobody has seen."""
        secret = AgreementSecret.generate(SYSTEM_ENTROPY) if anew else self.secret
        key = AgreementPublic(other.address.key)
        side = PeerLinkInitiator(secret, key, other.meeting, int(time.time()), SYSTEM_ENTROPY)
        stream = await self.carrier.dial(other.address, ())
        established = await handshake(stream, side)
        link = PeerLink(
            stream, established, side.rest, CarrierName.LAN, dialled=True, host=None, on_message=lambda *_: None
        )
        self._tasks.append(asyncio.create_task(link.run()))
        self.links.append(link)
        return link

    def stop(self) -> None:
        for link in self.links:
            link.abort()


@asynccontextmanager
async def hostile(air: Air) -> AsyncIterator[Hostile]:
    made = Hostile(air)
    await made.carrier.start(lambda stream: None, lambda host: None, lambda: None)
    yield made
    made.stop()
    await made.carrier.stop()


async def test_answers_that_nobody_asked_for_end_the_link(tmp_path: Path) -> None:
    air = Air()
    async with Device(tmp_path / "one", MemoryCarrier(air)) as one, hostile(air) as them:
        one.knows()
        link = await them.dial(one)
        await until(lambda: bool(one.direct.standing()))
        (held,) = one.direct.standing()
        link.write(Channel.ANSWERER, frame(bytes(60_000)))
        await until(lambda: held.over)


class Slow(MemoryCarrier):
    """Nobody answers on it for long."""

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self.dialled = 0

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        self.dialled += 1
        await asyncio.sleep(60)
        raise Unreachable("not there")


async def test_places_told_again_and_again_are_tried_once_at_a_time(tmp_path: Path) -> None:
    air, slow = Air(), Slow(Air())
    async with Device(tmp_path / "one", slow, TorLike(air)) as one, hostile(air) as them:
        one.direct.serve({one.meeting: Way()}, [(them.address, Way())])
        link = await them.dial(one)
        await until(lambda: bool(one.direct.standing()))
        slow.dialled = 0
        for number in range(200):
            link.say(encode(PeerHello(PEER_VERSION, (KnownPlace(0, bytes((1, number))),))))
        last = Place(CarrierName.LAN, bytes((1, 199)))
        await until(lambda: one.direct._places.get(them.address.key) == (last,))
        await until(lambda: slow.dialled > 0)
        await asyncio.sleep(0.1)
        assert slow.dialled == 1


async def test_links_without_end_under_one_key_stay_few(tmp_path: Path) -> None:
    air = Air()
    async with Device(tmp_path / "one", MemoryCarrier(air)) as one, hostile(air) as them:
        one.direct.serve({one.meeting: Way()}, [(them.address, Way())])
        for _ in range(30):
            await them.dial(one)
        await until(lambda: len(one.direct._links.running) <= LINKS_OF_ONE)
        assert len(one.direct.standing()) == 1


async def test_links_under_many_keys_keep_nobody_out_who_is_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.network.direct.standing.LINKS", 8)
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
        hostile(air) as them,
    ):
        one.direct.serve({one.meeting: Way()}, [(two.address, Way())])
        for _ in range(30):
            link = await them.dial(one, anew=True)
            link.say(encode(PeerHello(PEER_VERSION, (KnownPlace(0, b"here"),))))
        two.knows(one)
        assert await two.ask(one, CREATE) == Done()
        await them.dial(one, anew=True)
        await until(lambda: len(one.direct._links.running) <= 8)
        assert two.address.key in {link.key for link in one.direct.standing()}
        them.stop()
        await until(lambda: one.direct._places.keys() <= {two.address.key})


async def test_the_link_that_gave_way_is_used_when_the_other_is_lost(tmp_path: Path) -> None:
    air = Air()
    async with Device(tmp_path / "one", MemoryCarrier(air)) as one, hostile(air) as them:
        one.direct.serve({one.meeting: Way()}, [(them.address, Way())])
        first, second = await them.dial(one), await them.dial(one)
        await until(lambda: len(one.direct._links.running) == 2)
        before = list(one.came)
        first.abort()
        await until(lambda: len(one.direct._links.running) == 1)
        assert one.direct.standing() == list(one.direct._links.running)
        assert one.came == before
        assert not second.over


async def test_a_link_to_somebody_who_is_sought_no_more_ends(tmp_path: Path) -> None:
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
    ):
        two.knows()
        one.knows(two)
        await one.direct.link(two.address)
        one.direct.serve({}, ())
        await until(lambda: not one.direct._links.running)


async def test_whoever_waits_for_a_link_that_is_lost_as_it_opens_is_told(tmp_path: Path) -> None:
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
    ):
        two.knows()
        one.knows(two)
        two.direct._host = None  # it ends a link on which it is asked anything
        with pytest.raises(Unreachable):
            await one.direct.link(two.address)


class Deaf:
    """Gets answers, and does nothing with them."""

    def received(self, body: bytes) -> None:
        pass

    def lost(self, malformed: bool) -> None:
        pass


async def test_a_link_ends_on_which_much_is_asked_and_no_answer_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 2 * 1024**2
    monkeypatch.setattr("roost.network.direct.link._MOST", most)
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
        hostile(air) as them,
    ):
        one.knows()
        two.knows(one)
        await two.ask(one, CREATE)
        for _ in range(24):
            await two.ask(one, AN_ENVELOPE)
        asking = await them.dial(one)
        await until(lambda: len(one.direct._links.running) == 2)
        (held,) = (link for link in one.direct._links.running if link.key == them.address.key)
        asking.calls.attach(Deaf())
        asking.reading(False)
        for number in range(1, 2_000):
            asking.write(Channel.DIALLER, frame(encode(Call(number, Get(GET, 0)))))
            if number % 20 == 0:
                await asyncio.sleep(0.001)
            assert held._queued < 2 * most
        await until(lambda: held.over)
