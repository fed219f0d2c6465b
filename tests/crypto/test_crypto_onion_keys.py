"""Onion services: the address of a key as Tor's own tests have it, and keys as RFC 8032 makes them."""

from __future__ import annotations

from base64 import b32decode
from hashlib import sha3_256

import nacl.bindings
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import onion_address, onion_client, onion_public, onion_secret
from roost.errors import CryptoError

# RFC 8032 section 7.1, test 1; Tor's src/test/test_hs_common.c gives the address of the same key.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ADDRESS = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
# Addresses that rend-spec-v3 gives as examples ("Encoding onion addresses").
EXAMPLES = (
    "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd",
    "sp3k262uwy4r2k3ycr5awluarykdpag6a7y33jxop4cs2lu5uz5sseqd",
    "xa4r2iadxm55fbnqgwwi5mymqdcofiu3w6rpbtqn7b2dyn7mgwj64jyd",
)


def test_the_key_and_address_that_tor_has_in_its_tests() -> None:
    assert onion_public(SEED) == PUBLIC
    assert onion_address(PUBLIC) == ADDRESS


@pytest.mark.parametrize("address", EXAMPLES)
def test_the_addresses_in_the_specification(address: str) -> None:
    assert onion_address(b32decode(address.upper())[:32]) == address


@given(st.binary(min_size=32, max_size=32))
def test_the_secret_key_makes_the_public_one(seed: bytes) -> None:
    secret = onion_secret(seed)
    assert len(secret) == 64
    scalar = secret[:32]
    assert nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(scalar) == onion_public(seed)
    assert nacl.bindings.crypto_scalarmult_ed25519_base(scalar) == onion_public(seed)  # clamping changes nothing


@given(st.binary(min_size=32, max_size=32))
def test_an_address_carries_its_key_a_checksum_and_the_version(public: bytes) -> None:
    decoded = b32decode(onion_address(public).upper())
    assert decoded[:32] == public
    assert decoded[32:34] == sha3_256(b".onion checksum" + public + b"\x03").digest()[:2]
    assert decoded[34:] == b"\x03"


def test_who_is_let_in_differs_by_meeting_and_by_service() -> None:
    meetings, services = (bytes(16), b"\1" * 16), (PUBLIC, bytes(32))
    keys = {onion_client(meeting, service).to_bytes() for meeting in meetings for service in services}
    assert len(keys) == 4
    assert onion_client(meetings[0], PUBLIC) == onion_client(meetings[0], PUBLIC)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_other_sizes_are_refused(size: int) -> None:
    for make in (onion_public, onion_secret, onion_address):
        with pytest.raises(CryptoError):
            make(bytes(size))
    with pytest.raises(CryptoError):
        onion_client(bytes(16), bytes(size))
