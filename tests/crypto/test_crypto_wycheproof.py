"""Every primitive against Project Wycheproof's vectors, through the calls that this room makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from roost.crypto import AgreementPublic, AgreementSecret, KemPublic, KemSecret, VerifyKey
from roost.errors import CryptoError

Vectors = Callable[[str], Any]


def cases(data: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group in data["testGroups"]:
        for case in group["tests"]:
            yield group, case


def hexed(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


def test_x25519_agrees_and_refuses_zero_secrets(vectors: Vectors) -> None:
    refused = 0
    for _, case in cases(vectors("wycheproof/x25519_test.json")):
        public, private, shared = hexed(case, "public", "private", "shared")
        secret = AgreementSecret.from_bytes(private)
        if any(shared):
            assert secret.exchange(AgreementPublic(public)) == shared, case["tcId"]
        else:
            refused += 1
            with pytest.raises(CryptoError):
                secret.exchange(AgreementPublic(public))
    assert refused >= 30


class Unlabelled:
    """Stands in for a Label in tests of plain Ed25519: our signatures are plain ones over label || message."""

    value = b""


def test_ed25519_verifies_and_refuses(vectors: Vectors) -> None:
    for group, case in cases(vectors("wycheproof/ed25519_test.json")):
        key = VerifyKey(bytes.fromhex(group["publicKey"]["pk"]))
        message, signature = hexed(case, "msg", "sig")
        if case["result"] == "valid":
            key.verify(Unlabelled(), message, signature)  # type: ignore[arg-type]
        else:
            with pytest.raises(CryptoError):
                key.verify(Unlabelled(), message, signature)  # type: ignore[arg-type]


def test_aes_256_gcm_seals_and_refuses(vectors: Vectors) -> None:
    seen = 0
    for group, case in cases(vectors("wycheproof/aes_gcm_test.json")):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        seen += 1
        key, nonce, associated, message, sealed, tag = hexed(case, "key", "iv", "aad", "msg", "ct", "tag")
        cipher = AESGCM(key)
        if case["result"] == "valid":
            assert cipher.encrypt(nonce, message, associated) == sealed + tag
            assert cipher.decrypt(nonce, sealed + tag, associated) == message
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed + tag, associated)
    assert seen > 40


def test_hkdf_sha_512_derives_and_refuses(vectors: Vectors) -> None:
    for _, case in cases(vectors("wycheproof/hkdf_sha512_test.json")):
        secret, salt, info, expected = hexed(case, "ikm", "salt", "info", "okm")
        if case["result"] == "valid":
            assert HKDF(SHA512(), case["size"], salt, info).derive(secret) == expected
        else:
            with pytest.raises(ValueError, match="larger than"):
                HKDF(SHA512(), case["size"], salt, info)


def test_ml_kem_768_makes_keys_from_seeds(vectors: Vectors) -> None:
    for _, case in cases(vectors("wycheproof/mlkem_768_keygen_seed_test.json")):
        seed, public = hexed(case, "seed", "ek")
        assert KemSecret.from_bytes(seed).public.raw == public


def test_ml_kem_768_decapsulates_and_refuses(vectors: Vectors) -> None:
    """Includes ciphertexts that were tampered with: implicit rejection gives the vector's unrelated secret."""
    for _, case in cases(vectors("wycheproof/mlkem_768_test.json")):
        seed, ciphertext = hexed(case, "seed", "c")
        if case["result"] == "valid":
            secret = KemSecret.from_bytes(seed)
            assert secret.public.raw == bytes.fromhex(case["ek"])
            assert secret.decapsulate(ciphertext) == bytes.fromhex(case["K"])
        else:
            with pytest.raises(CryptoError):
                KemSecret.from_bytes(seed).decapsulate(ciphertext)


def test_ml_kem_768_refuses_malformed_public_keys(vectors: Vectors) -> None:
    """Encapsulation takes no seed, so of valid cases only that the key is taken can be shown."""
    for _, case in cases(vectors("wycheproof/mlkem_768_encaps_test.json")):
        (public,) = hexed(case, "ek")
        if case["result"] == "valid":
            secret, ciphertext = KemPublic(public).encapsulate()
            assert (len(secret), len(ciphertext)) == (32, 1_088)
        else:
            with pytest.raises(CryptoError):
                KemPublic(public).encapsulate()
