"""Proofs of work for knocks (DESIGN section 6): one BLAKE2b hash checks what took 2^bits to find.

The proof is bound to the mailbox, the host's nonce and the envelope, so it can be neither stored up nor moved.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from roost.crypto.keys import sized
from roost.crypto.labels import Label
from roost.errors import CryptoError

PROOF_SIZE: Final = 8
WORK_NONCE_SIZE: Final = 16
_HASH_BITS: Final = 256
_SLICE: Final = 65_536


def solve_work(nonce: bytes, mailbox_hash: bytes, envelope_hash: bytes, bits: int, start: int = 0) -> bytes:
    """The first 8-byte proof, counting up from `start`, whose hash begins with `bits` zero bits. About 2^bits hashes.

    `nonce` is 16 bytes, both hashes are 32; CryptoError otherwise.
    """
    while (proof := try_work(nonce, mailbox_hash, envelope_hash, bits, start, _SLICE)) is None:
        start += _SLICE
    return proof


def try_work(
    nonce: bytes, mailbox_hash: bytes, envelope_hash: bytes, bits: int, start: int, count: int
) -> bytes | None:
    """As `solve_work`, but gives up after `count` hashes."""
    base = _base(nonce, mailbox_hash, envelope_hash)
    limit = 1 << (_HASH_BITS - bits)
    for counter in range(start, start + count):
        proof = counter.to_bytes(PROOF_SIZE, "big")
        attempt = base.copy()
        attempt.update(proof)
        if int.from_bytes(attempt.digest(), "big") < limit:
            return proof
    return None


def work_strength(nonce: bytes, mailbox_hash: bytes, envelope_hash: bytes, proof: bytes) -> int:
    """How many leading zero bits the proof's hash has: what a full request mailbox sorts knocks by.

    Raises:
        CryptoError: a part has the wrong length.
    """
    attempt = _base(nonce, mailbox_hash, envelope_hash)
    attempt.update(sized(proof, PROOF_SIZE))
    return _HASH_BITS - int.from_bytes(attempt.digest(), "big").bit_length()


def check_work(nonce: bytes, mailbox_hash: bytes, envelope_hash: bytes, bits: int, proof: bytes) -> None:
    """Raises CryptoError unless `proof` has at least `bits` leading zero bits."""
    if work_strength(nonce, mailbox_hash, envelope_hash, proof) < bits:
        raise CryptoError("the proof of work is too weak", code="work_too_weak")


def _base(nonce: bytes, mailbox_hash: bytes, envelope_hash: bytes) -> blake2b:
    parts = sized(nonce, WORK_NONCE_SIZE) + sized(mailbox_hash, 32) + sized(envelope_hash, 32)
    return blake2b(parts, digest_size=_HASH_BITS // 8, person=Label.WORK.value)
