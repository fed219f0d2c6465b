"""What a node knows of those who keep places with it, and how it speaks to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from heapq import nsmallest
from itertools import islice
from typing import TypeVar

from roost.crypto import Entropy
from roost.errors import RoostError, Unreachable, WireError
from roost.relay.core.places import Ballot, FormerNetwork
from roost.wire.codec import decode, encode
from roost.wire.onion import Consensus, rank_at
from roost.wire.swarm import Members, SwarmMessage, SwarmReply

R = TypeVar("R")

Send = Callable[[bytes, bytes], Awaitable[bytes]]
"""To the node with this key, the body of a SwarmCall; returns the body of the answer. Raises Unreachable, Refused."""

_CALL_S = 5.0
_CACHED = 32_768  # places: 20 MB
_FORMER = 24  # networks that are remembered ...
_FORMER_DAYS = 7  # ... and how long
_KEY_SIZE = 32


class Colleagues:
    """`replicas` nodes keep each place, and `quorum` of them must have what is acknowledged."""

    def __init__(self, own: bytes, send: Send, replicas: int, quorum: int, entropy: Entropy) -> None:
        self.own = own
        self._send = send
        self._replicas = replicas
        self._quorum = quorum
        self._entropy = entropy
        self.current: Consensus | None = None
        self.previous: Consensus | None = None
        self._swarms: dict[bytes, tuple[bytes, ...]] = {}
        self._earlier: dict[bytes, tuple[bytes, ...]] = {}  # by the consensus before
        self._keeping: tuple[tuple[bytes, ...], tuple[bytes, ...]] = (), ()  # the nodes that keep places, and before
        self._nodes: frozenset[bytes] = frozenset()
        self.serves = False
        self.linked = False
        self.former: tuple[FormerNetwork, ...] = ()
        self._all_former: frozenset[bytes] = frozenset()
        self._in_former: list[frozenset[bytes]] = []  # the nodes of each

    def on_consensus(self, current: Consensus, previous: Consensus | None, today: int) -> None:
        self.remember([FormerNetwork(today, _nodes(one)) for one in (self.current, previous) if one is not None], today)
        self.linked = not any(current.previous) or (previous is not None and previous.id == current.previous)
        self.current, self.previous = current, previous
        self._swarms.clear()
        self._earlier.clear()
        self._keeping = _nodes(current), _nodes(previous) if previous is not None else ()
        both = (*current.nodes, *(previous.nodes if previous is not None else ()))
        self._nodes = frozenset(node.key for node in both)
        me = current.node(self.own)
        self.serves = me is not None and bool(me.salt)

    def remember(self, former: Sequence[FormerNetwork], today: int) -> None:
        """The network was so before, the last one first; what is known already was so before that."""
        last: dict[tuple[bytes, ...], int] = {}
        for one in (*former, *self.former):
            last[one.nodes] = max(one.day, last.get(one.nodes, 0))
        recent = (FormerNetwork(day, nodes) for nodes, day in last.items() if day >= today - _FORMER_DAYS)
        self.former = tuple(islice(recent, _FORMER))
        self._in_former = [frozenset(one.nodes) for one in self.former]
        self._all_former = frozenset().union(*self._in_former)

    @property
    def complete(self) -> bool:
        """Who kept places before is known too: a consensus before this one, or there was none."""
        return self.current is not None and (self.previous is not None or not any(self.current.previous))

    def others(self) -> list[bytes]:
        """All other nodes that keep mailboxes now."""
        assert self.current is not None
        return [node.key for node in self.current.nodes if node.salt and node.key != self.own]

    def listed(self, node: bytes) -> bool:
        """It is in the consensus, or was in the last one. Others are gone for good. Who knows one
        consensus only cannot tell."""
        return self.previous is None or node in self._nodes

    def swarm(self, place: bytes) -> tuple[bytes, ...]:
        """Who is to keep this place, best first; nobody while there is no consensus."""
        return self._best(self._swarms, self._keeping[0], place)

    def before(self, place: bytes) -> tuple[bytes, ...]:
        """Who was to keep it by the consensus before."""
        return self._best(self._earlier, self._keeping[1], place)

    def all_before(self, place: bytes) -> list[tuple[bytes, ...]]:
        """Who was to keep it by any of the consensuses that are remembered."""
        ranked = sorted(self._all_former, key=rank_at(place))
        best = (islice(filter(network.__contains__, ranked), self._replicas) for network in self._in_former)
        return list(dict.fromkeys(tuple(node[:_KEY_SIZE] for node in nodes) for nodes in best))

    def may_lead(self, node: bytes, place: bytes) -> bool:
        return node in self.swarm(place) or node in self.before(place)

    def quorum(self, members: Sequence[object]) -> int:
        return min(self._quorum, len(members))

    def ballot(self, place: bytes, proposed: Members | None, hints: Iterable[bytes]) -> Ballot:
        return Ballot(self.swarm(place), [self.before(place)], self.listed, proposed, hints)

    def inquest(self, place: bytes) -> Ballot:
        """To be certain that there is nothing: a majority of each swarm that is remembered must say so, and nobody is
        given up."""
        return Ballot(self.swarm(place), self.all_before(place), lambda _node: True)

    def pause(self, least: float) -> float:
        """Some seconds, up to three times as many: who hinders each other does not do so for ever."""
        return least * (1 + 2 * self._entropy.bytes(1)[0] / 255)

    async def call(self, node: bytes, message: SwarmMessage, kind: type[R]) -> R:
        """Raises Unreachable: it did not answer, or nothing of `kind`."""
        try:
            async with asyncio.timeout(_CALL_S):
                body = await self._send(node, encode(message))
            reply: SwarmReply = decode(SwarmReply, body)  # type: ignore[arg-type]
        except (TimeoutError, RoostError) as error:
            raise Unreachable("Another node does not answer.") from error
        if not isinstance(reply, kind):
            raise Unreachable("Another node answers something else.") from WireError("unexpected answer")
        return reply

    def _best(self, known: dict[bytes, tuple[bytes, ...]], nodes: tuple[bytes, ...], place: bytes) -> tuple[bytes, ...]:
        found = known.get(place)
        if found is None:
            if len(known) >= _CACHED:
                known.clear()
            best = nsmallest(self._replicas, nodes, key=rank_at(place))
            found = known[place] = tuple(node[:_KEY_SIZE] for node in best)
        return found


def _nodes(consensus: Consensus) -> tuple[bytes, ...]:
    return tuple(node.key + node.salt for node in consensus.nodes if node.salt)
