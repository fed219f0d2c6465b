"""The signature schemes of RFC 9420's cipher suites (section 17.1): Ed25519, Ed448, ECDSA on the NIST curves.

ECDSA signs deterministically (RFC 6979), so that this room draws no randomness of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from roost.crypto.entropy import Entropy
from roost.crypto.mls.errors import Malformed, NotAuthentic
from roost.crypto.secret import Secret


class SignatureKey(Secret):
    """A member's private signature key with its public key. Ed25519: the 32-byte seed, as Roost's devices hold it."""

    __slots__ = ("_raw", "_scheme", "public")

    def __init__(self, scheme: SignatureScheme, raw: bytes) -> None:
        if len(raw) != scheme.secret_size:
            raise Malformed("a signature key has the wrong length")
        self._scheme = scheme
        self._raw = bytes(raw)
        self.public = scheme.public_of(self._raw)

    def sign(self, message: bytes) -> bytes:
        return self._scheme.sign(self, message)

    def to_bytes(self) -> bytes:
        """The secret bytes. For the encrypted store alone."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return type(other) is SignatureKey and other._scheme is self._scheme and compare_digest(self._raw, other._raw)

    __hash__ = None  # type: ignore[assignment]


class SignatureScheme(ABC):
    """Signs and verifies with raw keys, encoded as RFC 9420 section 5.1.1 says."""

    secret_size: int

    @abstractmethod
    def public_of(self, secret: bytes) -> bytes: ...

    @abstractmethod
    def sign(self, key: SignatureKey, message: bytes) -> bytes: ...

    @abstractmethod
    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises NotAuthentic, also for a malformed public key."""

    def private(self, raw: bytes) -> SignatureKey:
        """Raises Malformed for a wrong length or an invalid scalar."""
        return SignatureKey(self, raw)

    def generate(self, entropy: Entropy) -> SignatureKey:
        """A fresh key."""
        return self.private(entropy.bytes(self.secret_size))


class _Ed25519(SignatureScheme):
    secret_size = 32

    def public_of(self, secret: bytes) -> bytes:
        return nacl.bindings.crypto_sign_seed_keypair(secret)[0]

    def sign(self, key: SignatureKey, message: bytes) -> bytes:
        return nacl.bindings.crypto_sign(message, key.to_bytes() + key.public)[:64]

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            if len(signature) != 64:
                raise ValueError("length")
            nacl.bindings.crypto_sign_open(signature + message, public)
        except (ValueError, nacl.exceptions.CryptoError) as error:
            raise NotAuthentic("a signature does not verify") from error


class _Ed448(SignatureScheme):
    secret_size = 57

    def public_of(self, secret: bytes) -> bytes:
        return Ed448PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()

    def sign(self, key: SignatureKey, message: bytes) -> bytes:
        return Ed448PrivateKey.from_private_bytes(key.to_bytes()).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            Ed448PublicKey.from_public_bytes(public).verify(signature, message)
        except (ValueError, InvalidSignature) as error:
            raise NotAuthentic("a signature does not verify") from error


class _Ecdsa(SignatureScheme):
    """ECDSA with DER signatures, uncompressed points and big-endian scalars."""

    def __init__(
        self, curve: Callable[[], ec.EllipticCurve], hash_: Callable[[], hashes.HashAlgorithm], size: int
    ) -> None:
        self.secret_size = size
        self._curve = curve()
        self._signing = ec.ECDSA(hash_(), deterministic_signing=True)
        self._verifying = ec.ECDSA(hash_())

    def public_of(self, secret: bytes) -> bytes:
        try:
            public = ec.derive_private_key(int.from_bytes(secret), self._curve).public_key()
        except ValueError as error:
            raise Malformed("a signature key is invalid") from error
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, key: SignatureKey, message: bytes) -> bytes:
        return ec.derive_private_key(int.from_bytes(key.to_bytes()), self._curve).sign(message, self._signing)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public)
            key.verify(signature, message, self._verifying)
        except (ValueError, InvalidSignature) as error:
            raise NotAuthentic("a signature does not verify") from error

    def generate(self, entropy: Entropy) -> SignatureKey:
        bits = self._curve.key_size
        while True:
            raw = int.from_bytes(entropy.bytes(self.secret_size)) & ((1 << bits) - 1)
            try:
                return self.private(raw.to_bytes(self.secret_size))
            except Malformed:  # not below the group's order: about one in 2^32
                continue


ED25519: Final = _Ed25519()
ED448: Final = _Ed448()
ECDSA_P256: Final = _Ecdsa(ec.SECP256R1, hashes.SHA256, 32)
ECDSA_P384: Final = _Ecdsa(ec.SECP384R1, hashes.SHA384, 48)
ECDSA_P521: Final = _Ecdsa(ec.SECP521R1, hashes.SHA512, 66)
