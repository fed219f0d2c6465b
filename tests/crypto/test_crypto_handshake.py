"""The handshake: who can begin a session with whom, and what happens to everything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roost.crypto import (
    AgreementPublic,
    AgreementSecret,
    KemPublic,
    LocalIdentity,
    NotForThisSession,
    Session,
    accept,
)
from roost.crypto.envelope import HEADER_SIZE
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import ALICE, BOB, CAROL, MalformedKem, SeededEntropy, begun, body, flipped


def knock(seed: str = "knock", number: int = 0) -> tuple[Session, bytes, SeededEntropy]:
    entropy = SeededEntropy(seed)
    session, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(number), entropy)
    return session, envelope, entropy


def test_the_responder_learns_who_asks_and_what_they_say() -> None:
    alice, envelope, _ = knock(number=5)
    accepted = accept(BOB.local, BOB.prekeys, envelope)
    assert accepted.account == ALICE.local.account
    assert accepted.identity == ALICE.local.identity.public
    assert accepted.body == body(5)
    assert accepted.session.id == alice.id
    assert len(alice.id) == 16
    assert accepted.session.confirmed
    assert not alice.confirmed


def test_any_one_of_the_first_messages_begins_the_session() -> None:
    alice, first, entropy = knock()
    envelopes = [first]
    for number in range(1, 4):
        alice, envelope = alice.seal(body(number), entropy)
        envelopes.append(envelope)
    for start in range(4):
        accepted = accept(BOB.local, BOB.prekeys, envelopes[start])
        bob = accepted.session
        assert accepted.body == body(start)
        for number in (3, 1, 0, 2):
            if number != start:
                bob, opened = bob.open(envelopes[number])
                assert opened == body(number)
        for envelope in envelopes:
            with pytest.raises(CryptoError) as caught:
                bob.open(envelope)
            assert caught.value.code == "replayed"


def test_the_first_reply_confirms_and_ends_the_handshake() -> None:
    alice, bob, entropy = begun()
    bob, envelope = bob.seal(body(1), entropy)
    alice, opened = alice.open(envelope)
    assert opened == body(1)
    assert alice.confirmed
    alice, envelope = alice.seal(body(2), entropy)
    with pytest.raises(NotForThisSession):  # no handshake any more
        accept(BOB.local, BOB.prekeys, envelope)
    assert bob.open(envelope)[1] == body(2)


def test_a_late_handshake_envelope_opens_after_many_turns_and_is_told_apart_when_repeated() -> None:
    alice, bob, entropy = begun()
    late = []
    for number in range(3):
        alice, envelope = alice.seal(body(100 + number), entropy)
        late.append(envelope)
    for number in range(50):
        bob, envelope = bob.seal(body(number), entropy)
        alice, _ = alice.open(envelope)
        alice, envelope = alice.seal(body(number), entropy)
        bob, _ = bob.open(envelope)
    bob = Session.from_bytes(bob.to_bytes())
    for number, envelope in reversed(list(enumerate(late))):
        bob, opened = bob.open(envelope)
        assert opened == body(100 + number)
    for envelope in late:
        with pytest.raises(CryptoError) as caught:
            bob.open(envelope)
        assert caught.value.code == "replayed"


def test_accepting_a_replay_gives_the_same_session_id() -> None:
    """How messaging knows a handshake that it has seen: the id is the transcript's."""
    _, envelope, _ = knock()
    first, second = (accept(BOB.local, BOB.prekeys, envelope).session for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("local", "prekeys"),
    [
        (CAROL.local, CAROL.prekeys),
        (CAROL.local, BOB.prekeys),  # another device holds the prekeys
        (BOB.local, CAROL.prekeys),
        (ALICE.local, ALICE.prekeys),  # reflected to its maker
        (BOB.local, replace(BOB.prekeys, mask=bytes(32))),
        (BOB.local, replace(BOB.prekeys, context=bytes(32))),  # another card with the same keys
        (BOB.local, replace(BOB.prekeys, kem=CAROL.prekeys.kem)),
        (BOB.local, replace(BOB.prekeys, agreement=CAROL.prekeys.agreement)),
        (replace(BOB.local, account=CAROL.local.account), BOB.prekeys),
        (replace(BOB.local, identity=CAROL.local.identity), BOB.prekeys),
    ],
)
def test_a_handshake_opens_for_its_card_and_device_alone(local: LocalIdentity, prekeys: object) -> None:
    _, envelope, _ = knock()
    with pytest.raises(NotForThisSession):
        accept(local, prekeys, envelope)  # type: ignore[arg-type]


