"""ML-KEM-768 keys (FIPS 203). Parsed key objects are made when first needed and kept.

Encapsulation takes its randomness from the library: `cryptography` accepts no seed for it.
"""

from __future__ import annotations

from hashlib import sha3_256
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from roost.crypto.entropy import Entropy
from roost.crypto.keys import PublicKeyBytes, sized
from roost.crypto.secret import Secret
from roost.errors import CryptoError

KEM_SEED_SIZE: Final = 64  # d || z
KEM_PUBLIC_SIZE: Final = 1_184
KEM_CIPHERTEXT_SIZE: Final = 1_088
_XWING: Final = rb"\.//^" + b"\\"


def xwing_secret(kem_secret: bytes, exchanged: bytes, sent: bytes, agreement: bytes) -> bytes:
    """X-Wing's combiner (draft-connolly-cfrg-xwing-kem): the 32-byte secret from ML-KEM's and X25519's, from the
    X25519 key that was sent and from the one that it was sent to."""
    return sha3_256(kem_secret + exchanged + sent + agreement + _XWING).digest()


class KemPublic(PublicKeyBytes):
    """An ML-KEM-768 encapsulation key (1,184 bytes). Raises CryptoError for any other length."""

    __slots__ = ("_parsed",)
    size = KEM_PUBLIC_SIZE

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._parsed: MLKEM768PublicKey | None = None

    def parsed(self) -> MLKEM768PublicKey:
        """The library's key. Raises CryptoError when FIPS 203's modulus check (section 7.2) fails."""
        if self._parsed is None:
            try:
                self._parsed = MLKEM768PublicKey.from_public_bytes(self.raw)
            except ValueError as error:
                raise CryptoError("a key encapsulation key is malformed", code="malformed") from error
        return self._parsed

    def encapsulate(self) -> tuple[bytes, bytes]:
        """(32-byte shared secret, 1,088-byte ciphertext). Raises CryptoError for a malformed key."""
        return self.parsed().encapsulate()


class KemSecret(Secret):
    """An ML-KEM-768 decapsulation key, kept as its 64-byte seed."""

    __slots__ = ("_parsed", "_public", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = sized(seed, KEM_SEED_SIZE)
        self._parsed: MLKEM768PrivateKey | None = None
        self._public: KemPublic | None = None

    @classmethod
    def from_bytes(cls, seed: bytes) -> KemSecret:
        """Raises CryptoError unless `seed` is 64 bytes."""
        return cls(seed)

    @classmethod
    def generate(cls, entropy: Entropy) -> KemSecret:
        return cls(entropy.bytes(KEM_SEED_SIZE))

    def parsed(self) -> MLKEM768PrivateKey:
        """The library's key."""
        if self._parsed is None:
            self._parsed = MLKEM768PrivateKey.from_seed_bytes(self._seed)
        return self._parsed

    @property
    def public(self) -> KemPublic:
        if self._public is None:
            self._public = KemPublic(self.parsed().public_key().public_bytes_raw())
        return self._public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte shared secret; for a ciphertext made for another key an unrelated one (implicit rejection).

        Raises:
            CryptoError: `ciphertext` is not 1,088 bytes.
        """
        return self.parsed().decapsulate(sized(ciphertext, KEM_CIPHERTEXT_SIZE))

    def to_bytes(self) -> bytes:
        """The 64-byte seed. For the encrypted store alone."""
        return self._seed

    def __eq__(self, other: object) -> bool:
        return type(other) is KemSecret and compare_digest(self._seed, other._seed)

    __hash__ = None  # type: ignore[assignment]
