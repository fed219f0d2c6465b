"""How many reply blocks a node has of a session, and how many it should have. Pure.

The node says with each answer how many it has left; what was sent since then may have arrived or not.
"""

from __future__ import annotations

from collections import deque

IDLE = 8  # for a session that waits for deliveries
MOST = 64  # while much is delivered; a node keeps 96
_CALM_S = 2.0  # without deliveries, after which `IDLE` is enough again


class Blocks:
    """The blocks of one session with one node."""

    def __init__(self) -> None:
        self._left = 0
        self._newest = (0, 0)  # (frame, part) that said so
        self._given: deque[tuple[float, int]] = deque()  # when and how many, not counted in `_left`
        self._flow = IDLE
        self._flowed_at = 0.0
        self._filling = False

    def given(self, count: int, now: float) -> None:
        """So many were sent."""
        if count:
            self._given.append((now, count))

    def said(self, frame: tuple[int, int], left: int, sent_before: float) -> None:
        """The node had `left` when it sent part `frame[1]` of frame `frame[0]`; less than none when the parts that
        follow need more than it has. What was sent until `sent_before` had arrived by then, or is lost."""
        if frame > self._newest:
            self._newest, self._left = frame, min(left, 2 * MOST)
            self.settled(sent_before)

    def settled(self, sent_before: float) -> None:
        while self._given and self._given[0][0] <= sent_before:
            self._given.popleft()

    def delivered(self, now: float) -> None:
        """An envelope came: more will follow; twice as many when the node runs out."""
        self._flowed_at = now
        if self._left <= self._flow // 4:
            self._flow = min(2 * self._flow, MOST)

    def lost(self) -> None:
        """Much was lost, and with it what the node is thought to have."""
        self.void()
        self.slower()

    def slower(self) -> None:
        """Something was lost: less at once."""
        self._flow = max(self._flow // 2, IDLE)

    def void(self) -> None:
        """The node may have none that are of use."""
        self._left = 0
        self._given.clear()

    def wanted(self, needed: int, subscribed: bool, now: float) -> int:
        """How many to send now. `needed` for the answers that are waited for; `subscribed`: with some in reserve, which
        is filled up once half of it is used."""
        if now - self._flowed_at > _CALM_S:
            self._flow = IDLE
        there = self._left + sum(count for _, count in self._given)
        if there < needed:
            return needed - there
        if not subscribed:
            return 0
        full = needed + self._flow
        self._filling = there < full if self._filling else there <= needed + self._flow // 2
        return full - there if self._filling else 0
