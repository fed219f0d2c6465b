"""Parcels: one sealed request each, for a mailbox at somebody's device, carried by other people's devices or in a file.

Layout (docs/protocol/parcels.md), of two fixed sizes, which nobody without the meeting can tell from random bytes:
nonce (16) || tag (16) || AES-256-GCM-SIV of the padded body. All three come from the *meeting*, the 16-byte secret that
the recipient's device shares with one circle. The tag is how its holders recognise a parcel, thousands at once.

This module does not know what a body says, nor for how long a parcel is carried (roost.wire.parcels).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from roost.crypto.aead import TAG_SIZE
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.keys import sized
from roost.crypto.labels import Label
from roost.crypto.padding import pad, unpad
from roost.errors import CryptoError

MEETING_SIZE: Final = 16
PARCEL_ID_SIZE: Final = 16  # the nonce: it names the parcel
PARCEL_HEAD_SIZE: Final = 32  # nonce and tag
SMALL_PARCEL: Final = 5_120  # an envelope's put fits, with all the attachments it may need
LARGE_PARCEL: Final = 66_560  # a blob's put fits
PARCEL_SIZES: Final = (SMALL_PARCEL, LARGE_PARCEL)
_BODY_NONCE: Final = bytes(12)  # every parcel has a key of its own
_NOTHING: Final = bytes(PARCEL_ID_SIZE)


def parcel_head(meeting: bytes, entropy: Entropy) -> bytes:
    """The first 32 bytes of a new parcel for the holder of `meeting`: enough to offer it before it is sealed."""
    nonce = entropy.bytes(PARCEL_ID_SIZE)
    return nonce + _tags(meeting, nonce)


def seal_parcel(meeting: bytes, head: bytes, body: bytes) -> bytes:
    """The parcel that begins with `head` (from `parcel_head`): SMALL_PARCEL bytes where `body` fits, else LARGE_PARCEL.

    Sealing one head twice shows at most whether the bodies were equal. Raises ValueError when `body` is too long.
    """
    head = sized(head, PARCEL_HEAD_SIZE)
    overhead = PARCEL_HEAD_SIZE + TAG_SIZE
    size = SMALL_PARCEL if len(body) <= SMALL_PARCEL - overhead - 4 else LARGE_PARCEL
    return head + _cipher(meeting, head).encrypt(_BODY_NONCE, pad(body, size - overhead), None)


def open_parcel(meeting: bytes, parcel: bytes) -> bytes:
    """The body. Raises CryptoError when it is damaged, forged, not for this meeting, or of another size."""
    if len(parcel) not in PARCEL_SIZES:
        raise CryptoError("a parcel has another size", code="malformed")
    head = parcel[:PARCEL_HEAD_SIZE]
    try:
        return unpad(_cipher(meeting, head).decrypt(_BODY_NONCE, parcel[PARCEL_HEAD_SIZE:], None))
    except InvalidTag as error:
        raise CryptoError("authentication failed") from error


def recognised(heads: Sequence[bytes], meetings: Sequence[bytes]) -> dict[int, bytes]:
    """Which of the heads (32 bytes each) are for which of these meetings, by their place in `heads`.

    One pass of AES over all nonces for each meeting: 500 parcels against 1,000 meetings take some hundredths of a
    second. Comparing needs no constant time: whoever offers a head learns from the answer whether it is wanted anyway.
    """
    if any(len(head) != PARCEL_HEAD_SIZE for head in heads):
        raise CryptoError("a parcel's head has another size", code="malformed")
    nonces = b"".join(head[:PARCEL_ID_SIZE] for head in heads)
    tags = b"".join(head[PARCEL_ID_SIZE:] for head in heads)
    wanted = int.from_bytes(tags, "big")
    found: dict[int, bytes] = {}
    for meeting in meetings if heads else ():
        difference = (int.from_bytes(_tags(meeting, nonces), "big") ^ wanted).to_bytes(len(tags), "big")
        at = difference.find(_NOTHING)
        while at >= 0:  # sixteen zero bytes across two tags are none
            if at % PARCEL_ID_SIZE == 0:
                found.setdefault(at // PARCEL_ID_SIZE, meeting)
            at = difference.find(_NOTHING, at + 1)
    return found


def _tags(meeting: bytes, nonces: bytes) -> bytes:
    """A tag of 16 bytes for each nonce: one block of AES-256, a pseudo-random permutation, under the meeting's key."""
    key = derive32(Label.PARCEL_TAG, sized(meeting, MEETING_SIZE), b"")
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(nonces)  # noqa: S305  (single blocks, no message)


def _cipher(meeting: bytes, head: bytes) -> AESGCMSIV:
    return AESGCMSIV(derive32(Label.PARCEL_KEY, sized(meeting, MEETING_SIZE), head))
