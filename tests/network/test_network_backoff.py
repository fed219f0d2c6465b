"""Back-off: full jitter under a doubling bound, begun anew by a link that stood."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roost.network.backoff import Backoff, BackoffPolicy


class Fixed:
    """Entropy that always draws the same fraction."""

    def __init__(self, fraction: float) -> None:
        self._bytes = int(fraction * (2**32 - 1)).to_bytes(4, "big")

    def bytes(self, count: int) -> bytes:
        assert count == 4
        return self._bytes


@given(st.floats(0, 1), st.integers(1, 20))
def test_delays_stay_under_a_doubling_bound(fraction: float, attempts: int) -> None:
    backoff = Backoff(BackoffPolicy(first_s=1, most_s=60), Fixed(fraction))
    for attempt in range(attempts):
        bound = min(2**attempt, 60)
        delay = backoff.next_delay()
        assert 0 <= delay < bound
        assert abs(delay - fraction * bound) < 1e-6 * bound


def test_only_a_link_that_stood_begins_anew() -> None:
    backoff = Backoff(BackoffPolicy(first_s=1, most_s=60, stable_s=30), Fixed(1))
    for _ in range(4):
        backoff.next_delay()
    backoff.stood(29)
    assert backoff.next_delay() > 8
    backoff.stood(30)
    assert backoff.next_delay() < 1


@given(st.floats(0, 1), st.floats(0, 1e9))
def test_a_goodbye_is_honoured_with_jitter_and_within_reason(fraction: float, asked: float) -> None:
    delay = Backoff(BackoffPolicy(), Fixed(fraction)).after_goodbye(asked)
    assert min(asked, 1_800) <= delay <= 3_600
