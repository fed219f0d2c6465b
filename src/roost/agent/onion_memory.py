"""What a profile remembers of onion networks: their documents and consensus, and by which nodes it enters. Encrypted
with the rest of the profile, since the nodes by which somebody enters tell them apart from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from roost.errors import SurroundingsError
from roost.messaging.records import OnionMemory
from roost.messaging.work import Work
from roost.network.onion.memory import Forgetful

if TYPE_CHECKING:
    from roost.agent.engine import Engine


class ProfileMemory:
    """A `roost.network.onion.memory.OnionMemory` in an open profile. What a full disk refuses is written later; until
    then it is remembered here, and the network goes on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._unwritten: dict[str, bytes] = {}

    def load(self, key: str) -> bytes | None:
        if key in self._unwritten:
            return self._unwritten[key]
        row = self._engine.look().get(OnionMemory, key)
        return row.value if row is not None else None

    def save(self, key: str, value: bytes) -> None:
        self._unwritten[key] = value
        try:
            self.write()
        except SurroundingsError as error:
            self._engine.trouble(error)

    def write(self) -> None:
        """What was refused before. Raises SurroundingsError: the disk refuses it again."""
        if self._unwritten:
            self._engine.step(_put_all, self._unwritten)
            self._unwritten = {}


class NewMemory(Forgetful):
    """What is learned before there is a profile to keep it."""

    def keep(self, work: Work) -> None:
        """Write it into a profile."""
        _put_all(work, self._kept)


def _put_all(work: Work, kept: Mapping[str, bytes]) -> None:
    for key, value in kept.items():
        work.put(OnionMemory(key, value))
