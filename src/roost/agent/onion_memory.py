"""What a profile remembers of onion networks: their documents and consensus, and by which nodes it enters. Encrypted
with the rest of the profile, since the nodes by which somebody enters tell them apart from others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.messaging.records import OnionMemory
from roost.messaging.work import Work
from roost.network.onion.memory import Forgetful

if TYPE_CHECKING:
    from roost.agent.engine import Engine


class ProfileMemory:
    """A `roost.network.onion.memory.OnionMemory` in an open profile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, key: str) -> bytes | None:
        row = self._engine.look().get(OnionMemory, key)
        return row.value if row is not None else None

    def save(self, key: str, value: bytes) -> None:
        """Raises SurroundingsError: the disk refuses."""
        self._engine.step(_put, key, value)


class NewMemory(Forgetful):
    """What is learned before there is a profile to keep it."""

    def keep(self, work: Work) -> None:
        """Write it into a profile."""
        for key, value in self._kept.items():
            _put(work, key, value)


def _put(work: Work, key: str, value: bytes) -> None:
    work.put(OnionMemory(key, value))
