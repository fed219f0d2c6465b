"""Two sessions and a hostile wire against a simple model: what was said is opened once, everything else is refused.

The wire reorders, loses, repeats, damages and reflects; either side may be stored and loaded at any moment.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roost.crypto import NotForThisSession, Session, accept
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy, body, flipped

SPEAKERS = ("alice", "bob")
OTHER = {"alice": "bob", "bob": "alice"}


class HostileWire(RuleBasedStateMachine):
    """The model: `said` (what each envelope holds, and for whom) and `heard` (which were opened)."""

    def __init__(self) -> None:
        super().__init__()
        self.entropy = SeededEntropy("wire")
        self.sessions: dict[str, Session] = {"alice": Session.initiate(ALICE.local, BOB.bundle, self.entropy)}
        self.said: list[tuple[str, bytes, bytes]] = []  # for whom, envelope, body
        self.heard: set[int] = set()

    def receive(self, listener: str, envelope: bytes) -> bytes:
        """Open as messaging does: the session first, then the prekeys."""
        session = self.sessions.get(listener)
        if session is None:
            accepted = accept(BOB.local, BOB.prekeys, envelope)
            assert accepted.account == ALICE.local.account
            self.sessions[listener] = accepted.session
            return accepted.body
        self.sessions[listener], opened = session.open(envelope)
        return opened

    def is_refused(self, listener: str, envelope: bytes) -> None:
        before = {name: session.to_bytes() for name, session in self.sessions.items()}
        with pytest.raises(CryptoError):
            self.receive(listener, envelope)
        assert {name: session.to_bytes() for name, session in self.sessions.items()} == before

    @rule(speaker=st.sampled_from(SPEAKERS), count=st.integers(1, 4))
    def say(self, speaker: str, count: int) -> None:
        if speaker not in self.sessions:
            return
        for _ in range(count):
            words = body(len(self.said))
            self.sessions[speaker], envelope = self.sessions[speaker].seal(words, self.entropy)
            self.said.append((OTHER[speaker], envelope, words))

    @precondition(lambda self: self.said)
    @rule(choice=st.integers(0, 10_000), newest=st.booleans())
    def deliver(self, choice: int, newest: bool) -> None:
        number = len(self.said) - 1 if newest else choice % len(self.said)
        listener, envelope, words = self.said[number]
        if number in self.heard:
            self.is_refused(listener, envelope)
        else:
            assert self.receive(listener, envelope) == words
            self.heard.add(number)

    @precondition(lambda self: self.said)
    @rule(choice=st.integers(0, 10_000), bit=st.integers(0, 8 * 4_096 - 1))
    def damage(self, choice: int, bit: int) -> None:
        listener, envelope, _ = self.said[choice % len(self.said)]
        self.is_refused(listener, flipped(envelope, bit))

    @precondition(lambda self: self.said)
    @rule(choice=st.integers(0, 10_000))
    def reflect(self, choice: int) -> None:
        listener, envelope, _ = self.said[choice % len(self.said)]
        if OTHER[listener] in self.sessions:
            self.is_refused(OTHER[listener], envelope)

    @rule(speaker=st.sampled_from(SPEAKERS))
    def restart(self, speaker: str) -> None:
        if speaker in self.sessions:
            self.sessions[speaker] = Session.from_bytes(self.sessions[speaker].to_bytes())

    @invariant()
    def both_ends_are_one_session(self) -> None:
        assert len({session.id for session in self.sessions.values()}) == 1

    def teardown(self) -> None:
        """At the end everything that was held back is let through."""
        for number, (listener, envelope, words) in enumerate(self.said):
            if number not in self.heard:
                assert self.receive(listener, envelope) == words


TestHostileWire = HostileWire.TestCase
TestHostileWire.settings = settings(stateful_step_count=60)


@given(
    talk=st.lists(st.tuples(st.sampled_from(SPEAKERS), st.integers(1, 12)), min_size=1, max_size=12),
    shuffle=st.randoms(use_true_random=False),
)
def test_each_turns_envelopes_in_any_order_with_loss_and_duplication(
    talk: list[tuple[str, int]], shuffle: Random
) -> None:
    """Turn by turn: every burst is shuffled, some of it doubled, some kept back to the end or lost."""
    entropy = SeededEntropy("burst")
    sessions = {"alice": Session.initiate(ALICE.local, BOB.bundle, entropy)}
    sessions["alice"], first = sessions["alice"].seal(body(0), entropy)
    sessions["bob"] = accept(BOB.local, BOB.prekeys, first).session
    late: list[tuple[str, bytes, bytes]] = []
    for speaker, count in talk:
        burst = []
        for number in range(count):
            sessions[speaker], envelope = sessions[speaker].seal(body(number), entropy)
            burst.append((OTHER[speaker], envelope, body(number)))
        shuffle.shuffle(burst)
        for listener, envelope, words in burst:
            fate = shuffle.choice(("opened", "opened", "doubled", "late", "lost"))
            if fate in ("opened", "doubled"):
                sessions[listener], opened = sessions[listener].open(envelope)
                assert opened == words
            if fate == "doubled":
                with pytest.raises(CryptoError):
                    sessions[listener].open(envelope)
            if fate == "late":
                late.append((listener, envelope, words))
    shuffle.shuffle(late)
    for listener, envelope, words in late:
        sessions[listener], opened = sessions[listener].open(envelope)
        assert opened == words


@given(st.text(max_size=8), st.integers(0, 4_095))
def test_arbitrary_bytes_only_ever_raise_our_error(seed: str, kept: int) -> None:
    noise = SeededEntropy(seed).bytes(4_096)
    entropy = SeededEntropy("noise")
    session, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    bob = accept(BOB.local, BOB.prekeys, envelope).session
    mixed = envelope[:kept] + noise[kept:]
    with pytest.raises(CryptoError):
        bob.open(mixed)
    with pytest.raises(NotForThisSession):
        session.open(mixed)
