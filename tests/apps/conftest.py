"""Relays and people for the tests of real processes. Everything that is started is stopped.

Each worker has one relay that its tests share; a test that stops or configures relays makes its own. That Alice and Bob
become contacts by commands is a test of its own; here they do it in this process, which is fifty times faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import roost
from roost.agent.events import ContactEvent
from roost.agent.service import create_profile
from tests.apps.processes import Person, Relay


@pytest.fixture
def make_relay(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    made: list[Relay] = []

    def make(*options: str) -> Relay:
        made.append(Relay(tmp_path / f"relay{len(made)}", *options))
        return made[-1].start()

    yield make
    for relay in made:
        relay.close()


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    shared = Relay(tmp_path_factory.mktemp("shared") / "relay").start()
    yield shared
    shared.close()


Make = Callable[..., Person]


@pytest.fixture
def make_person(tmp_path: Path, relay: Relay) -> Make:
    """A profile without a passphrase, at the shared relay unless another is given."""

    def make(name: str, at: Relay = relay) -> Person:
        folder = tmp_path / name.lower()
        asyncio.run(create_profile(folder, name, at.link, None, "none"))
        return Person(folder)

    return make


@pytest.fixture
def befriend() -> Callable[[Person, Person], None]:
    """Make two people contacts."""
    return lambda asker, inviter: asyncio.run(_befriend(asker, inviter))


async def _befriend(asker: Person, inviter: Person) -> None:
    async with roost.open(asker.folder) as one, roost.open(inviter.folder) as two, asyncio.timeout(30):
        await one.add((await two.invite()).link, "hello")
        async for event in two.events():
            if isinstance(event, roost.ContactRequest) and event.name == one.name:
                await event.accept()
                break
        async for happened in one.events():
            if isinstance(happened, ContactEvent) and happened.change == "accepted":
                break


@pytest.fixture
def alice(make_person: Make) -> Person:
    return make_person("Alice")


@pytest.fixture
def bob(make_person: Make) -> Person:
    return make_person("Bob")


@pytest.fixture
def friends(alice: Person, bob: Person, befriend: Callable[[Person, Person], None]) -> tuple[Person, Person]:
    """Alice and Bob, contacts over one relay."""
    befriend(bob, alice)
    return alice, bob
