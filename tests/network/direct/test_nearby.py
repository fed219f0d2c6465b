"""People who show themselves to everybody on the local network are seen, and whoever shows nonsense is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import CallerError
from roost.network.direct import nearby as module
from roost.network.direct.lan_neighbours import Link, Source
from roost.network.direct.lan_packets import MAX_PACKET, Said, random_name
from roost.network.direct.nearby import MAX_NAME, MAX_PEOPLE, MAX_PER_SOURCE, SERVICE, Nearby, NearbyPerson, clean_name
from roost.wire.addresses import RelayAddress
from roost.wire.links import LINK_VERSION, Invitation, InvitationKind
from roost.wire.sizes import MAX_HOST
from tests.network.direct.conformance import device_host
from tests.network.direct.namespaces import Host, local_network

LINK = Link(1, 2)


def invitation(number: int = 0) -> str:
    secret = number.to_bytes(16, "big")
    return str(Invitation(LINK_VERSION, InvitationKind.ONE_TIME, device_host("host"), secret, bytes(16)))


def said(name: bytes, link: str, *, leaving: bool = False) -> Said:
    return Said(random_name(), random_name(), 0, bytes([len(name)]) + name + link.encode(), leaving)


class Listening(Nearby):
    """Hears what the test says, without any network."""

    def __init__(self) -> None:
        self.changes = 0
        super().__init__(self._count)

    def _count(self) -> None:
        self.changes += 1

    def hears(self, what: Said, address: str = "192.0.2.9") -> None:
        self._on_said(what, Source(address, LINK))


async def test_who_is_heard_is_shown_once_and_goes_when_they_leave() -> None:
    nearby = Listening()
    for address in ("192.0.2.9", "fe80::9"):
        nearby.hears(said("Zoë".encode(), invitation()), address)
    assert nearby.people() == [NearbyPerson("Zoë", invitation())]
    assert nearby.changes == 1
    nearby.hears(said(b"Mallory", invitation()), "192.0.2.66")
    nearby.hears(said("Zoë".encode(), invitation(), leaving=True), "192.0.2.66")
    assert nearby.people() == [NearbyPerson("Zoë", invitation())]
    nearby.hears(said("Zoë".encode(), invitation(), leaving=True))
    assert nearby.people() == []
    assert nearby.changes == 2


@pytest.mark.parametrize(
    ("name", "link"),
    [
        (b"", invitation()),
        (b"Bob", ""),
        (b"Bob", invitation()[:-1]),
        (b"Bob", "https://example.com/#" + invitation().removeprefix("roost:")),
        (b"Bob\n", invitation()),
        ("\u202ebob".encode(), invitation()),
        (b"\xff\xfe", invitation()),
        (b"b" * (MAX_NAME + 1), invitation()),
        (b" Bob", invitation()),
    ],
)
async def test_what_would_not_be_shown_by_a_roost_is_not_seen(name: bytes, link: str) -> None:
    nearby = Listening()
    nearby.hears(said(name, link))
    assert nearby.people() == []


@given(st.binary(max_size=1_100))
def test_any_bytes_are_nobody_or_somebody_who_can_be_shown(data: bytes) -> None:
    async def hear() -> None:
        nearby = Listening()
        for tail in (data, data + invitation().encode()):
            nearby.hears(Said(random_name(), random_name(), 0, tail))
        assert all(clean_name(person.name) == person.name for person in nearby.people())

    asyncio.run(hear())


async def test_a_crowd_is_bounded_and_one_neighbour_is_not_a_crowd() -> None:
    nearby = Listening()
    for number in range(100):
        nearby.hears(said(b"Mallory", invitation(number)), "192.0.2.66")
    assert len(nearby.people()) == MAX_PER_SOURCE
    for number in range(100, 100 + MAX_PEOPLE * 2):
        nearby.hears(said(b"Somebody", invitation(number)), f"192.0.2.{number}")
    assert len(nearby.people()) == MAX_PEOPLE
    assert sum(person.name == "Mallory" for person in nearby.people()) == 1


async def test_what_cannot_be_shown_is_refused() -> None:
    nearby = Nearby()
    for name, link in (("", invitation()), ("\u200b", invitation()), ("Bob", "roost:nonsense"), ("Bob", "")):
        with pytest.raises(CallerError):
            nearby.show(name, link)


async def test_the_longest_that_may_be_shown_fits_into_a_packet() -> None:
    host = (("a" * 31 + ".") * MAX_HOST)[: MAX_HOST - 1] + "b"
    relay = RelayAddress(host, 65_535, bytes(32), bytes(32))
    link = str(Invitation(LINK_VERSION, InvitationKind.REUSABLE, relay, bytes(16), bytes(16)))
    nearby = Nearby()
    nearby.show("ü" * 100, link)
    assert nearby._own is not None
    assert len(SERVICE.say(nearby._own)) < MAX_PACKET
    longest = Said(random_name(), random_name(), 0, bytes(1 + MAX_NAME + module.MAX_LINK))
    assert len(SERVICE.say(longest)) <= MAX_PACKET


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Zoë \t of\nRoost ", "Zoë of Roost"),
        ("a\u202eb\u2066c\x00d\x1b[31m", "abcd[31m"),
        ("x" * 100, "x" * 64),
        ("é" * 33, "é" * 32),
        ("e\u0301", "e\u0301"),
        ("\ud800", ""),
    ],
)
def test_names_are_one_line_that_shows_what_it_is(name: str, shown: str) -> None:
    assert clean_name(name) == shown


@pytest.fixture
def meeting_room() -> Iterator[tuple[Host, Host]]:
    with local_network() as lan:
        yield lan.host("192.0.2.1/24"), lan.host("192.0.2.2/24")


def test_two_people_see_each_other_only_while_they_want_to(meeting_room: tuple[Host, Host]) -> None:
    one, other = meeting_room

    async def until(what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def make() -> Nearby:
        nearby = Nearby()
        await nearby.start()
        return nearby

    alice, bob = one.run(make()), other.run(make())
    try:
        one.call(lambda: alice.show("Alice", invitation(1)))
        other.run(until(lambda: bob.people() == [("Alice", invitation(1))]))
        assert one.call(alice.people) == []
        other.call(lambda: bob.show("Bob", invitation(2)))
        one.run(until(lambda: alice.people() == [("Bob", invitation(2))]))
        one.call(alice.hide)
        other.run(until(lambda: bob.people() == []))
        other.run(bob.stop())
        one.run(until(lambda: alice.people() == []))
    finally:
        one.run(alice.stop())
        other.run(bob.stop())
