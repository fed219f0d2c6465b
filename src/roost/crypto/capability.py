"""Hashes that relays keep in place of what they must not hold: of capabilities and of envelopes."""

from __future__ import annotations

from roost.crypto.kdf import hash32
from roost.crypto.labels import Label


def capability_hash(capability: bytes) -> bytes:
    """32 bytes by which a relay knows a capability. It is random, so its plain hash grants nobody anything."""
    return hash32(Label.CAPABILITY, capability)


def envelope_hash(envelope: bytes) -> bytes:
    """32 bytes by which a put is idempotent and to which a proof of work is bound."""
    return hash32(Label.ENVELOPE, envelope)
