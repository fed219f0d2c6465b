"""At which addresses a host was seen. Anybody can repeat an announcement, so there may be several, and one is it.

Whether an address is the right one shows only above the carrier. So each dial takes the one that was tried least.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

SEEN_S: Final = 10.0  # after so long unseen, nobody is there
MAX_ADDRESSES: Final = 8  # of one meeting

A = TypeVar("A", bound=Hashable)


@dataclass
class _Sighting:
    at: float
    tries: int = 0


class Sightings(Generic[A]):
    """Times are a monotonic clock's."""

    def __init__(self) -> None:
        self._seen: dict[bytes, dict[A, _Sighting]] = {}

    def add(self, meeting: bytes, address: A, now: float) -> bool:
        """True if nothing was known of that address. Of too many, those that were tried most give way."""
        seen = self._seen.setdefault(meeting, {})
        if address in seen:
            seen[address].at = now
            return False
        for gone in [known for known, sighting in seen.items() if now - sighting.at > SEEN_S]:
            del seen[gone]
        if len(seen) >= MAX_ADDRESSES:
            worst = max(seen, key=lambda known: seen[known].tries)
            if not seen[worst].tries:
                return False
            del seen[worst]
        seen[address] = _Sighting(now)
        return True

    def next(self, meeting: bytes, now: float) -> A | None:
        """Where to dial now; counts as a try."""
        seen = {known: one for known, one in self._seen.get(meeting, {}).items() if now - one.at <= SEEN_S}
        if not seen:
            self._seen.pop(meeting, None)
            return None
        best = min(seen, key=lambda known: seen[known].tries)
        seen[best].tries += 1
        return best

    def forget(self, meeting: bytes, address: A) -> None:
        """Nobody answers there."""
        self._seen.get(meeting, {}).pop(address, None)
