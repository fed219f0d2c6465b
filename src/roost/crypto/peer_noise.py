"""The symmetric state of a Noise handshake: Noise specification, revision 34, sections 4.2, 4.3, 5.1 and 5.2.

As specified for AESGCM and SHA512, so that published Noise vectors check it. What peer links add stands in
peer_handshake.py: here is no message, no pattern and no Diffie-Hellman. Only patterns that have a key before they
encrypt are served (section 5.2's state without one is not here).
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from roost.crypto.secret import Secret
from roost.errors import CryptoError

HASH_SIZE: Final = 64
KEY_SIZE: Final = 32


class SymmetricState(Secret):
    """Section 5.2's object with section 5.1's inside. One for each end of one handshake."""

    __slots__ = ("_chaining_key", "_count", "_hash", "_key")

    def __init__(self, name: bytes) -> None:
        """InitializeSymmetric(protocol_name)."""
        self._hash = name.ljust(HASH_SIZE, b"\0") if len(name) <= HASH_SIZE else sha512(name).digest()
        self._chaining_key = self._hash
        self._key, self._count = b"", 0

    @property
    def transcript(self) -> bytes:
        """GetHandshakeHash(): 64 bytes that stand for all that was mixed into the hash so far."""
        return self._hash

    def mix_hash(self, data: bytes) -> None:
        """MixHash(data)."""
        self._hash = sha512(self._hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        """MixKey(input_key_material)."""
        self._chaining_key, key = self._derived(material, 2)
        self._key, self._count = key[:KEY_SIZE], 0

    def mix_key_and_hash(self, material: bytes) -> None:
        """MixKeyAndHash(input_key_material)."""
        self._chaining_key, hashed, key = self._derived(material, 3)
        self.mix_hash(hashed)
        self._key, self._count = key[:KEY_SIZE], 0

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """EncryptAndHash(plaintext): 16 bytes longer."""
        sealed = AESGCM(self._key).encrypt(self._next_nonce(), plaintext, self._hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, sealed: bytes) -> bytes:
        """DecryptAndHash(ciphertext). Raises CryptoError; the state is of no use after that."""
        try:
            plaintext = AESGCM(self._key).decrypt(self._next_nonce(), sealed, self._hash)
        except InvalidTag as error:
            raise CryptoError("authentication failed") from error
        self.mix_hash(sealed)
        return plaintext

    def split(self, material: bytes = b"") -> tuple[bytes, bytes]:
        """Split(): the two directions' keys, the initiator's first. Noise gives no `material`."""
        first, second = self._derived(material, 2)
        return first[:KEY_SIZE], second[:KEY_SIZE]

    def _derived(self, material: bytes, count: int) -> list[bytes]:
        """HKDF(chaining_key, input_key_material, num_outputs), section 4.3: RFC 5869's, without info."""
        output = HKDF(SHA512(), HASH_SIZE * count, self._chaining_key, b"").derive(material)
        return [output[start : start + HASH_SIZE] for start in range(0, len(output), HASH_SIZE)]

    def _next_nonce(self) -> bytes:
        """Section 12.4: 32 zero bits and the 64-bit counter, big-endian."""
        self._count += 1
        return (self._count - 1).to_bytes(12, "big")
