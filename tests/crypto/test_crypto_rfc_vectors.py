"""Known answers printed in the specifications of the primitives, typed in with their sections."""

from __future__ import annotations

import base64
from hashlib import blake2b, sha3_256, sha512, shake_256

import nacl.bindings
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from roost.crypto import (
    AgreementPublic,
    AgreementSecret,
    Label,
    SigningKey,
    StretchParams,
    VerifyKey,
    stretch,
)
from roost.crypto.aead import mask, seal_once
from roost.crypto.kdf import advance, derive32, hash32
from roost.errors import CryptoError

h = bytes.fromhex


class Unlabelled:
    """Our signatures are plain Ed25519 over label || message; this label is empty."""

    value = b""


@pytest.mark.parametrize(
    ("scalar", "point", "output"),
    [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ],
)
def test_x25519_rfc_7748_section_5_2(scalar: str, point: str, output: str) -> None:
    assert AgreementSecret.from_bytes(h(scalar)).exchange(AgreementPublic(h(point))) == h(output)


def test_x25519_iterated_rfc_7748_section_5_2() -> None:
    key = point = h("0900000000000000000000000000000000000000000000000000000000000000")
    for count in range(1, 1_001):
        key, point = AgreementSecret.from_bytes(key).exchange(AgreementPublic(point)), key
        if count == 1:
            assert key == h("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    assert key == h("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")


def test_diffie_hellman_rfc_7748_section_6_1() -> None:
    bob = AgreementSecret.from_bytes(h("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    alice = AgreementPublic(h("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"))
    assert bob.public.raw == h("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    assert bob.exchange(alice) == h("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            b"\x72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            sha512(b"abc").digest(),
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704",
        ),
    ],
)
def test_ed25519_rfc_8032_section_7_1(seed: str, public: str, message: bytes, signature: str) -> None:
    key = SigningKey.from_seed(h(seed))
    assert key.public == VerifyKey(h(public))
    assert key.sign(Unlabelled(), message) == h(signature)  # type: ignore[arg-type]
    key.public.verify(Unlabelled(), message, h(signature))  # type: ignore[arg-type]


def test_hkdf_rfc_5869_appendix_a() -> None:
    """The RFC prints vectors for SHA-256; ours is SHA-512 and runs Wycheproof's."""
    first = HKDF(SHA256(), 42, bytes(range(13)), h("f0f1f2f3f4f5f6f7f8f9")).derive(b"\x0b" * 22)
    second = HKDF(SHA256(), 82, bytes(range(0x60, 0xB0)), bytes(range(0xB0, 0x100))).derive(bytes(range(0x50)))
    third = HKDF(SHA256(), 42, b"", b"").derive(b"\x0b" * 22)
    assert first == h("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert second == h(
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    )
    assert third == h("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


def test_blake2b_rfc_7693_appendix_a() -> None:
    assert blake2b(b"abc").digest() == h(
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
    )


def _sequence(length: int, seed: int) -> bytes:
    """selftest_seq of RFC 7693 appendix E."""
    a, b, output = (0xDEAD4BAD * seed) & 0xFFFFFFFF, 1, bytearray()
    for _ in range(length):
        a, b = b, (a + b) & 0xFFFFFFFF
        output.append(b >> 24)
    return bytes(output)


def test_blake2b_plain_and_keyed_rfc_7693_appendix_e() -> None:
    whole = blake2b(digest_size=32)
    for size in (20, 32, 48, 64):
        for length in (0, 3, 128, 129, 255, 1_024):
            data = _sequence(length, length)
            whole.update(blake2b(data, digest_size=size).digest())
            whole.update(blake2b(data, digest_size=size, key=_sequence(size, size)).digest())
    assert whole.digest() == h("c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475")


def test_labels_are_blake2b_personalisations() -> None:
    """The RFC leaves personalisation out, so a second implementation answers: libsodium's."""
    key, data, label = bytes(range(32)), b"some data", Label.HEADER
    sodium = nacl.bindings.crypto_generichash_blake2b_salt_personal
    assert derive32(label, key, data) == sodium(data, digest_size=32, key=key, person=label.value)
    assert hash32(label, data) == sodium(data, digest_size=32, person=label.value)
    assert b"".join(advance(key)) == sodium(b"", digest_size=64, key=key, person=Label.CHAIN.value)


def test_aes_256_gcm_siv_rfc_8452_appendix_c_2() -> None:
    cipher, nonce = AESGCMSIV(h("01" + "00" * 31)), h("03" + "00" * 11)
    assert cipher.encrypt(nonce, b"", None) == h("07f5f4169bbf55a8400cd47ea6fd400f")
    assert cipher.encrypt(nonce, h("0100000000000000"), None) == h("c2ef328e5c71c83b843122130f7364b761e0b97427e3df28")
    sealed = cipher.encrypt(nonce, h("0200000000000000"), h("01"))
    assert sealed == h("1de22967237a813291213f267e3b452f02d01ae33e4ec854")


def test_aes_256_gcm_nist_test_cases_13_and_14() -> None:
    """McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: zero key, zero nonce, as `seal_once`."""
    assert seal_once(bytes(32), b"") == h("530f8afbc74536b9a963b4f1c4cb738b")
    block = h("cea7403d4d606b6e074ec5d3baf39d18")
    assert seal_once(bytes(32), bytes(16)) == block + h("d0d1c8a799996bf0265b98b5d48ab919")
    assert mask(bytes(32), bytes(16)) == block
    assert AESGCM(bytes(32)).decrypt(bytes(12), block + h("d0d1c8a799996bf0265b98b5d48ab919"), None) == bytes(16)


def test_sha_512_and_sha3_fips() -> None:
    """FIPS 180-4 and FIPS 202 example values for "abc"."""
    assert sha512(b"abc").digest() == h(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )
    assert sha3_256(b"abc").digest() == h("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532")
    assert shake_256(b"abc").digest(32) == h("483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739")


def test_argon2id_rfc_9106_section_5_3() -> None:
    """The RFC's vector has four lanes, a secret and associated data, which libsodium has not; so it vouches for a
    second implementation (OpenSSL's), and that one for ours."""
    printed = Argon2id(
        salt=b"\2" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\4" * 12, secret=b"\3" * 8
    )
    assert printed.derive(b"\1" * 32) == h("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659")
    for memory, passes in ((8, 1), (64, 2), (1_024, 3)):
        salt = bytes(range(16))
        other = Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=memory)
        assert stretch("correct horse", salt, StretchParams(memory, passes)) == other.derive(b"correct horse")


def test_base32_rfc_4648_section_10() -> None:
    assert base64.b32encode(b"foobar") == b"MZXW6YTBOI======"


def test_low_order_points_of_curve25519_are_refused() -> None:
    """The points of order 1, 2, 4 and 8, as listed at https://cr.yp.to/ecdh.html ("validate")."""
    points = (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
    for point in points:
        with pytest.raises(CryptoError):
            AgreementSecret.from_bytes(b"\x55" * 32).exchange(AgreementPublic(h(point)))
