"""Capabilities: the place that those of one mailbox share, and the hashes that relays keep in place of what they must
not hold: of capabilities and of envelopes.
"""

from __future__ import annotations

from typing import Final

from roost.crypto.kdf import hash32
from roost.crypto.keys import sized
from roost.crypto.labels import Label

PLACE_SIZE: Final = 16


def capability_place(capability: bytes) -> bytes:
    """The 16 bytes with which every capability of one mailbox begins. By them the hosts are found where several keep a
    mailbox."""
    return sized(capability, 32)[:PLACE_SIZE]


def at_place(place: bytes, secret: bytes) -> bytes:
    """A capability (32 bytes) of the mailbox at this place (16), made of a 32-byte secret. Of that the second half
    remains: 128 bits that only holders of this very right know. Raises CryptoError for other lengths."""
    return sized(place, PLACE_SIZE) + sized(secret, 32)[PLACE_SIZE:]


def capability_hash(capability: bytes) -> bytes:
    """32 bytes by which a relay knows a capability. It is random, so its plain hash grants nobody anything."""
    return hash32(Label.CAPABILITY, capability)


def envelope_hash(envelope: bytes) -> bytes:
    """32 bytes by which a put is idempotent and to which a proof of work is bound."""
    return hash32(Label.ENVELOPE, envelope)
