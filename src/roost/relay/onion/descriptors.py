"""The nodes' descriptors that an authority holds: what it takes from whom, and what it votes on.

Anybody may bring a descriptor that a node signed, with one address in each period. Nodes of one address are few, and
new nodes fill only so much room: one that was tried and did not answer makes room for the next, and where many were
brought from, those make room for who comes from elsewhere. A node of the consensus always finds room where it is.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from roost.errors import WireError
from roost.network.onion.paths import neighbourhood
from roost.relay.core.ballots import rounds_of
from roost.relay.core.directory import BadVote, CountedVote, NamedHost, good_for, read_descriptor
from roost.relay.core.forwarding import is_loopback, parse_ip
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.probing import Origin, Probing
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import VotedNode
from roost.wire.codec import decode
from roost.wire.mailbox import RefusalCode
from roost.wire.onion import MAX_NODES, NetworkDocument, NodeDescriptor, SignedDescriptor

_NEW = 512  # nodes that no consensus lists, at one time
_OF_ONE_HOST = 8  # nodes at one address
_FULL_RETRY_MS = 60_000
_LONGEST_PAUSE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class _Held:
    descriptor: NodeDescriptor
    signed: SignedDescriptor
    origin: Origin


class Descriptors:
    def __init__(self, document: NetworkDocument, probing: Probing) -> None:
        self._document = document
        self._probing = probing
        self._held: dict[bytes, _Held] = {}

    def take(self, data: bytes, listed: frozenset[bytes], now: float, source: str = "") -> None:
        """What a node brought; `listed` are those of the consensus, `source` is the address that it came from.

        Raises:
            RefusedRequest: bad_request, bad_destination (its host is a name), old_version, slow_down (it had another
                address in this period), full.
        """
        try:
            signed = decode(SignedDescriptor, data)
            descriptor = read_descriptor(signed)
        except NamedHost as error:
            raise RefusedRequest(RefusalCode.BAD_DESTINATION) from error
        except (WireError, BadVote) as error:
            raise RefusedRequest(RefusalCode.BAD_REQUEST) from error
        if not self._fits(descriptor, now):
            raise RefusedRequest(RefusalCode.BAD_REQUEST)
        address, origin = descriptor.address, origin_of(source, descriptor.address.host)
        held = self._held.get(address.key)
        if held is not None and held.descriptor.period > descriptor.period:
            raise RefusedRequest(RefusalCode.OLD_VERSION)
        if held is not None and held.descriptor.period == descriptor.period:
            if held.descriptor.address != address:
                left_s = (descriptor.period + 1) * self._document.period_s - now
                raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=int(1_000 * min(left_s, _LONGEST_PAUSE_S)))
            origin = held.origin  # whoever brings it again
        if held is None or held.descriptor.address.host != address.host:
            self._make_room(address, origin, listed)
        self._hold(_Held(descriptor, signed, origin))

    def learn(self, votes: Iterable[CountedVote], now: float) -> None:
        """What other authorities hold, at least one honest among them: a node need not reach all."""
        held_by: Counter[SignedDescriptor] = Counter(node.descriptor for vote in votes for node in vote.vote.nodes)
        for signed in [signed for signed, count in held_by.items() if count >= rounds_of(self._document)]:
            descriptor = read_descriptor(signed)
            held = self._held.get(descriptor.address.key)
            room = held is not None or len(self._held) < MAX_NODES
            newer = held is None or held.descriptor.period < descriptor.period
            if room and newer and self._fits(descriptor, now):
                self._hold(_Held(descriptor, signed, origin_of("", descriptor.address.host)))

    def restore(self, kept: Iterable[SignedDescriptor], now: float) -> None:
        for signed in kept:
            try:
                descriptor = read_descriptor(signed)
            except BadVote:
                continue
            if self._fits(descriptor, now):
                self._hold(_Held(descriptor, signed, origin_of("", descriptor.address.host)))

    def retire(self, period: int) -> None:
        """Those that have no packet key for this period go."""
        for key in [key for key, held in self._held.items() if not good_for(held.descriptor, period)]:
            self._drop(key)

    def all(self) -> tuple[SignedDescriptor, ...]:
        return tuple(held.signed for held in self._held.values())

    def voted(self) -> list[VotedNode]:
        return [VotedNode(held.signed, self._probing.live(key)) for key, held in self._held.items()]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _hold(self, held: _Held) -> None:
        self._held[held.descriptor.address.key] = held
        self._probing.watch(held.descriptor.address, held.origin)

    def _drop(self, key: bytes) -> None:
        del self._held[key]
        self._probing.forget(key)

    def _fits(self, descriptor: NodeDescriptor, now: float) -> bool:
        """Of this network, and of about this period; clocks differ at its ends."""
        period = self._document.period(now)
        return (
            descriptor.network == self._document.id
            and abs(descriptor.period - period) <= 1
            and good_for(descriptor, period + 1)
        )

    def _make_room(self, address: RelayAddress, origin: Origin, listed: frozenset[bytes]) -> None:
        """For a node that comes to this address. Raises RefusedRequest: full."""
        there = [key for key in self._held if key != address.key and self._beside(key, address.host)]
        if len(there) >= _OF_ONE_HOST and not is_loopback(address.host):
            self._give_way(next((key for key in there if key not in listed and self._probing.dead(key)), None))
        if address.key in self._held or address.key in listed:
            return
        new = {key: held.origin for key, held in self._held.items() if key not in listed}
        if len(new) >= _NEW or len(self._held) >= MAX_NODES:
            self._give_way(self._crowded(new, origin))

    def _beside(self, key: bytes, host: str) -> bool:
        return _machine(self._held[key].descriptor.address.host) == _machine(host)

    def _crowded(self, new: dict[bytes, Origin], comes: Origin) -> bytes | None:
        """Of the new nodes, the one to make room for one that comes from there."""
        networks, addresses = Counter(network for network, _ in new.values()), Counter(new.values())

        def crowd(key: bytes) -> tuple[bool, int, int]:
            return self._probing.dead(key), networks[new[key][0]], addresses[new[key]]

        worst = max(new, key=crowd, default=None)
        if worst is None:
            return None
        dead, of_network, of_address = crowd(worst)
        within = new[worst][0] == comes[0]
        fairer = of_address > addresses[comes] + 1 if within else of_network > networks[comes[0]] + 1
        return worst if dead or fairer else None

    def _give_way(self, key: bytes | None) -> None:
        """Raises RefusedRequest: full."""
        if key is None:
            raise RefusedRequest(RefusalCode.FULL, retry_after_ms=_FULL_RETRY_MS)
        self._drop(key)


def origin_of(source: str, host: str) -> Origin:
    """Among whom a node at `host` takes turns that was brought from `source`: those from there; or, where that says
    nothing because a proxy stands in front, those that are where it is."""
    for text in (str(parse_ip(source) or ""), host):
        near = neighbourhood(text) if text else None
        if near is not None:
            return near, text
    return host, host


@lru_cache(maxsize=8_192)
def _machine(host: str) -> str:
    """What one machine has of addresses: one of IPv4, a /64 of IPv6."""
    address = ipaddress.ip_address(host)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
