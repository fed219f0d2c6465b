"""Where hosts may be that were recognised nearby: several places each, since anybody can repeat an announcement from
a place of their own. What answers a question of this device's is better: nobody but the host can have said that before,
so who says it first is the host, and who says it after is an echo. Bounded, whatever neighbours say; only the handshake
above tells who is who, and what comes of it is learned here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

PLACES: Final = 12  # of one host
PLACES_PER_ADDRESS: Final = 2
SEEN_S: Final = 200.0  # a place is forgotten when nothing came from it for so long: three announcements
FAILED: Final = 256  # places where nobody answered, in all
FAILED_S: Final = 20.0  # ... which are not believed again before
TOLD_AGAIN_S: Final = 10.0


class Spot(NamedTuple):
    """An address and port; `scope` is the interface of a link-local one, else 0."""

    address: str
    scope: int
    port: int


@dataclass(eq=False)
class Candidate:
    """One place where a host may be, and how it went there so far."""

    spot: Spot
    nonce: bytes
    seen: float
    told: float
    tries: int = 0
    fresh: bool = False  # it answered a question of ours, as the first one
    good: bool = False  # somebody there understood what was said


@dataclass
class Candidates:
    """By meeting."""

    _hosts: dict[bytes, list[Candidate]] = field(default_factory=dict)
    _failed: dict[Spot, float] = field(default_factory=dict)

    def keep(self, meetings: Iterable[bytes]) -> None:
        """Forget all others."""
        self._hosts = {meeting: self._hosts[meeting] for meeting in meetings if meeting in self._hosts}

    def heard(self, meeting: bytes, nonce: bytes, spot: Spot, now: float, *, fresh: bool = False) -> bool:
        """An announcement of this host came from there, `fresh` when it answers a question of this device's. True when
        dialling is worth while."""
        if self._failed.get(spot, now) > now:
            return False
        known = self._hosts[meeting] = [one for one in self._hosts.get(meeting, ()) if now - one.seen < SEEN_S]
        if fresh and any(one.fresh and one.nonce == nonce and one.spot != spot for one in known):
            return False
        for candidate in known:
            if candidate.spot == spot:
                candidate.seen, candidate.nonce = now, nonce
                candidate.fresh |= fresh
                tell = now - candidate.told >= TOLD_AGAIN_S
                if tell:
                    candidate.told = now
                return tell
        here = [one for one in known if one.spot[:2] == spot[:2]]
        if len(here) >= PLACES_PER_ADDRESS:
            known.remove(_least_hopeful(here))
        if len(known) >= PLACES:
            known.remove(_least_hopeful(known))
        known.append(Candidate(spot, nonce, now, now, fresh=fresh))
        return True

    def best_first(self, meeting: bytes, now: float) -> list[Candidate]:
        """Where to try: where it went well before, then what answered, then where it was tried least."""
        known = [one for one in self._hosts.get(meeting, ()) if now - one.seen < SEEN_S]
        return sorted(known, key=lambda one: (not one.good, not one.fresh, one.tries))

    def failed(self, meeting: bytes, candidate: Candidate, now: float) -> None:
        """Nobody answers there."""
        if candidate in self._hosts.get(meeting, ()):
            self._hosts[meeting].remove(candidate)
        self._failed = {spot: until for spot, until in self._failed.items() if until > now}
        if len(self._failed) < FAILED:
            self._failed[candidate.spot] = now + FAILED_S

    def __len__(self) -> int:
        return sum(len(known) for known in self._hosts.values())


def _least_hopeful(candidates: list[Candidate]) -> Candidate:
    """Which one makes room: by chance among those that were tried most in vain, so that nobody can choose it."""
    bad = [one for one in candidates if not (one.good or one.fresh)] or candidates
    most = max(one.tries for one in bad)
    return secrets.choice([one for one in bad if one.tries == most])
