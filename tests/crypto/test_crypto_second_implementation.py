"""The documents say what the code does: an implementation written from them talks with it and takes over its state."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import Session, accept
from tests.crypto import second_implementation as second
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy, body

BOBS_CARD = second.Card(
    BOB.local.account,
    BOB.local.identity.public.raw,
    BOB.prekeys.agreement.public.raw,
    BOB.prekeys.kem.public.raw,
    BOB.prekeys.mask,
    BOB.prekeys.context,
)


def test_the_second_begins_and_the_first_accepts() -> None:
    entropy = SeededEntropy("second begins")
    alice = second.begin(ALICE.local.account, ALICE.local.identity.to_bytes(), BOBS_CARD, entropy.bytes(96))
    alice.seal(body(0), entropy.bytes(112))
    accepted = accept(BOB.local, BOB.prekeys, alice.seal(body(1), entropy.bytes(112)))
    assert accepted.body == body(1)
    assert accepted.account == ALICE.local.account
    assert accepted.identity == ALICE.local.identity.public
    assert accepted.session.id == alice.id


def test_the_first_begins_and_the_second_accepts() -> None:
    entropy = SeededEntropy("first begins")
    alice, _ = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    alice, envelope = alice.seal(body(1), entropy)
    identity, agreement, kem = BOB.local.identity, BOB.prekeys.agreement, BOB.prekeys.kem
    answer = second.respond(BOBS_CARD, identity.to_bytes(), agreement.to_bytes(), kem.to_bytes(), envelope)
    assert answer is not None
    bob, opened = answer
    assert opened == body(1)
    assert bob.save() == accept(BOB.local, BOB.prekeys, envelope).session.to_bytes()
    alice, opened = alice.open(bob.seal(body(2), entropy.bytes(112)))
    assert opened == body(2)


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_session_changes_hands_between_the_implementations(choice: Random, steps: int) -> None:
    """Each step by either implementation, on the state that the other saved; late and lost envelopes included."""
    entropy = SeededEntropy("hands")
    alice, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    states = {"alice": alice.to_bytes(), "bob": accept(BOB.local, BOB.prekeys, envelope).session.to_bytes()}
    wire: list[tuple[str, bytes, bytes]] = []
    for number in range(steps):
        speaker, listener = choice.choice((("alice", "bob"), ("bob", "alice")))
        if choice.random() < 0.5:
            states[speaker], envelope = seal(choice, states[speaker], body(number), entropy)
            wire.append((listener, envelope, body(number)))
        elif wire:
            listener, envelope, words = wire.pop(choice.randrange(len(wire)))
            states[listener], opened = open_both(states[listener], envelope)
            assert opened == words


def seal(choice: Random, state: bytes, words: bytes, entropy: SeededEntropy) -> tuple[bytes, bytes]:
    if choice.random() < 0.5:
        session, envelope = Session.from_bytes(state).seal(words, entropy)
        return session.to_bytes(), envelope
    other = second.load(state)
    envelope = other.seal(words, entropy.bytes(112))
    return other.save(), envelope


def open_both(state: bytes, envelope: bytes) -> tuple[bytes, bytes]:
    """Opening is deterministic: both must come to the same body and the same state, byte for byte."""
    session, opened = Session.from_bytes(state).open(envelope)
    other = second.load(state)
    assert other.open(envelope) == opened
    assert other.save() == session.to_bytes()
    return other.save(), opened
