"""Loading keeps requests for the same thing in their order, and never leaves one waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from relay_core import CoreRelay, capability, create, envelope, grant

from roost.relay.core.desk import Named
from roost.relay.core.operations import CardRow, MailboxRow
from roost.relay.server.loading import Loader
from roost.relay.storage import MemoryEngine
from roost.wire.mailbox import ChangeGrants, Create, Get, MailboxKind, Put, Request, Right


class SlowStorage:
    """Answers when it is told to, in any order."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self.due: list[Callable[[], None]] = []

    def load(self, hashes: Sequence[bytes], done: Callable[[list[MailboxRow]], None]) -> None:
        self.due.append(lambda: done(self._engine.mailboxes(hashes)))

    def load_mailbox(self, number: int, done: Callable[[MailboxRow | None], None]) -> None:
        self.due.append(lambda: done(self._engine.mailbox(number)))

    def load_card(self, locator: bytes, done: Callable[[CardRow | None], None]) -> None:
        self.due.append(lambda: done(self._engine.card(locator)))


class Bench:
    def __init__(self) -> None:
        self.relay = CoreRelay(MemoryEngine())
        self.relay.ask(create("old"))
        self.relay.crash()
        self.storage = SlowStorage(self.relay.engine)  # type: ignore[arg-type]
        self.loader = Loader(self.relay.desk, self.storage)  # type: ignore[arg-type]
        self.ran: list[Any] = []

    def ask(self, request: Request, name: Any = None) -> None:
        def run(named: Named) -> None:
            self.ran.append(name)
            self.relay.perform(self.relay.desk.decide(request, named, self.relay.client, self.relay.now))

        self.loader.for_request(request, run)

    def finish(self, order: Callable[[int], int] = lambda _: 0) -> None:
        while self.storage.due:
            self.storage.due.pop(order(len(self.storage.due)))()


def test_what_builds_on_a_create_waits_for_it() -> None:
    bench = Bench()
    bench.ask(create("new"), "create")
    bench.ask(Get(capability("new get"), 0), "get")
    bench.ask(Put(capability("new put"), envelope("x")), "put")
    assert bench.ran == []
    bench.finish()
    assert bench.ran == ["create", "get", "put"]


def test_what_is_in_memory_is_answered_at_once() -> None:
    bench = Bench()
    bench.ask(Get(capability("old get"), 0), 1)
    bench.finish()
    bench.ask(Put(capability("old put"), envelope("x")), 2)
    assert bench.ran == [1, 2]
    assert bench.storage.due == []


def test_two_ask_for_the_same_once() -> None:
    bench = Bench()
    bench.ask(Get(capability("old get"), 0), 1)
    bench.ask(Get(capability("old get"), 0), 2)
    assert len(bench.storage.due) == 1
    bench.finish()
    assert bench.ran == [1, 2]


NAMES = st.sampled_from(["old", "p", "q"])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    box, other = draw(NAMES), draw(NAMES)
    match draw(st.integers(0, 3)):
        case 0:
            return Get(capability(f"{box} get"), 0)
        case 1:
            return Put(capability(f"{box} put"), envelope(draw(st.sampled_from("xyz"))))
        case 2:
            extra = (grant(f"{other} second", Right.PUT),)
            return Create(MailboxKind.ORDINARY, (*create(box).grants, *extra))
        case _:
            return ChangeGrants(capability(f"{box} admin"), (grant(f"{other} second", Right.PUT),))


@given(st.lists(requests(), max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_loading_answers_everything_in_line(asked: list[Request], chance: Any) -> None:
    """Every request runs once, and two that name the same capability run in the order in which they came."""
    bench = Bench()
    ran: list[int] = []
    for number, request in enumerate(asked):
        bench.loader.for_request(request, lambda _, number=number: ran.append(number))  # type: ignore[misc]
        if chance.random() < 0.3 and bench.storage.due:
            bench.storage.due.pop(chance.randrange(len(bench.storage.due)))()
    bench.finish(chance.randrange)
    assert sorted(ran) == list(range(len(asked)))
    named = [set(bench.relay.desk.named(request)) for request in asked]
    for position, number in enumerate(ran):
        for later in ran[position + 1 :]:
            assert later > number or not named[later] & named[number]
