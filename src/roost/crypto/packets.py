"""Packets: one request sealed to a relay's packet key, and one answer sealed back (DESIGN section 6, federated route).

HPKE (RFC 9180) with the MLKEM768-X25519 KEM (X-Wing, draft-connolly-cfrg-xwing-kem; id 0x647a), HKDF-SHA-512 and
AES-256-GCM. The forwarder sees fixed sizes and random bytes. A packet carries a fresh 32-byte key for its answer; the
answer is sealed with AES-256-GCM-SIV, so a host that answers a replay after losing its memory reveals nothing.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from roost.crypto.aead import KEY_SIZE, TAG_SIZE
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32, hash32
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE, KEM_SEED_SIZE, KemPublic, KemSecret, xwing_secret
from roost.crypto.keys import AgreementPublic, AgreementSecret, PublicKeyBytes, sized
from roost.crypto.labels import Label
from roost.crypto.padding import PADDING_OVERHEAD, pad, unpad
from roost.crypto.secret import Secret
from roost.errors import CryptoError

PACKET_PUBLIC_SIZE: Final = KEM_PUBLIC_SIZE + 32
PACKET_SECRET_SIZE: Final = KEM_SEED_SIZE + 32
PACKET_CIPHERTEXT_SIZE: Final = KEM_CIPHERTEXT_SIZE + 32
PACKET_OVERHEAD: Final = PACKET_CIPHERTEXT_SIZE + TAG_SIZE
ANSWER_OVERHEAD: Final = TAG_SIZE
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA512, AEAD.AES_256_GCM)
_NONCE: Final = bytes(12)


class PacketPublic(PublicKeyBytes):
    """A relay's packet key: ML-KEM-768 (1,184 bytes) then X25519 (32). Raises CryptoError if malformed."""

    __slots__ = ("_agreement", "_kem", "_parsed")
    size = PACKET_PUBLIC_SIZE

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._kem = KemPublic(self.raw[:KEM_PUBLIC_SIZE])
        self._agreement = AgreementPublic(self.raw[KEM_PUBLIC_SIZE:])
        agreement = X25519PublicKey.from_public_bytes(self._agreement.raw)
        self._parsed = MLKEM768X25519PublicKey(self._kem.parsed(), agreement)

    def seal(self, plaintext: bytes) -> bytes:
        """HPKE single-shot: encapsulated key (1,120 bytes), ciphertext, tag. Raises CryptoError."""
        try:
            return _SUITE.encrypt(plaintext, self._parsed, Label.PACKET.value)
        except ValueError as error:  # a low-order X25519 half
            raise CryptoError("a packet key is malformed", code="malformed") from error

    def encapsulate(self, entropy: Entropy) -> tuple[bytes, bytes]:
        """X-Wing by itself: (32-byte shared secret, 1,120-byte ciphertext). Raises CryptoError for a low-order key."""
        secret = AgreementSecret.generate(entropy)
        kem_secret, ciphertext = self._kem.encapsulate()
        sent = secret.public.raw
        exchanged = secret.exchange(self._agreement)
        return xwing_secret(kem_secret, exchanged, sent, self._agreement.raw), ciphertext + sent


class PacketSecret(Secret):
    """A relay's packet key pair: ML-KEM-768 seed (64 bytes) then X25519 (32); erased when its week is over."""

    __slots__ = ("_agreement", "_kem", "_parsed", "_raw", "public")

    def __init__(self, raw: bytes) -> None:
        self._raw = sized(raw, PACKET_SECRET_SIZE)
        self._kem = KemSecret(self._raw[:KEM_SEED_SIZE])
        self._agreement = AgreementSecret(self._raw[KEM_SEED_SIZE:])
        agreement = X25519PrivateKey.from_private_bytes(self._agreement.to_bytes())
        self._parsed = MLKEM768X25519PrivateKey(self._kem.parsed(), agreement)
        self.public = PacketPublic(self._kem.public.raw + self._agreement.public.raw)

    @classmethod
    def generate(cls, entropy: Entropy) -> PacketSecret:
        return cls(entropy.bytes(PACKET_SECRET_SIZE))

    @classmethod
    def from_bytes(cls, raw: bytes) -> PacketSecret:
        """Raises CryptoError unless `raw` is 96 bytes."""
        return cls(raw)

    def to_bytes(self) -> bytes:
        """The 96 secret bytes. For the relay's own storage alone."""
        return self._raw

    def open(self, sealed: bytes) -> bytes:
        """The inverse of `PacketPublic.seal`. Raises CryptoError."""
        try:
            return _SUITE.decrypt(sealed, self._parsed, Label.PACKET.value)
        except (InvalidTag, ValueError) as error:
            raise CryptoError("the packet does not open") from error

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret of `PacketPublic.encapsulate`; an unrelated one for a ciphertext made for another key.

        Raises:
            CryptoError: `ciphertext` is not 1,120 bytes, or holds a low-order point.
        """
        kem_secret = self._kem.decapsulate(ciphertext[:KEM_CIPHERTEXT_SIZE])
        sent = AgreementPublic(ciphertext[KEM_CIPHERTEXT_SIZE:])
        return xwing_secret(kem_secret, self._agreement.exchange(sent), sent.raw, self._agreement.public.raw)


class AnswerKey(Secret):
    """Seals the one answer to a packet (32 bytes, chosen by the packet's maker)."""

    __slots__ = ("_cipher",)

    def __init__(self, raw: bytes) -> None:
        self._cipher = AESGCMSIV(derive32(Label.ANSWER, sized(raw, KEY_SIZE), b""))

    def seal(self, answer: bytes, size_class: int) -> bytes:
        """`size_class` + 16 bytes. Raises ValueError when the answer and its 4-byte length do not fit."""
        return self._cipher.encrypt(_NONCE, pad(answer, size_class), None)

    def open(self, sealed: bytes) -> bytes:
        """The answer. Raises CryptoError."""
        try:
            return unpad(self._cipher.decrypt(_NONCE, sealed, None))
        except (InvalidTag, ValueError) as error:
            raise CryptoError("the answer does not open") from error


def max_request(size_class: int) -> int:
    """The longest request that a packet of this size class carries."""
    return size_class - KEY_SIZE - PADDING_OVERHEAD


def max_answer(size_class: int) -> int:
    """The longest answer that a sealed answer of this size class carries."""
    return size_class - PADDING_OVERHEAD


def seal_packet(public: PacketPublic, request: bytes, size_class: int, entropy: Entropy) -> tuple[bytes, AnswerKey]:
    """A packet of `size_class` + PACKET_OVERHEAD bytes that only `public`'s owner opens, and the key of its answer.

    Raises ValueError for a request over `max_request(size_class)` bytes, CryptoError for a malformed key.
    """
    key = entropy.bytes(KEY_SIZE)
    return public.seal(key + pad(request, size_class - KEY_SIZE)), AnswerKey(key)


def open_packet(secret: PacketSecret, packet: bytes) -> tuple[bytes, AnswerKey, bytes]:
    """(request, key for the answer, 32-byte replay tag: the same for the same packet and no other).

    Raises:
        CryptoError: not sealed to this key, damaged, or malformed inside.
    """
    plaintext = secret.open(packet)
    if len(plaintext) < KEY_SIZE + PADDING_OVERHEAD:
        raise CryptoError("the packet is malformed", code="malformed")
    key = plaintext[:KEY_SIZE]
    return unpad(plaintext[KEY_SIZE:]), AnswerKey(key), hash32(Label.PACKET_TAG, key)
