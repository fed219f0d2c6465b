"""How long to wait before connecting again: exponential back-off with full jitter. Pure.

Full jitter (a uniform draw from zero up to the bound) spreads the clients of a relay that has just restarted best, and
a TLS handshake for each is what such a moment costs the relay.
"""

from __future__ import annotations

from dataclasses import dataclass

from roost.crypto import Entropy


@dataclass(frozen=True)
class BackoffPolicy:
    """All in seconds. The bound doubles from `first_s` to `most_s`."""

    first_s: float = 1.0
    most_s: float = 60.0
    stable_s: float = 30.0  # a link that stood so long begins the series anew


class Backoff:
    """The series of one relay's attempts."""

    def __init__(self, policy: BackoffPolicy, entropy: Entropy) -> None:
        self.policy = policy
        self._entropy = entropy
        self._bound = policy.first_s

    def next_delay(self) -> float:
        """Seconds to wait after another failure."""
        bound, self._bound = self._bound, min(2 * self._bound, self.policy.most_s)
        return bound * self._fraction()

    def after_goodbye(self, retry_after_s: float) -> float:
        """Seconds to wait when a relay asked for `retry_after_s`: from that to twice that, at most an hour."""
        return min(retry_after_s, 1_800.0) * (1 + self._fraction())

    def stood(self, seconds: float) -> None:
        """A link was up for so long."""
        if seconds >= self.policy.stable_s:
            self._bound = self.policy.first_s

    def _fraction(self) -> float:
        return int.from_bytes(self._entropy.bytes(4), "big") / 2**32
