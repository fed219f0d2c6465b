"""Stored cards: how an invitation's card lies at a relay that cannot read it nor tell what it is (DESIGN section 4).

The invitation link's 16-byte secret gives the place where the card is stored and the key that opens it. The right to
replace it is a separate random capability that no reader of the link learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.aead import SALT_SIZE, TAG_SIZE, open_salted, seal_salted
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.keys import sized
from roost.crypto.labels import Label
from roost.crypto.padding import PADDING_OVERHEAD, pad, unpad
from roost.crypto.secret import Secret
from roost.errors import CryptoError

CARD_SIZE: Final = 6_144
MAX_CARD: Final = CARD_SIZE - SALT_SIZE - TAG_SIZE - PADDING_OVERHEAD
LINK_SECRET_SIZE: Final = 16


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CardKeys(Secret):
    """Where a card is stored (`locator`, 32 bytes, shown to its host) and what opens it (`key`, 32 bytes)."""

    locator: bytes
    key: bytes


def card_keys(link_secret: bytes) -> CardKeys:
    """Both keys of an invitation's 16-byte secret. Raises CryptoError for another length."""
    secret = sized(link_secret, LINK_SECRET_SIZE)
    return CardKeys(derive32(Label.CARD_LOCATOR, secret, b""), derive32(Label.CARD_KEY, secret, b""))


def seal_card(key: bytes, card: bytes, entropy: Entropy) -> bytes:
    """CARD_SIZE bytes. Raises ValueError for a card over MAX_CARD bytes."""
    return seal_salted(Label.CARD_SEAL, key, pad(card, CARD_SIZE - SALT_SIZE - TAG_SIZE), entropy)


def open_card(key: bytes, data: bytes) -> bytes:
    """The card. Raises CryptoError: not CARD_SIZE bytes, or not what was sealed under this key."""
    if len(data) != CARD_SIZE:
        raise CryptoError("a stored card has the wrong size", code="malformed")
    return unpad(open_salted(Label.CARD_SEAL, key, data))
