"""Agents of people without any server on networks of this test's own making, met over the real LAN carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.messaging.records import Contact, ContactState, Request
from tests.network.direct.namespaces import Host, local_network
from tests.network.direct.rough import rough_network

WITHIN_S = 90


class Person:
    """Somebody's agent on a host."""

    def __init__(self, host: Host, folder: Path, name: str) -> None:
        self.host, self.name, self.folder = host, name, folder / name
        self._opened: Any = None
        if not self.folder.exists():
            host.run(create_profile(self.folder, name, None, None, "none", ("lan",)), WITHIN_S)
        self.service: Service = host.run(self._open(), WITHIN_S)

    async def _open(self) -> Service:
        self._opened = Service.open(self.folder)
        return await self._opened.__aenter__()

    def close(self) -> None:
        self.host.run(self._opened.__aexit__(None, None, None), WITHIN_S)

    def call(self, request: Any) -> Any:
        return self.host.run(self.service.call(request), WITHIN_S)

    def until(self, holds: Callable[[], bool]) -> None:
        async def waiting() -> None:
            async with asyncio.timeout(WITHIN_S):
                while not holds():
                    await self.service.engine.changed(0.2)

        self.host.run(waiting(), WITHIN_S + 5)

    def say(self, other: str, text: str) -> None:
        self.call(o.Send(conversation=other, text=text))

    def heard(self, other: str) -> list[str]:
        page = self.call(o.Read(conversation=other, limit=500))
        return [message.text for message in page.messages if message.sender != v.ME]

    def until_heard(self, other: str, count: int) -> None:
        async def waiting() -> None:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    page = await self.service.call(o.Read(conversation=other, limit=500))
                    if sum(message.sender != v.ME for message in page.messages) >= count:
                        return
                    await self.service.engine.changed(0.2)

        self.host.run(waiting(), WITHIN_S + 5)


@contextmanager
def two_people(folder: Path, one: Host, other: Host) -> Iterator[tuple[Person, Person]]:
    with ExitStack() as stack:
        alice = Person(one, folder, "Alice")
        stack.callback(alice.close)
        bob = Person(other, folder, "Bob")
        stack.callback(bob.close)
        bob.call(o.Add(link=alice.call(o.Invite()).link))
        alice.until(lambda: bool(alice.service.engine.look().find(Request)))
        alice.call(o.Accept(id="Bob"))
        bob.until(lambda: bob.service.engine.look().need(Contact, _account(alice)).state == ContactState.ACCEPTED)
        yield alice, bob


def _account(person: Person) -> bytes:
    return person.service.engine.look().me.account


def test_on_a_network_that_loses_delays_and_repeats_all_arrives_once(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * 1_500)
    with rough_network() as (one, other, cable), two_people(tmp_path, one, other) as (alice, bob):
        said = [f"{number}" for number in range(40)]
        for text in said:
            alice.say("Bob", text)
            bob.say("Alice", text)
        sent = alice.call(o.Send(conversation="Bob", files=(str(file),)))
        bob.until_heard("Alice", len(said) + 1)
        alice.until_heard("Bob", len(said))
        assert bob.heard("Alice") == [*said, ""]
        assert alice.heard("Bob") == said
        saved = bob.call(o.Save(id=sent.id, to=str(tmp_path / "saved")))
        assert Path(saved.path).read_bytes() == file.read_bytes()
        assert cable.lost > 10

        cable.cut = True
        alice.say("Bob", "while the cable was cut")
        one.run(asyncio.sleep(3))
        assert "while the cable was cut" not in bob.heard("Alice")
        cable.cut = False
        bob.until_heard("Alice", len(said) + 2)


def test_cables_that_are_pulled_lose_nothing(tmp_path: Path) -> None:
    with local_network() as lan:
        one, other = lan.host("10.8.0.1/24"), lan.host("10.8.0.2/24")
        with two_people(tmp_path, one, other) as (alice, bob):
            for round_ in range(3):
                alice.say("Bob", f"before {round_}")
                lan.pull(2)
                alice.say("Bob", f"apart {round_}")
                bob.say("Alice", f"apart {round_}")
                one.run(asyncio.sleep(1.5))
                lan.push(2)
                bob.until_heard("Alice", 2 * round_ + 2)
                alice.until_heard("Bob", round_ + 1)
            assert bob.heard("Alice") == [f"{when} {number}" for number in range(3) for when in ("before", "apart")]
            assert alice.heard("Bob") == [f"apart {number}" for number in range(3)]
