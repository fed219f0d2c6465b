"""Which nodes a client's packets go through: few entry guards that stay, and three nodes for each path. Pure.

Whoever watches both ends of a path learns who talks where. A client that chose its first node anew each time would
sooner or later choose a watcher's; so it keeps three, uses them in order, and replaces one only when it failed on
several days or left the network (Wright et al. 2004, Elahi et al. 2012). No two nodes of a path have the same operator
or lie in the same network, and the node that a packet is for is none of the three.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import unicodedata
from collections.abc import Container, Sequence
from functools import lru_cache

import msgspec

from roost.crypto import Entropy, PacketPublic
from roost.errors import Unreachable, WireError
from roost.network.onion.chance import fraction, pick, waiting
from roost.network.onion.reputation import Reputation
from roost.wire.codec import Record, decode, encode
from roost.wire.mailbox import Count, NodeKey
from roost.wire.onion import Consensus, ConsensusNode

GUARDS = 3
DAY_S = 86_400
FAILED_DAYS = 3  # on so many days in a row a guard did not answer while another did
UNLISTED_S = 3 * DAY_S  # how long a guard that left the consensus keeps its place for a return
_MOST_KEPT = 12  # with those that are unlisted for the moment
_TRIES = 40  # to draw a node that fits, before all are looked at
_LIVE = 500  # per mille of the authorities' attempts; nodes below are used when there is no other way


class TooFewNodes(Unreachable):
    """No path can be chosen."""

    code = "too_few_nodes"
    hint = "A network needs at least five nodes of different operators; ask those who run it."

    def __init__(self) -> None:
        super().__init__("The onion network has too few nodes at the moment.")


# --- nodes ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8_192)
def neighbourhood(host: str) -> str | None:
    """The network that an address lies in: /16 of IPv4, /32 of IPv6; None for addresses that lead nowhere in the
    internet, of which a demonstration may have many. All names count as one network: nobody knows where they lie, and
    authorities list none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "names"
    if address.is_private or address.is_loopback or address.is_link_local:
        return None
    prefix = 16 if address.version == 4 else 32
    return str(ipaddress.ip_network((address, prefix), strict=False))


@lru_cache(maxsize=8_192)
def _hand(operator: str) -> str:
    """An operator's name, however it is written."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", operator).casefold()).split())


def apart(one: ConsensusNode, other: ConsensusNode) -> bool:
    """Whether nothing is known that joins two nodes. An empty operator says nothing."""
    hand = _hand(one.operator)
    if one.key == other.key or (hand and hand == _hand(other.operator)):
        return False
    near = neighbourhood(one.address.host)
    return near is None or near != neighbourhood(other.address.host)


@lru_cache(maxsize=2_048)
def packet_public(raw: bytes) -> PacketPublic:
    """A node's packet key, parsed once. Raises CryptoError."""
    return PacketPublic(raw)


# --- guards -----------------------------------------------------------------------------------------------------------


class Guard(Record, frozen=True):
    """A node that this client enters by; times in seconds since 1970, 0 for never."""

    node: NodeKey
    since: Count
    unlisted_since: Count = 0
    failed_days: Count = 0
    failed_on: Count = 0  # the last of these days
    drops: bool = False  # it failed by losing packets, so that a link to it is no success


class _Kept(Record, frozen=True):
    guards: tuple[Guard, ...]


class Guards:
    """The guards of one client in one network, in the order in which they are tried. `wall` is seconds since 1970."""

    def __init__(self, kept: bytes | None = None) -> None:
        """`kept`: what `encoded` gave; what cannot be read is forgotten."""
        self.kept: list[Guard] = []
        self._listed: frozenset[bytes] = frozenset()
        if kept is not None:
            with contextlib.suppress(WireError):
                self.kept = list(decode(_Kept, kept).guards)

    def encoded(self) -> bytes:
        return encode(_Kept(tuple(self.kept)))

    def in_order(self) -> list[bytes]:
        """Those to enter by, the first one first."""
        return [guard.node for guard in self.kept if guard.node in self._listed][:GUARDS]

    def update(self, consensus: Consensus, wall: float, entropy: Entropy) -> None:
        """This consensus holds from now on: fill up what is missing."""
        today = int(wall)
        self._listed = frozenset(node.key for node in consensus.nodes)
        kept = []
        for guard in self.kept:
            unlisted_since = 0 if guard.node in self._listed else guard.unlisted_since or today
            if unlisted_since and today - unlisted_since >= UNLISTED_S:
                continue
            kept.append(msgspec.structs.replace(guard, unlisted_since=unlisted_since))
        self.kept = kept
        while len(self.in_order()) < min(GUARDS, len(consensus.nodes)):
            if len(self.kept) >= _MOST_KEPT:
                self.kept.remove(next(guard for guard in self.kept if guard.node not in self._listed))
            self.kept.append(Guard(self._another(consensus, entropy), today))

    def stood(self, node: bytes) -> None:
        """A link to this guard stands."""
        if not any(guard.node == node and guard.drops for guard in self.kept):
            self.passed(node)

    def passed(self, node: bytes) -> None:
        """This guard passes packets on."""
        self._change(node, failed_days=0, failed_on=0, drops=False)

    def failed(self, node: bytes, wall: float, *, drops: bool = False) -> None:
        """This guard does not answer, or loses packets, and another one does not."""
        day = int(wall) // DAY_S
        guard = next((guard for guard in self.kept if guard.node == node), None)
        if guard is None or guard.failed_on == day:
            return
        if guard.failed_days + 1 >= FAILED_DAYS:
            self.kept = [other for other in self.kept if other is not guard]
        else:
            self._change(node, failed_days=guard.failed_days + 1, failed_on=day, drops=guard.drops or drops)

    def _change(self, node: bytes, **fields: int) -> None:
        self.kept = [msgspec.structs.replace(guard, **fields) if guard.node == node else guard for guard in self.kept]

    def _another(self, consensus: Consensus, entropy: Entropy) -> bytes:
        """A node that is no guard yet; apart from the others and known to be up, if there is one."""
        taken = {guard.node for guard in self.kept}
        others = [node for node in consensus.nodes if node.key in taken]
        free = [node for node in consensus.nodes if node.key not in taken]
        live = [node for node in free if node.live >= _LIVE] or free
        good = [node for node in live if all(apart(node, other) for other in others)] or live
        return pick(entropy, good).key


