"""How a benchmark measures, and what it reports."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Result:
    """One measured figure. `ratio` compares it with its floor of the same run: cost as a multiple of the floor's cost,
    or throughput as a share of the floor's throughput; None for a floor itself."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    floor: str = ""


class Clock:
    """Measures for about `seconds` per figure."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def microseconds(self, work: Callable[[], object]) -> float:
        """What one call of `work` costs: the best of some rounds, since whatever disturbs a round only adds to it."""
        return self.side_by_side([work])[0]

    def side_by_side(self, works: Sequence[Callable[[], object]]) -> list[float]:
        """As `microseconds` of several in turn, so that a machine that is busy for a while is busy for all of them."""
        repeats = [self._repeats(work) for work in works]
        best = [math.inf] * len(works)
        for _ in range(ROUNDS):
            for index, (work, repeat) in enumerate(zip(works, repeats, strict=True)):
                best[index] = min(best[index], _spent(work, repeat) / repeat * 1e6)
        return best

    def _repeats(self, work: Callable[[], object]) -> int:
        """How often `work` is done in a round."""
        work()
        count, spent = 1, 0.0
        while spent < self.seconds / 20:
            count *= 2
            spent = _spent(work, count)
        return max(1, int(count * self.seconds / ROUNDS / spent))


def _spent(work: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return time.perf_counter() - start


def once(work: Callable[[], object], count: int = 1) -> float:
    """Microseconds of work that can be done so many times and no more."""
    return _spent(work, count) / count * 1e6


def cost(name: str, microseconds: float, floor: Result | None = None) -> Result:
    """A figure in microseconds; its ratio is how many times the floor it costs."""
    ratio = microseconds / floor.value if floor else None
    return Result(name, microseconds, "us", ratio, floor.name if floor else "")


def throughput(name: str, per_second: float, unit: str, floor: Result | None = None) -> Result:
    """A figure per second; its ratio is which share of the floor it reaches."""
    ratio = per_second / floor.value if floor else None
    return Result(name, per_second, unit, ratio, floor.name if floor else "")


def percentiles(name: str, seconds: list[float], floor: Result | None = None) -> list[Result]:
    """Median and 99th percentile of latencies, in microseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return [cost(f"{name}, p50", cuts[49] * 1e6, floor), cost(f"{name}, p99", cuts[98] * 1e6, floor)]
