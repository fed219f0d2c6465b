"""A device's Tor onion service: its keys and its address (Tor's rend-spec-v3), and who is let in.

The service has an Ed25519 key that is made from a 32-byte seed. Its descriptor can be read only by who holds one of the
X25519 keys that it lists (rend-spec-v3, "restricted discovery"). Roost derives one of these from every meeting, so that
both ends have it without a word: who knows a meeting finds the service, and who knows only its address does not even
learn whether it is there.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha3_256, sha512
from typing import Final

import nacl.bindings

from roost.crypto.kdf import derive32
from roost.crypto.keys import AgreementSecret, sized
from roost.crypto.labels import Label

ONION_SEED_SIZE: Final = 32
_VERSION: Final = b"\x03"


def onion_public(seed: bytes) -> bytes:
    """The 32-byte Ed25519 key of the service that `seed` makes. Raises CryptoError unless `seed` has 32 bytes."""
    public, _ = nacl.bindings.crypto_sign_seed_keypair(sized(seed, ONION_SEED_SIZE))
    return public


def onion_secret(seed: bytes) -> bytes:
    """The 64 bytes that tor takes as the service's secret key: the hash of `seed`, its first half clamped (RFC 8032
    section 5.1.5, steps 1 and 2)."""
    expanded = bytearray(sha512(sized(seed, ONION_SEED_SIZE)).digest())
    expanded[0] &= 248
    expanded[31] &= 63
    expanded[31] |= 64
    return bytes(expanded)


def onion_address(public: bytes) -> str:
    """The service's name, 56 characters, without `.onion` (rend-spec-v3, "Encoding onion addresses")."""
    checksum = sha3_256(b".onion checksum" + sized(public, 32) + _VERSION).digest()[:2]
    return b32encode(public + checksum + _VERSION).decode().lower()


def onion_client(meeting: bytes, onion: bytes) -> AgreementSecret:
    """The key with which a holder of `meeting` finds the service whose key is `onion` (32 bytes); the host lists its
    public half."""
    return AgreementSecret(derive32(Label.ONION_CLIENT, meeting, sized(onion, 32)))
