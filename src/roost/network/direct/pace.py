"""Doing something for each of many at most so often, without losing the last time that it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable


class Pace:
    """Made on the event loop; `close` once."""

    def __init__(self, again_s: float) -> None:
        self._again_s = again_s
        self._loop = asyncio.get_running_loop()
        self._at: dict[Hashable, float] = {}
        self._later: dict[Hashable, asyncio.TimerHandle] = {}

    def due(self, name: Hashable, ask_again: Callable[[], None]) -> bool:
        """Whether it may be done now; if not, `ask_again` is called as soon as it may."""
        now, again_at = self._loop.time(), self._at.get(name, float("-inf")) + self._again_s
        if now >= again_at:
            self._at[name] = now
            return True
        if name not in self._later:
            self._later[name] = self._loop.call_at(again_at, self._ask, name, ask_again)
        return False

    def forget(self, name: Hashable) -> None:
        """It may be done again at once."""
        self._at.pop(name, None)

    def close(self) -> None:
        for later in self._later.values():
            later.cancel()

    def _ask(self, name: Hashable, ask_again: Callable[[], None]) -> None:
        del self._later[name]
        ask_again()
