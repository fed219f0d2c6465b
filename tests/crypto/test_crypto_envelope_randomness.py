"""Every byte of an envelope looks random, for both kinds, whatever repeats inside: a sanity check, not a proof.

Each statistic is shown to see what it is for: the same tests fail on raw X25519 and ML-KEM bytes.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from roost.crypto import KemSecret, Session, seal_card
from roost.crypto.keys import AgreementSecret
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy, body, running

COUNT = 400
KEM_MODULUS = 3_329
_ONES = int.from_bytes(b"\1" * COUNT, "big")


@cache
def handshake_envelopes() -> tuple[bytes, ...]:
    """One session's first messages, which all repeat one ephemeral key, one ciphertext and one body."""
    entropy = SeededEntropy("handshakes")
    session, envelopes = Session.initiate(ALICE.local, BOB.bundle, entropy), []
    for _ in range(COUNT):
        session, envelope = session.seal(body(0), entropy)
        envelopes.append(envelope)
    return tuple(envelopes)


@cache
def ratchet_envelopes() -> tuple[bytes, ...]:
    """One chain's messages, which all repeat the same public keys and body."""
    session, _, entropy = running()
    envelopes = []
    for _ in range(COUNT):
        session, envelope = session.seal(body(0), entropy)
        envelopes.append(envelope)
    return tuple(envelopes)


@cache
def raw_keys() -> tuple[bytes, ...]:
    """What an unmasked header would show."""
    entropy, rows = SeededEntropy("raw"), []
    for _ in range(COUNT):
        kem = KemSecret.generate(entropy).public
        rows.append(AgreementSecret.generate(entropy).public.raw + kem.raw + kem.encapsulate()[1])
    return tuple(rows)


def chi_square(rows: tuple[bytes, ...]) -> float:
    """Of the byte values: 255 degrees of freedom, so about 255 ± 23."""
    counts = Counter(b"".join(rows))
    expected = sum(map(len, rows)) / 256
    return sum((counts[value] - expected) ** 2 / expected for value in range(256))


def worst_bit(rows: tuple[bytes, ...]) -> float:
    """The largest deviation, in standard deviations, of any one bit position over all rows."""
    worst = 0.0
    for column in zip(*rows, strict=True):
        bits = int.from_bytes(bytes(column), "big")
        for bit in range(8):
            ones = ((bits >> bit) & _ONES).bit_count()
            worst = max(worst, abs(ones - COUNT / 2) / (COUNT**0.5 / 2))
    return worst


def small_coefficients(rows: tuple[bytes, ...]) -> float:
    """At the 1,184-byte window that is most like an ML-KEM key: the share of 12-bit numbers below the modulus."""
    shares = []
    for start in range(0, len(rows[0]) - 1_152, 8):
        window = b"".join(row[start : start + 1_152] for row in rows[:20])
        values = [int.from_bytes(window[i : i + 3], "little") for i in range(0, len(window), 3)]
        small = sum((value & 0xFFF < KEM_MODULUS) + (value >> 12 < KEM_MODULUS) for value in values)
        shares.append(small / (2 * len(values)))
    return max(shares)


KINDS: dict[str, Callable[[], tuple[bytes, ...]]] = {"handshake": handshake_envelopes, "ratchet": ratchet_envelopes}


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_bits_and_coefficients_are_even(kind: str) -> None:
    rows = KINDS[kind]()
    assert 120 < chi_square(rows) < 400
    assert worst_bit(rows) < 6.5  # the largest of 32,768: about 4.2
    assert small_coefficients(rows) < 0.85  # 3,329 / 4,096 = 0.813


def test_the_statistics_see_raw_keys() -> None:
    rows = raw_keys()
    assert worst_bit(rows) > 15  # X25519's highest bit is never set
    assert small_coefficients(rows) == 1.0
    assert chi_square(rows) > 400


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_envelopes_share_a_run_of_bytes(kind: str) -> None:
    seen: set[bytes] = set()
    for row in KINDS[kind]()[:100]:
        runs = {row[start : start + 8] for start in range(len(row) - 7)}
        assert not seen & runs
        seen |= runs


@pytest.mark.parametrize("kind", KINDS)
def test_envelopes_do_not_compress(kind: str) -> None:
    data = b"".join(KINDS[kind]())
    assert len(zlib.compress(data, 9)) >= len(data)


def test_both_kinds_have_one_size_and_no_byte_in_common_place() -> None:
    rows = (*handshake_envelopes(), *ratchet_envelopes())
    assert {len(row) for row in rows} == {4_096}
    assert all(len(set(column)) > 150 for column in zip(*rows, strict=True))


def test_stored_cards_are_as_even() -> None:
    entropy = SeededEntropy("cards")
    rows = tuple(seal_card(bytes(32), b"one card", entropy)[:4_096] for _ in range(COUNT))
    assert 120 < chi_square(rows) < 400
    assert worst_bit(rows) < 6.5