def test_an_initiator_cannot_pretend_to_be_another_device() -> None:
    """Mallory knows Alice's public keys and Bob's card, and not Alice's secret key: the body does not open."""
    mallory = AgreementSecret.generate(SeededEntropy("mallory"))

    class Pretender(AgreementSecret):
        @property
        def public(self) -> AgreementPublic:
            return ALICE.local.identity.public

    forged = LocalIdentity(ALICE.local.account, Pretender(mallory.to_bytes()))
    entropy = SeededEntropy("forged")
    _, envelope = Session.initiate(forged, BOB.bundle, entropy).seal(body(0), entropy)
    with pytest.raises(CryptoError) as caught:
        accept(BOB.local, BOB.prekeys, envelope)
    assert not isinstance(caught.value, NotForThisSession)


def test_the_transcript_covers_the_account() -> None:
    """The same device keys under another account make another session."""
    entropy = SeededEntropy("transcript")
    other = replace(ALICE.local, account=CAROL.local.account)
    _, envelope = Session.initiate(other, BOB.bundle, entropy).seal(body(0), entropy)
    accepted = accept(BOB.local, BOB.prekeys, envelope)
    assert accepted.account == CAROL.local.account


def test_a_reflected_envelope_is_not_opened_by_its_maker() -> None:
    alice, envelope, _ = knock()
    with pytest.raises(NotForThisSession):
        alice.open(envelope)


def test_a_device_does_not_talk_to_itself() -> None:
    with pytest.raises(CryptoError):
        Session.initiate(BOB.local, BOB.bundle, SeededEntropy("self"))


@pytest.mark.parametrize(
    "change",
    [
        {"identity": AgreementPublic(bytes(32))},
        {"agreement": AgreementPublic(b"\1" + bytes(31))},
        {"kem": KemPublic(b"\xff" * 1_184)},
    ],
)
def test_low_order_points_and_malformed_keys_in_a_card_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(CryptoError):
        Session.initiate(ALICE.local, replace(BOB.bundle, **change), SeededEntropy("bad"))  # type: ignore[arg-type]


def test_a_low_order_identity_of_the_initiator_is_refused() -> None:
    """Without the check, anybody could be "the device with the zero key"."""

    class Zero(AgreementSecret):
        @property
        def public(self) -> AgreementPublic:
            return AgreementPublic(bytes(32))

    local = LocalIdentity(ALICE.local.account, Zero(bytes(32)))
    entropy = SeededEntropy("zero")
    _, envelope = Session.initiate(local, BOB.bundle, entropy).seal(body(0), entropy)
    with pytest.raises(CryptoError, match="low order"):
        accept(BOB.local, BOB.prekeys, envelope)


def test_a_malformed_kem_key_of_the_initiator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted must leave a session that can answer."""
    monkeypatch.setattr("roost.crypto.session.KemSecret", MalformedKem)
    _, envelope, _ = knock()
    with pytest.raises(CryptoError) as caught:
        accept(BOB.local, BOB.prekeys, envelope)
    assert caught.value.code == "malformed"


def test_noise_is_refused_cheaply() -> None:
    entropy = SeededEntropy("noise")
    for _ in range(20):
        with pytest.raises(NotForThisSession):
            accept(BOB.local, BOB.prekeys, entropy.bytes(4_096))


def test_a_handshake_changed_anywhere_is_refused() -> None:
    """Every byte of the envelope, one bit each: the header is another's, or the body does not open."""
    _, envelope, _ = knock()
    for position in range(len(envelope)):
        with pytest.raises(CryptoError) as caught:
            accept(BOB.local, BOB.prekeys, flipped(envelope, 8 * position + position % 8))
        in_header = position < 16 + HEADER_SIZE
        assert isinstance(caught.value, NotForThisSession) is in_header


@pytest.mark.parametrize("size", [0, 1, 16, 2_404, 4_095, 4_097, 8_192])
def test_wrong_sizes_are_refused(size: int) -> None:
    alice, envelope, _ = knock()
    wrong = (envelope + envelope)[:size]
    with pytest.raises(CryptoError):
        accept(BOB.local, BOB.prekeys, wrong)
    with pytest.raises(CryptoError):
        alice.open(wrong)


def test_two_sessions_begun_at_once_are_two_sessions() -> None:
    entropy = SeededEntropy("both")
    from_alice, to_bob = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(1), entropy)
    from_bob, to_alice = Session.initiate(BOB.local, ALICE.bundle, entropy).seal(body(2), entropy)
    with pytest.raises(NotForThisSession):
        from_alice.open(to_alice)
    at_bob, at_alice = accept(BOB.local, BOB.prekeys, to_bob), accept(ALICE.local, ALICE.prekeys, to_alice)
    assert at_bob.session.id == from_alice.id != at_alice.session.id == from_bob.id


def test_two_devices_of_one_account_can_talk() -> None:
    entropy = SeededEntropy("own devices")
    second = replace(BOB.local, identity=AgreementSecret.generate(entropy))
    _, envelope = Session.initiate(second, BOB.bundle, entropy).seal(body(3), entropy)
    assert accept(BOB.local, BOB.prekeys, envelope).account == second.account
