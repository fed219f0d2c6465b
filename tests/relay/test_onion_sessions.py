"""A node's end of sessions on a clock that jumps: what is bounded, what is forgotten and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.relay.core.subscriptions import Subscription
from roost.relay.onion import sessions as sessions_module
from roost.relay.onion.sessions import QUIET_S, SESSION_DATA, Session
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    BlobData,
    Call,
    Done,
    Get,
    GetBlob,
    GetInfo,
    Goodbye,
    Ping,
    Refusal,
    RefusalCode,
    Reply,
    ServerFrame,
    Subscribe,
)
from tests.relay.relay_core import blob_data, capability, name32
from tests.relay.session_world import PERIOD_S, SessionWorld


def test_answers_wait_for_reply_blocks_and_use_the_oldest_first() -> None:
    world = SessionWorld()
    world.ask(1, Ping())
    world.ask(2, Ping())
    assert not world.sent
    world.up(b"", b"one", b"two")
    assert [block for block, _ in world.sent] == [b"one", b"two"]
    assert [down.left for _, down in world.sent] == [1, 0]
    assert world.frames() == [Reply(1, Done()), Reply(2, Done())]


def test_reply_blocks_older_than_a_period_are_not_used() -> None:
    world = SessionWorld()
    world.ask(1, Get(capability("get"), 0), b"old")
    world.now += PERIOD_S + 1
    world.host.asked[0][3](Done())
    assert not world.sent
    assert not world.session().writable
    world.up(b"", b"new")
    assert [block for block, _ in world.sent] == [b"new"]


def test_a_session_keeps_so_many_reply_blocks() -> None:
    world = SessionWorld()
    world.ask(1, Get(capability("get"), 0))
    for number in range(200):
        world.up(b"", b"%d" % number)
    world.host.asked[0][3](Done())
    assert world.sent[0][1].left == 95
    assert world.sent[0][0] == b"104"


def test_what_came_again_under_its_number_makes_the_whole() -> None:
    world = SessionWorld()
    world.ask(1, GetBlob(capability("get"), name32("blob")))
    answer = BlobData(blob_data("x"))
    world.host.asked[0][3](answer)
    for number in range(5):
        world.up(b"", b"%d" % number)
    first = [down for _, down in world.sent]
    assert [down.part for down in first] == [0, 1, 2, 3, 4]
    world.ask(1, GetBlob(capability("get"), name32("blob")))  # still in line
    for number in range(4):
        world.up(b"", b"%d" % number)
    assert [down.part for _, down in world.sent] == list(range(9))
    world.ask(1, GetBlob(capability("get"), name32("blob")), *[b"block"] * 2)
    assert [(down.message, down.part) for _, down in world.sent[9:]] == [(1, 0), (1, 1)]
    assert len(world.host.asked) == 1
    assert world.frames() == [Reply(1, answer)]
    assert max(len(down.data) for _, down in world.sent) == SESSION_DATA


def test_a_call_without_an_answer_is_begun_again_only_after_a_while() -> None:
    world = SessionWorld()
    for _ in range(3):
        world.ask(1, Get(capability("get"), 0))
    assert len(world.host.asked) == 1
    world.now += 15
    world.ask(1, Get(capability("get"), 0))
    assert len(world.host.asked) == 2


def test_refusals_are_asked_anew_and_so_is_a_subscription() -> None:
    world = SessionWorld()
    world.ask(1, Get(capability("get"), 0))
    world.host.asked[0][3](Refusal(RefusalCode.MOVED, detail=bytes(32)))
    world.ask(1, Get(capability("get"), 0))
    assert len(world.host.asked) == 2
    world.ask(2, Subscribe(capability("get"), 0))
    world.host.asked[2][3](Done())
    world.ask(2, Subscribe(capability("get"), 7))
    assert [asked[2] for asked in world.host.asked[2:]] == [
        Subscribe(capability("get"), 0),
        Subscribe(capability("get"), 7),
    ]


def test_who_is_stalled_goes_on_when_it_has_blocks_and_nothing_waits() -> None:
    world = SessionWorld()
    world.ask(1, Subscribe(capability("get"), 0))
    session = world.session()
    session.stalled = True
    world.host.asked[0][3](Done())
    world.up(b"", b"for the answer")
    assert not world.host.resumed
    world.up(b"", b"for more")
    assert world.host.resumed == [session]


@given(st.permutations(range(5)), st.integers(0, 4))
def test_parts_come_in_any_order_and_twice(order: list[int], again: int) -> None:
    world = SessionWorld()
    data = encode(Call(7, Get(capability("get"), 0)))
    size = len(data) // 5
    cut = [data[at : at + size] for at in range(0, 4 * size, size)] + [data[4 * size :]]
    for part in [*order[:again], *order]:
        world.up(cut[part], part=part, of=5, message=3)
    assert [asked[1:3] for asked in world.host.asked] == [(7, Get(capability("get"), 0))]


def test_halves_of_messages_do_not_pile_up() -> None:
    world = SessionWorld()
    world.ask(1, Get(capability("get"), 0))
    session = world.session()
    for message in range(100):
        world.up(bytes(8_000), message=message, of=2)
    assert session.size < 100_000
    world.now += 61
    session.tidy(world.now)
    assert session.size < 10_000


def test_nonsense_is_dropped_by_name() -> None:
    world = SessionWorld()
    world.sessions.arrived(b"nonsense")
    world.up(b"no call", b"block")
    assert world.dropped == {"no_session": 1}
    assert not world.sent


# --- their end --------------------------------------------------------------------------------------------------------


def test_a_quiet_session_is_forgotten() -> None:
    world = SessionWorld()
    world.ask(1, Get(capability("get"), 0))
    session = world.session()
    world.now += QUIET_S + 1
    world.sessions.upkeep()
    assert world.host.over == [session]
    assert session.closed
    world.host.asked[0][3](Done())  # the answer comes too late
    world.up(b"", b"block")
    assert world.frames() == [Goodbye(0)]


def test_a_subscriber_is_kept_as_long_as_its_blocks() -> None:
    world = SessionWorld()
    world.ask(1, Subscribe(capability("get"), 0))
    session = world.session()
    session.subscriptions[1] = Subscription(session, 1, 1, bytes(32), 0)
    world.now += PERIOD_S
    world.sessions.upkeep()
    assert not world.host.over
    world.now += 61
    world.sessions.upkeep()
    assert world.host.over == [session]


def test_who_waits_for_nothing_gives_way_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MAX_SESSIONS", 3)
    world = SessionWorld()
    for number in range(3):
        world.ask(1, Get(capability("get"), 0), session=b"%16d" % number)
    first, second, third = (asked[0] for asked in world.host.asked)
    first.subscriptions[1] = Subscription(first, 1, 1, bytes(32), 0)
    world.ask(2, Ping(), session=b"%16d" % 1)  # the second was heard of last
    world.ask(1, Get(capability("get"), 0), session=b"%16d" % 3)
    assert world.host.over == [third]
    world.ask(1, Get(capability("get"), 0), session=b"%16d" % 4)
    assert world.host.over == [third, second]


def test_who_has_one_mailbox_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MAX_SESSIONS", 20)
    world = SessionWorld()

    def subscribed(number: int, mailbox: int) -> Session:
        world.ask(1, Subscribe(capability("get"), 0), session=b"%16d" % number)
        session = world.host.asked[-1][0]
        assert isinstance(session, Session)
        session.subscriptions[1] = Subscription(session, 1, mailbox, bytes(32), 0)
        return session

    real = [subscribed(number, number) for number in range(5)]
    flood = [subscribed(number, 99) for number in range(5, 20)]
    late = [subscribed(number, number) for number in range(20, 30)]
    assert world.host.over == flood[:10]
    assert not any(session.closed for session in (*real, *late))
    world.ask(2, Ping(), b"block", session=real[0].id)
    assert world.frames() == [Reply(2, Done())]


def test_a_session_has_so_many_subscriptions() -> None:
    world = SessionWorld()
    world.ask(1, Subscribe(capability("get"), 0))
    session = world.session()
    for call in range(1, 65):
        session.subscriptions[call] = Subscription(session, call, 1, bytes(32), 0)
    world.ask(64, Subscribe(capability("get"), 5), b"block")
    assert len(world.host.asked) == 2, "in place of the one before"
    world.ask(65, Subscribe(capability("get"), 0), b"block")
    assert world.frames() == [Reply(65, Refusal(RefusalCode.FULL))]
    assert len(world.host.asked) == 2


def test_all_sessions_forward_at_one_pace_and_so_many_at_one_time() -> None:
    world = SessionWorld()
    to = RelayAddress("192.0.2.1", 7777, name32("relay"))
    for number in range(300):
        world.ask(1, GetInfo(to), b"block", session=b"%16d" % number)
    assert len(world.host.outgoing) == 256
    assert len(world.sent) == 44, "the others are asked to slow down"
    for respond in world.host.outgoing[:]:
        respond(Done())
    for number in range(400):
        world.ask(2, GetInfo(to), b"block", session=b"%16d" % number)
        if len(world.host.outgoing) == 256 + number + 1:
            world.host.outgoing[-1](Done())
    assert len(world.host.outgoing) == 500, "the burst of all sessions, half of a link's"
    world.now += 1
    world.ask(3, GetInfo(to), b"block")
    assert len(world.host.outgoing) == 501


def test_memory_is_bounded_over_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MAX_BYTES", 1_000_000)
    world = SessionWorld()
    for number in range(100):
        for message in range(4):
            world.up(bytes(8_000), session=b"%16d" % number, message=message, of=2)
    world.sessions.upkeep()
    assert 20 < len(world.sessions) < 32


def test_all_are_sent_away_at_the_end() -> None:
    world = SessionWorld()
    for number in range(3):
        world.ask(1, Ping(), b"a", b"b", session=b"%16d" % number)
    world.sent.clear()
    world.sessions.goodbye(700)
    assert [decode(ServerFrame, down.data) for _, down in world.sent] == [Goodbye(700)] * 3  # type: ignore[arg-type]
    assert len(world.sessions) == 0
