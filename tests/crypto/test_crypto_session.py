"""A running session: what it opens once, what it refuses, and that refusing changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roost.crypto import BODY_SIZE, ENVELOPE_SIZE, NotForThisSession, Session
from roost.crypto.chains import KEPT_CHAINS, MAX_CHAINS, MAX_SKIP, MAX_SKIPPED
from roost.crypto.envelope import RatchetHeader, RatchetKeys, seal_body
from roost.crypto.ratchet import OwnStep, PeersTurn, RatchetOpening, SendingChain
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import MalformedKem, SeededEntropy, begun, body, flipped, running


def sealed(session: Session, count: int, entropy: SeededEntropy, first: int = 0) -> tuple[Session, list[bytes]]:
    envelopes = []
    for number in range(first, first + count):
        session, envelope = session.seal(body(number), entropy)
        envelopes.append(envelope)
    return session, envelopes


def refused(session: Session, envelope: bytes) -> str:
    """The error code with which `session` refuses `envelope`; asserts that nothing changed."""
    before = session.to_bytes()
    with pytest.raises(CryptoError) as caught:
        session.open(envelope)
    assert session.to_bytes() == before
    return caught.value.code


def test_sizes() -> None:
    alice, _, entropy = running()
    _, envelope = alice.seal(body(0), entropy)
    assert len(envelope) == ENVELOPE_SIZE == 4_096
    assert BODY_SIZE == 1_676
    for size in (0, BODY_SIZE - 1, BODY_SIZE + 1):
        with pytest.raises(ValueError, match="1676"):
            alice.seal(bytes(size), entropy)


def test_a_chain_opens_in_reverse_and_each_envelope_once() -> None:
    alice, bob, entropy = running()
    alice, envelopes = sealed(alice, 20, entropy)
    for number in reversed(range(20)):
        bob, opened = bob.open(envelopes[number])
        assert opened == body(number)
    assert [refused(bob, envelope) for envelope in envelopes] == ["replayed"] * 20


def test_envelopes_of_ended_chains_still_open_and_are_known_when_repeated() -> None:
    alice, bob, entropy = running()
    alice, late = sealed(alice, 3, entropy, first=10)
    for _ in range(KEPT_CHAINS - 1):
        alice, (envelope,) = sealed(alice, 1, entropy)
        bob, _ = bob.open(envelope)
        bob, (envelope,) = sealed(bob, 1, entropy)
        alice, _ = alice.open(envelope)
    for number, envelope in enumerate(late):
        bob, opened = bob.open(envelope)
        assert opened == body(10 + number)
        assert refused(bob, envelope) == "replayed"


def test_an_envelope_changed_anywhere_is_refused_and_the_true_one_still_opens() -> None:
    """Every byte, one bit each, for both kinds of envelope and both places where a session meets them."""
    for alice, bob, entropy in (begun(), running()):
        alice, (envelope,) = sealed(alice, 1, entropy)
        before = bob.to_bytes()
        for position in range(len(envelope)):
            with pytest.raises(CryptoError):
                bob.open(flipped(envelope, 8 * position + position % 8))
        assert bob.to_bytes() == before
        assert bob.open(envelope)[1] == body(0)


def test_a_new_turn_changed_anywhere_is_refused() -> None:
    """The header of a new turn opens under the next header key; a changed body must not advance the ratchet."""
    alice, bob, entropy = running()
    bob, (envelope,) = sealed(bob, 1, entropy)
    for position in range(0, len(envelope), 7):
        code = refused(alice, flipped(envelope, 8 * position + position % 8))
        assert code == ("not_for_this_session" if position < 2_404 else "not_authentic")
    assert alice.open(envelope)[1] == body(0)


def test_parts_of_two_envelopes_do_not_mix() -> None:
    alice, bob, entropy = running()
    alice, (first, second) = sealed(alice, 2, entropy)
    for at in (16, 2_404):
        refused(bob, first[:at] + second[at:])
        refused(bob, second[:at] + first[at:])


def test_reflection_is_refused() -> None:
    alice, _bob, entropy = running()
    alice, (envelope,) = sealed(alice, 1, entropy)
    assert refused(alice, envelope) == "not_for_this_session"


def test_envelopes_of_another_session_of_the_same_people_are_refused() -> None:
    _alice, bob, entropy = running("one")
    other, _other_bob, _ = running("two")
    _, (envelope,) = sealed(other, 1, entropy)
    assert refused(bob, envelope) == "not_for_this_session"
    fresh, _, _ = begun("three")
    _, (envelope,) = sealed(fresh, 1, entropy)
    assert refused(bob, envelope) == "not_for_this_session"


def test_the_jump_over_missing_messages_is_bounded() -> None:
    alice, bob, entropy = running()
    alice, envelopes = sealed(alice, MAX_SKIP + 2, entropy)
    assert refused(bob, envelopes[MAX_SKIP + 1]) == "too_far_ahead"
    after, _ = bob.open(envelopes[MAX_SKIP])
    assert sum(len(chain.skipped) for chain in after.receiving) == MAX_SKIP
    assert after.open(envelopes[0])[1] == body(0)
    assert after.open(envelopes[MAX_SKIP + 1])[1] == body(MAX_SKIP + 1)


def test_the_first_message_seen_may_not_be_too_far_ahead_either() -> None:
    alice, bob, entropy = running()
    bob, envelopes = sealed(bob, MAX_SKIP + 2, entropy)
    assert refused(alice, envelopes[MAX_SKIP + 1]) == "too_far_ahead"
    assert alice.open(envelopes[MAX_SKIP])[1] == body(MAX_SKIP)


def test_skipped_keys_are_bounded_and_the_oldest_go_first() -> None:
    alice, bob, entropy = running()
    lost: list[bytes] = []
    for _ in range(3):
        alice, envelopes = sealed(alice, MAX_SKIP, entropy)
        lost += envelopes[:-1]
        bob, _ = bob.open(envelopes[-1])
        bob, (envelope,) = sealed(bob, 1, entropy)
        alice, _ = alice.open(envelope)
    assert sum(len(chain.skipped) for chain in bob.receiving) == MAX_SKIPPED
    assert len(bob.to_bytes()) < 80_000
    dropped = 3 * (MAX_SKIP - 1) - MAX_SKIPPED
    assert refused(bob, lost[dropped - 1]) == "replayed"
    bob, opened = bob.open(lost[dropped])
    assert opened == body(dropped)
    assert bob.open(lost[-1])[1] == body(MAX_SKIP - 2)
    assert Session.from_bytes(bob.to_bytes()) == bob


def test_more_lost_at_the_end_of_a_turn_than_may_be_skipped_does_not_end_the_session() -> None:
    """A thousand keys are kept for what may still come; the rest of that chain is given up."""
    alice, bob, entropy = running()
    bob, (envelope,) = sealed(bob, 1, entropy)
    alice, envelopes = sealed(alice, MAX_SKIP + 50, entropy)
    alice, _ = alice.open(envelope)
    alice, (next_turn,) = sealed(alice, 1, entropy, first=77)
    bob, opened = bob.open(next_turn)
    assert opened == body(77)
    assert bob.open(envelopes[MAX_SKIP - 1])[1] == body(MAX_SKIP - 1)
    assert refused(bob, envelopes[MAX_SKIP]) == "replayed"


def test_chains_are_bounded_and_the_handshakes_stays() -> None:
    alice, bob, entropy = begun()
    alice, (knock,) = sealed(alice, 1, entropy, first=500)
    oldest = b""
    for number in range(MAX_CHAINS + 10):
        bob, (envelope,) = sealed(bob, 1, entropy)
        alice, _ = alice.open(envelope)
        alice, (missing, envelope) = sealed(alice, 2, entropy, first=number)
        oldest = oldest or missing
        bob, _ = bob.open(envelope)
        assert len(bob.receiving) <= MAX_CHAINS
    assert refused(bob, oldest) == "not_for_this_session"
    bob, opened = bob.open(knock)
    assert opened == body(500)
    assert refused(bob, knock) == "replayed"


def test_chains_with_nothing_missing_are_forgotten() -> None:
    alice, bob, _ = running(turns=20)
    assert len(alice.receiving) == KEPT_CHAINS + 1
    assert len(bob.receiving) == KEPT_CHAINS + 2  # and the handshake's
    assert len(alice.to_bytes()) < 2_000


def test_old_secrets_are_gone_as_soon_as_the_peer_answered() -> None:
    """Forward secrecy: what opened the peer's turn is not kept until we send again."""
    alice, bob, entropy = running()
    assert isinstance(alice.sending, SendingChain)
    secrets = (alice.sending.step.agreement.to_bytes(), alice.sending.step.kem.to_bytes(), alice.sending.key)
    state = alice.to_bytes()
    assert all(secret in state for secret in secrets)
    bob, (envelope,) = sealed(bob, 1, entropy)
    alice, _ = alice.open(envelope)
    assert isinstance(alice.sending, PeersTurn)
    assert not any(secret in alice.to_bytes() for secret in secrets)


