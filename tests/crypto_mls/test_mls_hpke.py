"""HPKE and X-Wing against RFC 9180's appendix, and against the HPKE of `cryptography`."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from mls_helpers import SystemEntropy

from roost.crypto.mls.errors import MlsError
from roost.crypto.mls.hkdf import SHA256, SHA384, SHA512
from roost.crypto.mls.hpke import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Hpke
from roost.crypto.mls.kem import P256, P384, P521, X25519
from roost.crypto.mls.xwing import XWING

unhex = bytes.fromhex
INFO = unhex("4f6465206f6e2061204772656369616e2055726e")


class FixedEntropy:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def bytes(self, count: int) -> bytes:
        assert count == len(self.data)
        return self.data


def test_rfc_9180_appendix_a_1_1() -> None:
    """DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode: keys, encapsulation, exports."""
    recipient = X25519.derive(unhex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"))
    assert recipient.to_bytes() == unhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    assert recipient.public == unhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
    entropy = FixedEntropy(unhex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"))
    hpke = Hpke(X25519, SHA256, AES_128_GCM)
    exports = {
        "": "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee",
        "00": "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5",
        "54657374436f6e74657874": "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
    }
    for context, expected in exports.items():
        sent, ours = hpke.send_export(recipient.public, INFO, unhex(context), 32, entropy)
        assert sent == unhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
        assert ours == unhex(expected)
        assert hpke.receive_export(recipient, sent, INFO, unhex(context), 32) == ours


def nist(curve: ec.EllipticCurve) -> Any:
    def load(raw: bytes) -> Any:
        return ec.derive_private_key(int.from_bytes(raw), curve)

    return load


def hybrid(raw: bytes) -> Any:
    from hashlib import shake_256

    expanded = shake_256(raw).digest(96)
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


LIBRARY = [
    (Hpke(X25519, SHA256, AES_128_GCM), Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM), None),
    (Hpke(X25519, SHA256, CHACHA20_POLY1305), Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305), None),
    (Hpke(P256, SHA256, AES_128_GCM), Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_128_GCM), nist(ec.SECP256R1())),
    (Hpke(P384, SHA384, AES_256_GCM), Suite(KEM.P384, KDF.HKDF_SHA384, AEAD.AES_256_GCM), nist(ec.SECP384R1())),
    (Hpke(P521, SHA512, AES_256_GCM), Suite(KEM.P521, KDF.HKDF_SHA512, AEAD.AES_256_GCM), nist(ec.SECP521R1())),
    (Hpke(XWING, SHA512, AES_256_GCM), Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA512, AEAD.AES_256_GCM), hybrid),
]


@pytest.mark.parametrize(("ours", "theirs", "load"), LIBRARY, ids=["x25519", "chacha", "p256", "p384", "p521", "xwing"])
def test_both_directions_with_the_library(ours: Hpke, theirs: Suite, load: Any) -> None:
    entropy = SystemEntropy()
    for length in (0, 1, 100):
        key, plaintext, info = ours.kem.generate(entropy), os.urandom(length), os.urandom(length)
        library_key = (load or X25519PrivateKey.from_private_bytes)(key.to_bytes())
        sealed = theirs.encrypt(plaintext, library_key.public_key(), info)
        size = ours.kem.encapsulated_size
        assert ours.open(key, sealed[:size], info, sealed[size:]) == plaintext
        assert theirs.decrypt(b"".join(ours.seal(key.public, info, plaintext, entropy)), library_key, info) == plaintext


def test_xwing_public_keys_are_the_librarys() -> None:
    key = XWING.generate(SystemEntropy())
    public = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(key.public[:1184]), X25519PublicKey.from_public_bytes(key.public[1184:])
    )
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA512, AEAD.AES_256_GCM)
    sealed = suite.encrypt(b"hello", public, b"")
    assert Hpke(XWING, SHA512, AES_256_GCM).open(key, sealed[:1120], b"", sealed[1120:]) == b"hello"


def test_xwing_vector() -> None:
    """draft-connolly-cfrg-xwing-kem, appendix C, first vector: from seed to public key (its first bytes)."""
    seed = unhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    assert XWING.private(seed).public[:32] == unhex("e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5")


def test_broken_hybrid_keys_are_refused() -> None:
    key, entropy = XWING.generate(SystemEntropy()), SystemEntropy()
    low_order = key.public[:1184] + bytes(32)
    out_of_range = b"\xff" * 1184 + key.public[1184:]
    for public in (low_order, out_of_range, key.public[:-1]):
        with pytest.raises(MlsError):
            XWING.encapsulate(public, entropy)
    _, sent = XWING.encapsulate(key.public, entropy)
    with pytest.raises(MlsError):
        key.decapsulate(sent[:-32] + bytes(32))
