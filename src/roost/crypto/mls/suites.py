"""Cipher suites and the labelled operations on them (RFC 9420 sections 5.1, 5.2, 8 and 17.1).

Everything above this module names an operation of the RFC and never a primitive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from roost.crypto.entropy import Entropy
from roost.crypto.mls import hpke, kem, signatures
from roost.crypto.mls.codec import Reader, Structure, opaque, u16, u32
from roost.crypto.mls.errors import NotAuthentic, Unsupported
from roost.crypto.mls.hkdf import SHA256, SHA384, SHA512, Hash
from roost.crypto.mls.kem import Kem, KemPrivateKey
from roost.crypto.mls.signatures import SignatureKey, SignatureScheme
from roost.crypto.mls.xwing import XWING

_PREFIX: Final = b"MLS 1.0 "
_EXTERNAL_INIT: Final = b"MLS 1.0 external init secret"


@dataclass(frozen=True)
class HpkeCiphertext(Structure):
    """RFC 9420 section 7.6."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> HpkeCiphertext:
        return cls(reader.opaque(), reader.opaque())


class CipherSuite:
    """One suite: its number, its primitives' sizes in bytes, and the operations of the RFC on them."""

    def __init__(
        self, suite_id: int, name: str, kem_: Kem, aead: hpke.Aead, hash_: Hash, scheme: SignatureScheme
    ) -> None:
        self.id = suite_id
        self.name = name
        self.kem = kem_
        self.aead = aead
        self.scheme = scheme
        self.hash_size = hash_.size  # KDF.Nh
        self.digest = hash_.digest
        self.mac = hash_.mac
        self.extract = hash_.extract
        self._hash = hash_
        self._hpke = hpke.Hpke(kem_, hash_, aead)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def zero(self) -> bytes:
        """The all-zero secret of KDF.Nh bytes."""
        return bytes(self.hash_size)

    # --- key derivation (section 8) ---

    def expand(self, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        """ExpandWithLabel."""
        return self._hash.expand(secret, u16(length) + opaque(_PREFIX + label) + opaque(context), length)

    def derive(self, secret: bytes, label: bytes) -> bytes:
        """DeriveSecret."""
        return self.expand(secret, label, b"", self.hash_size)

    def derive_tree(self, secret: bytes, label: bytes, generation: int, length: int) -> bytes:
        """DeriveTreeSecret (section 9.1)."""
        return self.expand(secret, label, u32(generation), length)

    def check_mac(self, key: bytes, data: bytes, tag: bytes) -> None:
        """Raises NotAuthentic unless `tag` is the MAC of `data`."""
        if not compare_digest(self.mac(key, data), tag):
            raise NotAuthentic("a tag does not verify")

    def reference(self, label: bytes, value: bytes) -> bytes:
        """RefHash (section 5.2)."""
        return self.digest(opaque(label) + opaque(value))

    # --- signatures (section 5.1.2) ---

    def signature_key(self, raw: bytes) -> SignatureKey:
        """A member's private key, e.g. the 32-byte seed of a device's Ed25519 key. Raises Malformed."""
        return self.scheme.private(raw)

    def sign(self, key: SignatureKey, label: bytes, content: bytes) -> bytes:
        """SignWithLabel."""
        return key.sign(opaque(_PREFIX + label) + opaque(content))

    def verify(self, public: bytes, label: bytes, content: bytes, signature: bytes) -> None:
        """VerifyWithLabel. Raises NotAuthentic."""
        self.scheme.verify(public, opaque(_PREFIX + label) + opaque(content), signature)

    # --- public key encryption (section 5.1.3) ---

    def encrypt(
        self, public: bytes, label: bytes, context: bytes, plaintext: bytes, entropy: Entropy
    ) -> HpkeCiphertext:
        """EncryptWithLabel. Raises Malformed for an invalid public key."""
        return self.sealer(label, context, entropy)(public, plaintext)

    def sealer(self, label: bytes, context: bytes, entropy: Entropy) -> Callable[[bytes, bytes], HpkeCiphertext]:
        """EncryptWithLabel for many recipients: a function of public key and plaintext. `context` may be megabytes."""
        bound = self._hpke.bind(opaque(_PREFIX + label) + opaque(context))
        return lambda public, plaintext: HpkeCiphertext(*self._hpke.seal_bound(public, bound, plaintext, entropy))

    def decrypt(self, key: KemPrivateKey, label: bytes, context: bytes, sealed: HpkeCiphertext) -> bytes:
        """DecryptWithLabel. Raises Malformed or NotAuthentic."""
        info = opaque(_PREFIX + label) + opaque(context)
        return self._hpke.open(key, sealed.kem_output, info, sealed.ciphertext)

    def external_init(self, public: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
        """(KEM output, init secret) of an external commit (section 8.3). Raises Malformed."""
        return self._hpke.send_export(public, b"", _EXTERNAL_INIT, self.hash_size, entropy)

    def open_external_init(self, key: KemPrivateKey, kem_output: bytes) -> bytes:
        """The init secret of an external commit. Raises Malformed."""
        return self._hpke.receive_export(key, kem_output, b"", _EXTERNAL_INIT, self.hash_size)


MLS_128_X25519: Final = CipherSuite(
    0x0001,
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    kem.X25519,
    hpke.AES_128_GCM,
    SHA256,
    signatures.ED25519,
)
MLS_256_XWING: Final = CipherSuite(
    0x0053, "MLS_256_XWING_AES256GCM_SHA512_Ed25519", XWING, hpke.AES_256_GCM, SHA512, signatures.ED25519
)
DEFAULT_SUITE: Final = MLS_256_XWING
_OTHERS: Final = (
    CipherSuite(
        0x0002,
        "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
        kem.P256,
        hpke.AES_128_GCM,
        SHA256,
        signatures.ECDSA_P256,
    ),
    CipherSuite(
        0x0003,
        "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
        kem.X25519,
        hpke.CHACHA20_POLY1305,
        SHA256,
        signatures.ED25519,
    ),
    CipherSuite(
        0x0004, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", kem.X448, hpke.AES_256_GCM, SHA512, signatures.ED448
    ),
    CipherSuite(
        0x0005,
        "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
        kem.P521,
        hpke.AES_256_GCM,
        SHA512,
        signatures.ECDSA_P521,
    ),
    CipherSuite(
        0x0006,
        "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
        kem.X448,
        hpke.CHACHA20_POLY1305,
        SHA512,
        signatures.ED448,
    ),
    CipherSuite(
        0x0007,
        "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
        kem.P384,
        hpke.AES_256_GCM,
        SHA384,
        signatures.ECDSA_P384,
    ),
)
SUITES: Final = {suite.id: suite for suite in (MLS_128_X25519, MLS_256_XWING, *_OTHERS)}


def suite_by_id(suite_id: int) -> CipherSuite:
    """Raises Unsupported for a number that is not offered here."""
    suite = SUITES.get(suite_id)
    if suite is None:
        raise Unsupported("a cipher suite is not supported")
    return suite
