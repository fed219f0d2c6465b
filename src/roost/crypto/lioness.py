"""LIONESS, a wide-block cipher: all bytes of a block depend on all others (Anderson and Biham, "Two practical and
provably secure block ciphers: BEAR and LION", FSE 1996, section 6).

The stream cipher is AES-256 in counter mode, the keyed hash BLAKE2b-256. One changed bit anywhere makes noise of
the whole block; nothing here notices that: whoever wants to know puts something into the block that can be checked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from roost.crypto.aead import mask

LIONESS_KEY_SIZE: Final = 128  # four keys of 32 bytes
_LEFT: Final = 32


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """`block` (over 32 bytes, any length) under `key` (128 bytes)."""
    left, right = block[:_LEFT], block[_LEFT:]
    right = mask(_xor(left, key[:32]), right)
    left = _xor(left, _hash(key[32:64], right))
    right = mask(_xor(left, key[64:96]), right)
    return _xor(left, _hash(key[96:], right)) + right


def decrypt_block(key: bytes, block: bytes) -> bytes:
    """The inverse of `encrypt_block`."""
    left, right = block[:_LEFT], block[_LEFT:]
    left = _xor(left, _hash(key[96:], right))
    right = mask(_xor(left, key[64:96]), right)
    left = _xor(left, _hash(key[32:64], right))
    return left + mask(_xor(left, key[:32]), right)


def _hash(key: bytes, data: bytes) -> bytes:
    return blake2b(data, digest_size=_LEFT, key=key).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(_LEFT, "big")