def test_used_message_keys_are_gone() -> None:
    alice, bob, entropy = running()
    alice, (first, second) = sealed(alice, 2, entropy)
    ahead, _ = bob.open(second)
    (skipped,) = ahead.receiving[-1].skipped.values()
    assert skipped in ahead.to_bytes()
    after, _ = ahead.open(first)
    assert skipped not in after.to_bytes()


def test_a_copied_state_is_shut_out_after_one_turn_each_way() -> None:
    """Post-compromise security: who copied both ends' states and only listens follows one turn, and no further."""
    alice, bob, entropy = running()
    copied_alice, copied_bob = alice, bob
    bob, (envelope,) = sealed(bob, 1, entropy)
    alice, _ = alice.open(envelope)
    copied_alice, overheard = copied_alice.open(envelope)  # Alice's secrets of the last turn were in the copy
    assert overheard == body(0)
    alice, (envelope,) = sealed(alice, 1, entropy)
    bob, _ = bob.open(envelope)
    assert refused(copied_bob, envelope) == "not_authentic"  # Bob's are not: he made them after it
    bob, (envelope,) = sealed(bob, 1, entropy)
    assert refused(copied_alice, envelope) == "not_authentic"
    assert alice.open(envelope)[1] == body(0)


def test_a_peer_that_takes_two_turns_at_once_is_refused() -> None:
    """A peer knows its next header key before we answered, but has nothing of ours to exchange with."""
    alice, bob, entropy = running()
    bob, (envelope,) = sealed(bob, 1, entropy)
    heard, _ = alice.open(envelope)
    assert isinstance(bob.sending, SendingChain)
    step = bob.sending.step
    ahead = RatchetOpening(RatchetHeader(bob.next_sending_header), bytes(1_088), 0)
    cheat = replace(bob, sending=SendingChain(OwnStep(ahead, step.agreement, step.kem), bob.sending.key, 0))
    _, envelope = cheat.seal(body(9), entropy)
    assert refused(heard, envelope) == "not_authentic"


