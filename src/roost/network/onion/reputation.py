"""Which nodes lose packets, found out from which packets were lost. Pure.

A packet that does not come back says only that one of its nodes lost it. Over many packets on different paths the most
likely share that each node loses is found by expectation maximisation (Dempster, Laird & Rubin 1977): the blame for a
loss goes to the nodes of its path in proportion to what each is already thought to lose. A dead node stands out after a
few losses, one that drops some packets after some dozens. What was seen is forgotten within minutes, so a node that
came back is tried again; and no node is left out for good, since an attacker who can make honest nodes look bad could
drive a client to its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

RECENT_S = 90.0  # the half-life of an observation ...
LOOPS_S = 1_200.0  # ... and of a loop's, which are few and say most
_REFRESH_S = 1.0  # how soon what arrived is taken into account; what was lost is at once
_MOST = 512  # paths and outcomes that are kept
_ROUNDS = 8
_PRIOR = 0.02  # what an unknown node is taken to lose ...
_PRIOR_WEIGHT = 1.0  # ... with the weight of so many observations
_LEAST = 0.005  # of its weight, that the worst node keeps
_SUSPICIOUS = 0.25
_ENOUGH = 4.0  # observations before a node is called suspicious


class Reputation:
    """What a client has seen of the nodes. An observation weighs half as much after each `half_life_s`."""

    def __init__(self, half_life_s: float = RECENT_S) -> None:
        self._half_life_s = half_life_s
        self._seen: dict[tuple[frozenset[bytes], bool], tuple[float, float]] = {}  # by path and outcome: weight, when
        self._lost: dict[bytes, float] = {}
        self._sent: dict[bytes, float] = {}
        self._stale = False
        self._estimated_at = -math.inf

    def record(self, nodes: Iterable[bytes], arrived: bool, now: float) -> None:
        """A packet went over these nodes, and arrived or was lost."""
        what = (frozenset(nodes), arrived)
        weight, at = self._seen.get(what, (0.0, now))
        self._seen[what] = (weight * self._fading(now - at) + 1.0, now)
        self._stale = self._stale or not arrived or now > self._estimated_at + _REFRESH_S

    def weight(self, node: bytes, now: float) -> float:
        """How readily this node is chosen, from just above 0 to 1."""
        self._estimate(now)
        return max(_LEAST, (1.0 - self._lost.get(node, _PRIOR)) ** 6)

    def is_suspicious(self, node: bytes, now: float) -> bool:
        """It seems to lose packets."""
        self._estimate(now)
        return self._lost.get(node, 0.0) > _SUSPICIOUS and self._sent.get(node, 0.0) >= _ENOUGH

    def is_trusted(self, node: bytes, now: float) -> bool:
        """Enough went over this node lately, and it does not seem to lose packets."""
        return self._sent.get(node, 0.0) >= _ENOUGH and not self.is_suspicious(node, now)

    def _estimate(self, now: float) -> None:
        if not self._stale and now < self._estimated_at + self._half_life_s / 4:
            return
        self._stale, self._estimated_at = False, now
        weights = {what: weight * self._fading(now - at) for what, (weight, at) in self._seen.items()}
        if len(weights) > _MOST:
            kept = sorted(weights, key=lambda what: weights[what], reverse=True)[: _MOST // 2]
            self._seen = {what: self._seen[what] for what in kept}
        sent: dict[bytes, float] = {}
        for (nodes, _), weight in weights.items():
            for node in nodes:
                sent[node] = sent.get(node, 0.0) + weight
        losses = [(nodes, weight) for (nodes, arrived), weight in weights.items() if not arrived]
        self._sent = sent
        self._lost = _most_likely(sent, losses)

    def _fading(self, age: float) -> float:
        return float(0.5 ** (age / self._half_life_s))


def _most_likely(sent: dict[bytes, float], losses: list[tuple[frozenset[bytes], float]]) -> dict[bytes, float]:
    lost = dict.fromkeys(sent, 0.5)
    for _ in range(_ROUNDS):
        blame = dict.fromkeys(sent, _PRIOR * _PRIOR_WEIGHT)
        for nodes, weight in losses:
            whole = sum(lost[node] for node in nodes)
            for node in nodes:
                blame[node] += weight * lost[node] / whole
        lost = {node: min(1.0, blame[node] / (count + _PRIOR_WEIGHT)) for node, count in sent.items()}
    return lost
