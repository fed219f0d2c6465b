"""The work that a network's nodes ask for, to make something or to carry packets: done only where an honest node could
ask for it.

A node that could make clients work for nothing would take their batteries. So the bits have a bound; a proof is made
once; and one is made at a time, in slices between which it can be given up. For what all nodes take the nonce must come
from the directory's random values, which no node chooses. A guard, which may know a newer or older one than the client,
is believed, but has only few proofs in one period: they are of use at that guard alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Container
from typing import TypeVar

import msgspec

from roost.crypto import PROOF_SIZE, try_work, work_strength
from roost.errors import PeerError, Refused
from roost.wire.codec import decode
from roost.wire.mailbox import WorkChallenge
from roost.wire.onion import MAX_ADMISSION_BITS, Worked, admission_hash

_SLICE = 20_000  # hashes: some hundredths of a second
_MOST_PROOFS = 4  # for one guard in one period: its client's token costs one, also after a lost link
_ANY_NODE = bytes(32)

R = TypeVar("R", bound=Worked)


class Work:
    """Of one client in one network."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._proofs: Counter[bytes] = Counter()

    def begin_period(self) -> None:
        self._proofs.clear()

    async def proven(self, request: R, asked: Refused, nonces: Container[bytes]) -> R:
        """The request with the proof that was asked for, bound to one of `nonces`. Raises `asked` for one that is not
        to be had."""
        challenge = _read(asked)
        if challenge.nonce not in nonces:
            raise asked
        return await self._proven(request, asked, challenge, _ANY_NODE)

    async def proven_to(self, guard: bytes, request: R, asked: Refused) -> R:
        """Likewise, with a proof for the node with this key alone."""
        if self._proofs[guard] >= _MOST_PROOFS:
            raise asked
        self._proofs[guard] += 1
        return await self._proven(request, asked, _read(asked), guard)

    async def _proven(self, request: R, asked: Refused, challenge: WorkChallenge, node: bytes) -> R:
        nonce, bits, subject, proof = challenge.nonce, challenge.bits, admission_hash(request), request.admission
        if bits > MAX_ADMISSION_BITS:
            raise asked
        if len(proof) == PROOF_SIZE and work_strength(nonce, node, subject, proof) >= bits:
            raise asked  # it was done
        async with self._turn:
            return msgspec.structs.replace(request, admission=await _solved(nonce, node, subject, bits))


def _read(asked: Refused) -> WorkChallenge:
    try:
        return decode(WorkChallenge, asked.detail)
    except PeerError:
        raise asked from None


async def _solved(nonce: bytes, node: bytes, subject: bytes, bits: int) -> bytes:
    start = 0
    while True:
        proof = await asyncio.to_thread(try_work, nonce, node, subject, bits, start, _SLICE)
        if proof is not None:
            return proof
        start += _SLICE