def test_a_low_order_point_in_a_new_turn_is_refused() -> None:
    alice, bob, entropy = running()
    bob, _ = sealed(bob, 1, entropy)
    assert isinstance(bob.sending, SendingChain)
    step = bob.sending.step
    assert isinstance(step.opening, RatchetOpening)
    keys = RatchetKeys(bytes(32), step.kem.public.raw, step.opening.ciphertext, 0)
    salt = entropy.bytes(16)
    block = RatchetHeader(alice.next_receiving_header).seal(salt, keys.encode(), 0)
    refused(alice, seal_body(bytes(32), salt, block, body(0)))


def test_a_malformed_kem_key_in_a_new_turn_is_refused() -> None:
    """Even in an authentic envelope: what opened must leave a session that can answer."""
    alice, bob, entropy = running()
    bob, _ = sealed(bob, 1, entropy)
    assert isinstance(bob.sending, SendingChain)
    step = bob.sending.step
    bad = OwnStep(step.opening, step.agreement, MalformedKem(step.kem.to_bytes()))
    _, envelope = replace(bob, sending=replace(bob.sending, step=bad)).seal(body(1), entropy)
    assert refused(alice, envelope) == "malformed"


def test_a_rolled_back_sender_repeats_no_key_and_is_heard_again() -> None:
    """A restored snapshot seals other bodies with the same message keys; the salt keeps the AEAD keys apart."""
    alice, bob, entropy = running()
    snapshot = Session.from_bytes(alice.to_bytes())
    alice, (first,) = sealed(alice, 1, entropy, first=1)
    snapshot, (again, beyond) = sealed(snapshot, 2, entropy, first=2)
    difference = bytes(a ^ b for a, b in zip(first[2_404:], again[2_404:], strict=True))
    assert difference[8:200] != bytes(192)  # with one key this would be the difference of two equal paddings
    bob, _ = bob.open(first)
    assert refused(bob, again) == "replayed"
    bob, opened = bob.open(beyond)
    assert opened == body(3)
    bob, (envelope,) = sealed(bob, 1, entropy)
    assert snapshot.open(envelope)[1] == body(0)


def test_sealing_changes_only_the_new_value() -> None:
    alice, _bob, entropy = running()
    before = alice.to_bytes()
    after, _ = alice.seal(body(0), entropy)
    assert alice.to_bytes() == before != after.to_bytes()
    with pytest.raises(AttributeError):
        alice.id = b"x"  # type: ignore[misc]


def test_not_for_this_session_is_a_crypto_error() -> None:
    """So that who catches CryptoError after all sessions were tried misses nothing."""
    assert issubclass(NotForThisSession, CryptoError)
