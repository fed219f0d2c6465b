"""HPKE in base mode (RFC 9180 section 5): single-shot seal and open, and the export of section 5.3.

`cryptography` offers neither export nor DeriveKeyPair, so the key schedule is written out here; tests hold it against
the RFC's vectors and the library's own `encrypt`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from roost.crypto.entropy import Entropy
from roost.crypto.mls.errors import NotAuthentic
from roost.crypto.mls.hkdf import Hash
from roost.crypto.mls.kem import Kem, KemPrivateKey

NONCE_SIZE = 12
TAG_SIZE = 16
_MODE_BASE = b"\0"


@dataclass(frozen=True, slots=True)
class Aead:
    """An AEAD of RFC 9180 section 7.3: nonces of 12 and tags of 16 bytes."""

    id: int
    key_size: int
    cipher: type[AESGCM] | type[ChaCha20Poly1305]

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return self.cipher(key).encrypt(nonce, plaintext, associated)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Raises NotAuthentic."""
        try:
            return self.cipher(key).decrypt(nonce, sealed, associated)
        except InvalidTag as error:
            raise NotAuthentic("a ciphertext does not open") from error


AES_128_GCM = Aead(0x0001, 16, AESGCM)
AES_256_GCM = Aead(0x0002, 32, AESGCM)
CHACHA20_POLY1305 = Aead(0x0003, 32, ChaCha20Poly1305)


class Hpke:
    """HPKE with one KEM, KDF and AEAD."""

    def __init__(self, kem: Kem, hash_: Hash, aead: Aead) -> None:
        self.kem = kem
        self._hash = hash_
        self._aead = aead
        self._suite_id = b"HPKE" + kem.id.to_bytes(2) + hash_.kdf_id.to_bytes(2) + aead.id.to_bytes(2)
        self._no_psk = self._extract(b"", b"psk_id_hash", b"")

    def bind(self, info: bytes) -> bytes:
        """The key schedule context of `info`: made once where many recipients get the same."""
        return _MODE_BASE + self._no_psk + self._extract(b"", b"info_hash", info)

    def seal(self, public: bytes, info: bytes, plaintext: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """(encapsulated, ciphertext with tag), no associated data. Raises Malformed for an invalid public key."""
        return self.seal_bound(public, self.bind(info), plaintext, entropy)

    def seal_bound(self, public: bytes, bound: bytes, plaintext: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """As `seal`, with `bind(info)`."""
        shared, encapsulated = self.kem.encapsulate(public, entropy)
        key, nonce = self._schedule(shared, bound)
        return encapsulated, self._aead.seal(key, nonce, plaintext, b"")

    def open(self, key: KemPrivateKey, encapsulated: bytes, info: bytes, sealed: bytes) -> bytes:
        """The plaintext. Raises Malformed or NotAuthentic."""
        cipher_key, nonce = self._schedule(key.decapsulate(encapsulated), self.bind(info))
        return self._aead.open(cipher_key, nonce, sealed, b"")

    def send_export(
        self, public: bytes, info: bytes, context: bytes, length: int, entropy: Entropy
    ) -> tuple[bytes, bytes]:
        """(encapsulated, exported secret): SetupBaseS, then Export (section 5.3). Raises Malformed."""
        shared, encapsulated = self.kem.encapsulate(public, entropy)
        return encapsulated, self._export(shared, info, context, length)

    def receive_export(
        self, key: KemPrivateKey, encapsulated: bytes, info: bytes, context: bytes, length: int
    ) -> bytes:
        """The exported secret: SetupBaseR, then Export. Raises Malformed."""
        return self._export(key.decapsulate(encapsulated), info, context, length)

    def _export(self, shared: bytes, info: bytes, context: bytes, length: int) -> bytes:
        bound = self.bind(info)
        secret = self._extract(shared, b"secret", b"")
        exporter = self._expand(secret, b"exp", bound, self._hash.size)
        return self._expand(exporter, b"sec", context, length)

    def _schedule(self, shared: bytes, bound: bytes) -> tuple[bytes, bytes]:
        secret = self._extract(shared, b"secret", b"")
        key = self._expand(secret, b"key", bound, self._aead.key_size)
        return key, self._expand(secret, b"base_nonce", bound, NONCE_SIZE)

    def _extract(self, salt: bytes, label: bytes, material: bytes) -> bytes:
        return self._hash.extract(salt, b"HPKE-v1" + self._suite_id + label + material)

    def _expand(self, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self._hash.expand(secret, length.to_bytes(2) + b"HPKE-v1" + self._suite_id + label + info, length)
