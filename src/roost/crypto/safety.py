"""Safety numbers: 60 digits that two people compare to know that nobody stands between them.

After Signal's numeric fingerprint: 30 digits for each account from a hash iterated 5,200 times (which makes searching
for a look-alike key that much dearer), the smaller half first, so that both people see the same number.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

from roost.crypto.keys import sized
from roost.crypto.labels import Label

SAFETY_ITERATIONS: Final = 5_200
_CHUNKS: Final = 6  # of 5 bytes, each giving 5 digits


def safety_number(account_a: bytes, account_b: bytes) -> str:
    """60 decimal digits for two 32-byte account keys; the same whichever comes first. Raises CryptoError."""
    return "".join(sorted((_half(sized(account_a, 32)), _half(sized(account_b, 32)))))


def _half(account: bytes) -> str:
    digest = sha512(Label.SAFETY_NUMBER.value + account).digest()
    for _ in range(SAFETY_ITERATIONS - 1):
        digest = sha512(digest + account).digest()
    chunks = (int.from_bytes(digest[5 * i : 5 * i + 5], "big") % 100_000 for i in range(_CHUNKS))
    return "".join(f"{chunk:05}" for chunk in chunks)
