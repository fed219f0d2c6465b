"""The link core: whatever a relay sends, in whatever order, calls get their own answers and nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roost.errors import Unreachable
from roost.network.errors import NotARelay, RelayKeyChanged
from roost.network.link_core import Answered, Delivered, LinkCore, LinkState, LinkTiming, Opened, Over
from roost.wire import mailbox as m
from roost.wire.codec import decode, encode

TIMING = LinkTiming(hello_s=5, idle_s=40, waiting_s=4, answer_s=6)
SIGNED = m.SignedInfo(b"info", bytes(64))
INFO = m.RelayInfo(1, bytes(32), bytes(32), m.PacketKey(bytes(1_216), 0), 0, True)
ENVELOPE = bytes(4_096)


def core(now: float = 0.0) -> LinkCore:
    return LinkCore(lambda _: INFO, now, TIMING)


def opened(now: float = 0.0) -> LinkCore:
    link = core(now)
    link.receive(encode(m.Hello(SIGNED)), now)
    assert link.events() == [Opened(INFO, SIGNED)]
    return link


def sent(link: LinkCore) -> list[m.Call]:
    return [decode(m.Call, frame) for frame in link.outgoing()]


def over(link: LinkCore) -> Over:
    (event,) = link.events()
    assert isinstance(event, Over)
    assert link.state is LinkState.OVER
    assert link.next_deadline() is None
    return event


def test_nothing_is_sent_before_the_relay_has_proven_itself() -> None:
    link = core()
    with pytest.raises(Unreachable):
        link.call(m.Ping(), 0)
    assert link.outgoing() == []


def test_a_relay_that_does_not_prove_itself_gets_nothing() -> None:
    def prover(_: m.SignedInfo) -> m.RelayInfo:
        raise RelayKeyChanged("changed")

    link = LinkCore(prover, 0, TIMING)
    link.receive(encode(m.Hello(SIGNED)), 0)
    assert over(link).error.code == "relay_key_changed"
    with pytest.raises(Unreachable):
        link.call(m.Ping(), 0)


def test_replies_find_their_calls_in_any_order() -> None:
    link = opened()
    first, second = link.call(m.GetCard(bytes(32)), 1), link.call(m.Put(bytes(32), ENVELOPE), 1)
    assert [call.id for call in sent(link)] == [first, second]
    link.receive(encode(m.Reply(second, m.Stored(7))), 2)
    link.receive(encode(m.Reply(first, m.CardData(b"card"))), 2)
    assert link.events() == [Answered(second, m.Stored(7)), Answered(first, m.CardData(b"card"))]
    assert link.in_flight == 0


@pytest.mark.parametrize(
    "frame",
    [
        m.Hello(SIGNED),  # a second one
        m.Reply(99, m.Done()),  # to a call that was never made
        m.Reply(1, m.Done()),  # not what a put is answered with
        m.Delivery(99, 1, ENVELOPE),
        m.Reply(0, m.Done()),
    ],
)
def test_a_relay_that_breaks_the_protocol_is_left(frame: m.ServerFrame) -> None:
    link = opened()
    link.call(m.Put(bytes(32), ENVELOPE), 0)
    link.receive(encode(frame), 0)
    assert isinstance(over(link).error, NotARelay)


@given(st.binary(max_size=200))
def test_garbage_ends_the_link_and_never_raises(garbage: bytes) -> None:
    for link in (core(), opened()):
        link.receive(garbage, 0)
        assert isinstance(over(link).error, NotARelay)
        link.receive(garbage, 0)
        link.lost()
        assert link.events() == []


@given(st.binary(min_size=1, max_size=8), st.integers(0, 4_200))
def test_a_damaged_frame_is_garbage_or_another_frame(noise: bytes, at: int) -> None:
    link = opened()
    call = link.call(m.Subscribe(bytes(32), 0), 0)
    frame = bytearray(encode(m.Delivery(call, 3, ENVELOPE)))
    frame[at : at + len(noise)] = noise
    link.receive(bytes(frame), 0)
    for event in link.events():
        assert isinstance(event, (Over, Delivered))


def test_late_answers_are_dropped_and_counted() -> None:
    link = opened()
    call = link.call(m.GetCard(bytes(32)), 0)
    subscription = link.call(m.Subscribe(bytes(32), 0), 0)
    link.abandon(call)
    link.abandon(subscription)
    link.receive(encode(m.Reply(call, m.CardData(b"card"))), 0)
    link.receive(encode(m.Reply(subscription, m.Subscribed(1))), 0)
    link.receive(encode(m.Delivery(subscription, 1, ENVELOPE)), 0)
    assert link.events() == []
    assert link.dropped == 3
    assert link.state is LinkState.OPEN


def test_a_link_whose_call_ids_are_used_up_ends() -> None:
    link = opened()
    link._next_call = 2**32 - 1
    assert link.call(m.Ping(), 0) == 2**32 - 1
    with pytest.raises(Unreachable):
        link.call(m.Ping(), 0)
    assert isinstance(over(link), Over)


def test_a_refused_subscription_delivers_nothing() -> None:
    link = opened()
    call = link.call(m.Subscribe(bytes(32), 0), 0)
    refusal = m.Refusal(m.RefusalCode.DENIED)
    link.receive(encode(m.Reply(call, refusal)), 0)
    link.receive(encode(m.Delivery(call, 1, ENVELOPE)), 0)
    assert link.events() == [Answered(call, refusal)]
    assert link.dropped == 1


class TestHeartBeat:
    def test_a_silent_relay_is_asked_and_then_given_up(self) -> None:
        link = opened(100)
        assert link.next_deadline() == 140
        link.tick(139)
        assert link.outgoing() == []
        link.tick(140)
        assert [call.request for call in sent(link)] == [m.Ping()]
        assert link.next_deadline() == 146
        link.tick(146)
        assert over(link).error.code == "unreachable"

    def test_any_sign_of_life_is_enough(self) -> None:
        link = opened(0)
        subscription = link.call(m.Subscribe(bytes(32), 0), 0)
        link.receive(encode(m.Reply(subscription, m.Subscribed(0))), 0)
        link.tick(40)
        link.receive(encode(m.Delivery(subscription, 1, ENVELOPE)), 45)
        link.tick(46)
        assert link.state is LinkState.OPEN

    def test_its_reply_is_nobodys_event(self) -> None:
        link = opened(0)
        link.tick(40)
        (ping,) = sent(link)
        link.receive(encode(m.Reply(ping.id, m.Done())), 41)
        assert link.events() == []
        assert link.next_deadline() == 81

    def test_a_waiting_call_makes_it_quicker(self) -> None:
        link = opened(0)
        link.call(m.GetCard(bytes(32)), 30)
        assert link.next_deadline() == 34
        link.tick(34)
        assert link.next_deadline() == 40

    def test_a_slow_answer_is_waited_for_while_the_relay_lives(self) -> None:
        link = opened(0)
        link.call(m.GetCard(bytes(32)), 0)
        now = 0.0
        for _ in range(10):
            link.outgoing()
            now = link.next_deadline() or 0
            link.tick(now)
            (ping,) = sent(link)
            link.receive(encode(m.Reply(ping.id, m.Done())), now + 1)
        assert link.state is LinkState.OPEN
        assert now == 49  # every 4 s of silence

    def test_no_hello_in_time(self) -> None:
        link = core(0)
        link.tick(5)
        assert over(link).error.code == "unreachable"


class TestGoodbye:
    def test_an_idle_link_ends_at_once(self) -> None:
        link = opened()
        link.receive(encode(m.Goodbye(2_000)), 0)
        assert over(link).retry_after_ms == 2_000

    def test_answers_that_are_due_still_come(self) -> None:
        link = opened()
        call = link.call(m.Put(bytes(32), ENVELOPE), 0)
        link.receive(encode(m.Goodbye(2_000)), 0)
        with pytest.raises(Unreachable):
            link.call(m.Ping(), 0)
        link.receive(encode(m.Reply(call, m.Stored(1))), 0)
        answered, end = link.events()
        assert answered == Answered(call, m.Stored(1))
        assert isinstance(end, Over)

    def test_instead_of_a_hello(self) -> None:
        link = core()
        link.receive(encode(m.Goodbye(500)), 0)
        assert over(link).retry_after_ms == 500

    def test_silence_after_it_is_not_waited_out(self) -> None:
        link = opened()
        link.call(m.Put(bytes(32), ENVELOPE), 0)
        link.receive(encode(m.Goodbye(2_000)), 0)
        link.tick(4)
        assert over(link).retry_after_ms == 2_000


class LinkMachine(RuleBasedStateMachine):
    """A relay that answers calls in any order, drops them or goes, against a model of what must come out."""

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.link = opened()
        self.waiting: dict[int, m.Request] = {}  # at the relay
        self.abandoned: set[int] = set()
        self.subscribed: set[int] = set()
        self.over = False

    @precondition(lambda self: not self.over)
    @rule(request=st.sampled_from([m.Put(bytes(32), ENVELOPE), m.GetCard(bytes(32)), m.Subscribe(bytes(32), 0)]))
    def call(self, request: m.Request) -> None:
        number = self.link.call(request, self.now)
        assert number not in self.waiting
        self.collect()
        assert self.waiting[number] == request

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), refuse=st.booleans())
    def answer(self, data: st.DataObject, refuse: bool) -> None:
        call = data.draw(st.sampled_from(sorted(self.waiting)))
        request = self.waiting.pop(call)
        right: dict[type[m.Request], m.Response] = {
            m.Put: m.Stored(1), m.GetCard: m.CardData(b"x"), m.Subscribe: m.Subscribed(0), m.Ping: m.Done()
        }  # fmt: skip
        response = m.Refusal(m.RefusalCode.FULL) if refuse else right[type(request)]
        self.link.receive(encode(m.Reply(call, response)), self.now)
        if self.over or call in self.abandoned or isinstance(request, m.Ping):
            expected = []
        else:
            expected = [Answered(call, response)]
            if isinstance(request, m.Subscribe) and not refuse:
                self.subscribed.add(call)
        assert self.link.events() == expected

    @precondition(lambda self: self.subscribed)
    @rule(data=st.data(), number=st.integers(0, 9))
    def deliver(self, data: st.DataObject, number: int) -> None:
        call = data.draw(st.sampled_from(sorted(self.subscribed)))
        self.link.receive(encode(m.Delivery(call, number, ENVELOPE)), self.now)
        wanted = not self.over and call not in self.abandoned
        assert self.link.events() == ([Delivered(call, number, ENVELOPE)] if wanted else [])

    @precondition(lambda self: self.waiting or self.subscribed)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(set(self.waiting) | self.subscribed)))
        self.abandoned.add(call)
        self.link.abandon(call)

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.link.tick(self.now)
        self.collect()

    @precondition(lambda self: not self.over)
    @rule()
    def cut(self) -> None:
        self.link.lost()
        self.collect()
        assert self.over

    def collect(self) -> None:
        for call in sent(self.link):
            self.waiting[call.id] = call.request
        for event in self.link.events():
            assert isinstance(event, Over)
            assert not self.over
            self.over = True

    @invariant()
    def says_when_it_wants_to_be_called(self) -> None:
        deadline = self.link.next_deadline()
        assert (deadline is None) == self.over
        assert deadline is None or deadline > self.now - 1e-6 or self.link.state is LinkState.OPEN

    @invariant()
    def counts_what_is_in_flight(self) -> None:
        pending = {} if self.over else {c: r for c, r in self.waiting.items() if c not in self.abandoned}
        assert self.link.in_flight == sum(len(encode(m.Call(c, r))) for c, r in pending.items())


TestLinkMachine = LinkMachine.TestCase


def test_replies_out_of_an_onion_network_come_once_a_token_was_given() -> None:
    arrival = m.OnionArrival(bytes(16), bytes(8_192))
    link = opened()
    call = link.call(m.AttachOnion(bytes(16)), 0)
    link.receive(encode(m.Reply(call, m.Done())), 0)
    link.receive(encode(arrival), 0)
    assert link.events() == [Answered(call, m.Done()), arrival]
    unasked = opened()
    unasked.receive(encode(arrival), 0)
    assert isinstance(over(unasked).error, NotARelay)
