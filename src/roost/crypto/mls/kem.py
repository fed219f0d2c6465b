"""Key encapsulation as HPKE wants it: an interface, and the Diffie-Hellman KEMs (RFC 9180 sections 4.1 and 7.1).

X25519 goes through PyNaCl on raw bytes; X448 and the NIST curves through `cryptography`. X-Wing is in xwing.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

import nacl.bindings
import nacl.exceptions
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from roost.crypto.entropy import Entropy
from roost.crypto.mls.errors import Malformed
from roost.crypto.mls.hkdf import SHA256, SHA384, SHA512, Hash
from roost.crypto.secret import Secret


class KemPrivateKey(Secret):
    """A private key of one KEM with its public key. Prints nothing and compares in constant time."""

    __slots__ = ("_kem", "_public", "_raw", "parsed")

    def __init__(self, kem: Kem, raw: bytes, public: bytes | None = None) -> None:
        if len(raw) != kem.secret_size:
            raise Malformed("a private key has the wrong length")
        self._kem = kem
        self._raw = bytes(raw)
        self._public = public
        self.parsed: object = None  # the library's key, where making one is slow

    @property
    def public(self) -> bytes:
        if self._public is None:
            self._public = self._kem.public_of(self)
        return self._public

    def decapsulate(self, encapsulated: bytes) -> bytes:
        """The shared secret. Raises Malformed when `encapsulated` is no valid key or ciphertext."""
        return self._kem.decapsulate(self, encapsulated)

    def to_bytes(self) -> bytes:
        """The secret bytes as HPKE serialises them. For the encrypted store alone."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return type(other) is KemPrivateKey and other._kem is self._kem and compare_digest(self._raw, other._raw)

    __hash__ = None  # type: ignore[assignment]


class Kem(ABC):
    """One KEM: `id` of RFC 9180 section 7.1, and the sizes of its keys, ciphertexts and shared secrets in bytes."""

    id: int
    secret_size: int
    public_size: int
    encapsulated_size: int

    @abstractmethod
    def derive(self, material: bytes) -> KemPrivateKey:
        """DeriveKeyPair (RFC 9180 section 7.1.3)."""

    @abstractmethod
    def public_of(self, key: KemPrivateKey) -> bytes:
        """The public key that belongs to a private key."""

    @abstractmethod
    def encapsulate(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """(shared secret, encapsulated). Raises Malformed for an invalid public key."""

    @abstractmethod
    def decapsulate(self, key: KemPrivateKey, encapsulated: bytes) -> bytes:
        """The shared secret. Raises Malformed."""

    def generate(self, entropy: Entropy) -> KemPrivateKey:
        """A fresh key pair."""
        return self.derive(entropy.bytes(self.secret_size))

    def private(self, raw: bytes) -> KemPrivateKey:
        """A private key from its serialised form. Raises Malformed for a wrong length."""
        return KemPrivateKey(self, raw)


class DhKem(Kem):
    """DHKEM(group, HKDF) of RFC 9180 section 4.1; subclasses give the group."""

    def __init__(self, kem_id: int, hash_: Hash, secret_size: int, public_size: int) -> None:
        self.id = kem_id
        self.secret_size = secret_size
        self.public_size = self.encapsulated_size = public_size
        self._hash = hash_
        self._suite_id = b"KEM" + kem_id.to_bytes(2)

    @abstractmethod
    def exchange(self, secret: bytes, public: bytes) -> bytes:
        """The Diffie-Hellman result. Raises ValueError or PyNaCl's error for invalid and low-order keys."""

    def derive(self, material: bytes) -> KemPrivateKey:
        return self.private(self._expand(self._extract(b"", b"dkp_prk", material), b"sk", b"", self.secret_size))

    def encapsulate(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        ephemeral = self.generate(entropy)
        return self._shared(ephemeral, public, ephemeral.public, public), ephemeral.public

    def decapsulate(self, key: KemPrivateKey, encapsulated: bytes) -> bytes:
        return self._shared(key, encapsulated, encapsulated, key.public)

    def _shared(self, key: KemPrivateKey, other: bytes, encapsulated: bytes, recipient: bytes) -> bytes:
        if len(other) != self.public_size:
            raise Malformed("a public key has the wrong length")
        try:
            exchanged = self.exchange(key.to_bytes(), other)
        except (ValueError, nacl.exceptions.CryptoError) as error:
            raise Malformed("a public key is invalid") from error
        secret = self._extract(b"", b"eae_prk", exchanged)
        return self._expand(secret, b"shared_secret", encapsulated + recipient, self._hash.size)

    def _extract(self, salt: bytes, label: bytes, material: bytes) -> bytes:
        return self._hash.extract(salt, b"HPKE-v1" + self._suite_id + label + material)

    def _expand(self, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self._hash.expand(secret, length.to_bytes(2) + b"HPKE-v1" + self._suite_id + label + info, length)


class _X25519(DhKem):
    def public_of(self, key: KemPrivateKey) -> bytes:
        return nacl.bindings.crypto_scalarmult_base(key.to_bytes())

    def exchange(self, secret: bytes, public: bytes) -> bytes:
        return nacl.bindings.crypto_scalarmult(secret, public)


class _X448(DhKem):
    def public_of(self, key: KemPrivateKey) -> bytes:
        return X448PrivateKey.from_private_bytes(key.to_bytes()).public_key().public_bytes_raw()

    def exchange(self, secret: bytes, public: bytes) -> bytes:
        return X448PrivateKey.from_private_bytes(secret).exchange(X448PublicKey.from_public_bytes(public))


class _Nist(DhKem):
    """The NIST curves: uncompressed points, scalars as big-endian integers, candidates by rejection (7.1.3)."""

    def __init__(self, kem_id: int, hash_: Hash, curve: Callable[[], ec.EllipticCurve], size: int, mask: int) -> None:
        super().__init__(kem_id, hash_, size, 2 * size + 1)
        self._curve = curve()
        self._mask = mask

    def derive(self, material: bytes) -> KemPrivateKey:
        secret = self._extract(b"", b"dkp_prk", material)
        for counter in range(256):
            candidate = self._expand(secret, b"candidate", counter.to_bytes(1), self.secret_size)
            candidate = bytes([candidate[0] & self._mask]) + candidate[1:]
            try:
                self._scalar(candidate)
            except ValueError:
                continue
            return self.private(candidate)
        raise Malformed("no key can be derived")

    def public_of(self, key: KemPrivateKey) -> bytes:
        try:
            public = self._scalar(key.to_bytes()).public_key()
        except ValueError as error:
            raise Malformed("a private key is invalid") from error
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, secret: bytes, public: bytes) -> bytes:
        point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public)
        return self._scalar(secret).exchange(ec.ECDH(), point)

    def _scalar(self, secret: bytes) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(secret), self._curve)


X25519: Final = _X25519(0x0020, SHA256, 32, 32)
X448: Final = _X448(0x0021, SHA512, 56, 56)
P256: Final = _Nist(0x0010, SHA256, ec.SECP256R1, 32, 0xFF)
P384: Final = _Nist(0x0011, SHA384, ec.SECP384R1, 48, 0xFF)
P521: Final = _Nist(0x0012, SHA512, ec.SECP521R1, 66, 0x01)
