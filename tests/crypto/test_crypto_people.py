"""What people meet: account ids, safety numbers, passphrases; and the hashes and proofs that relays check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import (
    MalformedAccountId,
    StretchParams,
    account_id,
    capability_hash,
    check_work,
    envelope_hash,
    parse_account_id,
    safety_number,
    solve_work,
    stretch,
    unwrap_secret,
    work_strength,
    wrap_secret,
)
from roost.errors import CallerError, CryptoError
from tests.crypto.crypto_helpers import SeededEntropy, flipped

FAST = StretchParams(memory_kib=8, passes=1)
ENTROPY = SeededEntropy("people")
ACCOUNT = st.binary(min_size=32, max_size=32)


@given(ACCOUNT)
def test_an_account_id_is_52_characters_and_comes_back(account: bytes) -> None:
    text = account_id(account)
    assert len(text) == 52
    assert text == text.lower()
    assert parse_account_id(text) == account


@given(st.text(max_size=60) | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=50, max_size=54))
def test_only_canonical_account_ids_are_accepted(text: str) -> None:
    try:
        account = parse_account_id(text)
    except MalformedAccountId:
        return
    assert account_id(account) == text


def test_other_spellings_of_an_account_id_are_refused() -> None:
    text = account_id(bytes(32))
    for wrong in (text.upper(), text + "=", text[:-1], text[:-1] + "b", " " + text, text + "a", "é" * 52, "1" * 52):
        with pytest.raises(MalformedAccountId) as caught:
            parse_account_id(wrong)
        assert isinstance(caught.value, CallerError)
        assert wrong not in caught.value.message
    with pytest.raises(MalformedAccountId):
        account_id(bytes(31))


def test_a_safety_number_is_60_digits_the_same_for_both() -> None:
    a, b, c = (bytes([fill]) * 32 for fill in (1, 2, 3))
    number = safety_number(a, b)
    assert len(number) == 60
    assert number.isdecimal()
    assert number == safety_number(b, a)
    assert len({safety_number(x, y) for x in (a, b, c) for y in (a, b, c)}) == 6
    assert safety_number(a, b)[:30] in (safety_number(a, a)[:30], safety_number(b, b)[:30])
    with pytest.raises(CryptoError):
        safety_number(a, b"short")


def test_passphrases_are_prepared_as_rfc_8265_says() -> None:
    salt = bytes(16)

    def key(passphrase: str) -> bytes:
        return stretch(passphrase, salt, FAST)

    assert key("caf\u00e9") == key("cafe\u0301")  # composed and decomposed
    assert key("a b") == key("a\u00a0b") == key("a\u3000b")  # kinds of space
    assert len({key("a b"), key("A b"), key("a  b"), key("ab"), key("")}) == 5
    assert len(key("\ud800")) == 32  # a lone surrogate, as file names can hold
    assert stretch("a", bytes(15) + b"\1", FAST) != key("a")
    assert stretch("a", salt, StretchParams(16, 1)) != stretch("a", salt, StretchParams(8, 2))
    with pytest.raises(CryptoError):
        stretch("a", bytes(8), FAST)


@pytest.mark.parametrize(("memory", "passes"), [(7, 1), (2**33, 3), (8, 0), (64, 101), (-1, 1)])
def test_forged_stretch_parameters_are_refused(memory: int, passes: int) -> None:
    with pytest.raises(ValueError, match="bounds"):
        StretchParams(memory, passes)


def test_a_wrapped_secret_opens_with_its_key_alone() -> None:
    key, secret = bytes(32), b"database key" * 3
    wrapped = wrap_secret(key, secret, ENTROPY)
    assert len(wrapped) == len(secret) + 32
    assert unwrap_secret(key, wrapped) == secret
    assert wrap_secret(key, secret, ENTROPY) != wrapped
    attempts = [(b"\1" * 32, wrapped), (key, wrapped[:-1]), (key, b""), (key, bytes(31))]
    attempts += [(key, flipped(wrapped, bit)) for bit in range(0, 8 * len(wrapped), 13)]
    for other, data in attempts:
        with pytest.raises(CryptoError):
            unwrap_secret(other, data)


@given(ACCOUNT, ACCOUNT)
def test_relays_hashes_are_labelled(one: bytes, other: bytes) -> None:
    assert capability_hash(one) != envelope_hash(one)
    assert (capability_hash(one) == capability_hash(other)) is (one == other)
    assert len(capability_hash(one)) == len(envelope_hash(bytes(4_096))) == 32


@given(st.integers(0, 9), ACCOUNT, st.integers(0, 2**40))
def test_a_proof_of_work_is_found_and_checked(bits: int, mailbox: bytes, start: int) -> None:
    nonce, envelope = bytes(16), bytes(32)
    proof = solve_work(nonce, mailbox, envelope, bits, start)
    assert len(proof) == 8
    assert int.from_bytes(proof, "big") >= start
    assert work_strength(nonce, mailbox, envelope, proof) >= bits
    check_work(nonce, mailbox, envelope, bits, proof)


def test_a_proof_is_bound_to_nonce_mailbox_and_envelope() -> None:
    nonce, mailbox, envelope, bits = bytes(16), bytes(32), bytes(32), 12
    proof = solve_work(nonce, mailbox, envelope, bits)
    for changed in (
        (b"\1" * 16, mailbox, envelope, bits, proof),
        (nonce, b"\1" * 32, envelope, bits, proof),
        (nonce, mailbox, b"\1" * 32, bits, proof),
        (nonce, mailbox, envelope, 40, proof),
        (nonce, mailbox, envelope, bits, flipped(proof, 3)),
        (nonce, mailbox, envelope, bits, proof[:-1]),
        (nonce, mailbox, envelope, bits, b""),
        (nonce, mailbox, envelope, bits, proof + b"\0"),
    ):
        with pytest.raises(CryptoError):
            check_work(*changed)
