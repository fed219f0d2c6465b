"""When a client sends while conversations are mixed: at random moments, whether there is something to say or not. Pure.

As in Loopix (Piotrowska et al. 2017): packets leave as a Poisson process whose rate does not depend on what is done.
Each moment carries what waits, or else cover; at further moments of their own, loops come back to their sender over
nodes drawn alike and so show which of them drop packets. Whoever watches the line sees one Poisson process going out.

What comes in is as much for each packet that leaves, in use or not: cover either comes back too or is dropped by its
last node, whichever `Balance` lacks. Only when more comes than that, or less, for a minute, does it show.
"""

from __future__ import annotations

from typing import Final

from roost.crypto import Entropy
from roost.network.onion.chance import fraction, waiting

HOP_DELAY_S: Final = 0.5  # the mean of each hop's
SEND_S: Final = 1.0  # the mean between two packets, real or cover
LOOP_S: Final = 10.0  # the mean between two loops
RETURNS: Final = 0.75  # packets that come in, in the mean, for each that leaves at its moment
HOPS_WITH_DELAY: Final = 6  # three on the way to the host and three on the way to the reader
_MOST_DELAY_S: Final = 10.0
_LATE_S: Final = 3.0  # moments that passed longer ago (the machine slept) are not made up for
_ACTIVE_S: Final = 600.0  # for so long after it was last used, a mixed conversation counts as being in use
_SPREAD: Final = 8.0  # over about so many moments what came too much or too little is made up for
_MOST_OWED: Final = 32.0  # but for what is beyond this


def hop_delay_ms(entropy: Entropy) -> int:
    """How long one hop holds a mixed packet."""
    return int(1000 * min(waiting(entropy, HOP_DELAY_S), _MOST_DELAY_S))


class Balance:
    """How much more is to come in for what was sent."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._owed = RETURNS * _SPREAD

    def sent(self, packets: int) -> None:
        """So many left, whatever they were."""
        self._owed = min(self._owed + RETURNS * packets, _MOST_OWED)

    def came(self) -> None:
        """An answer came, or a delivery, or cover."""
        self._owed = max(self._owed - 1, -_MOST_OWED)

    def brings_back(self) -> bool:
        """Whether the next cover packet is to come back. By chance, and the likelier the more is to come: what comes
        unasked is not followed by a gap at once."""
        return fraction(self._entropy) < self._owed / _SPREAD


class Cover:
    """The moments at which one client sends."""

    def __init__(self, entropy: Entropy) -> None:
        self.balance = Balance(entropy)
        self._entropy = entropy
        self._until = 0.0
        self._send_at = 0.0
        self._loop_at = 0.0

    def use(self, now: float) -> None:
        """A mixed conversation is in use."""
        if self._until <= now:
            self._begin(now)
        self._until = now + _ACTIVE_S

    def active(self, now: float) -> bool:
        return now < self._until

    def next_at(self, now: float) -> float | None:
        return min(self._send_at, self._loop_at) if self.active(now) else None

    def sends(self, now: float) -> int:
        """How many packets are due, and count as sent."""
        due, self._send_at = self._due(self._send_at, SEND_S, now)
        self.balance.sent(due)
        return due

    def loops(self, now: float) -> int:
        """How many loops are due, and count as sent."""
        due, self._loop_at = self._due(self._loop_at, LOOP_S, now)
        self.balance.sent(due)
        return due

    def _begin(self, now: float) -> None:
        self.balance = Balance(self._entropy)
        self._send_at = now + waiting(self._entropy, SEND_S)
        self._loop_at = now + waiting(self._entropy, LOOP_S)

    def _due(self, at: float, mean: float, now: float) -> tuple[int, float]:
        if not self.active(now):
            return 0, at
        if at < now - _LATE_S:
            at = now - waiting(self._entropy, mean) % _LATE_S
        due = 0
        while at <= now:
            due += 1
            at += waiting(self._entropy, mean)
        return due, at
