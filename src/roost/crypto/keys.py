"""Ed25519 and X25519 keys as types that cannot be swapped (RFC 8032, RFC 7748). ML-KEM's are in kem.py.

PyNaCl on raw bytes: it rejects low-order points and is the fastest from Python. Secret keys print nothing, compare in
constant time and refuse pickling; `to_bytes()` is the one explicit way out, for the encrypted store.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

import nacl.bindings
import nacl.exceptions

from roost.crypto.entropy import Entropy
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError

SIGNATURE_SIZE: Final = 64
_SIZE: Final = 32


def sized(data: bytes, size: int) -> bytes:
    """`data` as immutable bytes. Raises CryptoError when it is not `size` bytes long."""
    if len(data) != size:
        raise CryptoError("a key has the wrong length", code="malformed")
    return bytes(data)


class PublicKeyBytes:
    """A public key: `raw` bytes, equal when they are. Prints nothing, since account keys are people."""

    __slots__ = ("raw",)
    size = _SIZE
    raw: bytes

    def __init__(self, raw: bytes) -> None:
        self.raw = sized(raw, self.size)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class VerifyKey(PublicKeyBytes):
    """An Ed25519 public key (32 bytes). Raises CryptoError for any other length."""

    __slots__ = ()

    def verify(self, label: Label, message: bytes, signature: bytes) -> None:
        """Raises CryptoError unless `signature` (64 bytes) is this key's over `message` under `label`."""
        signed = sized(signature, SIGNATURE_SIZE) + label.value + message
        try:
            nacl.bindings.crypto_sign_open(signed, self.raw)
        except nacl.exceptions.CryptoError as error:
            raise CryptoError("the signature does not verify") from error


class SigningKey(Secret):
    """An Ed25519 secret key, kept as its 32-byte seed (RFC 8032 section 5.1.5)."""

    __slots__ = ("_expanded", "public")

    def __init__(self, seed: bytes) -> None:
        public, self._expanded = nacl.bindings.crypto_sign_seed_keypair(sized(seed, _SIZE))
        self.public = VerifyKey(public)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed. Raises CryptoError for any other length."""
        return cls(seed)

    @classmethod
    def generate(cls, entropy: Entropy) -> SigningKey:
        return cls(entropy.bytes(_SIZE))

    def sign(self, label: Label, message: bytes) -> bytes:
        """64 bytes: the Ed25519 signature over the 16-byte label and `message`."""
        return nacl.bindings.crypto_sign(label.value + message, self._expanded)[:SIGNATURE_SIZE]

    def to_bytes(self) -> bytes:
        """The 32-byte seed. For the encrypted store alone."""
        return self._expanded[:_SIZE]

    def __eq__(self, other: object) -> bool:
        return type(other) is SigningKey and compare_digest(self._expanded, other._expanded)

    __hash__ = None  # type: ignore[assignment]


class AgreementPublic(PublicKeyBytes):
    """An X25519 public key (32 bytes). Raises CryptoError for any other length."""

    __slots__ = ()


class AgreementSecret(Secret):
    """An X25519 secret key (32 bytes; RFC 7748 section 5 clamps it when it is used)."""

    __slots__ = ("_public", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = sized(raw, _SIZE)
        self._public: AgreementPublic | None = None

    @classmethod
    def from_bytes(cls, raw: bytes) -> AgreementSecret:
        """Raises CryptoError unless `raw` is 32 bytes."""
        return cls(raw)

    @classmethod
    def generate(cls, entropy: Entropy) -> AgreementSecret:
        return cls(entropy.bytes(_SIZE))

    @property
    def public(self) -> AgreementPublic:
        if self._public is None:
            self._public = AgreementPublic(nacl.bindings.crypto_scalarmult_base(self._raw))
        return self._public

    def exchange(self, public: AgreementPublic) -> bytes:
        """The 32-byte shared secret. Raises CryptoError for a low-order point (RFC 7748 section 6.1)."""
        try:
            return nacl.bindings.crypto_scalarmult(self._raw, public.raw)
        except nacl.exceptions.CryptoError as error:
            raise CryptoError("a public key is of low order") from error

    def to_bytes(self) -> bytes:
        """The 32 secret bytes. For the encrypted store alone."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return type(other) is AgreementSecret and compare_digest(self._raw, other._raw)

    __hash__ = None  # type: ignore[assignment]
