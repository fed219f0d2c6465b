"""How many packets may be under way, and how long an answer is waited for. Pure.

Round trips as in RFC 6298. The window grows by one packet for each round trip in which nothing was lost and halves when
something was (additive increase, multiplicative decrease: Chiu & Jain 1989), for all sessions of a network together:
they share the client's link, its guard and the nodes behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

_FIRST = 16.0
_LEAST = 6.0
_MOST = 256.0


@dataclass(frozen=True)
class Patience:
    """In seconds: how long the first answer is waited for, and the least and the most that any is."""

    first_s: float
    least_s: float
    most_s: float


FAST = Patience(first_s=2.0, least_s=0.7, most_s=15.0)
MIXED = Patience(first_s=12.0, least_s=8.0, most_s=40.0)


class RoundTrip:
    """The time between a question and its answer."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.smoothed: float | None = None
        self.least = 0.0  # the shortest one
        self._variation = 0.0
        self._guessed: float | None = None

    def sample(self, seconds: float) -> None:
        """An answer came after so long; only of questions that were asked once (Karn & Partridge 1987)."""
        if self.smoothed is None:
            self.least, self.smoothed, self._variation = seconds, seconds, seconds / 2
        else:
            self._variation += (abs(self.smoothed - seconds) - self._variation) / 4
            self.smoothed += (seconds - self.smoothed) / 8
            self.least = min(self.least, seconds)

    def guess(self, seconds: float) -> None:
        """It may be about so long; forgotten once it was measured."""
        if self.smoothed is None:
            self._guessed = seconds

    def timeout(self, attempts: int) -> float:
        """How long to wait after having asked `attempts` times: doubling."""
        patience = self._patience
        if self.smoothed is not None:
            one = self.smoothed + 4 * self._variation
        else:
            one = patience.first_s if self._guessed is None else 2 * self._guessed
        return min(max(one, patience.least_s) * (1 << min(attempts - 1, 8)), patience.most_s)

    @property
    def late(self) -> float:
        """After so long, what others overtook is not merely late."""
        return max(self.timeout(1) / 2, self.usual) if self.smoothed is None else self.smoothed + self._variation

    @property
    def usual(self) -> float:
        """The smoothed time, or a guess before the first answer."""
        return self._patience.first_s / 3 if self.smoothed is None else self.smoothed


class Window:
    """Counts packets that were sent and neither answered nor given up."""

    def __init__(self) -> None:
        self.size = _FIRST
        self.under_way = 0
        self._threshold = _MOST
        self._cut_at = 0.0
        self._closed_until = 0.0

    def room(self, now: float) -> int:
        """How many packets may leave now."""
        if now < self._closed_until:
            return 0
        return max(0, int(self.size) - self.under_way)

    @property
    def closed_until(self) -> float:
        return self._closed_until

    def sent(self) -> None:
        self.under_way += 1

    def arrived(self, packets: int = 1) -> None:
        """They were answered."""
        self.gone(packets)
        self.grow(packets)

    def grow(self, packets: float) -> None:
        """So many are known to have arrived."""
        self.size = min(_MOST, self.size + (packets if self.size < self._threshold else packets / self.size))

    def gone(self, packets: int = 1) -> None:
        """They are no longer waited for; nothing follows from it."""
        self.under_way = max(0, self.under_way - packets)

    def lost(self, packets: int, round_trip: float, now: float) -> None:
        """They were given up. What is lost within one round trip counts once."""
        self.gone(packets)
        if now >= self._cut_at + round_trip:
            self._cut_at = now
            self._threshold = self.size = max(_LEAST, self.size / 2)

    def close(self, seconds: float, now: float) -> None:
        """The first node asks to slow down."""
        self._closed_until = max(self._closed_until, now + seconds)
