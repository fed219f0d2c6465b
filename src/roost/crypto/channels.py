"""Open channels: what their link's secret opens, how a channel is named by its owner's key, and what is sealed to one
pseudonym (docs/protocol/channels.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import nacl.bindings
import nacl.exceptions

from roost.crypto.aead import KEY_SIZE, TAG_SIZE, open_once, seal_once
from roost.crypto.capability import at_place, capability_place
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32, hash32
from roost.crypto.keys import AgreementPublic, AgreementSecret, SigningKey, VerifyKey, sized
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError

CHANNEL_SECRET_SIZE: Final = 16
SEALED_CAPABILITY_SIZE: Final = 32 + 32 + TAG_SIZE


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ChannelKeys(Secret):
    """The capability to read a channel's mailbox, the one to write where all may, and its log key; 32 bytes each."""

    get: bytes
    put: bytes
    log: bytes


def channel_keys(secret: bytes) -> ChannelKeys:
    """What a link's 16-byte secret opens. Raises CryptoError for another length."""
    secret = sized(secret, CHANNEL_SECRET_SIZE)
    get = derive32(Label.CHANNEL_GET, secret, b"")
    put = at_place(capability_place(get), derive32(Label.CHANNEL_PUT, secret, b""))
    return ChannelKeys(get, put, derive32(Label.CHANNEL_LOG, secret, b""))


def channel_id(owner: VerifyKey) -> bytes:
    """A channel's id, 32 bytes: a hash of the key that its owner made for it."""
    return hash32(Label.CHANNEL_ID, owner.raw)


def post_id(channel: bytes, author: VerifyKey, nonce: bytes) -> bytes:
    """The 16-byte id of a post: nobody else, and no other channel, can have one with the same id."""
    return hash32(Label.CHANNEL_POST, sized(channel, 32), author.raw, sized(nonce, 16))[:16]


def seal_capability(to: VerifyKey, channel: bytes, capability: bytes, entropy: Entropy) -> bytes:
    """A 32-byte capability for one pseudonym's eyes, SEALED_CAPABILITY_SIZE bytes.

    Ephemeral X25519 with the pseudonym's Ed25519 key in Montgomery form, so that a pseudonym is named by one key.
    Raises CryptoError for a key that is no point of the right order.
    """
    ephemeral = AgreementSecret.generate(entropy)
    key = _key(ephemeral.exchange(_agreement(to)), ephemeral.public, to, channel)
    return ephemeral.public.raw + seal_once(key, sized(capability, KEY_SIZE))


def open_capability(mine: SigningKey, channel: bytes, sealed: bytes) -> bytes:
    """The inverse of `seal_capability`. Raises CryptoError."""
    sealed = sized(sealed, SEALED_CAPABILITY_SIZE)
    ephemeral = AgreementPublic(sealed[:32])
    expanded = mine.to_bytes() + mine.public.raw
    secret = AgreementSecret(nacl.bindings.crypto_sign_ed25519_sk_to_curve25519(expanded))
    return open_once(_key(secret.exchange(ephemeral), ephemeral, mine.public, channel), sealed[32:])


def _agreement(key: VerifyKey) -> AgreementPublic:
    try:
        return AgreementPublic(nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(key.raw))
    except (nacl.exceptions.RuntimeError, nacl.exceptions.CryptoError) as error:
        raise CryptoError("a pseudonym is no valid key", code="malformed") from error


def _key(shared: bytes, ephemeral: AgreementPublic, to: VerifyKey, channel: bytes) -> bytes:
    return derive32(Label.CHANNEL_SEAL, shared, ephemeral.raw + to.raw + sized(channel, 32))
