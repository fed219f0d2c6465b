"""Which of the guards lose packets. Pure.

Likelihood (`reputation`) finds a guard that drops much. One that drops what goes to most nodes, and passes what goes to
a few, has the blame fall on those nodes. So guards are compared too: loops and probes go by each of them in turn, over
nodes drawn alike whatever is thought of them, so that whatever the network or a mailbox's node loses, it loses of each
guard's alike. Who loses clearly more than another guard does so itself. Minute by minute, since the network changes
(Cochran 1954, Mantel & Haenszel 1959).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from roost.crypto import Entropy
from roost.network.onion.chance import fraction
from roost.network.onion.reputation import Reputation

_STRATUM_S: Final = 60.0
_STRATA: Final = 60  # that are remembered
_MORE: Final = 0.25  # the share of loops that a guard loses beyond what another does, when it is doubted ...
_CERTAIN: Final = 4.0  # ... so many standard errors from none, at the most that these can be
_ENOUGH: Final = 5.0  # the weight of what shows that a guard does no worse: ten loops by each
_TRIAL_S: Final = 60.0  # how often a guard that seems to lose packets is tried


class Comparison:
    """What became of the loops by each guard."""

    def __init__(self) -> None:
        self._strata: dict[int, dict[bytes, tuple[int, int]]] = {}  # by minute and guard: how many were sent and lost

    def record(self, guard: bytes, arrived: bool, sent_at: float) -> None:
        """A loop by this guard came back, or not."""
        of = self._strata.setdefault(int(sent_at // _STRATUM_S), {})
        sent, lost = of.get(guard, (0, 0))
        of[guard] = (sent + 1, lost + (not arrived))

    def forget(self, now: float) -> None:
        """What is too old."""
        oldest = int(now // _STRATUM_S) - _STRATA
        self._strata = {minute: of for minute, of in self._strata.items() if minute >= oldest}

    def is_worse(self, guard: bytes, others: Iterable[bytes]) -> bool:
        """It clearly loses more than one of the others."""
        return any(
            more > _MORE and more * weight**0.5 > _CERTAIN / 2
            for more, weight in (self._more(guard, other) for other in others)
        )

    def is_as_good(self, guard: bytes, others: Iterable[bytes]) -> bool:
        """There is enough to compare with one of the others, and it loses no more than any."""
        found = [(more, weight) for more, weight in (self._more(guard, other) for other in others) if weight >= _ENOUGH]
        return bool(found) and max(found)[0] <= _MORE / 2

    def _more(self, guard: bytes, other: bytes) -> tuple[float, float]:
        """The share of its loops that `guard` loses beyond what `other` does, and the weight of this."""
        whole = difference = 0.0
        for of in self._strata.values():
            if guard in of and other in of:
                (sent, lost), (others_sent, others_lost) = of[guard], of[other]
                weight = sent * others_sent / (sent + others_sent)
                whole += weight
                difference += weight * (lost / sent - others_lost / others_sent)
        return (difference / whole if whole else 0.0), whole


class GuardWatch:
    """Says which guards are `doubted`, and by which to send loops to find out more."""

    def __init__(self, reputations: Sequence[Reputation], entropy: Entropy) -> None:
        self.doubted: frozenset[bytes] = frozenset()
        self.comparison = Comparison()
        self._reputations = reputations
        self._entropy = entropy
        self._worse: set[bytes] = set()  # of these those that must show that they do no worse than others
        self._trials: dict[bytes, float] = {}  # by guard: when it is tried next

    def doubt(self, guards: Iterable[bytes]) -> None:
        """These were found to lose packets before."""
        self.doubted = frozenset(guards)
        self._worse = {*self.doubted}

    def judge(self, attached: Collection[bytes], now: float) -> bool:
        """See which guards seem to lose packets; returns whether one does so now that did not before."""
        before = self.doubted
        self.doubted = frozenset(guard for guard in {*attached, *before} if self._doubts(guard, attached, now))
        return bool(self.doubted - before)

    def trials(self, attached: Collection[bytes], now: float) -> list[bytes]:
        """By which guards to send a loop now: those that are doubted, now and then, each with another to compare."""
        self.comparison.forget(now)
        due = []
        for guard in self.doubted & {*attached}:
            if self._trials.get(guard, now) <= now:
                self._trials[guard] = now + _TRIAL_S * (0.5 + fraction(self._entropy))
                others = [other for other in attached if other != guard]
                due += [guard, *sorted(others, key=lambda other: other in self.doubted)[:1]]
        return due

    def _doubts(self, guard: bytes, attached: Collection[bytes], now: float) -> bool:
        """Nobody is blamed for what a worse one did. Once it is doubted, a guard must show that packets pass: that what
        it lost is forgotten is not enough."""
        others = [other for other in attached if other != guard]
        if self.comparison.is_worse(guard, others):
            self._worse.add(guard)
            return True
        if any(one.is_suspicious(guard, now) for one in self._reputations):
            return not any(self.comparison.is_worse(other, [guard]) for other in others)
        if guard in self._worse:
            if others and not self.comparison.is_as_good(guard, others):
                return True
            self._worse.discard(guard)
        return guard in self.doubted and not any(one.is_trusted(guard, now) for one in self._reputations)
