"""The nodes' descriptors that an authority holds: what it takes from whom, and what it votes on.

Anybody may bring a descriptor that a node signed. New nodes fill only so much room, and those of one address less; one
that was tried and did not answer makes room for the next. A node of the consensus always finds room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from roost.errors import WireError
from roost.relay.core.ballots import rounds_of
from roost.relay.core.directory import BadVote, CountedVote, good_for, read_descriptor
from roost.relay.core.forwarding import is_loopback
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.probing import Probing
from roost.wire.ballots import VotedNode
from roost.wire.codec import decode
from roost.wire.mailbox import RefusalCode
from roost.wire.onion import MAX_NODES, NetworkDocument, NodeDescriptor, SignedDescriptor

_NEW = 512  # nodes that no consensus lists, at one time
_OF_ONE_HOST = 8  # of these
_FULL_RETRY_MS = 60_000


class Descriptors:
    def __init__(self, document: NetworkDocument, probing: Probing) -> None:
        self._document = document
        self._probing = probing
        self._held: dict[bytes, tuple[NodeDescriptor, SignedDescriptor]] = {}

    def take(self, data: bytes, listed: frozenset[bytes], now: float) -> None:
        """What a node brought; `listed` are those of the consensus.

        Raises:
            RefusedRequest: bad_request, old_version, full.
        """
        try:
            signed = decode(SignedDescriptor, data)
            descriptor = read_descriptor(signed)
        except (WireError, BadVote) as error:
            raise RefusedRequest(RefusalCode.BAD_REQUEST) from error
        if not self._fits(descriptor, now):
            raise RefusedRequest(RefusalCode.BAD_REQUEST)
        held = self._held.get(descriptor.address.key)
        if held is not None and held[0].period > descriptor.period:
            raise RefusedRequest(RefusalCode.OLD_VERSION)
        if held is None and descriptor.address.key not in listed and not self._room(descriptor, listed):
            raise RefusedRequest(RefusalCode.FULL, retry_after_ms=_FULL_RETRY_MS)
        self._hold(descriptor, signed)

    def learn(self, votes: Iterable[CountedVote], now: float) -> None:
        """What other authorities hold, at least one honest among them: a node need not reach all."""
        held_by: Counter[SignedDescriptor] = Counter(node.descriptor for vote in votes for node in vote.vote.nodes)
        for signed in [signed for signed, count in held_by.items() if count >= rounds_of(self._document)]:
            descriptor = read_descriptor(signed)
            held = self._held.get(descriptor.address.key)
            room = held is not None or len(self._held) < MAX_NODES
            if room and (held is None or held[0].period < descriptor.period) and self._fits(descriptor, now):
                self._hold(descriptor, signed)

    def restore(self, kept: Iterable[SignedDescriptor], now: float) -> None:
        for signed in kept:
            try:
                descriptor = read_descriptor(signed)
            except BadVote:
                continue
            if self._fits(descriptor, now):
                self._hold(descriptor, signed)

    def retire(self, period: int) -> None:
        """Those that have no packet key for this period go."""
        self._held = {key: held for key, held in self._held.items() if good_for(held[0], period)}
        self._probing.forget(self._held.__contains__)

    def all(self) -> tuple[SignedDescriptor, ...]:
        return tuple(signed for _, signed in self._held.values())

    def voted(self) -> list[VotedNode]:
        return [VotedNode(signed, self._probing.live(key)) for key, (_, signed) in self._held.items()]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _hold(self, descriptor: NodeDescriptor, signed: SignedDescriptor) -> None:
        self._held[descriptor.address.key] = (descriptor, signed)
        self._probing.watch(descriptor.address)

    def _fits(self, descriptor: NodeDescriptor, now: float) -> bool:
        """Of this network, and of about this period; clocks differ at its ends."""
        period = self._document.period(now)
        return (
            descriptor.network == self._document.id
            and abs(descriptor.period - period) <= 1
            and good_for(descriptor, period + 1)
        )

    def _room(self, descriptor: NodeDescriptor, listed: frozenset[bytes]) -> bool:
        new = [held.address.host for key, (held, _) in self._held.items() if key not in listed]
        alone = is_loopback(descriptor.address.host) or new.count(descriptor.address.host) < _OF_ONE_HOST
        if not alone:
            return False
        if len(new) < _NEW and len(self._held) < MAX_NODES:
            return True
        dead = next((key for key in self._held if key not in listed and self._probing.dead(key)), None)
        if dead is not None:
            del self._held[dead]
            self._probing.forget(self._held.__contains__)
        return dead is not None
