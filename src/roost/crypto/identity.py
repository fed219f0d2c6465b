"""Whose keys take part in a handshake: this device, its prekeys, and the other side's prekey bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.entropy import Entropy
from roost.crypto.kem import KEM_SEED_SIZE, KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret, sized
from roost.crypto.secret import Secret

_PREKEYS_SIZE: Final = 32 + KEM_SEED_SIZE + 32 + 32


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LocalIdentity(Secret):
    """This device: its account's key (32 bytes) and its own X25519 identity key."""

    account: bytes
    identity: AgreementSecret

    def __post_init__(self) -> None:
        sized(self.account, 32)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PrekeySecrets(Secret):
    """The secret side of one card: prekeys, mask (32 bytes) and context.

    `context` is the SHA-256 of the encoded signed card, known once the card is: `dataclasses.replace` sets it.
    """

    agreement: AgreementSecret
    kem: KemSecret
    mask: bytes
    context: bytes = bytes(32)

    def __post_init__(self) -> None:
        sized(self.mask, 32)
        sized(self.context, 32)

    @classmethod
    def generate(cls, entropy: Entropy) -> PrekeySecrets:
        """Fresh prekeys; `context` is zeros until the card exists."""
        return cls(AgreementSecret.generate(entropy), KemSecret.generate(entropy), entropy.bytes(32))

    def to_bytes(self) -> bytes:
        """160 bytes: X25519 secret, ML-KEM seed, mask, context. For the encrypted store alone."""
        return self.agreement.to_bytes() + self.kem.to_bytes() + self.mask + self.context

    @classmethod
    def from_bytes(cls, data: bytes) -> PrekeySecrets:
        """The inverse of `to_bytes`. Raises CryptoError for another length."""
        data, kem_end = sized(data, _PREKEYS_SIZE), 32 + KEM_SEED_SIZE
        agreement, kem = AgreementSecret(data[:32]), KemSecret(data[32:kem_end])
        return cls(agreement, kem, data[kem_end : kem_end + 32], data[kem_end + 32 :])


@dataclass(frozen=True, slots=True, repr=False)
class PrekeyBundle:
    """What a card says of the device that it belongs to; the caller has verified its signatures."""

    account: bytes
    identity: AgreementPublic
    agreement: AgreementPublic
    kem: KemPublic
    mask: bytes
    context: bytes

    def __post_init__(self) -> None:
        for part in (self.account, self.mask, self.context):
            sized(part, 32)

    def __repr__(self) -> str:
        return "<PrekeyBundle>"
