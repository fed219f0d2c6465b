"""X-Wing, the hybrid KEM of ML-KEM-768 and X25519 (draft-connolly-cfrg-xwing-kem; HPKE id 0x647a).

A private key is its 32-byte seed. Encapsulation takes the X25519 half from `entropy`; ML-KEM's half draws from the
library, which takes no seed for it.
"""

from __future__ import annotations

from hashlib import shake_256
from typing import Final

import nacl.bindings
import nacl.exceptions

from roost.crypto.entropy import Entropy
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE, KEM_SEED_SIZE, KemPublic, KemSecret, xwing_secret
from roost.crypto.mls.errors import Malformed
from roost.crypto.mls.kem import Kem, KemPrivateKey
from roost.errors import CryptoError

_AGREEMENT_SIZE: Final = 32


class _XWing(Kem):
    id = 0x647A
    secret_size = 32
    public_size = KEM_PUBLIC_SIZE + _AGREEMENT_SIZE
    encapsulated_size = KEM_CIPHERTEXT_SIZE + _AGREEMENT_SIZE

    def derive(self, material: bytes) -> KemPrivateKey:
        return self.private(shake_256(material).digest(self.secret_size))

    def public_of(self, key: KemPrivateKey) -> bytes:
        kem, _, agreement = _expanded(key)
        return kem.public.raw + agreement

    def encapsulate(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        if len(public) != self.public_size:
            raise Malformed("a public key has the wrong length")
        agreement, ephemeral = public[KEM_PUBLIC_SIZE:], entropy.bytes(_AGREEMENT_SIZE)
        sent = nacl.bindings.crypto_scalarmult_base(ephemeral)
        try:
            kem_secret, ciphertext = KemPublic(public[:KEM_PUBLIC_SIZE]).encapsulate()
            exchanged = nacl.bindings.crypto_scalarmult(ephemeral, agreement)
        except (CryptoError, nacl.exceptions.CryptoError) as error:
            raise Malformed("a public key is invalid") from error
        return xwing_secret(kem_secret, exchanged, sent, agreement), ciphertext + sent

    def decapsulate(self, key: KemPrivateKey, encapsulated: bytes) -> bytes:
        if len(encapsulated) != self.encapsulated_size:
            raise Malformed("a KEM ciphertext has the wrong length")
        kem, secret, agreement = _expanded(key)
        sent = encapsulated[KEM_CIPHERTEXT_SIZE:]
        try:
            exchanged = nacl.bindings.crypto_scalarmult(secret, sent)
        except nacl.exceptions.CryptoError as error:
            raise Malformed("a KEM ciphertext is invalid") from error
        return xwing_secret(kem.decapsulate(encapsulated[:KEM_CIPHERTEXT_SIZE]), exchanged, sent, agreement)


def _expanded(key: KemPrivateKey) -> tuple[KemSecret, bytes, bytes]:
    """(ML-KEM key, X25519 secret, X25519 public), kept with the key: making them takes 0.2 ms."""
    if not isinstance(key.parsed, tuple):
        expanded = shake_256(key.to_bytes()).digest(KEM_SEED_SIZE + _AGREEMENT_SIZE)
        secret = expanded[KEM_SEED_SIZE:]
        key.parsed = (KemSecret(expanded[:KEM_SEED_SIZE]), secret, nacl.bindings.crypto_scalarmult_base(secret))
    kem, secret, agreement = key.parsed
    return kem, secret, agreement


XWING: Final = _XWing()
