"""Links between devices: who is reached, what stands when both dial at once, and what strangers get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from roost.crypto import AgreementSecret, capability_hash
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY
from roost.network.direct.carrier import CarrierName
from roost.network.direct.direct import Direct, Way
from roost.network.direct.link import PeerLink
from roost.network.direct.memory import Air, MemoryCarrier
from roost.relay.hosting import Hosting
from roost.wire.addresses import DeviceHost
from roost.wire.mailbox import Create, Done, Entries, Get, Grant, MailboxKind, Put, Right, Stored
from roost.wire.sizes import ENVELOPE_SIZE

ADMIN, GET, PUT = (bytes([number]) * 32 for number in (1, 2, 3))
GRANTS = tuple(
    Grant(capability_hash(capability), right)
    for capability, right in ((ADMIN, Right.ADMIN), (GET, Right.GET), (PUT, Right.PUT))
)
AN_ENVELOPE = Put(PUT, bytes(ENVELOPE_SIZE))
CREATE = Create(MailboxKind.ORDINARY, GRANTS, b"open sesame")


class TorLike(MemoryCarrier):
    """The same air, further down in the order of carriers."""

    name = CarrierName.TOR


class Device:
    """A device with mailboxes of its own, and its carriers."""

    def __init__(self, folder: Path, *carriers: MemoryCarrier) -> None:
        self.meeting = SYSTEM_ENTROPY.bytes(16)
        self.secret = AgreementSecret.generate(SYSTEM_ENTROPY)
        self.address = DeviceHost(self.secret.public.raw, self.meeting)
        self.carriers = carriers
        self.came: list[tuple[bytes, bool]] = []
        self.said: list[bytes] = []
        self._folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._folder.mkdir()
        hosting = await Hosting.open(self._folder, bytes(32), "open sesame", SYSTEM_ENTROPY, lambda _: None)
        self._stack.push_async_callback(hosting.close)
        self.direct = Direct(
            self.secret,
            self.carriers,
            SYSTEM_ENTROPY,
            host=hosting.host,
            on_peer=lambda key, up: self.came.append((key, up)),
            on_message=self._heard,
            on_carriers=lambda: None,
        )
        self._stack.push_async_callback(self.direct.close)
        await self.direct.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _heard(self, _link: PeerLink, message: bytes) -> None:
        self.said.append(message)

    def knows(self, *others: Device, way: Way | None = None, found: Way | None = None) -> None:
        sought = [(other.address, way or Way()) for other in others]
        self.direct.serve({self.meeting: found or Way()}, sought)

    async def ask(self, other: Device, request: Put | Get | Create) -> object:
        return await (await self.direct.link(other.address)).call(request)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - several tasks' doing
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Device, Device]]:
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
    ):
        yield one, two


async def test_mailboxes_work_in_both_directions_over_one_link(pair: tuple[Device, Device]) -> None:
    one, two = pair
    one.knows(two)
    two.knows(one)
    for here, there in ((one, two), (two, one)):
        assert await here.ask(there, CREATE) == Done()
        stored = await here.ask(there, AN_ENVELOPE)
        entries = await here.ask(there, Get(GET, 0))
        assert isinstance(entries, Entries)
        assert isinstance(stored, Stored)
        assert [entry.number for entry in entries.entries] == [stored.entry]
    await until(lambda: len(one.direct.standing()) == len(two.direct.standing()) == 1)


async def test_who_does_not_show_the_access_secret_makes_no_mailbox(pair: tuple[Device, Device]) -> None:
    one, two = pair
    one.knows(two)
    two.knows(one)
    with pytest.raises(Refused) as refused:
        await one.ask(two, Create(MailboxKind.ORDINARY, GRANTS))
    assert refused.value.code == "not_admitted"


async def test_when_both_dial_at_once_one_link_stays(pair: tuple[Device, Device]) -> None:
    one, two = pair
    one.knows(two)
    two.knows(one)
    await asyncio.gather(*(here.ask(there, CREATE) for here, there in ((one, two), (two, one)) for _ in range(3)))
    await asyncio.sleep(1.5)
    (at_one,), (at_two,) = one.direct.standing(), two.direct.standing()
    assert {at_one.dialled, at_two.dialled} == {True, False}
    assert await one.ask(two, AN_ENVELOPE)
    assert await two.ask(one, AN_ENVELOPE)


async def test_a_device_that_nobody_looks_for_or_that_shows_no_meeting_is_not_reached(
    pair: tuple[Device, Device],
) -> None:
    one, two = pair
    one.knows(two)
    two.direct.serve({SYSTEM_ENTROPY.bytes(16): Way()}, ())  # the meeting is not its own any more
    with pytest.raises(Unreachable) as failed:
        await one.ask(two, CREATE)
    assert failed.value.code == "not_near"
    assert two.came == []


async def test_an_impostor_with_the_meeting_does_not_prove_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.network.direct.direct.HANDSHAKE_S", 1.0)  # it is never told that it failed
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "impostor", MemoryCarrier(air)) as impostor,
    ):
        claimed = DeviceHost(AgreementSecret.generate(SYSTEM_ENTROPY).public.raw, impostor.meeting)
        impostor.knows()
        one.direct.serve({}, [(claimed, Way())])
        with pytest.raises(Unreachable):
            await one.direct.link(claimed)
        assert one.direct.standing() == impostor.direct.standing() == []


async def test_a_conversation_that_allows_one_carrier_is_met_on_no_other(tmp_path: Path) -> None:
    air, far = Air(), Air()
    only_tor = Way(frozenset({CarrierName.TOR}))
    async with (
        Device(tmp_path / "one", MemoryCarrier(air), TorLike(far)) as one,
        Device(tmp_path / "two", MemoryCarrier(air), TorLike(far)) as two,
    ):
        two.knows(one, found=only_tor, way=only_tor)
        one.knows(two, found=only_tor, way=only_tor)
        assert await one.ask(two, CREATE) == Done()
        assert one.direct.carrier_to(two.address.key) is CarrierName.TOR
        two.carriers[1].reachable(False)
        await until(lambda: one.direct.carrier_to(two.address.key) is None)
        with pytest.raises(Unreachable):
            await one.ask(two, CREATE)


async def test_a_better_carrier_takes_over_and_the_other_goes_on_when_it_is_lost(tmp_path: Path) -> None:
    air, far = Air(), Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air), TorLike(far)) as one,
        Device(tmp_path / "two", MemoryCarrier(air), TorLike(far)) as two,
    ):
        two.carriers[0].reachable(False)
        one.knows(two)
        two.knows(one)
        assert await one.ask(two, CREATE) == Done()
        assert one.direct.carrier_to(two.address.key) is CarrierName.TOR
        two.carriers[0].reachable(True)
        for device in (one, two):
            other = two if device is one else one
            await until(lambda device=device, other=other: device.direct.carrier_to(other.address.key) == "lan")  # type: ignore[misc]
        assert await one.ask(two, AN_ENVELOPE)
        two.carriers[0].reachable(False)
        await until(lambda: one.direct.carrier_to(two.address.key) is not CarrierName.LAN)
        await asyncio.sleep(1.1)
        assert await one.ask(two, AN_ENVELOPE)
        assert one.direct.carrier_to(two.address.key) is CarrierName.TOR


async def test_messages_about_the_link_arrive(pair: tuple[Device, Device]) -> None:
    one, two = pair
    one.knows(two)
    two.knows(one)
    await one.direct.link(two.address)
    await until(lambda: bool(two.direct.standing()))
    two.direct.standing()[0].say(b"\x92parcels")
    await until(lambda: one.said == [b"\x92parcels"])


@asynccontextmanager
async def silent_stranger(air: Air, meeting: bytes, count: int) -> AsyncIterator[None]:
    """Streams to a device on which nobody says anything sensible."""
    carrier = MemoryCarrier(air)
    await carrier.start(lambda stream: None, lambda host: None, lambda: None)
    for number in range(count):
        stream = await carrier.dial(DeviceHost(bytes(32), meeting), ())
        if number % 2:
            await stream.write(bytes(2_000))
    yield
    await carrier.stop()


async def test_strangers_who_hold_streams_open_keep_nobody_out(tmp_path: Path) -> None:
    air = Air()
    async with (
        Device(tmp_path / "one", MemoryCarrier(air)) as one,
        Device(tmp_path / "two", MemoryCarrier(air)) as two,
    ):
        two.knows(one)
        one.knows(two)
        async with silent_stranger(air, two.meeting, 300):
            assert await one.ask(two, CREATE) == Done()


async def test_the_strictest_of_what_is_shared_with_a_device_holds_for_all(tmp_path: Path) -> None:
    """A conversation over Tor alone is not carried by the link of a group that both are in."""
    air, far, group = Air(), Air(), SYSTEM_ENTROPY.bytes(16)
    only_tor = Way(frozenset({CarrierName.TOR}))
    async with (
        Device(tmp_path / "one", MemoryCarrier(air), TorLike(far)) as one,
        Device(tmp_path / "two", MemoryCarrier(air), TorLike(far)) as two,
    ):
        two_in_group = DeviceHost(two.address.key, group)
        two.direct.serve({two.meeting: only_tor, group: Way()}, [(one.address, only_tor)])
        one.direct.serve({one.meeting: only_tor}, [(two_in_group, Way()), (two.address, only_tor)])
        await one.direct.link(two_in_group)
        assert await one.ask(two, CREATE) == Done()
        assert one.direct.carrier_to(two.address.key) is CarrierName.TOR

        one.direct.serve(
            {one.meeting: only_tor}, [(two_in_group, Way())]
        )  # it does not know of the floor, or ignores it
        one.carriers[1].reachable(False)
        await until(lambda: not two.direct.standing())
        with pytest.raises(Unreachable):
            async with asyncio.timeout(5):
                await one.ask(two, CREATE)
        assert two.direct.standing() == []