# --- paths ------------------------------------------------------------------------------------------------------------


class Paths:
    """Chooses paths through one consensus. `reputations` are asked which nodes lose packets."""

    def __init__(self, reputations: Sequence[Reputation], entropy: Entropy) -> None:
        self._reputations = reputations
        self._entropy = entropy
        self._nodes: dict[bytes, ConsensusNode] = {}
        self._usable: list[ConsensusNode] = []

    def update(self, consensus: Consensus, period: int) -> None:
        """Paths go through the nodes of `consensus` that have a packet key of `period` from now on."""
        self._nodes = {node.key: node for node in consensus.nodes if node.packet_key(period) is not None}
        live = [node for node in self._nodes.values() if node.live >= _LIVE]
        self._usable = live if len(live) > 2 * GUARDS else list(self._nodes.values())

    def node(self, key: bytes) -> ConsensusNode | None:
        return self._nodes.get(key)

    def known(self, key: bytes) -> ConsensusNode:
        """Raises TooFewNodes."""
        node = self._nodes.get(key)
        if node is None:
            raise TooFewNodes
        return node

    def entry(self, host: bytes | None, attached: Sequence[bytes], doubted: Container[bytes] = ()) -> bytes | None:
        """By which of the guards that are attached, in order, to enter for this host, or for none; None when no guard
        will do. Those that are `doubted` come after the others, and those that are not apart from the host last:
        who loses packets drives nobody to a guard of the host's own hand."""
        guards = [self._nodes[guard] for guard in attached if guard in self._nodes and guard != host]
        to = self._nodes.get(host) if host is not None else None
        best = min(guards, key=lambda one: (to is not None and not apart(one, to), one.key in doubted), default=None)
        return best.key if best is not None else None

    def forward(self, guard: bytes, host: bytes, now: float) -> list[ConsensusNode]:
        """The three nodes on the way from a client, who enters by `guard`, to `host`. Raises TooFewNodes."""
        entry, to = self.known(guard), self.known(host)
        return [entry, *self._two(entry, to, now)]

    def backward(self, host: bytes, guard: bytes, now: float) -> list[ConsensusNode]:
        """The three nodes on the way back. Raises TooFewNodes."""
        return self.forward(guard, host, now)[::-1]

    def around(self, guard: bytes, now: float | None = None) -> list[ConsensusNode]:
        """The four nodes of a packet that comes back; without a time whatever is thought of them, as loops are there to
        find out. Raises TooFewNodes."""
        entry = self.known(guard)
        return [entry, *self._two(entry, entry, now), entry]

    def any_host(self, avoid: Sequence[bytes], now: float) -> bytes | None:
        """A node for what any node can do."""
        choices = [node for node in self._usable if node.key not in avoid] or self._usable
        if not choices:
            return None
        return pick(self._entropy, choices, [self._weight(node, now) for node in choices]).key

    # --- inside -------------------------------------------------------------------------------------------------------

    def _two(self, entry: ConsensusNode, to: ConsensusNode, now: float | None) -> tuple[ConsensusNode, ConsensusNode]:
        """Best are nodes that are apart from the host too; a small network may not have them."""
        first = self._drawn((entry, to), now)
        second = self._drawn((entry, to, first), now) if first is not None else None
        if first is not None and second is not None:
            return first, second
        others = [node for node in self._usable if node.key not in (entry.key, to.key) and apart(node, entry)]
        for middle in ([node for node in others if apart(node, to)], others):
            for first in self._in_turn(middle, now):
                seconds = [node for node in middle if apart(node, first)]
                if seconds:
                    return first, pick(self._entropy, seconds, [self._weight(node, now) for node in seconds])
        raise TooFewNodes

    def _drawn(self, others: Sequence[ConsensusNode], now: float | None) -> ConsensusNode | None:
        """A node that is apart from all these, without looking at every node there is; None after some tries."""
        for _ in range(_TRIES if self._usable else 0):
            node = pick(self._entropy, self._usable)
            if all(apart(node, other) for other in others) and fraction(self._entropy) < self._weight(node, now):
                return node
        return None

    def _in_turn(self, nodes: Sequence[ConsensusNode], now: float | None) -> list[ConsensusNode]:
        """In an order that chance gives, by weight."""
        return sorted(nodes, key=lambda node: waiting(self._entropy, 1.0) / self._weight(node, now))

    def _weight(self, node: ConsensusNode, now: float | None) -> float:
        """All alike without a time."""
        return 1.0 if now is None else math.prod(one.weight(node.key, now) for one in self._reputations)
