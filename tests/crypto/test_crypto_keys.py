"""Keys: labelled signatures, typed and sized bytes, and secrets that do not leak by accident."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import (
    AgreementPublic,
    AgreementSecret,
    AnswerKey,
    AttachmentKey,
    KemPublic,
    KemSecret,
    Label,
    PacketPublic,
    PacketSecret,
    PrekeySecrets,
    SigningKey,
    VerifyKey,
    accept,
    card_keys,
)
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy, begun, body, flipped, running

ENTROPY = SeededEntropy("keys")
SIGNING = SigningKey.generate(ENTROPY)


def secrets() -> dict[str, Any]:
    """One of every kind of object that holds a secret."""
    alice, bob, entropy = running("secrets")
    fresh, _, _ = begun("secrets")
    _, envelope = fresh.seal(body(1), entropy)
    return {
        "signing key": SIGNING,
        "agreement secret": ALICE.prekeys.agreement,
        "kem secret": ALICE.prekeys.kem,
        "local identity": ALICE.local,
        "prekeys": ALICE.prekeys,
        "packet secret": PacketSecret.generate(ENTROPY),
        "answer key": AnswerKey(bytes(32)),
        "attachment key": AttachmentKey(bytes(32)),
        "card keys": card_keys(bytes(16)),
        "session": alice,
        "answered session": bob,
        "accepted": accept(BOB.local, BOB.prekeys, envelope),
        "sending chain": alice.sending,
        "receiving chain": alice.receiving[-1],
        "header keys": alice.receiving[-1].header,
    }


@pytest.mark.parametrize(("name", "secret"), secrets().items(), ids=list(secrets()))
def test_secrets_print_nothing_and_refuse_pickling(name: str, secret: Any) -> None:
    assert repr(secret) == str(secret) == f"<{type(secret).__name__}: redacted>"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="refuses pickling"):
            attempt(secret)


def test_public_keys_print_nothing_either() -> None:
    assert repr(SIGNING.public) == "<VerifyKey>"
    assert repr(ALICE.local.identity.public) == "<AgreementPublic>"
    assert repr(ALICE.bundle) == "<PrekeyBundle>"


def test_errors_hold_no_bytes() -> None:
    alice, bob, entropy = running("errors")
    alice, envelope = alice.seal(body(7), entropy)
    for attempt in (flipped(envelope, 5), flipped(envelope, 8 * 3_000), envelope[:-1]):
        with pytest.raises(CryptoError) as caught:
            bob.open(attempt)
        assert not any(character.isdigit() for character in caught.value.message)


@given(st.sampled_from(Label), st.binary(max_size=80))
def test_a_signature_holds_for_its_label_message_and_key_alone(label: Label, message: bytes) -> None:
    signature = SIGNING.sign(label, message)
    SIGNING.public.verify(label, message, signature)
    others = (other for other in Label if other is not label)
    attempts: list[Any] = [(SIGNING.public, other, message, signature) for other in others]
    attempts += [
        (SIGNING.public, label, message + b"\0", signature),
        (SIGNING.public, label, message, flipped(signature, 0)),
        (SIGNING.public, label, message, flipped(signature, 300)),
        (SIGNING.public, label, message, signature[:-1]),
        (SigningKey.from_seed(bytes(32)).public, label, message, signature),
    ]
    for key, *what in attempts:
        with pytest.raises(CryptoError):
            key.verify(*what)


def test_labels_are_sixteen_bytes_and_distinct() -> None:
    values = [label.value for label in Label]
    assert all(len(value) == 16 and value.isascii() for value in values)
    assert len(set(values)) == len(Label.__members__) == len(values)


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (SigningKey.from_seed, 32),
        (VerifyKey, 32),
        (AgreementSecret.from_bytes, 32),
        (AgreementPublic, 32),
        (KemSecret.from_bytes, 64),
        (KemPublic, 1_184),
        (PacketSecret.from_bytes, 96),
        (PacketPublic, 1_216),
        (PrekeySecrets.from_bytes, 160),
        (AttachmentKey, 32),
        (AnswerKey, 32),
        (card_keys, 16),
    ],
)
def test_keys_of_the_wrong_length_are_refused(kind: Any, size: int) -> None:
    for length in (0, size - 1, size + 1):
        with pytest.raises(CryptoError):
            kind(bytes(length))


def test_secrets_survive_their_bytes_and_compare_by_value() -> None:
    for key, again in (
        (SIGNING, SigningKey.from_seed(SIGNING.to_bytes())),
        (ALICE.prekeys.agreement, AgreementSecret.from_bytes(ALICE.prekeys.agreement.to_bytes())),
        (ALICE.prekeys.kem, KemSecret.from_bytes(ALICE.prekeys.kem.to_bytes())),
    ):
        assert key == again
        assert key.public == again.public
        assert key != BOB.prekeys.kem
        with pytest.raises(TypeError):
            hash(key)
    assert PrekeySecrets.from_bytes(ALICE.prekeys.to_bytes()).to_bytes() == ALICE.prekeys.to_bytes()
    assert len(ALICE.prekeys.to_bytes()) == 160


def test_keys_of_different_kinds_are_never_equal() -> None:
    raw = bytes(range(32))
    assert VerifyKey(raw) != AgreementPublic(raw)
    assert hash(VerifyKey(raw)) == hash(VerifyKey(raw))


def test_generated_keys_come_from_the_entropy_given() -> None:
    for make in (SigningKey.generate, AgreementSecret.generate, KemSecret.generate, PacketSecret.generate):
        assert make(SeededEntropy("a")).to_bytes() == make(SeededEntropy("a")).to_bytes()
        assert make(SeededEntropy("a")).to_bytes() != make(SeededEntropy("b")).to_bytes()


def test_prekeys_take_their_context_later() -> None:
    prekeys = PrekeySecrets.generate(SeededEntropy("prekeys"))
    assert prekeys.context == bytes(32)
    assert replace(prekeys, context=b"\1" * 32).context == b"\1" * 32
    with pytest.raises(CryptoError):
        replace(prekeys, context=b"short")


def test_both_sides_of_an_agreement_and_an_encapsulation_agree() -> None:
    alice, bob = ALICE.prekeys, BOB.prekeys
    assert alice.agreement.exchange(bob.agreement.public) == bob.agreement.exchange(alice.agreement.public)
    secret, ciphertext = alice.kem.public.encapsulate()
    assert alice.kem.decapsulate(ciphertext) == secret
    assert bob.kem.decapsulate(ciphertext) != secret
    with pytest.raises(CryptoError):
        alice.kem.decapsulate(ciphertext[:-1])
